"""Look up model packs by name: the bundled ones and those the user has installed.

Each installed pack has a folder below the user's data folder. Its manifest there, `pack.toml`, takes
precedence over a bundled manifest, `<pack>.toml`. The folder also holds the model files. The
embedded packs are the exception: they cannot be overridden, and their files ship with faceclust.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from faceclust.errors import PackError
from faceclust.files.bundled import bundled_folders, find_bundled_manifest
from faceclust.files.names import EMBEDDED_PACKS, MANIFEST_NAME, MODELS_FOLDER, PACK_NAME_PATTERN
from faceclust.files.user_folders import data_folder
from faceclust.packs.manifest import REINSTALL_HINT, read_manifest
from faceclust.packs.pack import Pack


def user_models_folder() -> Path:
    """Return the folder of installed packs; each pack has a subfolder. It may be a link of the
    user's, which is resolved."""
    return Path(os.path.realpath(data_folder() / MODELS_FOLDER))


def user_manifest_path(name: str) -> Path:
    """Return the path of an installed pack's manifest. It may not exist."""
    return user_models_folder() / name / MANIFEST_NAME


def pack_names() -> list[str]:
    """Return the names of all packs with a manifest, sorted."""
    bundled = {path.stem for folder in bundled_folders() for path in folder.glob("*.toml")}
    installed = {path.parent.name for path in user_models_folder().glob(f"*/{MANIFEST_NAME}")}
    return sorted(bundled | {name for name in installed if PACK_NAME_PATTERN.fullmatch(name)})


def load_pack(name: str) -> Pack:
    """Load the pack called `name`; its model files may be missing. Raises PackError if the name is
    unknown or the manifest unusable."""
    return _load_cached(name, user_models_folder())


@cache
def _load_cached(name: str, user_folder: Path) -> Pack:
    if PACK_NAME_PATTERN.fullmatch(name):
        path = user_folder / name / MANIFEST_NAME
        if path.is_file() and name not in EMBEDDED_PACKS:
            return _check_user_pack(read_manifest(path), name, path)
        if bundled := find_bundled_manifest(name):
            pack = read_manifest(bundled)
            return pack if pack.embedded else read_manifest(bundled, user_folder / name)
    raise PackError(f"no model pack called {name!r}", hint=f"known packs: {', '.join(pack_names()) or 'none'}")


def _check_user_pack(pack: Pack, name: str, path: Path) -> Pack:
    if pack.embedded or pack.former_fingerprint:
        raise PackError(f'{path}: "embedded" and "fingerprint" are only for bundled packs', hint=REINSTALL_HINT)
    if pack.name != name:
        raise PackError(f"{path}: the name is {pack.name!r}, expected {name!r}", hint=REINSTALL_HINT)
    return pack


def clear_pack_cache() -> None:
    """Forget the loaded packs, after a manifest has changed."""
    _load_cached.cache_clear()
