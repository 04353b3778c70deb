"""Photos to make albums of, and what the albums then hold."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from faceclust.outputs.albums import Album, AlbumPlan, apply_album_plan, build_album_plan
from faceclust.types import PhotoInfo

PHOTOS = ("2019/a.jpg", "2020/a.jpg", "2020/A.JPG", "b.jpg")
ALBUMS = {"Anna": PHOTOS[:3], "Ben": ("b.jpg",), "Anna + Ben": ("2019/a.jpg",)}


def write_photos(root: Path, photos: tuple[str, ...] = PHOTOS) -> Path:
    """Files that say what they are called."""
    for number, photo in enumerate(photos):
        (root / photo).parent.mkdir(parents=True, exist_ok=True)
        (root / photo).write_text(photo)
        os.utime(root / photo, ns=(10**18, 10**18 + number * 10**12 + 123_456_789))
    return root


def make_photo_info(photo: str, taken: datetime | None = None, camera: str | None = None) -> PhotoInfo:
    return PhotoInfo(photo, f"hash of {photo}", (40, 30), 1, taken, camera, None, None)


def plan_albums(
    root: Path, out: Path, albums: Mapping[str, tuple[str, ...]], kind: str = "symlink", **choices: Any
) -> AlbumPlan:
    known = choices.pop("photos", None) or {
        photo: make_photo_info(photo) for photos in albums.values() for photo in photos
    }
    wanted = [Album(f"id {label}", label, frozenset(photos)) for label, photos in albums.items()]
    folders = choices.pop("folders", ())
    return build_album_plan(wanted, known, root, folders, out, kind=kind, **choices)


def make_albums(
    root: Path, out: Path, albums: Mapping[str, tuple[str, ...]], kind: str = "symlink", **choices: Any
) -> AlbumPlan:
    done = plan_albums(root, out, albums, kind, **choices)
    assert apply_album_plan(done) == ()
    return done


def read_albums(out: Path) -> dict[str, str]:
    """Link or file → what it holds; all but what begins with a dot."""
    return {
        path.relative_to(out).as_posix(): path.read_text()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def read_tree(out: Path) -> dict[str, str]:
    """Everything there is, hidden or not: what a link says, what a file holds, "/" for folders. Of the
    manifest only what does not lie with inodes."""
    found = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "/" if path.is_dir() else path.read_text()
    return found
