"""Paths that start with "~": in every command, the home of an unknown user is one clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.files.user_folders import expand_user
from tests.support.command import run


def test_a_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setenv("USERPROFILE", "/home/anna")
    assert expand_user("~/x") == Path("/home/anna/x")
    assert expand_user("a/~") == Path("a/~")


def test_an_unknown_user_is_an_error_with_a_hint() -> None:
    with pytest.raises(UsageError, match="~nosuchuser/x: there is no user nosuchuser") as raised:
        expand_user("~nosuchuser/x")
    assert "whole path" in str(raised.value.hint)


@pytest.mark.parametrize(
    "command",
    [
        "status -l ~nosuchuser/x",
        "scan ~nosuchuser/x",
        "scan --cache-dir ~nosuchuser/x PHOTOS",
        "report -l PHOTOS -o ~nosuchuser/x",
        "report -l PHOTOS --split -o ~nosuchuser/x",
        "map -l PHOTOS -o ~nosuchuser/x",
        "albums -l PHOTOS ~nosuchuser/x",
        "export -l PHOTOS -o ~nosuchuser/x",
        "export -l PHOTOS -f xmp --where ~nosuchuser/x",
        "import -l PHOTOS ~nosuchuser/x",
        "import -l PHOTOS --contacts ~nosuchuser/x",
        "journal -l PHOTOS --merge ~nosuchuser/x",
        "verify ~nosuchuser/x ~nosuchuser/y",
        "forget -l PHOTOS ~nosuchuser/x -y",
        "find -l PHOTOS --folder ~nosuchuser/x",
        "models add ~nosuchuser/x",
        "models calibrate dlib ~nosuchuser/x",
        "evaluate pairs PHOTOS --pairs ~nosuchuser/x",
        "evaluate clusters -l PHOTOS --truth ~nosuchuser/x",
        "evaluate quality ~nosuchuser/x",
        "evaluate clusters --embeddings ~nosuchuser/x",
        "cluster -l ~nosuchuser/x",
    ],
)
def test_no_command_calls_it_a_bug(library: Library, tmp_path: Path, command: str) -> None:
    done = run(*command.replace("PHOTOS", str(library.root)).split(), cwd=tmp_path)
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr and "bug in" not in done.stderr
    assert "error: " in done.stderr and "nosuchuser" in done.stderr
    assert not list(tmp_path.glob("~*"))


@pytest.mark.parametrize("variable", ["FACECLUST_LIBRARY", "FACECLUST_CACHE_DIR"])
def test_environment_variables_too(library: Library, variable: str) -> None:
    arguments = ["-l", library.root] if variable == "FACECLUST_CACHE_DIR" else []
    done = run("status", *arguments, env={variable: "~nosuchuser/x"})
    assert done.returncode == 2 and "bug in" not in done.stderr
