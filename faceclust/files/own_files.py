"""Open, list and delete faceclust's own files in a library or a home, which may be hostile.

The folders that hold a library or a home are resolved when they are found, so no path below them
contains a symlink unless somebody planted it. These functions follow none: they open a path one
folder at a time (openat with O_NOFOLLOW) where the system can. They open regular files only, as a
pipe would block and a device has no end. Every OSError that they raise names its file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from faceclust.errors import CacheError
from faceclust.files.safe_paths import is_junction, is_path_below

#: The mode of folders that only their owner may enter, and of files that only their owner may read.
PRIVATE_FOLDER_MODE, PRIVATE_FILE_MODE = 0o700, 0o600

#: Can this system open paths relative to an open folder? Windows cannot.
_HAS_DIR_FD = {os.open, os.mkdir, os.stat, os.unlink, os.rmdir, os.rename} <= os.supports_dir_fd
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FOLDER_FLAGS = getattr(os, "O_DIRECTORY", 0) | _NO_FOLLOW | os.O_RDONLY
#: Opens a folder that may be entered but not listed, if the system has such a flag.
_STEP_FLAGS = getattr(os, "O_PATH", 0) | _FOLDER_FLAGS
# Opening a pipe that has no writer would block.
_FILE_FLAGS = _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)

#: An open folder (None where the system has no such descriptors) and the path to use relative to it.
Location = tuple[int | None, str]


class UnsafeFileError(OSError):
    """A file is not what faceclust keeps there: a symlink on its path, a pipe, a device, a folder,
    several hard links, or too large."""


def path_below(folder: Path, path: str) -> Path:
    """Join a path from an untrusted file to a folder. Raises UnsafeFileError if it leads out of the folder."""
    if not is_path_below(path):
        raise unsafe_file(folder / path, f"it leads out of {folder}")
    return folder / path


def open_own(path: Path, flags: int = os.O_RDONLY, *, single_link: bool = False) -> int:
    """Open a regular file and return its descriptor; a file created by `flags` has mode 0600.

    With `single_link`, refuse a file with several hard links: a write would change all of them.
    Raises OSError: FileNotFoundError if the file is missing, UnsafeFileError if it is unsafe.
    """
    with locate(path) as (folder, name), _naming(path):
        with contextlib.suppress(FileNotFoundError):
            _require_regular(path, os.stat(name, dir_fd=folder, follow_symlinks=False))
        descriptor = os.open(name, flags | _FILE_FLAGS, PRIVATE_FILE_MODE, dir_fd=folder)
        try:
            status = os.fstat(descriptor)
            _require_regular(path, status)
            if single_link and status.st_nlink > 1:
                raise unsafe_file(path, "it has several hard links, so a write would change another file")
            if flags & os.O_CREAT and hasattr(os, "fchmod"):
                with contextlib.suppress(OSError):  # not the owner, or a file system without modes
                    os.fchmod(descriptor, PRIVATE_FILE_MODE)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def read_own(path: Path, max_size: int) -> bytes:
    """Return the content of a regular file of at most `max_size` bytes. Raises OSError:
    FileNotFoundError if the file is missing, UnsafeFileError if it is unsafe or larger."""
    with _naming(path), os.fdopen(open_own(path), "rb") as stream:
        # The size is checked first: a large file would be read for nothing.
        content = stream.read(max_size + 1) if os.fstat(stream.fileno()).st_size <= max_size else None
    if content is None or len(content) > max_size:
        raise unsafe_file(path, f"it is larger than {max_size:,} bytes")
    return content


def stat_own(path: Path) -> os.stat_result | None:
    """Return the status of a file or folder, of a symlink its own; None if it is missing.
    Raises OSError if that cannot be found out, UnsafeFileError if a symlink leads to it."""
    try:
        os.lstat(path)  # fast, and most files that are looked for are missing
        with locate(path) as (folder, name), _naming(path):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        with locate(path):  # names the file that is in the way
            raise


def own_exists(path: Path) -> bool:
    """Is there a regular file? Raises UnsafeFileError if there is something else, OSError as `stat_own`."""
    status = stat_own(path)
    if status is not None:
        _require_regular(path, status)
    return status is not None


def is_own_folder(path: Path) -> bool:
    """Is there a folder? Raises UnsafeFileError if there is something else, OSError as `stat_own`."""
    status = stat_own(path)
    if status is not None:
        _require_folder(path, status)
    return status is not None


def list_own(folder: Path) -> list[str]:
    """Return the sorted names in a folder; none if it is missing. Raises OSError, UnsafeFileError if
    the folder is a symlink or no folder."""
    try:
        return sorted(name for names in _list_folder(folder) for name in names)
    except FileNotFoundError:
        return []


def walk_own(
    top: Path, on_error: Callable[[OSError], None] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each folder with the names of its subfolders and of its other entries, parents first.

    Symlinks count as other entries. Folders whose path is longer than the system allows are left out:
    scans cannot enter them either. Remove names from the subfolders to skip them. Nothing is yielded
    if `top` is missing. Raises OSError if a folder cannot be listed, or passes the error to `on_error`,
    which may raise it, and goes on. Raises UnsafeFileError if `top` is a symlink or no folder.
    """
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            folders, others = _list_folder(folder, checked=folder != top)
        except FileNotFoundError:  # missing, or deleted since it was listed
            continue
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG and folder != top:
                continue
            if on_error is None or folder == top:
                raise
            on_error(error)
            continue
        yield folder, folders, others
        waiting.extend(folder / name for name in reversed(folders))


def make_own_folder(path: Path) -> None:
    """Create a folder and its missing parents with mode 0700. Raises OSError, UnsafeFileError if a
    symlink or a file is in the way."""
    for folder in [*reversed(path.absolute().parents), path.absolute()][1:]:
        if not is_own_folder(folder):
            with locate(folder) as (parent, name), _naming(folder), contextlib.suppress(FileExistsError):
                os.mkdir(name, PRIVATE_FOLDER_MODE, dir_fd=parent)
                restrict_mode(name, PRIVATE_FOLDER_MODE, parent)


def remove_own(path: Path) -> None:
    """Delete a file, of a symlink the link itself; do nothing if it is missing. Raises OSError."""
    with contextlib.suppress(FileNotFoundError), locate(path) as (folder, name), _naming(path):
        os.unlink(name, dir_fd=folder)


def remove_own_folder(path: Path) -> None:
    """Delete an empty folder; do nothing if it is missing. Raises OSError."""
    with contextlib.suppress(FileNotFoundError), locate(path) as (folder, name), _naming(path):
        os.rmdir(name, dir_fd=folder)


def rename_own(source: Path, target: Path) -> None:
    """Rename a file, replacing `target`; of a symlink the link itself. Raises OSError."""
    with locate(source) as (folder, name), locate(target) as (target_folder, target_name), _naming(target):
        os.replace(name, target_name, src_dir_fd=folder, dst_dir_fd=target_folder)


@contextmanager
def translate_os_errors() -> Iterator[None]:
    """Raise a CacheError that names the file instead of an OSError of these functions."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"{error.filename} cannot be read: {error.strerror or error}",
            hint="check the disk and the permissions, then try again",
        ) from error


@contextmanager
def locate(path: Path) -> Iterator[Location]:
    """Open the folder of a file without following a symlink; yield it with the file's name.

    Where the system cannot open folders, check them and yield the whole path. Raises OSError:
    UnsafeFileError if a folder on the path is a symlink or no folder, or the path contains "..".
    """
    path = path.absolute()
    if ".." in path.parts:
        raise unsafe_file(path, 'it contains ".."')
    if not _HAS_DIR_FD:
        for folder in reversed(path.parents):
            _require_folder(path, os.lstat(folder))
        yield None, str(path)
        return
    descriptor = _open_folder(path.parent, _STEP_FLAGS)
    try:
        yield descriptor, path.name
    finally:
        os.close(descriptor)


def restrict_mode(name: str, mode: int, folder: int | None) -> None:
    """Set the mode of a file or folder that was just created: the umask may have removed the owner's
    own rights. Some file systems have no modes, and some folders belong to another user."""
    with contextlib.suppress(OSError):
        os.chmod(name, mode, dir_fd=folder)


def _list_folder(path: Path, *, checked: bool = False) -> tuple[list[str], list[str]]:
    """Return the sorted names of the subfolders and of the other entries. `checked` skips the check of
    the parents, which were listed just before. Raises OSError."""
    if not _HAS_DIR_FD:
        with locate(path / "."), _naming(path):
            return _sort_entries(path)
    with _naming(path):
        descriptor = os.open(path, _FOLDER_FLAGS) if checked else _open_folder(path, _FOLDER_FLAGS)
        try:
            return _sort_entries(descriptor)
        finally:
            os.close(descriptor)


def _sort_entries(folder: Path | int) -> tuple[list[str], list[str]]:
    folders: list[str] = []
    others: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and not _HAS_DIR_FD:  # Windows calls junctions folders too
                is_folder = not is_junction(entry.stat(follow_symlinks=False))
            (folders if is_folder else others).append(entry.name)
    return sorted(folders), sorted(others)


def _open_folder(path: Path, flags: int) -> int:
    """Open a folder one component at a time, the last one with `flags`. Raises OSError."""
    names = path.parts[1:]
    descriptor = os.open(path.anchor, _STEP_FLAGS if names else flags)
    try:
        for count, name in enumerate(names, 1):
            try:
                following = os.open(name, flags if count == len(names) else _STEP_FLAGS, dir_fd=descriptor)
            except OSError as error:
                step = Path(path.anchor, *names[:count])
                if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.EMLINK):  # the last is FreeBSD's for a symlink
                    _require_folder(step, os.stat(name, dir_fd=descriptor, follow_symlinks=False))
                error.filename = str(step)
                raise
            os.close(descriptor)
            descriptor = following
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise unsafe_file(path, f"it is {_describe_kind(status)}, not a regular file")


def _require_folder(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode) or is_junction(status):
        raise unsafe_file(path, f"it is {_describe_kind(status)}, not a folder")


def _describe_kind(status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode) or is_junction(status):
        return "a symlink"
    if stat.S_ISREG(status.st_mode):
        return "a file"
    return "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"


def unsafe_file(path: Path, problem: str) -> UnsafeFileError:
    """Return an error about an unsafe file."""
    return UnsafeFileError(errno.EINVAL, problem, str(path))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Give errors the whole path instead of a name in a folder, or of no file."""
    try:
        yield
    except UnsafeFileError:
        raise
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
