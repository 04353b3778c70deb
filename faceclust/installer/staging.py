"""Install a pack into the user's folder: stage the files, then move each into place atomically."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from faceclust.errors import PackError
from faceclust.files.bundled import find_bundled_manifest
from faceclust.files.lock import plain_lock
from faceclust.files.names import MANIFEST_NAME, PACK_NAME_PATTERN
from faceclust.files.output_files import write_own_atomically
from faceclust.installer.candidates import CandidateFile
from faceclust.packs.registry import clear_pack_cache, user_manifest_path, user_models_folder

PERMISSIONS_HINT = "check the folder's permissions"
_STAGING_PREFIX = ".adding-"
_STALE_AFTER = 24 * 3600  # seconds after which a staging folder must be left over from a killed run


def check_pack_name(name: str, *, replace: bool) -> None:
    """Raise PackError unless `name` is valid for a pack of the user's own: well-formed, not the name
    of a bundled pack, and not taken (unless `replace` is true)."""
    if not PACK_NAME_PATTERN.fullmatch(name):
        raise PackError(
            f"{name!r} is not a valid pack name",
            hint="use up to 41 of a-z, 0-9, - and _, starting with a letter or digit; --name NAME sets it",
        )
    if find_bundled_manifest(name):
        raise PackError(
            f"{name!r} is the name of a pack that faceclust knows",
            hint=f"choose another name (--name NAME), or add that pack's files: --pack {name}",
        )
    if user_manifest_path(name).exists() and not replace:
        raise PackError(
            f"there is already a pack called {name!r}", hint="choose another name (--name NAME), or add --replace"
        )


@contextmanager
def stage_files(files: Mapping[str, CandidateFile], manifest: str | None) -> Iterator[Path]:
    """Copy files and a manifest into a new staging folder, to be tried before they are installed.
    The folder is deleted on exit. Raises PackError if it cannot be written."""
    models_folder = user_models_folder()
    staging_folder = models_folder / f"{_STAGING_PREFIX}{secrets.token_hex(4)}"
    with translate_write_errors(models_folder):
        models_folder.mkdir(parents=True, exist_ok=True)
        _remove_stale_folders(models_folder)
        staging_folder.mkdir(mode=0o700)
    try:
        for name, file in files.items():
            file.copy_to(staging_folder / name)
        if manifest is not None:
            with translate_write_errors(staging_folder):
                write_own_atomically(staging_folder / MANIFEST_NAME, manifest.encode())
        yield staging_folder
    finally:
        shutil.rmtree(staging_folder, ignore_errors=True)


def install_staged(staging_folder: Path, name: str) -> Path:
    """Move staged files into the folder of the pack called `name`, the manifest last; return that
    folder. Raises PackError if a move fails; a pack being replaced may then be incomplete."""
    folder = user_models_folder() / name
    try:
        with translate_write_errors(folder):
            folder.mkdir(exist_ok=True)
            for path in sorted(staging_folder.iterdir(), key=lambda path: (path.name == MANIFEST_NAME, path.name)):
                path.replace(folder / path.name)
    finally:
        clear_pack_cache()
    return folder


def read_manifest_text(name: str) -> str:
    """Return the text of a pack's manifest. Raises PackError if the pack is unknown."""
    for path in (user_manifest_path(name), find_bundled_manifest(name)):
        if path is not None and path.is_file():
            return path.read_text(encoding="utf-8")
    raise PackError(f"no model pack called {name!r}")


def save_manifest(name: str, text: str) -> Path:
    """Write a pack's manifest into the user's folder; return its path. Raises PackError."""
    path = user_manifest_path(name)
    try:
        with translate_write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_own_atomically(path, text.encode())
    finally:
        clear_pack_cache()
    return path


@contextmanager
def lock_pack(name: str) -> Iterator[None]:
    """Lock the pack called `name`, so that one process at a time changes its folder. Raises
    PackError if another process holds the lock or the folder of packs cannot be written."""
    folder = user_models_folder()
    busy = PackError(f"another faceclust is changing the pack {name!r}", hint="wait until it is done, then try again")
    with contextlib.ExitStack() as held:
        with translate_write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(plain_lock(folder / f".{name}.lock", busy))
        yield


@contextmanager
def translate_write_errors(path: Path) -> Iterator[None]:
    """Turn OSError into PackError: `path` cannot be written."""
    try:
        yield
    except OSError as error:
        raise PackError(f"{path} cannot be written: {error.strerror or error}", hint=PERMISSIONS_HINT) from error


def _remove_stale_folders(models_folder: Path) -> None:
    for leftover in models_folder.glob(f"{_STAGING_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _STALE_AFTER:
                shutil.rmtree(leftover, ignore_errors=True)
