"""The user's own folders for faceclust, with symlinks resolved: below them no path may contain one."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


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


def _resolve(folder: Path) -> Path:
    return Path(os.path.realpath(folder))
