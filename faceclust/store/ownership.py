"""Refuse a library that belongs to another user unless it was named, as git does (CVE-2022-24765).

A library around the working folder is found without being asked for. In a folder that others can
write to, somebody else may have put it there.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from faceclust.errors import UsageError
from faceclust.files.names import HOME_FOLDER
from faceclust.files.own_files import stat_own
from faceclust.files.user_folders import expand_user
from faceclust.store.config import CONFIG_FILE_NAME
from faceclust.store.settings import SAFE_LIBRARIES_KEY, safe_libraries, user_config_file

_ANY = "*"


def require_trusted_library(root: Path, *, can_be_chosen: bool = True) -> None:
    """Raise UsageError if the library at `root` belongs to another user, unless `safe-libraries` in the
    user's own configuration file names it. `can_be_chosen`: the hint mentions --library. Raises OSError.
    Windows is not checked."""
    if os.name == "nt" or (path := _foreign_path(root)) is None:
        return
    trusted = safe_libraries()
    if _ANY in trusted or root in [Path(os.path.realpath(expand_user(folder))) for folder in trusted]:
        return
    choice = f"--library {shlex.quote(str(root))}, or " if can_be_chosen else ""
    raise UsageError(
        f"the library {root} is not used: {path} belongs to another user",
        hint=f'if you trust its owner, add {choice}{SAFE_LIBRARIES_KEY} = ["{root}"] to {user_config_file()}',
    )


def _foreign_path(root: Path) -> Path | None:
    """Return what belongs to another user: the root, the home in it, or its configuration file."""
    users = {os.geteuid()}
    if 0 in users and (caller := os.environ.get("SUDO_UID", "")).isdecimal():
        users.add(int(caller))
    home = root / HOME_FOLDER
    for path in (root, home, home / CONFIG_FILE_NAME):
        status = stat_own(path)
        if status is not None and status.st_uid not in users:
            return path
    return None
