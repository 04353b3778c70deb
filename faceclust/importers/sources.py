"""Classify the files and folders that an import reads."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from faceclust.errors import UsageError
from faceclust.files.library_roots import LibraryRoots, as_roots
from faceclust.files.own_files import stat_own
from faceclust.files.user_folders import existing_form, expand_user
from faceclust.importers import picasa
from faceclust.importers.sidecar_owner import PhotoLookup
from faceclust.importers.takeout import is_takeout_file

_TABLE_ENDINGS = (".csv", ".tsv", ".txt")
#: Databases of digiKam and Lightroom, and answers of Immich; a JSON of Google Takeout lies in the library.
_CATALOGUE_ENDINGS = (".db", ".sqlite", ".lrcat", ".json")


@dataclass
class Sources:
    """The sources of an import.

    `folders` (POSIX paths below the root) are read with their photos, sidecars and `.picasa.ini`.
    `photos` and `files` (sidecars, `.picasa.ini`, JSON files of Google Takeout) are single ones, as paths below
    the root. `mirrors` are folders elsewhere with sidecars at the photos' relative paths. `catalogues` are
    databases and saved answers of other programs, anywhere.
    """

    folders: list[str] = field(default_factory=list)
    photos: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    mirrors: list[Path] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    contacts: list[Path] = field(default_factory=list)
    catalogues: list[Path] = field(default_factory=list)


def classify_sources(
    root: Path | LibraryRoots, paths: Iterable[Path], contacts: Path | None, photos: Collection[str]
) -> Sources:
    """Classify each path; without paths, the whole library is the source.

    `root`: the library's root, or its roots if it has several.

    Raises UsageError if a path is missing or is not a source of names.
    """
    sources, lookup = Sources(), PhotoLookup(photos)
    for given in paths:
        _add_source(sources, as_roots(root), given, lookup)
    if contacts is not None:
        sources.contacts.append(_resolve_existing(contacts))
    chosen = (sources.folders, sources.photos, sources.files, sources.mirrors, sources.tables, sources.catalogues)
    if not any(chosen):
        sources.folders.append("")
    return sources


def _add_source(sources: Sources, roots: LibraryRoots, given: Path, lookup: PhotoLookup) -> None:
    path = _resolve_existing(given)
    below = roots.path_in_library(path)
    name, suffix = path.name.lower(), path.suffix.lower()
    if path.is_dir():
        if below is None:
            sources.mirrors.append(path)
        else:
            sources.folders.append(below)
    elif name == picasa.CONTACTS_NAME:
        sources.contacts.append(path)
    elif suffix in _TABLE_ENDINGS:
        sources.tables.append(path)
    elif suffix in _CATALOGUE_ENDINGS and not is_takeout_file(path):
        sources.catalogues.append(path)
    elif below is not None and (photo := _find_photo(roots.own, below, lookup)):
        sources.photos.append(photo)
    elif suffix not in (".xmp", ".json") and name not in picasa.INI_NAMES:
        raise UsageError(
            f"cannot read names from {given}: it is not a photo of the library or a supported file",
            hint="name a folder, a photo of the library, a CSV, an .xmp, a .picasa.ini, a contacts.xml, "
            "digiKam's or Lightroom's database, or a JSON of Google Takeout or Immich",
        )
    elif below is None:
        raise UsageError(
            f"{given} is not in the library {roots.own}", hint="name the folder that mirrors the library instead"
        )
    else:
        sources.files.append(below)


def _find_photo(root: Path, below: str, lookup: PhotoLookup) -> str | None:
    """Find the library's photo that is this file, which some disks open by names of other case or Unicode form."""
    photos = lookup.find_by_name(below)
    return (
        photos[0]
        if len(photos) == 1 and (photos[0] == below or _is_same_file(root / photos[0], root / below))
        else None
    )


def _is_same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def find_contacts_files(root: Path) -> list[Path]:
    """Return the existing contacts files of Picasa: in the library's root, or in Picasa's own folder.
    Raises OSError."""
    inside = root / picasa.CONTACTS_NAME
    candidates = []
    if local := os.environ.get("LOCALAPPDATA"):
        candidates.append(Path(local, "Google", "Picasa2", "contacts", picasa.CONTACTS_NAME))
    home = Path.home()
    candidates.append(home / "Library/Application Support/Google/Picasa3/contacts" / picasa.CONTACTS_NAME)
    found = [candidate.resolve() for candidate in candidates if candidate.is_file()]
    return found if stat_own(inside) is None else [inside, *found]


def _resolve_existing(path: Path) -> Path:
    try:
        return existing_form(expand_user(path)).resolve(strict=True)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist", hint="check the spelling") from None
    except (OSError, RuntimeError) as error:
        raise UsageError(f"cannot open {path}: {error}") from error
