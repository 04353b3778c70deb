"""What faceclust made in a folder of albums: the one thing by which it knows its own work again.

`.faceclust-albums.json` names every link with what it can be told by. While links are made it also
names those that are about to be: a run cut short at any moment leaves nothing that is not in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from faceclust.errors import FaceclustError
from faceclust.files.atomic import write_own_atomically
from faceclust.files.names import ALBUMS_MARKER

FORMAT_VERSION = 2
_ABOUT = "links made by faceclust albums; faceclust scan passes this folder by"
#: Where a link is made before it takes its place.
TEMPORARY_NAME = ".faceclust-albums.tmp"


@dataclass(frozen=True)
class ManifestEntry:
    """What a link is known by. `photo`: POSIX path below the library (a full one in files of the
    first format); `to`: what a symbolic link says. For others: `inode` of a hard link, 0 for copies;
    `read_dimensions` and `mtime_ns` of the photo; the time that its copy was given, 0 before it is made; `hash`
    of the photo's bytes, "" where not known."""

    kind: str
    photo: str
    to: str = ""
    inode: int = 0
    size: int = 0
    mtime_ns: int = 0
    made_mtime_ns: int = 0
    hash: str = ""


@dataclass(frozen=True)
class Manifest:
    """The links made, the ones that were about to be made when a run was cut short, both by their
    path below `out`, and the folders made for them. `library`: as seen from `out`."""

    library: str = ""
    links: Mapping[str, ManifestEntry] = field(default_factory=dict)
    making: Mapping[str, ManifestEntry] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()

    def entries_for(self, path: str) -> list[ManifestEntry]:
        """All that may be known of what stands there."""
        return [known[path] for known in (self.links, self.making) if path in known]


def read_manifest(out: Path) -> Manifest:
    """What was made in this folder; nothing where that is not noted. Raises FaceclustError where it
    cannot be read or was written by a newer faceclust."""
    file = out / ALBUMS_MARKER
    try:
        content = json.loads(file.read_text(encoding="utf-8", errors="surrogateescape"))
        if content.get("format", 1) > FORMAT_VERSION:
            raise FaceclustError(f"{file} was written by a newer faceclust", hint="use that one, or another folder")
        links, making = _parse_entries(content["links"]), _parse_entries(content.get("making", {}))
        if "folders" in content:
            folders = frozenset(map(_require_safe_path, content["folders"]))
        else:  # the first format, which had one folder a person
            folders = frozenset(path.rpartition("/")[0] for path in links)
        return Manifest(str(content.get("library", "")), links, making, folders)
    except (FileNotFoundError, NotADirectoryError):
        return Manifest()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FaceclustError(
            f"{file} cannot be read: {error}", hint="delete this one file; faceclust then leaves the links to you"
        ) from error


def write_manifest(out: Path, manifest: Manifest) -> None:
    """Note what was made: the file is there as a whole, or as it was. A line a link. Raises OSError."""
    head = {"about": _ABOUT, "format": FORMAT_VERSION, "library": manifest.library, "folders": sorted(manifest.folders)}
    text = json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}")
    text += (
        "".join(f',\n "{name}": {_format_entries(getattr(manifest, name))}' for name in ("links", "making")) + "\n}\n"
    )
    write_own_atomically(out / ALBUMS_MARKER, text.encode(errors="surrogateescape"))


def _format_entries(entries: Mapping[str, ManifestEntry]) -> str:
    def line(path: str, note: ManifestEntry) -> str:
        known = {name: value for name, value in vars(note).items() if value not in ("", 0)}
        return f"\n  {json.dumps(path, ensure_ascii=False)}: {json.dumps(known, ensure_ascii=False)}"

    return "{" + ",".join(line(path, entries[path]) for path in sorted(entries)) + "\n }"


_FIELD_TYPES = {entry.name: int if entry.type == "int" else str for entry in fields(ManifestEntry)}


def _parse_entries(content: Mapping[str, Mapping[str, Any]]) -> dict[str, ManifestEntry]:
    notes = {}
    for path, known in content.items():
        values = {name: known[name] for name in _FIELD_TYPES if name in known}
        for name, value in values.items():
            if type(value) is not _FIELD_TYPES[name]:
                raise ValueError(f"{name} of {path!r} is {value!r}")
        note = ManifestEntry(**values)
        if note.kind == "symlink" and not note.to:  # the first format: links led to full paths
            note = ManifestEntry(note.kind, note.photo, note.photo)
        notes[_require_safe_path(path)] = note
    return notes


def _require_safe_path(path: str) -> str:
    """A path that leads nowhere but below the folder: the file may have been changed by anybody."""
    parts = path.replace(os.sep, "/").split("/")
    if any(part in ("", ".", "..") for part in parts) or os.path.splitdrive(path)[0] or "\0" in path:
        raise ValueError(f"{path!r} is no path below it")
    return path
