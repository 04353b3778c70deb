"""Which files an import is to read: what the user named, sorted by what it is."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from faceclust.errors import UsageError
from faceclust.importers import picasa

_TABLE_ENDINGS = (".csv", ".tsv", ".txt")


@dataclass
class Sources:
    """`folders` (POSIX paths below the root) whose photos, sidecars and `.picasa.ini` are read;
    `photos` and `files` (sidecars, `.picasa.ini`) that were named one by one, in the same form;
    `mirrors`: folders elsewhere, in which sidecars lie as the photos do in the library."""

    folders: list[str] = field(default_factory=list)
    photos: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    mirrors: list[Path] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    contacts: list[Path] = field(default_factory=list)


def classify_sources(root: Path, paths: Iterable[Path], contacts: Path | None, photos: Collection[str]) -> Sources:
    """What each named path is; without any, the whole library. Raises UsageError for what is not
    there, or nothing to read names from."""
    sources = Sources()
    for given in paths:
        path = _resolve_existing(given)
        below = path.relative_to(root).as_posix() if path.is_relative_to(root) else None
        if path.is_dir():
            if below is None:
                sources.mirrors.append(path)
            else:
                sources.folders.append("" if below == "." else below)
        elif path.name.lower() == picasa.CONTACTS_NAME:
            sources.contacts.append(path)
        elif path.suffix.lower() in _TABLE_ENDINGS:
            sources.tables.append(path)
        elif below is not None and below in photos:
            sources.photos.append(below)
        elif path.suffix.lower() != ".xmp" and path.name.lower() not in picasa.INI_NAMES:
            raise UsageError(
                f"{given}: names are not read from such a file, and it is no photo of the library",
                hint="name a folder, a photo of the library, a CSV, an .xmp, a .picasa.ini or a contacts.xml",
            )
        elif below is None:
            raise UsageError(
                f"{given} is not in the library {root}", hint="name the folder in which it lies as its photo does there"
            )
        else:
            sources.files.append(below)
    if contacts is not None:
        sources.contacts.append(_resolve_existing(contacts))
    if not (sources.folders or sources.photos or sources.files or sources.mirrors or sources.tables):
        sources.folders.append("")
    return sources


def find_contacts_files(root: Path) -> list[Path]:
    """Where Picasa, or somebody who saved what it knew, may have put its contacts."""
    places = [root / picasa.CONTACTS_NAME]
    if local := os.environ.get("LOCALAPPDATA"):
        places.append(Path(local, "Google", "Picasa2", "contacts", picasa.CONTACTS_NAME))
    home = Path.home()
    places.append(home / "Library/Application Support/Google/Picasa3/contacts" / picasa.CONTACTS_NAME)
    return [place for place in places if place.is_file()]


def _resolve_existing(path: Path) -> Path:
    try:
        return path.expanduser().resolve(strict=True)
    except FileNotFoundError:
        raise UsageError(f"there is no {path}", hint="check the spelling") from None
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} cannot be opened: {error}") from error
