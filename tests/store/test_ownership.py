"""Libraries of other users around the working folder are not used unless the user named or trusts them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.files.user_folders import config_folder
from faceclust.store.find_library import find_library, find_library_for_scan, remember_library
from tests.support.command import run, run_checked

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no user ids")

needs_root = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
SOMEBODY = 4711


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of this user, with a configuration file, around the working folder."""
    root = (tmp_path / "photos").resolve()
    (root / ".faceclust").mkdir(parents=True)
    (root / "2024").mkdir()
    (root / ".faceclust/config.toml").touch()
    monkeypatch.chdir(root / "2024")
    monkeypatch.delenv("SUDO_UID", raising=False)
    return root


@pytest.fixture
def another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a user who owns none of the files."""
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)


def write_user_config(text: str) -> None:
    config_folder().mkdir(parents=True, exist_ok=True)
    (config_folder() / "config.toml").write_text(text)


def test_a_library_of_this_user_is_found(root: Path) -> None:
    assert find_library(None) == root == find_library_for_scan([root / "2024"], None)


@pytest.mark.usefixtures("another_user")
@pytest.mark.parametrize("is_scan", [False, True])
def test_a_library_of_another_user_is_refused_with_a_hint(root: Path, is_scan: bool) -> None:
    message = f"the library {root} is not used: {root} belongs to another user"
    with pytest.raises(UsageError, match=message) as raised:
        find_library_for_scan([root / "2024"], None) if is_scan else find_library(None)
    hint = str(raised.value.hint)
    assert f"--library {root}" in hint and f'safe-libraries = ["{root}"]' in hint
    assert str(config_folder() / "config.toml") in hint


@pytest.mark.usefixtures("another_user")
def test_a_named_library_is_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_library(root) == root == find_library_for_scan([root], None)
    assert find_library_for_scan([root / "2024"], root) == root
    monkeypatch.setenv("FACECLUST_LIBRARY", str(root))
    assert find_library(None) == root == find_library_for_scan([root / "2024"], None)


@pytest.mark.usefixtures("another_user")
def test_the_library_scanned_last_was_named_then(root: Path) -> None:
    remember_library(root)
    assert find_library(None) == root == find_library_for_scan([root / "2024"], None)


@pytest.mark.usefixtures("another_user")
@pytest.mark.parametrize(
    ("trusted", "is_found"), [("{root}", True), ("*", True), ("{root}/", True), ("{root}/2024", False), ("/", False)]
)
def test_safe_libraries_of_the_users_file(root: Path, trusted: str, is_found: bool) -> None:
    write_user_config(f'safe-libraries = ["/srv", "{trusted.format(root=root)}"]')
    if is_found:
        assert find_library(None) == root
    else:
        with pytest.raises(UsageError, match="belongs to another user"):
            find_library(None)


@pytest.mark.usefixtures("another_user")
def test_a_library_cannot_vouch_for_itself(root: Path) -> None:
    (root / ".faceclust/config.toml").write_text('safe-libraries = ["*"]')
    with pytest.raises(UsageError, match="belongs to another user"):
        find_library(None)
    done = run("status", "-l", root)
    assert done.returncode == 2 and "unknown key safe-libraries" in done.stderr


@pytest.mark.parametrize("value", ['"*"', "[1]", "true", "[[]]"])
@pytest.mark.usefixtures("another_user")
def test_an_invalid_list_is_reported(root: Path, value: str) -> None:
    write_user_config(f"safe-libraries = {value}")
    with pytest.raises(UsageError, match="must be a list of folders"):
        find_library(None)


@needs_root
@pytest.mark.parametrize("name", [".", ".faceclust", ".faceclust/config.toml"])
def test_root_home_and_configuration_are_each_checked(root: Path, name: str) -> None:
    os.chown(root / name, SOMEBODY, -1)
    with pytest.raises(UsageError, match=f"{root / name} belongs to another user"):
        find_library(None)


@needs_root
def test_with_sudo_the_libraries_of_the_caller_are_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(root, SOMEBODY, -1)
    for caller in ("", "x", str(SOMEBODY + 1)):
        monkeypatch.setenv("SUDO_UID", caller)
        with pytest.raises(UsageError, match="belongs to another user"):
            find_library(None)
    monkeypatch.setenv("SUDO_UID", str(SOMEBODY))
    assert find_library(None) == root


def test_commands_refuse_and_obey_the_options(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    root = library.root
    (root / ".faceclust/config.toml").write_text("[status]\njson = true")
    for command in (
        ["status"],
        ["cluster"],
        ["scan"],
        ["people"],
        ["forget", "Anna", "--yes"],
        ["cache", "clear", "-y"],
    ):
        done = run(*command, cwd=root / "2019")
        assert done.returncode == 2 and "belongs to another user" in done.stderr and not done.stdout, command
    assert run_checked("status", "-l", root, cwd=root / "2019").startswith("{")
    write_user_config(f'safe-libraries = ["{root}"]')
    assert run_checked("status", cwd=root / "2019").startswith("{")
    assert f'safe-libraries = ["{root}"]' in run_checked("config", cwd=root / "2019")
    assert run("--no-config", "status", cwd=root / "2019").returncode == 2
