"""Albums: a folder for each person, with links to the photos they are on.

What is in an album folder is noted in a file beside it, and only what is noted there, and
still is what was made, is ever removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceclust.conventions import ALBUMS_NOTES, PHOTO_ENDINGS
from faceclust.errors import FaceclustError, UsageError
from faceclust.types import Person

_LONGEST = 150  # bytes of a folder's name; file systems take 255
_NOTE_KEYS = ("photo", "kind", "inode", "size", "mtime_ns", "made_mtime_ns")


@dataclass(frozen=True)
class AlbumPlan:
    """What would be done below `out`: links to make (path below `out` → photo), those that are
    right already, own ones to remove, and files in the way that are somebody else's."""

    out: Path
    kind: str
    make: dict[str, Path] = field(default_factory=dict)
    keep: dict[str, Path] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    in_the_way: tuple[str, ...] = ()


def plan_albums(
    persons: Iterable[Person],
    photos_of: Mapping[str, Iterable[str]],
    root: Path,
    folders: Iterable[Path],
    out: Path,
    kind: str = "symlink",
) -> AlbumPlan:
    """What albums of these persons in `out` need. `photos_of`: face id → photo paths below
    `root`; `folders`: where the library's photos lie. Raises UsageError where `out` cannot hold
    albums: a scan passes a folder with albums by."""
    notes = _read_notes(out)
    real = out.resolve()
    holds_library = any(folder.is_relative_to(real) for folder in (root, *folders))
    if holds_library or (out.exists() and not out.is_dir()) or _holds_photos(out):
        raise UsageError(f"{out} cannot hold albums", hint="name a folder of its own, such as ~/People")
    make: dict[str, Path] = {}
    keep: dict[str, Path] = {}
    in_the_way: list[str] = []
    for path, photo in _wanted(persons, photos_of, root).items():
        link = out / path
        if path in notes and _is_ours(link, notes[path]):
            (keep if _is_right(notes[path], photo, kind) else make)[path] = photo
        elif os.path.lexists(link) or link.parent.is_symlink():
            in_the_way.append(path)
        else:
            make[path] = photo
    wanted = make.keys() | keep.keys()
    remove = tuple(
        path
        for path, note in sorted(notes.items())
        if path not in wanted and _is_ours(out / path, note) and not _is_last(note)
    )
    return AlbumPlan(out, kind, make, keep, remove, tuple(in_the_way))


def make_albums(plan: AlbumPlan) -> None:
    """Do what the plan says. Raises FaceclustError where a link cannot be made.

    Notes are written before links are, and links under another name before they take their
    place, so that a run cut short leaves nothing half made, nor anything it does not know.
    """
    before = _read_notes(plan.out)
    notes = {path: note for path, note in before.items() if _is_ours(plan.out / path, note)}
    try:
        made = {path: _note(photo, plan.kind) for path, photo in plan.make.items()}
        plan.out.mkdir(parents=True, exist_ok=True)
        _write_notes(plan.out, made | notes)
        try:
            for path in plan.remove:
                _remove(plan.out / path)
                del notes[path]
            for path, photo in plan.make.items():
                notes[path] = made[path] | {"made_mtime_ns": _make(photo, plan.out / path, plan.kind)}
        finally:
            _write_notes(plan.out, notes)
    except OSError as error:
        hint = {
            "symlink": "--link hardlink or --link copy may work there",
            "hardlink": "hard links need the albums on the photos' own disk; try --link symlink",
        }.get(plan.kind, "is the disk full or the folder read-only?")
        raise FaceclustError(f"{error.filename or plan.out}: {error.strerror or error}", hint=hint) from error


def folder_name(name: str) -> str:
    """A name as a folder's: without what Windows, macOS or Linux refuse in one."""
    cleaned = "".join(
        "_" if c in '<>:"/\\|?*' or not c.isprintable() else c for c in unicodedata.normalize("NFC", name)
    )
    cleaned = _shortened(cleaned.strip(" .")).rstrip(" .") or "_"
    stem = cleaned.partition(".")[0].upper()
    reserved = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}
    return f"{cleaned}_" if stem in reserved else cleaned


def _wanted(persons: Iterable[Person], photos_of: Mapping[str, Iterable[str]], root: Path) -> dict[str, Path]:
    """Path below the album folder → photo. Names that differ in nothing but case, or not at
    all, are told apart by a few digits that stay the same from run to run."""
    wanted: dict[str, Path] = {}
    taken_folders: set[str] = set()
    for person in persons:
        folder = _distinct(folder_name(person.label), person.id, taken_folders)
        taken: set[str] = set()
        for photo in sorted({photo for face in person.face_ids for photo in photos_of.get(face, ())}):
            if not (root / photo).exists():
                continue  # gone since the scan
            name = _distinct(photo.rpartition("/")[2], photo, taken)
            wanted[f"{folder}/{name}"] = root / photo
    return wanted


def _distinct(name: str, identity: str, taken: set[str]) -> str:
    if _fold(name) in taken:
        stem, dot, ending = name.rpartition(".")
        digits = hashlib.blake2b(identity.encode(), digest_size=3).hexdigest()
        name = f"{_shortened(stem)}~{digits}.{ending}" if dot and stem else f"{_shortened(name)}~{digits}"
    taken.add(_fold(name))
    return name


def _shortened(name: str) -> str:
    while len(name.encode()) > _LONGEST:
        name = name[:-1]
    return name


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _make(photo: Path, link: Path, kind: str) -> int:
    """Put a link or copy in its place; gives its time of change, which some disks round."""
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(".faceclust-album.tmp")
    temporary.unlink(missing_ok=True)
    if kind == "symlink":
        temporary.symlink_to(photo)
    elif kind == "hardlink":
        os.link(photo, temporary)
    else:
        shutil.copy2(photo, temporary)
    link.unlink(missing_ok=True)  # ours, and out of date: the plan says so
    temporary.replace(link)
    return link.lstat().st_mtime_ns


def _note(photo: Path, kind: str) -> dict[str, Any]:
    """What a link to this photo will be known by."""
    status = photo.stat()
    return {
        "photo": str(photo),
        "kind": kind,
        "inode": status.st_ino,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "made_mtime_ns": status.st_mtime_ns,
    }


def _holds_photos(folder: Path) -> bool:
    """Is this a folder of photos, or of a scanned library, rather than one for albums?"""
    if not folder.is_dir() or (folder / ALBUMS_NOTES).exists():
        return False
    return any(
        entry.name.startswith(".faceclust") or (entry.suffix.lower() in PHOTO_ENDINGS and not entry.is_symlink())
        for entry in folder.iterdir()
    )


def _is_last(note: Mapping[str, Any]) -> bool:
    """Is this file the last that is left of a photo? Then it is not ours to remove."""
    return note["kind"] != "symlink" and not Path(note["photo"]).exists()


def _is_ours(link: Path, note: Mapping[str, Any]) -> bool:
    """Is this still what was made: the same link, or a file nobody has changed since? Not where
    the person's folder is itself a link, for then the file may be the photo."""
    if link.parent.is_symlink():
        return False
    try:
        if note["kind"] == "symlink":
            return link.is_symlink() and str(link.readlink()) == note["photo"]
        status = link.lstat()
    except OSError:
        return False
    if note["kind"] == "hardlink":
        return status.st_ino == note["inode"] and status.st_nlink > 1
    return (status.st_size, status.st_mtime_ns) == (note["size"], note["made_mtime_ns"])


def _is_right(note: Mapping[str, Any], photo: Path, kind: str) -> bool:
    """Does a link of ours show this photo as it is now? A copy may have been left behind."""
    if kind == "symlink":
        return (note["kind"], note["photo"]) == (kind, str(photo))
    now = _note(photo, kind)
    return all(note[key] == now[key] for key in _NOTE_KEYS if key != "made_mtime_ns")


def _remove(link: Path) -> None:
    link.unlink()
    try:
        link.parent.rmdir()  # only an empty folder goes
    except OSError:
        return


def _read_notes(out: Path) -> dict[str, dict[str, Any]]:
    try:
        notes = json.loads((out / ALBUMS_NOTES).read_text(encoding="utf-8"))["links"]
        return {path: {key: note[key] for key in _NOTE_KEYS} for path, note in notes.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FaceclustError(
            f"{out / ALBUMS_NOTES} cannot be read: {error}",
            hint="delete this one file; faceclust then leaves the links there are to you",
        ) from error


def _write_notes(out: Path, notes: Mapping[str, Mapping[str, Any]]) -> None:
    temporary = out / f"{ALBUMS_NOTES}.tmp"
    content = {"about": "links made by faceclust albums; faceclust scan passes this folder by", "links": notes}
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    temporary.replace(out / ALBUMS_NOTES)
