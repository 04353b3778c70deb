"""Write photos, plan and make albums of them, and read the albums back."""

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
    """Write files that contain their own path, each with its own modification time."""
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
    infos = choices.pop("photos", None) or {
        photo: make_photo_info(photo) for photos in albums.values() for photo in photos
    }
    requested = [Album(f"id {label}", label, frozenset(photos)) for label, photos in albums.items()]
    folders = choices.pop("folders", ())
    return build_album_plan(requested, infos, root, folders, out, kind=kind, **choices)


def make_albums(
    root: Path, out: Path, albums: Mapping[str, tuple[str, ...]], kind: str = "symlink", **choices: Any
) -> AlbumPlan:
    """Make the albums, which must succeed for every photo, and return the executed plan."""
    plan = plan_albums(root, out, albums, kind, **choices)
    assert apply_album_plan(plan) == ()
    return plan


def read_albums(out: Path) -> dict[str, str]:
    """Map each link or file to its text, without hidden files."""
    return {
        path.relative_to(out).as_posix(): path.read_text()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def read_tree(out: Path) -> dict[str, str]:
    """Map every path, hidden or not, to its link target, its text, or "/" for a folder."""
    entries = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_symlink():
            entries[name] = f"-> {path.readlink()}"
        else:
            entries[name] = "/" if path.is_dir() else path.read_text()
    return entries
