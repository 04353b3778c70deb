"""Albums: folders with links to, or copies of, the photos of each person.

selection   persons                → the photos of each album
arrange     albums + layout        → safe paths (layout.py, safe_names.py)
plan        paths + existing files → what to create, keep and remove (existing.py, manifest.py)
make        plan                   → links (links.py)

A manifest in the folder lists every link. A file is removed or replaced only if it is listed there
and has not changed since.
"""

from __future__ import annotations

from faceclust.outputs.albums.layout import DEFAULT_LAYOUT, FIELDS
from faceclust.outputs.albums.links import LINK_KINDS
from faceclust.outputs.albums.make import apply_album_plan
from faceclust.outputs.albums.plan import AlbumPlan, SkippedPath, build_album_plan
from faceclust.outputs.albums.selection import Album, AlbumFilter, AlbumMember, build_album, split_names

__all__ = [
    "DEFAULT_LAYOUT",
    "FIELDS",
    "LINK_KINDS",
    "Album",
    "AlbumFilter",
    "AlbumMember",
    "AlbumPlan",
    "SkippedPath",
    "apply_album_plan",
    "build_album",
    "build_album_plan",
    "split_names",
]
