"""The manifest of an albums folder: the only record of which links faceclust created.

`.faceclust-albums.json` lists every link with the data that identify it. While a run creates links, it
also lists the planned ones: a run killed at any moment leaves no link outside the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from faceclust.errors import FaceclustError
from faceclust.files.names import ALBUMS_MARKER
from faceclust.files.output_files import MAX_NOTE_BYTES, write_own_atomically
from faceclust.files.own_files import read_own
from faceclust.files.safe_paths import is_path_below

FORMAT_VERSION = 2
_ABOUT = "links made by faceclust albums; faceclust scan skips this folder"
#: A link is created under this name and then renamed.
TEMPORARY_NAME = ".faceclust-albums.tmp"


@dataclass(frozen=True)
class ManifestEntry:
    """The data that identify a link.

    `photo` is a POSIX path below the library, or an absolute one in manifests of format 1. `to` is the
    target of a symbolic link. Other kinds have the photo's `size` and `mtime_ns`, and the `hash` of its
    content ("" if unknown). A hard link has its `inode`. A copy has its own modification time in
    `made_mtime_ns`, which is 0 until it is created.
    """

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
    """Existing links, links planned by an interrupted run, and the folders created for them.

    Paths are relative to the albums folder. `library` is the path of the library from there.
    """

    library: str = ""
    links: Mapping[str, ManifestEntry] = field(default_factory=dict)
    making: Mapping[str, ManifestEntry] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()

    def entries_for(self, path: str) -> list[ManifestEntry]:
        """Return all entries that may describe the file at this path."""
        return [entries[path] for entries in (self.links, self.making) if path in entries]


def read_albums_manifest(out: Path) -> Manifest:
    """Read the manifest of a folder; an empty one if there is none.

    Raises FaceclustError if it cannot be read or was written by a newer version.
    """
    file = out / ALBUMS_MARKER
    try:
        content = json.loads(read_own(file, MAX_NOTE_BYTES).decode("utf-8", "surrogateescape"))
        if content.get("format", 1) > FORMAT_VERSION:
            raise FaceclustError(
                f"{file} was written by a newer version of faceclust", hint="update faceclust, or use another folder"
            )
        links, making = _parse_entries(content["links"]), _parse_entries(content.get("making", {}))
        if "folders" in content:
            folders = frozenset(map(_require_safe_path, content["folders"]))
        else:  # format 1 had one folder per person
            folders = frozenset(path.rpartition("/")[0] for path in links)
        return Manifest(str(content.get("library", "")), links, making, folders)
    except FileNotFoundError:
        return Manifest()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FaceclustError(
            f"cannot read {file}: {error}", hint="delete this file; faceclust then leaves the existing links alone"
        ) from error


def write_albums_manifest(out: Path, manifest: Manifest) -> None:
    """Write the manifest atomically, one line per link. Raises OSError."""
    head = {"about": _ABOUT, "format": FORMAT_VERSION, "library": manifest.library, "folders": sorted(manifest.folders)}
    text = json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}")
    text += (
        "".join(f',\n "{name}": {_format_entries(getattr(manifest, name))}' for name in ("links", "making")) + "\n}\n"
    )
    write_own_atomically(out / ALBUMS_MARKER, text.encode(errors="surrogateescape"))


def _format_entries(entries: Mapping[str, ManifestEntry]) -> str:
    def format_line(path: str, entry: ManifestEntry) -> str:
        values = {name: value for name, value in vars(entry).items() if value not in ("", 0)}
        return f"\n  {json.dumps(path, ensure_ascii=False)}: {json.dumps(values, ensure_ascii=False)}"

    return "{" + ",".join(format_line(path, entries[path]) for path in sorted(entries)) + "\n }"


_FIELD_TYPES = {entry.name: int if entry.type == "int" else str for entry in fields(ManifestEntry)}


def _parse_entries(content: Mapping[str, Mapping[str, Any]]) -> dict[str, ManifestEntry]:
    entries = {}
    for path, fields_of_path in content.items():
        values = {name: fields_of_path[name] for name in _FIELD_TYPES if name in fields_of_path}
        for name, value in values.items():
            if type(value) is not _FIELD_TYPES[name]:
                raise ValueError(f"{name} of {path!r} is {value!r}")
        entry = ManifestEntry(**values)
        if entry.kind == "symlink" and not entry.to:  # format 1: link targets were absolute
            entry = ManifestEntry(entry.kind, entry.photo, entry.photo)
        entries[_require_safe_path(path)] = entry
    return entries


def _require_safe_path(path: str) -> str:
    """Check that a path stays below the folder, for anybody may have edited the manifest. Raises ValueError."""
    if not is_path_below(path):
        raise ValueError(f"{path!r} is not a path below the folder")
    return path
