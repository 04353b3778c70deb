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
from faceclust.files.atomic import write_own_atomically
from faceclust.files.lock import hold_file_lock
from faceclust.files.names import REPORT_MARKER
from faceclust.files.safe_paths import is_path_below, unsafe_parent

#: Path → the digest of what was made there; while files are moved, those of before and after.
Digests = dict[str, str]
_REPORT_LOCK = ".faceclust-report.lock"
_REPORT_STAGING_PREFIX = ".faceclust-report-"  # hidden: no scan looks into it
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


class StagedFolder:
    """Files on their way into the folder. Paths are POSIX ones below it."""

    def __init__(self, out: Path, stage: Path, previous: Digests) -> None:
        self._out = out
        self._stage = stage
        self._previous = previous
        self._current: Digests = {}
        self._pending: list[str] = []
        self._size = 0

    def add(self, path: str, content: bytes) -> None:
        """A file that is to be there."""
        digest = _digest(content)
        self._size += len(content)
        if digest in self._previous.get(path, "").split() and _digest_on_disk(self._out, path) == digest:
            self._current[path] = digest
            return
        _require_free_or_own(self._out, path, self._previous.get(path))
        staged = self._stage / path
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.write_bytes(content)
        self._current[path] = digest
        self._pending.append(path)

    def finish(self) -> WrittenFolder:
        """Move all into place, and remove what an earlier run made and this one did not."""
        left = {path: digest for path, digest in self._previous.items() if path not in self._current}
        either = {path: f"{self._previous.get(path, '')} {digest}".strip() for path, digest in self._current.items()}
        for path in self._pending:  # some of them were looked at long ago
            _require_free_or_own(self._out, path, self._previous.get(path))
        _write_digests(self._out, self._previous | either)
        for path in self._pending:
            _require_free_or_own(self._out, path, self._previous.get(path))
            (self._out / path).parent.mkdir(parents=True, exist_ok=True)
            (self._stage / path).replace(self._out / path)
        gone = [path for path, digest in left.items() if _is_own_file(self._out, path, digest)]
        for path in gone:
            _remove_with_empty_parents(self._out, path)
        _write_digests(self._out, self._current)
        pages = sum(path.endswith(".html") for path in self._current)
        pictures = len(self._current) - pages
        return WrittenFolder(self._out, pages, pictures, self._size, len(self._pending), len(gone))


def require_report_folder(out: Path) -> None:
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
    if not (out / REPORT_MARKER).exists() and any(not entry.name.startswith(".") for entry in out.iterdir()):
        raise UsageError(f"there are other files in {out}", hint="name a new folder, or an empty one, with -o")


@contextmanager
def stage_folder(out: Path) -> Iterator[StagedFolder]:
    """A place to make files in that go to `out` by `finish`; without it all stays as it was. Raises
    UsageError as `require_report_folder` does, FaceclustError where something cannot be written or another run
    is at work on the folder."""
    require_report_folder(out)
    was_there = out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with hold_file_lock(out / _REPORT_LOCK, "writes a report"):
            require_report_folder(out)
            stage = out / f"{_REPORT_STAGING_PREFIX}{secrets.token_hex(4)}"
            try:
                notes = _read_digests(out)
                _remove_stale_staging(out)
                stage.mkdir()
                yield StagedFolder(out, stage, notes)
            finally:
                shutil.rmtree(stage, ignore_errors=True)
                if not was_there:
                    _remove_empty_output(out)
    except OSError as error:
        raise FaceclustError(f"{error.filename or out}: {error.strerror or error}", hint=_HINT) from error


def _remove_empty_output(out: Path) -> None:
    """Remove a new folder where nothing came of it."""
    with contextlib.suppress(OSError):
        if [entry.name for entry in out.iterdir()] == [_REPORT_LOCK]:
            (out / _REPORT_LOCK).unlink()
            out.rmdir()


def _remove_stale_staging(out: Path) -> None:
    """Remove what runs left that were killed."""
    for left in out.glob(f"{_REPORT_STAGING_PREFIX}*"):
        if re.fullmatch(f"{re.escape(_REPORT_STAGING_PREFIX)}[0-9a-f]{{8}}", left.name) and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)


def _require_free_or_own(out: Path, path: str, known_digests: str | None) -> None:
    """Raises FaceclustError where something foreign is in the place of a file to be, or on the way there."""
    if wrong := unsafe_parent(out, path):
        raise FaceclustError(f"{out / path}: {wrong}", hint="move it away, or name another folder with -o")
    if os.path.lexists(out / path) and not _is_own_file(out, path, known_digests):
        raise FaceclustError(
            f"{out / path} was not made by faceclust, or was changed since",
            hint="move it away, or name another folder with -o",
        )


def _is_own_file(out: Path, path: str, known_digests: str | None) -> bool:
    return known_digests is not None and _digest_on_disk(out, path) in known_digests.split()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _digest_on_disk(out: Path, path: str) -> str | None:
    """None for what is not there, or no file of its own in the folder."""
    file = out / path
    if unsafe_parent(out, path) or file.is_symlink() or not file.is_file():
        return None
    return _digest(file.read_bytes())


def _remove_with_empty_parents(out: Path, path: str) -> None:
    (out / path).unlink()
    for parent in list(Path(path).parents)[:-1]:
        try:
            (out / parent).rmdir()  # only an empty folder goes
        except OSError:
            return


def _read_digests(out: Path) -> Digests:
    try:
        files = json.loads((out / REPORT_MARKER).read_text(encoding="utf-8"))["files"]
        return {path: digest for path, digest in files.items() if isinstance(digest, str) and is_path_below(path)}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FaceclustError(
            f"{out / REPORT_MARKER} cannot be read: {error}", hint="name another folder with -o, or move this one away"
        ) from error


def _write_digests(out: Path, digests: Mapping[str, str]) -> None:
    content = {"about": "made by faceclust report; faceclust scan passes this folder by", "files": digests}
    text = json.dumps(content, indent=0, ensure_ascii=False, sort_keys=True)
    write_own_atomically(out / REPORT_MARKER, text.encode())
