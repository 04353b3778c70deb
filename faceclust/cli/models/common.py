"""Shared by the commands of `faceclust models`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceclust.cli.terminal.printing import can_ask, confirm, print_wrapped
from faceclust.errors import FaceclustError, NoLibraryError, UsageError
from faceclust.installer.licence_terms import has_accepted_terms, record_agreement
from faceclust.store.find_library import find_library
from faceclust.store.settings import pack_in_use

if TYPE_CHECKING:
    from faceclust.packs.pack import ChannelLevels, Pack
    from faceclust.packs.verify import FileCheck

RADIUS_SOURCES = {
    "measured": "measured on labelled faces",
    "published": "derived from a published threshold",
    "none": "a guess",
}


def pack_name_for_library(library: Path | None) -> str:
    """The pack used by a library or, if there is no library, by default.

    Raises UsageError if the given folder is not a library.
    """
    try:
        root = find_library(library)
    except NoLibraryError:
        if library is not None:
            raise
        root = None
    return pack_in_use(root).value


def format_size(size: int | None) -> str:
    """A file size: "5.8 MB"; "?" for None."""
    if size is None:
        return "?"
    return f"{size / 1e6:.1f} MB" if 1e5 <= size < 1e8 else f"{size / 1e6:.0f} MB" if size >= 1e8 else f"{size:,} bytes"


def format_levels(levels: ChannelLevels | list[float]) -> str:
    """A mean or scale: "127.5", or "(123.7, 116.3, 103.5)" for three channels."""
    return f"{levels:g}" if isinstance(levels, float | int) else f"({', '.join(f'{level:g}' for level in levels)})"


def installed_size(pack: Pack) -> int | None:
    """The size of all files of a pack in bytes; None if one is unknown."""
    sizes = [file.size for file in pack.files]
    return None if None in sizes else sum(size or 0 for size in sizes)


def download_size(pack: Pack) -> int | None:
    """The size of a pack's downloads in bytes, or of its files if it cannot be downloaded."""
    if not pack.is_pullable:
        return installed_size(pack)
    archives = {archive.url for archive in pack.archives}
    single = sum(file.size or 0 for file in pack.own_files if file.url not in archives)
    return single + sum(archive.size for archive in pack.archives)


def describe_allowed_use(commercial: bool | None) -> str:
    """The use that a licence allows."""
    return "unknown" if commercial is None else "any use" if commercial else "no commercial use"


def file_records(checks: list[FileCheck]) -> list[dict[str, Any]]:
    """The files of a pack and their states for `--json`."""
    return [
        {
            "name": check.file.name,
            "path": check.path,
            "state": check.state,
            "size": check.file.size,
            "sha256": check.file.sha256,
            "licence": check.file.licence,
            "url": check.file.url,
            "member": check.file.member,
            "embedded": check.file.embedded,
        }
        for check in checks
    ]


def require_licence_agreement(pack: Pack, *, yes: bool, may_ask: bool = True) -> None:
    """Print the restrictions of a pack's licence and ask once whether the user accepts them.

    A pack without restrictions, or whose terms were accepted before, needs no answer. Raises
    UsageError if the user cannot be asked, FaceclustError if the answer is no.
    """
    if has_accepted_terms(pack):
        return
    terms = f"{pack.name} is not free for commercial use ({pack.licence}). {pack.terms}"
    print_wrapped(terms, width=shutil.get_terminal_size().columns, err=True)
    refusal = UsageError(
        f"the licence terms of {pack.name} have to be accepted once", hint="if you accept them, add --yes"
    )
    if not yes and not ask_yes_or_no("Do you accept these terms?", refusal, may_ask=may_ask):
        raise FaceclustError("terms not accepted: nothing was installed")
    record_agreement(pack)


def ask_yes_or_no(question: str, refusal: UsageError, *, may_ask: bool = True) -> bool:
    """Ask in the terminal; the default is no. Raises `refusal` if there is no terminal or none may be used."""
    if not may_ask or not can_ask():
        raise refusal
    return confirm(question, err=True)
