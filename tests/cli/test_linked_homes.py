"""Links in place of faceclust's folders and files: no command deletes, changes or reads anything behind them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.files.names import CACHE_NAME
from tests.support.command import run, run_checked

pytestmark = pytest.mark.linux

DELETING_COMMANDS = ["cache prune", "cache clear --yes", "forget Collins --yes", "cluster --full", "scan ."]
PLACES = [".faceclust", *(f".faceclust/{name}" for name in ("thumbs", "folders", "set-aside", "people.jsonl"))]


@pytest.fixture
def named(library: Library) -> Library:
    """The library with a person called Collins, a page's thumbnails and a copy of each file as the victim's."""
    library.cluster()
    library.name([library.occurrences[0].face_id], "Collins")
    home = library.root / ".faceclust"
    (home / "thumbs/ab").mkdir(parents=True, exist_ok=True)
    (home / "thumbs/ab/abcdefabcdefabcd.jpg").write_bytes(b"\xff\xd8")
    for folder in ("folders", "set-aside"):
        (home / folder).mkdir()
        shutil.copy(next(library.root.rglob(CACHE_NAME)), home / folder / CACHE_NAME)
    return library


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (
            status.st_mode,
            status.st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [folder, *folder.rglob("*")]
        if (status := path.lstat())
    }


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", DELETING_COMMANDS)
def test_nothing_behind_a_link_is_touched(named: Library, tmp_path: Path, command: str, place: str) -> None:
    victim = tmp_path / "victim"
    (named.root / place).rename(victim)
    (named.root / place).symlink_to(victim)
    before = snapshot(victim) if victim.is_dir() else victim.read_bytes()
    done = run(*command.split(), cwd=named.root, env={"FACECLUST_LIBRARY": str(named.root)})
    assert (snapshot(victim) if victim.is_dir() else victim.read_bytes()) == before
    assert done.returncode == 0 or "it is a symlink" in done.stderr, done.stderr
    assert "bug in faceclust" not in done.stderr


def test_a_home_that_is_a_link_is_refused_by_name(named: Library, tmp_path: Path) -> None:
    shutil.move(named.root / ".faceclust", tmp_path / "elsewhere")
    (named.root / ".faceclust").symlink_to(tmp_path / "elsewhere")
    done = run("people", "-l", named.root)
    assert done.returncode == 1 and done.stdout == ""
    assert f"error: {named.root / '.faceclust'} cannot be read: it is a symlink, not a folder" in done.stderr


def test_an_unreadable_cache_of_another_folder_stops_forgetting(
    named: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches = sorted(named.root.rglob(CACHE_NAME))
    before = {path: path.read_bytes() for path in caches}
    journal = named.home.journal.read_bytes()
    real = os.open

    def fail(path: str | Path, *arguments: int, **options: int) -> int:
        if os.fspath(path) == CACHE_NAME and options.get("dir_fd") is not None:
            folder = Path(f"/proc/self/fd/{options['dir_fd']}").readlink()
            if folder == caches[-1].parent:
                raise OSError(5, "Input/output error")
        return real(path, *arguments, **options)

    for command in ("forget Collins --yes", "cluster --full", "cache prune", "people"):
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", fail)
            done = run(*command.split(), "-l", named.root)
        assert done.returncode == 1 and f"{caches[-1]} cannot be read: Input/output error" in done.stderr
    assert {path: path.read_bytes() for path in caches} == before and named.home.journal.read_bytes() == journal
    run_checked("forget", "Collins", "--yes", "-l", named.root)
