"""What the commands of `faceclust models` share."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.terminal.text import printable
from faceclust.errors import FaceclustError, UsageError

if TYPE_CHECKING:
    from faceclust.packs.pack import Pack
    from faceclust.packs.verify import FileCheck

RADIUS_SOURCES = {
    "measured": "measured on labelled faces",
    "published": "derived from a published threshold",
    "none": "a guess",
}


def pack_name_for_library(library: Path | None) -> str:
    """The name of the pack that is used for the library that is meant, or, where there is none, by
    default. Raises UsageError for one that was named and is none."""
    from faceclust.errors import NoLibraryError
    from faceclust.store.find_library import find_library
    from faceclust.store.settings import pack_in_use

    try:
        root = find_library(library)
    except NoLibraryError:
        if library is not None:
            raise
        root = None
    return pack_in_use(root).value


def format_size(size: int | None) -> str:
    """A file's size: "5.8 MB"."""
    if size is None:
        return "?"
    return f"{size / 1e6:.1f} MB" if 1e5 <= size < 1e8 else f"{size / 1e6:.0f} MB" if size >= 1e8 else f"{size:,} bytes"


def installed_size(pack: Pack) -> int | None:
    """Bytes of its files; None where that is not known."""
    sizes = [file.size for file in pack.files]
    return None if None in sizes else sum(size or 0 for size in sizes)


def download_size(pack: Pack) -> int | None:
    """Bytes that are downloaded for the whole pack, archives and all; where it cannot be pulled, of
    its files."""
    if not pack.is_pullable:
        return installed_size(pack)
    archives = {archive.url for archive in pack.archives}
    single = sum(file.size or 0 for file in pack.own_files if file.url not in archives)
    return single + sum(archive.size for archive in pack.archives)


def describe_allowed_use(commercial: bool | None) -> str:
    """What a pack may be used for."""
    return "not known" if commercial is None else "every use" if commercial else "no commercial use"


def file_records(checks: list[FileCheck]) -> list[dict[str, Any]]:
    """What `--json` says of each file, and how it was found."""
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


def require_licence_agreement(pack: Pack, *, yes: bool, can_ask: bool = True) -> None:
    """Say what the pack's licence forbids, and ask once whether that is right; nothing for a pack
    of which that is not said, or that was agreed to. Raises UsageError where nobody can be asked,
    FaceclustError for a no."""
    from faceclust.installer.licence_terms import has_accepted_terms, record_agreement

    if has_accepted_terms(pack):
        return
    said = printable(f"{pack.name} is not free for commercial use ({pack.licence}). {pack.terms}")
    click.echo(click.wrap_text(said, shutil.get_terminal_size().columns), err=True)
    if not yes:
        if not can_ask or not sys.stdin.isatty():
            raise UsageError(
                f"whether {pack.name} may be used so has to be answered once", hint="if these terms suit you, add --yes"
            )
        if not click.confirm("Do you agree?", err=True):
            raise FaceclustError("not agreed to: nothing was put in")
    record_agreement(pack)
