"""Locate the manifests and model files that ship with faceclust."""

from __future__ import annotations

from pathlib import Path

from faceclust.files.names import DEFAULT_PACK


def bundled_folders() -> list[Path]:
    """Return the folders with bundled manifests: the installed package's, then the source tree's."""
    package = Path(__file__).resolve().parent.parent
    return [folder for folder in (package / "models", package.parent / "models") if folder.is_dir()]


def find_bundled_manifest(pack: str) -> Path | None:
    """Return the bundled manifest of a pack; None if faceclust does not ship one."""
    candidates = [folder / f"{pack}.toml" for folder in bundled_folders()]
    return next((path for path in candidates if path.is_file()), None)


def embedded_manifest() -> Path:
    """Return the manifest of the embedded pack. The pack's files lie beside it."""
    return find_bundled_manifest(DEFAULT_PACK) or Path(f"{DEFAULT_PACK}.toml")
