"""Where the manifests and models lie that come with the program."""

from __future__ import annotations

from pathlib import Path

from faceclust.files.names import DEFAULT_PACK


def bundled_folders() -> list[Path]:
    """Where the manifests lie that come with the program: in the package, then in the source tree."""
    package = Path(__file__).resolve().parent.parent
    return [folder for folder in (package / "models", package.parent / "models") if folder.is_dir()]


def embedded_manifest() -> Path:
    """The manifest of the embedded pack; its files lie beside it."""
    found = [folder / f"{DEFAULT_PACK}.toml" for folder in bundled_folders()]
    return next((path for path in found if path.is_file()), Path(f"{DEFAULT_PACK}.toml"))
