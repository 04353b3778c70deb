"""Write a report into a folder, again and again, without touching anybody else's files.

Files are staged in a hidden folder inside it and moved into place when all are complete. A marker file
lists each written file with its digest. A file is replaced or removed only if it is listed and its
digest still matches.
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
from faceclust.files.lock import hold_file_lock
from faceclust.files.names import REPORT_MARKER
from faceclust.files.output_files import (
    MAX_NOTE_BYTES,
    file_mode_beside,
    make_subfolders,
    remove_abandoned_outputs,
    write_own_atomically,
)
from faceclust.files.own_files import (
    PRIVATE_FOLDER_MODE,
    UnsafeFileError,
    is_own_folder,
    make_own_folder,
    path_below,
    read_own,
)
from faceclust.files.safe_paths import is_path_below, lstat_if_present, unsafe_parent

#: Path → digest of the file written there. While files are moved: the old and the new digest.
Digests = dict[str, str]
_REPORT_LOCK = ".faceclust-report.lock"
_REPORT_STAGING_PREFIX = ".faceclust-report-"  # hidden: scans skip it
_MAX_REPORT_FILE_BYTES = 1_000_000_000  # a page of a report is far smaller
_HINT = "is the disk full or the folder read-only?"


@dataclass(frozen=True)
class WrittenFolder:
    """The result of a run: numbers of pages and pictures now in `out`, and their `size` in bytes.

    `new` counts new and changed files, `removed` the files of an earlier run.
    """

    out: Path
    pages: int
    pictures: int
    size: int
    new: int
    removed: int


class StagedFolder:
    """Files staged for the folder. Paths are POSIX paths below it."""

    def __init__(self, out: Path, stage: Path, previous: Digests) -> None:
        self._out = out
        self._stage = stage
        self._file_mode = file_mode_beside(out / REPORT_MARKER)
        self._previous = previous
        self._current: Digests = {}
        self._pending: list[str] = []
        self._size = 0

    def add(self, path: str, content: bytes) -> None:
        """Stage a file, unless the folder has it already. Raises FaceclustError for a foreign file,
        UnsafeFileError for a path that leads out of the folder."""
        staged = path_below(self._stage, path)
        digest = _digest(content)
        self._size += len(content)
        if digest in self._previous.get(path, "").split() and _digest_on_disk(self._out, path) == digest:
            self._current[path] = digest
            return
        _require_free_or_own(self._out, path, self._previous.get(path))
        make_subfolders(self._stage, path.rpartition("/")[0])
        staged.write_bytes(content)
        with contextlib.suppress(OSError):  # a file system without modes
            staged.chmod(self._file_mode)
        self._current[path] = digest
        self._pending.append(path)

    def finish(self) -> WrittenFolder:
        """Move all files into place, and remove files that only an earlier run wrote."""
        outdated = {path: digest for path, digest in self._previous.items() if path not in self._current}
        both = {path: f"{self._previous.get(path, '')} {digest}".strip() for path, digest in self._current.items()}
        for path in self._pending:  # much time may have passed since the first check
            _require_free_or_own(self._out, path, self._previous.get(path))
        _write_digests(self._out, self._previous | both)
        for path in self._pending:
            _require_free_or_own(self._out, path, self._previous.get(path))
            make_subfolders(self._out, path.rpartition("/")[0])
            (self._stage / path).replace(self._out / path)
        removable = [path for path, digest in outdated.items() if _is_own_file(self._out, path, digest)]
        for path in removable:
            _remove_with_empty_parents(self._out, path)
        _write_digests(self._out, self._current)
        pages = sum(path.endswith(".html") for path in self._current)
        pictures = len(self._current) - pages
        return WrittenFolder(self._out, pages, pictures, self._size, len(self._pending), len(removable))


def require_report_folder(out: Path) -> None:
    """Check that `out` can hold a report.

    Raises UsageError if it is a file, if its parent is missing, or if it has files but no marker of an
    earlier report.
    """
    if lstat_if_present(str(out)) is None:
        if not out.parent.is_dir():
            raise UsageError(
                f"cannot create {out}: the folder {out.parent} does not exist", hint="create it, or choose another"
            )
        return
    if not out.is_dir():
        raise UsageError(f"{out} is not a folder", hint="with --split, name a folder with -o")
    if lstat_if_present(str(out / REPORT_MARKER)) is None and any(not name.startswith(".") for name in os.listdir(out)):
        raise UsageError(f"{out} contains other files", hint="name a new or empty folder with -o")


@contextmanager
def stage_folder(out: Path) -> Iterator[StagedFolder]:
    """Stage files for `out`; nothing changes there unless `finish` is called.

    Raises UsageError as `require_report_folder` does. Raises FaceclustError if a file cannot be written
    or another run holds the folder's lock.
    """
    try:
        require_report_folder(out)
        out = out.resolve()
        was_there = is_own_folder(out)
        make_own_folder(out)
        with hold_file_lock(out / _REPORT_LOCK, "writes a report"):
            require_report_folder(out)
            stage = out / f"{_REPORT_STAGING_PREFIX}{secrets.token_hex(4)}"
            try:
                previous = _read_digests(out)
                _remove_stale_staging(out)
                remove_abandoned_outputs(out)
                stage.mkdir(PRIVATE_FOLDER_MODE)
                yield StagedFolder(out, stage, previous)
            finally:
                shutil.rmtree(stage, ignore_errors=True)
                if not was_there:
                    _remove_empty_output(out)
    except OSError as error:
        raise FaceclustError(f"{error.filename or out}: {error.strerror or error}", hint=_HINT) from error


def _remove_empty_output(out: Path) -> None:
    """Remove a new folder that holds nothing but the lock."""
    with contextlib.suppress(OSError):
        if [entry.name for entry in out.iterdir()] == [_REPORT_LOCK]:
            (out / _REPORT_LOCK).unlink()
            out.rmdir()


def _remove_stale_staging(out: Path) -> None:
    """Remove the staging folders of killed runs."""
    for stale in out.glob(f"{_REPORT_STAGING_PREFIX}*"):
        if re.fullmatch(f"{re.escape(_REPORT_STAGING_PREFIX)}[0-9a-f]{{8}}", stale.name) and not stale.is_symlink():
            shutil.rmtree(stale, ignore_errors=True)


def _require_free_or_own(out: Path, path: str, known_digests: str | None) -> None:
    """Check that a path is free or holds a file of ours. Raises FaceclustError otherwise."""
    if reason := unsafe_parent(out, path):
        raise FaceclustError(f"{out / path}: {reason}", hint="move it away, or name another folder with -o")
    if lstat_if_present(str(out / path)) is not None and not _is_own_file(out, path, known_digests):
        raise FaceclustError(
            f"refusing to overwrite {out / path}: faceclust did not write it, or it has changed since",
            hint="move it away, or name another folder with -o",
        )


def _is_own_file(out: Path, path: str, known_digests: str | None) -> bool:
    return known_digests is not None and _digest_on_disk(out, path) in known_digests.split()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _digest_on_disk(out: Path, path: str) -> str | None:
    """Digest of a regular file inside the folder; None for anything else. Raises OSError."""
    try:
        return _digest(read_own(path_below(out, path), _MAX_REPORT_FILE_BYTES))
    except (FileNotFoundError, UnsafeFileError):
        return None


def _remove_with_empty_parents(out: Path, path: str) -> None:
    (out / path).unlink()
    for parent in list(Path(path).parents)[:-1]:
        try:
            (out / parent).rmdir()  # fails unless the folder is empty
        except OSError:
            return


def _read_digests(out: Path) -> Digests:
    try:
        files = json.loads(read_own(out / REPORT_MARKER, MAX_NOTE_BYTES))["files"]
        return {path: digest for path, digest in files.items() if isinstance(digest, str) and is_path_below(path)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FaceclustError(
            f"cannot read {out / REPORT_MARKER}: {error}", hint="name another folder with -o, or move this one away"
        ) from error


def _write_digests(out: Path, digests: Mapping[str, str]) -> None:
    content = {"about": "written by faceclust report; faceclust scan skips this folder", "files": digests}
    text = json.dumps(content, indent=0, ensure_ascii=False, sort_keys=True)
    write_own_atomically(out / REPORT_MARKER, text.encode())
