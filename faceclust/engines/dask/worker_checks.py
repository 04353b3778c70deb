"""Checks that a worker makes of itself, before it gets work: each returns a problem, or None.

A problem is a sentence about the worker that says what to do.
"""

from __future__ import annotations

import multiprocessing
import os
import stat
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from faceclust.errors import FaceclustError
from faceclust.files.names import EXTRA_MODULES, PHOTO_EXTENSIONS
from faceclust.packs.registry import clear_pack_cache, load_pack
from faceclust.packs.verify import require_files
from faceclust.scan.examine import ScanSettings
from faceclust.version import __version__

#: A check and its arguments.
BoundCheck = tuple[Callable[..., str | None], tuple[object, ...]]
#: Photos whose sizes are compared, and entries of folders read to choose them.
_SAMPLE, _MAX_ENTRIES = 12, 5_000


#: An expression that gives a worker's `Software`. A worker without this package ends if it receives a function of it.
SOFTWARE_EXPRESSION = (
    "(__import__('faceclust.version', fromlist=['_']).__version__, '%d.%d' % __import__('sys').version_info[:2], "
    "__import__('distributed').__version__)"
)


class Software(NamedTuple):
    """The versions that a worker must share with the client."""

    faceclust: str
    python: str
    distributed: str

    @staticmethod
    def here() -> Software:
        """Return the versions of this process."""
        return Software(__version__, "{}.{}".format(*sys.version_info), version("distributed"))

    def find_difference(self, other: Software) -> str | None:
        """Compare with the versions of a worker; describe the first difference."""
        for name, mine, theirs in zip(self._fields, self, other, strict=True):
            if mine.split(".")[:2] != theirs.split(".")[:2] or (name == "faceclust" and mine != theirs):
                return f"it has {name} {theirs}, and this machine {mine}; install the same version on both"
        return None


def check_children() -> str | None:
    """Check that this worker may start child processes, which examine photos. Dask forbids that by default."""
    if multiprocessing.current_process().daemon:
        return (
            "it may not start processes; start it with DASK_DISTRIBUTED__WORKER__DAEMON=False in its environment, "
            "or with --no-nanny"
        )
    return None


def check_pack(name: str, fingerprint: str) -> str | None:
    """Check that this worker has the client's model pack, undamaged."""
    try:
        clear_pack_cache()  # a worker lasts for days
        pack = load_pack(name)
        if pack.fingerprint != fingerprint:
            return f"its pack {name} is another one than on this machine; install the same pack on both"
        require_files(pack)
    except FaceclustError as error:
        return f"{error}" + (f"; on that machine, type: {error.hint}" if error.hint else "")
    return None


def check_extras(needed: Iterable[str]) -> str | None:
    """Check that this worker has the optional decoders that the client has."""
    missing = [extra for extra in needed if find_spec(EXTRA_MODULES[extra]) is None]
    if missing:
        extras = ",".join(missing)
        return f"it cannot read all photos that this machine can; there, type: pip install 'faceclust[{extras}]'"
    return None


def check_library(root: str, sizes: Iterable[tuple[str, int]]) -> str | None:
    """Check that this worker reads the client's library at `root`. `sizes`: paths of photos and their bytes."""
    if not os.path.isdir(root):
        return f"it has no folder {root}; mount the library there, or name its folder with --dask-root"
    for path, size in sizes:
        try:
            file = os.open(Path(root, path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe must not block
            try:
                found = os.fstat(file).st_size
            finally:
                os.close(file)
        except OSError as error:
            return f"it cannot read {path} in {root} ({error.strerror}); is the library mounted there, and up to date?"
        if found != size:
            return f"{path} in {root} has {found:,} bytes there and {size:,} here; is another library mounted there?"
    return None


def check_device(device: str) -> str | None:
    """Check that this worker has the device that the models are to run on."""
    from faceclust.packs.session import choose_device  # loads the model runtime

    try:
        choose_device(device)
    except FaceclustError as error:
        return f"{error}; leave out --device, or start this worker on a machine that has it"
    return None


def checks_for_scan(settings: ScanSettings) -> list[BoundCheck]:
    """Return what a worker must pass before it examines photos."""
    extras = tuple(extra for extra, module in EXTRA_MODULES.items() if find_spec(module))
    pack = settings.pack
    checks: list[BoundCheck] = [(check_children, ()), (check_extras, (extras,))]
    return [*checks, (check_pack, (pack.name, pack.fingerprint)), (check_device, (settings.device,))]


def sample_photos(root: Path) -> list[tuple[str, int]]:
    """Choose photos of a library to compare: the newest, since a stale mount lacks them. Follows no symlinks.

    Return (path below the root, bytes); empty if none is found.
    """
    found: list[tuple[float, str, int]] = []
    folders, entries = [""], 0
    while folders and entries < _MAX_ENTRIES:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as listing:
                for entry in listing:
                    entries += 1
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.name.startswith(".") or entries > _MAX_ENTRIES:
                        continue
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        folders.append(path)
                    elif stat.S_ISREG(status.st_mode) and PurePosixPath(path).suffix.lower() in PHOTO_EXTENSIONS:
                        found.append((-status.st_mtime, path, status.st_size))
        except OSError:
            continue
    return [(path, size) for _, path, size in sorted(found)[:_SAMPLE]]


def run_checks(checks: Iterable[BoundCheck]) -> str | None:
    """Run checks on this worker until one finds a problem."""
    return next((problem for check, arguments in checks if (problem := check(*arguments))), None)
