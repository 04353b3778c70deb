"""The user's own folders for faceclust, with symlinks resolved: below them no path may contain one."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import platformdirs

from faceclust.errors import UsageError


def data_folder() -> Path:
    """Return the folder for installed packs and for libraries that cannot hold their own files."""
    return _resolve(platformdirs.user_data_path("faceclust"))


def config_folder() -> Path:
    """Return the folder of the user's configuration file."""
    return _resolve(platformdirs.user_config_path("faceclust"))


def state_folder() -> Path:
    """Return the folder for what faceclust remembers between runs."""
    return _resolve(platformdirs.user_state_path("faceclust"))


def cache_folder() -> Path:
    """Return the folder for results that can be computed again."""
    return _resolve(platformdirs.user_cache_path("faceclust"))


def expand_user(path: str | os.PathLike[str]) -> Path:
    """Return the path with "~" or "~name" replaced by a home folder. Raises UsageError if there is no
    such user, and for what is no path."""
    try:
        return Path(path).expanduser()
    except TypeError:
        raise UsageError(f"{path!r} is not a path") from None
    except RuntimeError:
        raise UsageError(
            f"{Path(path)}: there is no user {Path(path).parts[0].removeprefix('~') or 'with a home folder'}",
            hint="type the whole path of a file or folder whose name starts with ~",
        ) from None


def existing_form(path: Path) -> Path:
    """Return a typed path in the Unicode form in which it exists: as typed, composed (NFC) or decomposed (NFD).

    A path that exists in none of them is returned as typed.
    """
    forms = (path, *(Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD")))
    return next((form for form in forms if os.path.lexists(form)), path)


def _resolve(folder: Path) -> Path:
    return Path(os.path.realpath(folder))
