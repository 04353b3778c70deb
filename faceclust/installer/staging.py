"""Putting a pack into the user's folder: the files, then the manifest, each as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from faceclust.errors import PackError
from faceclust.files.lock import plain_lock
from faceclust.files.names import MANIFEST_NAME, PACK_NAME_PATTERN
from faceclust.installer.candidates import CandidateFile
from faceclust.packs.bundled import bundled_folders
from faceclust.packs.registry import clear_pack_cache, user_models_folder

_STAGING_PREFIX = ".adding-"
_STALE_AFTER = 24 * 3600  # seconds after which a stage is one of a run that was killed


def check_pack_name(name: str, *, replace: bool) -> None:
    """Raise PackError unless a pack of the user's own can be called so: of the right letters, no name
    of those that come with the program, and, but to `replace` it, none that is taken."""
    if not PACK_NAME_PATTERN.fullmatch(name):
        raise PackError(
            f"{name!r} cannot be a pack's name",
            hint="up to 41 small letters, digits, - and _, the first a letter or digit; --name NAME sets it",
        )
    if find_bundled_manifest(name):
        raise PackError(
            f"{name!r} is the name of a pack that faceclust knows",
            hint=f"take another: --name NAME; to put its files in: --pack {name}",
        )
    if (user_models_folder() / name / MANIFEST_NAME).exists() and not replace:
        raise PackError(
            f"there is a pack called {name!r} already", hint="take another name (--name NAME), or add --replace"
        )


@contextmanager
def stage_files(files: Mapping[str, CandidateFile], manifest: str | None) -> Iterator[Path]:
    """A folder with copies of these files, and the manifest, to be tried before they are put in. It
    is gone in the end. Raises PackError where the disk does not take it."""
    folder = user_models_folder()
    stage = folder / f"{_STAGING_PREFIX}{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale_stages(folder)
        stage.mkdir(mode=0o700)
    except OSError as error:
        raise PackError(
            f"{folder} cannot be written: {error.strerror or error}", hint="may you write there?"
        ) from error
    try:
        for name, file in files.items():
            file.copy_to(stage / name)
        if manifest is not None:
            _write_text(stage / MANIFEST_NAME, manifest)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def install_staged(staging_folder: Path, name: str) -> Path:
    """Move what is staged into the folder of the pack called `name`, the manifest last; gives the
    folder. Raises PackError where the disk does not do it: the pack that was there may then have to
    be put in again."""
    folder = user_models_folder() / name
    try:
        folder.mkdir(exist_ok=True)
        for path in sorted(staging_folder.iterdir(), key=lambda path: (path.name == MANIFEST_NAME, path.name)):
            path.replace(folder / path.name)
    except OSError as error:
        raise PackError(
            f"{folder} cannot be written: {error.strerror or error}", hint="may you write there?"
        ) from error
    finally:
        clear_pack_cache()
    return folder


def find_bundled_manifest(name: str) -> Path | None:
    """The manifest of a pack that faceclust knows, as it comes with the program."""
    found = [folder / f"{name}.toml" for folder in bundled_folders()]
    return next((path for path in found if path.is_file()), None)


def read_manifest_text(name: str) -> str:
    """The manifest of a pack as it stands. Raises PackError for an unknown one."""
    for path in (user_models_folder() / name / MANIFEST_NAME, find_bundled_manifest(name)):
        if path is not None and path.is_file():
            return path.read_text(encoding="utf-8")
    raise PackError(f"no model pack called {name!r}")


def save_manifest(name: str, text: str) -> Path:
    """Give the pack this manifest, in the user's folder; gives its path. Raises PackError."""
    path = user_models_folder() / name / MANIFEST_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_text(path, text)
    except OSError as error:
        raise PackError(f"{path} cannot be written: {error.strerror or error}", hint="may you write there?") from error
    finally:
        clear_pack_cache()
    return path


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_stale_stages(folder: Path) -> None:
    for left in folder.glob(f"{_STAGING_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_AFTER:
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def lock_pack(name: str) -> Iterator[None]:
    """Lock the pack called `name`, so that one process at a time changes its folder. Raises
    PackError if another process holds the lock or the folder of packs cannot be written."""
    folder = user_models_folder()
    busy = PackError(f"another faceclust is at work on the pack {name!r}", hint="wait until it is done, then try again")
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(plain_lock(folder / f".{name}.lock", busy))
        except OSError as error:
            raise PackError(
                f"{folder} cannot be written: {error.strerror or error}", hint="may you write there?"
            ) from error
        yield
