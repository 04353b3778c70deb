"""Albums: folders with links to the photos of each person, or copies of them.

choice    persons              → which photos are in which album
arrange   albums + layout      → paths, made safe (layout.py, names.py)
plan      paths + what is there → what to make, keep and remove (disk.py, manifest.py)
make      the plan             → links (links.py)

What was made is noted beside it, and only what is noted, and still is what was made, is ever
removed or replaced.
"""

from __future__ import annotations

from faceclust.outputs.albums.layout import DEFAULT_LAYOUT, FIELDS
from faceclust.outputs.albums.links import LINK_KINDS
from faceclust.outputs.albums.make import make_albums
from faceclust.outputs.albums.plan import AlbumPlan, SkippedPath, plan_albums
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
    "build_album",
    "make_albums",
    "plan_albums",
    "split_names",
]
