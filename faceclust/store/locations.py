"""Where a library's home may lie: inside it, in the user's data folder, or below a folder of choice.

Which folder was chosen is noted in the user's data folder: in the library it could not be.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from faceclust.errors import CacheError, UsageError
from faceclust.files.atomic import make_private_folder, write_atomically
from faceclust.files.names import HOME_FOLDER

CACHE_DIR_VARIABLE = "FACECLUST_CACHE_DIR"


@dataclass(frozen=True)
class CachePaths:
    """Where a folder's cache is written, where else one may be read from, and where one goes
    that cannot be used. Those of the others in `kept` are never removed."""

    write_path: Path
    other_paths: tuple[Path, ...]
    set_aside_path: Path
    protected_paths: frozenset[Path] = frozenset()

    @property
    def existing_path(self) -> Path | None:
        """The file that is read."""
        return next((path for path in (self.write_path, *self.other_paths) if os.path.exists(path)), None)


def homes_of(root: Path) -> list[Path]:
    """Every folder that may be the home of the library at `root`, the one to write to first."""
    inside, outside = root / HOME_FOLDER, outside_home(root)
    writable = os.access(inside if os.path.isdir(inside) else root, os.W_OK)
    usual = [inside, outside] if writable else [outside, inside]
    return list(dict.fromkeys([*(home_below(folder, root) for folder in cache_dirs_of(root)), *usual]))


def outside_home(root: Path) -> Path:
    """The folder in the user's data folder for a library that cannot be written to."""
    return home_below(libraries_folder(), root)


def home_below(folder: Path, root: Path) -> Path:
    """The home of the library at `root` in a folder that may hold several."""
    return folder / _home_name(str(root))


class NestedHomes:
    """Finds the homes of folders that were libraries of their own: made once for a walk through many."""

    def __init__(self) -> None:
        named = os.environ.get(CACHE_DIR_VARIABLE)
        self._external_names = {
            name
            for folder in (libraries_folder(), saved_cache_dirs_folder(), *([Path(named)] if named else []))
            for name in _list_names(folder)
        }

    def find(self, folder: str, subfolders: Collection[str]) -> list[Path]:
        """Those that the folder may have, which holds these subfolders."""
        if _home_name(folder) in self._external_names:
            return homes_of(Path(folder))
        return [Path(folder) / HOME_FOLDER] if HOME_FOLDER in subfolders else []


def cache_dirs_of(root: Path) -> list[Path]:
    """The folders chosen for the caches of the library at `root`: by FACECLUST_CACHE_DIR, then the
    noted ones, the last one chosen first."""
    named = os.environ.get(CACHE_DIR_VARIABLE)
    chosen = [Path(named).expanduser().absolute()] if named else []
    return list(dict.fromkeys([*chosen, *saved_cache_dirs(root)]))


def saved_cache_dirs(root: Path) -> list[Path]:
    """Those that are noted."""
    try:
        return [Path(os.fsdecode(line)) for line in _saved_cache_dirs_file(root).read_bytes().split(b"\0") if line]
    except OSError:
        return []


def save_cache_dir(root: Path, folder: Path) -> None:
    """Note that the caches of the library at `root` go below `folder`. Raises CacheError."""
    noted = saved_cache_dirs(root)
    if noted[:1] != [folder]:
        lines = [folder, *(known for known in noted if known != folder)]
        make_private_folder(_saved_cache_dirs_file(root).parent)
        write_atomically(_saved_cache_dirs_file(root), lambda stream: stream.write(b"\0".join(map(os.fsencode, lines))))


def resolve_cache_dir(root: Path, folder: Path) -> Path:
    """The folder as a whole path. Raises UsageError where it cannot hold the caches of `root`."""
    try:
        folder = folder.expanduser().resolve()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{folder} cannot be opened: {error}") from error
    if folder.is_relative_to(root):
        raise UsageError(f"{folder} lies in the library {root}", hint="choose a folder outside it for the caches")
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise UsageError(f"{folder} is not a folder")
    return folder


def require_cache_dir(root: Path) -> None:
    """Raises CacheError where the folder noted for the caches of the library is not there: to go on
    without what it holds would look as if all names were lost."""
    if os.environ.get(CACHE_DIR_VARIABLE):
        return
    for folder in saved_cache_dirs(root)[:1]:
        if not os.path.isdir(folder):
            raise CacheError(
                f"what is known of {root} lies in {folder}, which is not there",
                hint="is the disk mounted? faceclust scan --cache-dir FOLDER chooses another place",
            )


def _saved_cache_dirs_file(root: Path) -> Path:
    return home_below(saved_cache_dirs_folder(), root)


def saved_cache_dirs_folder() -> Path:
    """Where it is noted which folders were chosen for the caches of which libraries."""
    return platformdirs.user_data_path("faceclust") / "cache-dirs"


def libraries_folder() -> Path:
    """Where the homes of libraries lie that cannot be written to."""
    return platformdirs.user_data_path("faceclust") / "libraries"


def _home_name(root: str) -> str:
    digest = hashlib.blake2b(root.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    return f"{os.path.basename(root) or 'root'}-{digest}"  # noqa: PTH119 - called for every folder


def _list_names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
