"""Check that a pack's files exist and match the hashes in its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from faceclust.errors import PackError
from faceclust.packs.pack import Pack, PackFile


@dataclass(frozen=True)
class FileCheck:
    """The state of a pack file on disk: "ok", "missing", "damaged", "unreadable", or "unknown" if the
    manifest gives no SHA-256."""

    file: PackFile
    path: str
    state: str


def check_files(pack: Pack) -> list[FileCheck]:
    """Check every file of the pack. Reads each file to hash it."""
    return [FileCheck(file, str(pack.path(file.name)), _file_state(pack, file)) for file in pack.files]


def pack_state(pack: Pack, checks: list[FileCheck]) -> str:
    """Summarise the checks of a pack's files as the state shown to users and in JSON: "embedded",
    "installed", "missing", "damaged", "incomplete", "can be pulled" or "add only"."""
    own = [check.state for check in checks if not check.file.embedded] or ["ok"]
    states = {check.state for check in checks}
    if states == {"ok"}:
        return "embedded" if pack.embedded else "installed"
    if pack.embedded and states == {"ok", "missing"}:
        return "missing"
    if pack.embedded or states & {"damaged", "unreadable"}:
        return "damaged"
    if set(own) != {"missing"}:
        return "incomplete"
    return "can be pulled" if pack.is_pullable else "add only"


def install_hint(pack: Pack) -> str:
    """Return the next command to type for a pack with missing or damaged files."""
    if pack.embedded:
        return "reinstall faceclust, with all its packs (pip install --force-reinstall --no-cache-dir …)"
    if pack.is_pullable:
        return f"faceclust models pull {pack.name}"
    return f"get its files, then faceclust models add --pack {pack.name} FILE…"


def require_files(pack: Pack, names: Collection[str | None] | None = None) -> None:
    """Raise PackError unless all files of the pack, or those with these `names`, match their SHA-256."""
    for check in check_files(pack):
        if check.state != "ok" and (names is None or check.file.name in names):
            raise PackError(
                f"{check.path} is {check.state}: the pack {pack.name!r} cannot be used",
                hint=install_hint(pack),
            )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex. Raises OSError."""
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
