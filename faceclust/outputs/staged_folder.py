"""Write outputs into a folder, again and again, without touching anybody else's files.

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
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faceclust.errors import FaceclustError, UsageError
from faceclust.files.lock import hold_file_lock
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
_MAX_FILE_BYTES = 1_000_000_000  # files of outputs are far smaller
_HINT = "is the disk full or the folder read-only?"


@dataclass(frozen=True)
class FolderKind:
    """A kind of output folder. `name` is part of the names of its lock and staging folders, `marker` the file that
    lists its files. `activity` describes a run, as in "writes a report". `new_folder` and `is_file` are hints: how to
    name another folder, and what to do if the path is a file."""

    name: str
    marker: str
    activity: str
    new_folder: str = "name another folder"
    is_file: str = "name a folder"

    @property
    def lock(self) -> str:
        return f".faceclust-{self.name}.lock"

    @property
    def staging_prefix(self) -> str:
        return f".faceclust-{self.name}-"  # hidden: scans skip it


@dataclass(frozen=True)
class WrittenFolder:
    """The result of a run: the paths of all its files below `out`, and their `size` in bytes.

    `new` counts new and changed files, `removed` the files of an earlier run.
    """

    out: Path
    paths: tuple[str, ...]
    size: int
    new: int
    removed: int

    @property
    def pages(self) -> int:
        """The number of HTML pages."""
        return sum(path.endswith(".html") for path in self.paths)

    @property
    def pictures(self) -> int:
        """The number of other files."""
        return len(self.paths) - self.pages


class StagedFolder:
    """Files staged for the folder. Paths are POSIX paths below it."""

    def __init__(self, out: Path, stage: Path, kind: FolderKind, subject: str) -> None:
        self._out = out
        self._stage = stage
        self._kind = kind
        self._subject = subject
        self._file_mode = file_mode_beside(out / kind.marker)
        self._previous = _read_marker(out, kind)[0]
        self._current: Digests = {}
        self._pending: dict[str, None] = {}
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
        self._require_free_or_own(path)
        make_subfolders(self._stage, path.rpartition("/")[0])
        staged.write_bytes(content)
        with contextlib.suppress(OSError):  # a file system without modes
            staged.chmod(self._file_mode)
        self._current[path] = digest
        self._pending[path] = None

    @property
    def paths(self) -> Set[str]:
        """The files that were added or kept so far."""
        return self._current.keys()

    def keep(self, path: str) -> bytes | None:
        """Keep a file that an earlier run wrote, and return its content; None if it is missing or has changed."""
        known = self._previous.get(path)
        if known is None or not _is_own_file(self._out, path, known):
            return None
        content = read_own(path_below(self._out, path), _MAX_FILE_BYTES)
        self._size += len(content)
        self._current[path] = _digest(content)
        return content

    def read(self, path: str) -> bytes:
        """Return the content of a file that was added or kept. Raises OSError."""
        folder = self._stage if path in self._pending else self._out
        return read_own(path_below(folder, path), _MAX_FILE_BYTES)

    def is_writable(self, path: str) -> bool:
        """Is this path free, or does it hold a file of ours that has not changed?"""
        return not unsafe_parent(self._out, path) and (
            lstat_if_present(str(self._out / path)) is None or _is_own_file(self._out, path, self._previous.get(path))
        )

    def finish(self) -> WrittenFolder:
        """Move all files into place, and remove files that only an earlier run wrote."""
        outdated = {path: digest for path, digest in self._previous.items() if path not in self._current}
        both = {path: f"{self._previous.get(path, '')} {digest}".strip() for path, digest in self._current.items()}
        for path in self._pending:  # much time may have passed since the first check
            self._require_free_or_own(path)
        self._write_marker(self._previous | both)
        for path in self._pending:
            self._require_free_or_own(path)
            make_subfolders(self._out, path.rpartition("/")[0])
            (self._stage / path).replace(self._out / path)
        removable = [path for path, digest in outdated.items() if _is_own_file(self._out, path, digest)]
        for path in removable:
            _remove_with_empty_parents(self._out, path)
        self._write_marker(self._current)
        return WrittenFolder(self._out, tuple(self._current), self._size, len(self._pending), len(removable))

    def _require_free_or_own(self, path: str) -> None:
        """Check that a path is free or holds a file of ours. Raises FaceclustError otherwise."""
        hint = f"move it away, or {self._kind.new_folder}"
        if reason := unsafe_parent(self._out, path):
            raise FaceclustError(f"{self._out / path}: {reason}", hint=hint)
        if not self.is_writable(path):
            raise FaceclustError(
                f"refusing to overwrite {self._out / path}: faceclust did not write it, or it has changed since",
                hint=hint,
            )

    def _write_marker(self, digests: Mapping[str, str]) -> None:
        about = f"written by faceclust {self._kind.name}; faceclust scan skips this folder"
        content = {"about": about, **({"subject": self._subject} if self._subject else {}), "files": digests}
        text = json.dumps(content, indent=0, ensure_ascii=False, sort_keys=True)
        write_own_atomically(self._out / self._kind.marker, text.encode(errors="surrogateescape"))


def require_output_folder(out: Path, kind: FolderKind) -> None:
    """Check that `out` can hold such outputs.

    Raises UsageError if it is a file, if its parent is missing, or if it has files but no marker of an
    earlier run.
    """
    if lstat_if_present(str(out)) is None:
        if not out.parent.is_dir():
            raise UsageError(
                f"cannot create {out}: the folder {out.parent} does not exist", hint="create it, or choose another"
            )
        return
    if not out.is_dir():
        raise UsageError(f"{out} is not a folder", hint=kind.is_file)
    if lstat_if_present(str(out / kind.marker)) is None and any(not name.startswith(".") for name in os.listdir(out)):
        raise UsageError(
            f"{out} contains other files", hint=kind.new_folder.replace("another folder", "a new or empty folder")
        )


@contextmanager
def stage_folder(out: Path, kind: FolderKind, subject: str = "") -> Iterator[StagedFolder]:
    """Stage files for `out`; nothing changes there unless `finish` is called. The marker notes the `subject`.

    Raises UsageError as `require_output_folder` does. Raises FaceclustError if a file cannot be written
    or another run holds the folder's lock.
    """
    try:
        require_output_folder(out, kind)
        out = out.resolve()
        was_there = is_own_folder(out)
        make_own_folder(out)
        with hold_file_lock(out / kind.lock, kind.activity):
            require_output_folder(out, kind)
            stage = out / f"{kind.staging_prefix}{secrets.token_hex(4)}"
            try:
                staged = StagedFolder(out, stage, kind, subject)
                _remove_stale_staging(out, kind)
                remove_abandoned_outputs(out)
                stage.mkdir(PRIVATE_FOLDER_MODE)
                yield staged
            finally:
                shutil.rmtree(stage, ignore_errors=True)
                if not was_there:
                    _remove_empty_output(out, kind)
    except OSError as error:
        raise FaceclustError(f"{error.filename or out}: {error.strerror or error}", hint=_HINT) from error


def read_previous_run(out: Path, kind: FolderKind) -> tuple[frozenset[str], str]:
    """Return the paths of the files that the last run wrote, and its subject ("" if it had none).

    Raises FaceclustError if the marker cannot be read.
    """
    digests, subject = _read_marker(out, kind)
    return frozenset(digests), subject


def _remove_empty_output(out: Path, kind: FolderKind) -> None:
    """Remove a new folder that holds nothing but the lock."""
    with contextlib.suppress(OSError):
        if [entry.name for entry in out.iterdir()] == [kind.lock]:
            (out / kind.lock).unlink()
            out.rmdir()


def _remove_stale_staging(out: Path, kind: FolderKind) -> None:
    """Remove the staging folders of killed runs."""
    for stale in out.glob(f"{kind.staging_prefix}*"):
        if re.fullmatch(f"{re.escape(kind.staging_prefix)}[0-9a-f]{{8}}", stale.name) and not stale.is_symlink():
            shutil.rmtree(stale, ignore_errors=True)


def _is_own_file(out: Path, path: str, known_digests: str | None) -> bool:
    return known_digests is not None and _digest_on_disk(out, path) in known_digests.split()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _digest_on_disk(out: Path, path: str) -> str | None:
    """Digest of a regular file inside the folder; None for anything else. Raises OSError."""
    try:
        return _digest(read_own(path_below(out, path), _MAX_FILE_BYTES))
    except (FileNotFoundError, UnsafeFileError):
        return None


def _remove_with_empty_parents(out: Path, path: str) -> None:
    (out / path).unlink()
    for parent in list(Path(path).parents)[:-1]:
        try:
            (out / parent).rmdir()  # fails unless the folder is empty
        except OSError:
            return


def _read_marker(out: Path, kind: FolderKind) -> tuple[Digests, str]:
    """Return the digests and the subject that the marker lists; none of a folder without one."""
    try:
        content = json.loads(read_own(out / kind.marker, MAX_NOTE_BYTES))
        files, subject = content["files"], content.get("subject", "")
        digests = {path: digest for path, digest in files.items() if isinstance(digest, str) and is_path_below(path)}
        return digests, subject if isinstance(subject, str) else ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FaceclustError(
            f"cannot read {out / kind.marker}: {error}", hint=f"{kind.new_folder}, or move this one away"
        ) from error
