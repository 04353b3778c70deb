"""Which packs there are: those that come with the program, and those the user has put in.

What a pack says of itself is its manifest: `<pack>.toml` beside the embedded models, or, before
that, `pack.toml` in the pack's own folder below the user's data folder. There the files lie too, of
all packs but the embedded one, which is always as it came.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import platformdirs

from faceclust.errors import PackError
from faceclust.files.names import DEFAULT_PACK, MANIFEST_NAME, MODELS_FOLDER, PACK_NAME_PATTERN
from faceclust.packs.bundled import bundled_folders
from faceclust.packs.manifest import read_manifest
from faceclust.packs.pack import Pack


def user_models_folder() -> Path:
    """The folder of the packs that the user has put in, each in a folder of its own."""
    return platformdirs.user_data_path("faceclust") / MODELS_FOLDER


def user_manifest_path(name: str) -> Path:
    """Where the manifest of a pack stands that the user has put in."""
    return user_models_folder() / name / MANIFEST_NAME


def pack_names() -> list[str]:
    """The packs there are manifests of."""
    shipped = {path.stem for folder in bundled_folders() for path in folder.glob("*.toml")}
    own = {path.parent.name for path in user_models_folder().glob(f"*/{MANIFEST_NAME}")}
    return sorted(shipped | {name for name in own if PACK_NAME_PATTERN.fullmatch(name)})


def load_pack(name: str) -> Pack:
    """The pack called `name`; its files need not be there. Raises PackError for an unknown name or
    an unreadable manifest."""
    return _load_cached(name, user_models_folder())


@cache
def _load_cached(name: str, user_folder: Path) -> Pack:
    if PACK_NAME_PATTERN.fullmatch(name):
        path = user_folder / name / MANIFEST_NAME
        if os.path.isfile(path) and name != DEFAULT_PACK:
            return _check_user_pack(read_manifest(path), name, path)
        for folder in bundled_folders():
            path = folder / f"{name}.toml"
            if path.is_file():
                pack = read_manifest(path)
                return pack if pack.embedded else read_manifest(path, user_folder / name)
    raise PackError(f"no model pack called {name!r}", hint=f"known packs: {', '.join(pack_names()) or 'none'}")


def _check_user_pack(pack: Pack, name: str, path: Path) -> Pack:
    """A pack that the user has put in, once it says so itself."""
    if pack.name != name or pack.embedded:
        claim = "one that comes with the program" if pack.embedded else repr(pack.name)
        raise PackError(f"{path}: the pack {name!r} says that it is {claim}", hint="mend it, or put the pack in again")
    return pack


def clear_pack_cache() -> None:
    """What was read of manifests is read again: they have changed."""
    _load_cached.cache_clear()
