"""Fetch the third-party JavaScript of the web pages from npm when the package is built.

The scripts are listed in `faceclust/outputs/web/vendor/vendor.toml` and written beside it. Git
ignores them; the wheel carries them, and an editable install finds them in place.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

from npm_files import Npm, NpmFile, fetch_npm_files


def fetch_web_scripts(vendor: Path, npm: Npm | None = None) -> list[Path]:
    """Fetch the scripts listed in `vendor/vendor.toml` into that folder and return their paths.

    npm does not run if every file already has its SHA-256. `npm` is replaced in tests. Raises NpmError.
    """
    entries = tomllib.loads((vendor / "vendor.toml").read_text(encoding="utf-8"))["file"]
    missing = [entry for entry in entries if not _has_hash(vendor / entry["name"], entry["sha256"])]
    if missing:
        files = [
            NpmFile(entry["package"], entry["version"], f"dist/{entry['name']}", entry["sha256"]) for entry in missing
        ]
        # All files are checked before the first is written.
        for entry, content in zip(missing, fetch_npm_files(files, npm), strict=True):
            temporary = vendor / f"{entry['name']}.part"
            temporary.write_bytes(content)
            temporary.replace(vendor / entry["name"])
    return [vendor / entry["name"] for entry in entries]


def _has_hash(file: Path, sha256: str) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == sha256
