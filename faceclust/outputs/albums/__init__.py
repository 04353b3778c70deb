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
from faceclust.outputs.albums.links import KINDS
from faceclust.outputs.albums.make import make_albums
from faceclust.outputs.albums.plan import AlbumPlan, Left, plan_albums
from faceclust.outputs.albums.selection import Album, Choice, Member, album_of, split_names

__all__ = [
    "DEFAULT_LAYOUT",
    "FIELDS",
    "KINDS",
    "Album",
    "AlbumPlan",
    "Choice",
    "Left",
    "Member",
    "album_of",
    "make_albums",
    "plan_albums",
    "split_names",
]
