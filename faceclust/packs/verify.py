"""Checks that a pack's files are there and are the ones its manifest names."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from faceclust.errors import PackError
from faceclust.packs.pack import Pack, PackFile

#: What a whole pack can be, and a user is told: see `pack_state`.
PACK_STATES = ("embedded", "installed", "damaged", "incomplete", "can be pulled", "add only")


@dataclass(frozen=True)
class FileCheck:
    """What was found where a pack file should be: `state` is "ok", "missing", "damaged", "unreadable"
    or, where nobody has said which SHA-256 it is to have, "unknown"."""

    file: PackFile
    path: str
    state: str


def check_files(pack: Pack) -> list[FileCheck]:
    """Look at every file of the pack; reads each once to hash it."""
    return [FileCheck(file, str(pack.path(file.name)), _file_state(pack, file)) for file in pack.files]


def pack_state(pack: Pack, checks: list[FileCheck]) -> str:
    """One word for the pack (see STATES), from what was found of its files."""
    own = [check.state for check in checks if not check.file.embedded] or ["ok"]
    states = {check.state for check in checks}
    if states == {"ok"}:
        return "embedded" if pack.embedded else "installed"
    if pack.embedded or states & {"damaged", "unreadable"}:
        return "damaged"
    if set(own) != {"missing"}:
        return "incomplete"
    return "can be pulled" if pack.is_pullable else "add only"


def install_hint(pack: Pack) -> str:
    """What to type for the files of a pack that is not whole."""
    if pack.embedded:
        return "install faceclust again (pip install --force-reinstall --no-cache-dir …)"
    if pack.is_pullable:
        return f"type: faceclust models pull {pack.name}"
    return f"get its files, then type: faceclust models add --pack {pack.name} FILE…"


def require_files(pack: Pack, names: Collection[str | None] | None = None) -> None:
    """Raise PackError unless every file of the pack, or those of these `names`, is there with the
    right SHA-256."""
    for check in check_files(pack):
        if check.state != "ok" and (names is None or check.file.name in names):
            raise PackError(
                f"{check.path} is {check.state}: the models of pack {pack.name!r} cannot be used",
                hint=install_hint(pack),
            )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _file_state(pack: Pack, file: PackFile) -> str:
    path = pack.path(file.name)
    try:
        if not path.is_file():
            return "missing"
        if file.sha256 is None:
            return "unknown"
        return "ok" if sha256_of(path) == file.sha256 else "damaged"
    except OSError:
        return "unreadable"
