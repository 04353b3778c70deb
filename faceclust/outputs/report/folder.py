"""A folder of pages that can be made again and again, and in which nothing foreign is touched.

All is made in a hidden folder within it, and moved into place when it is whole. What was made
is noted with its digest: only a file that is noted, and still is what was made, is ever
replaced or removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faceclust.errors import FaceclustError, UsageError
from faceclust.files.atomic import replace_whole
from faceclust.files.lock import locked
from faceclust.files.names import REPORT_NOTES
from faceclust.files.safe_paths import is_path_below, obstacle_to

#: Path → the digest of what was made there; while files are moved, those of before and after.
Notes = dict[str, str]
_LOCK = ".faceclust-report.lock"
_STAGE = ".faceclust-report-"  # hidden: no scan looks into it
_HINT = "is the disk full or the folder read-only?"


@dataclass(frozen=True)
class WrittenFolder:
    """What a run did in `out`: how many files are there now, pages and pictures, their bytes, how many
    of them are `new` or changed, and how many of an earlier run were `removed`."""

    out: Path
    pages: int
    pictures: int
    size: int
    new: int
    removed: int


class Staging:
    """Files on their way into the folder. Paths are POSIX ones below it."""

    def __init__(self, out: Path, stage: Path, notes: Notes) -> None:
        self._out = out
        self._stage = stage
        self._notes = notes
        self._made: Notes = {}
        self._waiting: list[str] = []
        self._size = 0

    def add(self, path: str, content: bytes) -> None:
        """A file that is to be there."""
        digest = _digest(content)
        self._size += len(content)
        if digest in self._notes.get(path, "").split() and _digest_of(self._out, path) == digest:
            self._made[path] = digest
            return
        _check_free(self._out, path, self._notes.get(path))
        staged = self._stage / path
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.write_bytes(content)
        self._made[path] = digest
        self._waiting.append(path)

    def finish(self) -> WrittenFolder:
        """Move all into place, and remove what an earlier run made and this one did not."""
        left = {path: digest for path, digest in self._notes.items() if path not in self._made}
        either = {path: f"{self._notes.get(path, '')} {digest}".strip() for path, digest in self._made.items()}
        for path in self._waiting:  # some of them were looked at long ago
            _check_free(self._out, path, self._notes.get(path))
        _write_notes(self._out, self._notes | either)
        for path in self._waiting:
            _check_free(self._out, path, self._notes.get(path))
            (self._out / path).parent.mkdir(parents=True, exist_ok=True)
            (self._stage / path).replace(self._out / path)
        gone = [path for path, digest in left.items() if _is_ours(self._out, path, digest)]
        for path in gone:
            _remove(self._out, path)
        _write_notes(self._out, self._made)
        pages = sum(path.endswith(".html") for path in self._made)
        pictures = len(self._made) - pages
        return WrittenFolder(self._out, pages, pictures, self._size, len(self._waiting), len(gone))


def check_folder(out: Path) -> None:
    """Raises UsageError where `out` cannot hold a report: it is a file, there is no folder to make it
    in, or there are files in it and no notes of an earlier report."""
    if not out.exists() and not os.path.lexists(out):
        if not out.parent.is_dir():
            raise UsageError(
                f"{out} cannot be made: there is no folder {out.parent}", hint="make it, or choose another"
            )
        return
    if not out.is_dir():
        raise UsageError(f"{out} is no folder", hint="with --split, name a folder with -o")
    if not (out / REPORT_NOTES).exists() and any(not entry.name.startswith(".") for entry in out.iterdir()):
        raise UsageError(f"there are other files in {out}", hint="name a new folder, or an empty one, with -o")


@contextmanager
def staging(out: Path) -> Iterator[Staging]:
    """A place to make files in that go to `out` by `finish`; without it all stays as it was. Raises
    UsageError as `check_folder` does, FaceclustError where something cannot be written or another run
    is at work on the folder."""
    check_folder(out)
    was_there = out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with locked(out / _LOCK, "writes a report"):
            check_folder(out)
            stage = out / f"{_STAGE}{secrets.token_hex(4)}"
            try:
                notes = _read_notes(out)
                _clear_stages(out)
                stage.mkdir()
                yield Staging(out, stage, notes)
            finally:
                shutil.rmtree(stage, ignore_errors=True)
                if not was_there:
                    _remove_unused(out)
    except OSError as error:
        raise FaceclustError(f"{error.filename or out}: {error.strerror or error}", hint=_HINT) from error


def _remove_unused(out: Path) -> None:
    """Remove a new folder where nothing came of it."""
    with contextlib.suppress(OSError):
        if [entry.name for entry in out.iterdir()] == [_LOCK]:
            (out / _LOCK).unlink()
            out.rmdir()


def _clear_stages(out: Path) -> None:
    """Remove what runs left that were killed."""
    for left in out.glob(f"{_STAGE}*"):
        if re.fullmatch(f"{re.escape(_STAGE)}[0-9a-f]{{8}}", left.name) and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)


def _check_free(out: Path, path: str, noted: str | None) -> None:
    """Raises FaceclustError where something foreign is in the place of a file to be, or on the way there."""
    if wrong := obstacle_to(out, path):
        raise FaceclustError(f"{out / path}: {wrong}", hint="move it away, or name another folder with -o")
    if os.path.lexists(out / path) and not _is_ours(out, path, noted):
        raise FaceclustError(
            f"{out / path} was not made by faceclust, or was changed since",
            hint="move it away, or name another folder with -o",
        )


def _is_ours(out: Path, path: str, noted: str | None) -> bool:
    return noted is not None and _digest_of(out, path) in noted.split()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _digest_of(out: Path, path: str) -> str | None:
    """None for what is not there, or no file of its own in the folder."""
    file = out / path
    if obstacle_to(out, path) or file.is_symlink() or not file.is_file():
        return None
    return _digest(file.read_bytes())


def _remove(out: Path, path: str) -> None:
    (out / path).unlink()
    for parent in list(Path(path).parents)[:-1]:
        try:
            (out / parent).rmdir()  # only an empty folder goes
        except OSError:
            return


def _read_notes(out: Path) -> Notes:
    try:
        files = json.loads((out / REPORT_NOTES).read_text(encoding="utf-8"))["files"]
        return {path: digest for path, digest in files.items() if isinstance(digest, str) and is_path_below(path)}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FaceclustError(
            f"{out / REPORT_NOTES} cannot be read: {error}", hint="name another folder with -o, or move this one away"
        ) from error


def _write_notes(out: Path, notes: Mapping[str, str]) -> None:
    content = {"about": "made by faceclust report; faceclust scan passes this folder by", "files": notes}
    text = json.dumps(content, indent=0, ensure_ascii=False, sort_keys=True)
    replace_whole(out / REPORT_NOTES, text.encode())
