"""Checks that a pack's files are there and are the ones its manifest names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from faceclust.errors import PackError
from faceclust.packs.pack import Pack, PackFile


@dataclass(frozen=True)
class FileCheck:
    """What was found where a pack file should be: `state` is "ok", "missing" or "damaged"."""

    file: PackFile
    path: str
    state: str


def check_files(pack: Pack) -> list[FileCheck]:
    """Look at every file of the pack; reads each once to hash it."""
    return [FileCheck(file, str(pack.path(file.name)), _state(pack, file)) for file in pack.files]


def require_files(pack: Pack) -> None:
    """Raise PackError unless every file of the pack is there with the right SHA-256."""
    for check in check_files(pack):
        if check.state != "ok":
            raise PackError(
                f"{check.path} is {check.state}: the models of pack {pack.name!r} cannot be used",
                hint=_how_to_get(pack),
            )


def _how_to_get(pack: Pack) -> str:
    if pack.embedded:
        return "install faceclust again (pip install --force-reinstall --no-cache-dir …)"
    if all(file.url and file.sha256 for file in pack.files):
        return f"type: faceclust models pull {pack.name}"
    return f"type: faceclust models add FILE..., with the files of {pack.name}"


def _state(pack: Pack, file: PackFile) -> str:
    path = pack.path(file.name)
    if not path.is_file():
        return "missing"
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return "ok" if digest == file.sha256 else "damaged"
