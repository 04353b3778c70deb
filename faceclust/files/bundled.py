"""Locate the manifests and model files that ship with faceclust."""

from __future__ import annotations

from pathlib import Path

from faceclust.files.names import DEFAULT_PACK, EMBEDDED_PACKS


def bundled_folders() -> list[Path]:
    """Return the folders with bundled manifests: the installed package's, then the source tree's."""
    package = Path(__file__).resolve().parent.parent
    return [folder for folder in (package / "models", package.parent / "models") if folder.is_dir()]


def find_bundled_file(name: str) -> Path | None:
    """Return the path of a bundled manifest or model file; None if faceclust does not ship it."""
    return next((path for folder in bundled_folders() if (path := folder / name).is_file()), None)


def find_bundled_manifest(pack: str) -> Path | None:
    """Return the bundled manifest of a pack; None if faceclust does not ship one."""
    return find_bundled_file(f"{pack}.toml")


def embedded_manifests() -> list[Path]:
    """Return the manifests of the embedded packs. Their model files lie beside them."""
    return [path for pack in EMBEDDED_PACKS if (path := find_bundled_manifest(pack))]


def default_pack() -> str:
    """Return the pack of libraries without a choice. It is another one if faceclust was built without
    `DEFAULT_PACK` (FACECLUST_BUILD_PACKS, see models/hatch_build.py)."""
    return DEFAULT_PACK if find_bundled_file(f"{DEFAULT_PACK}.onnx") else EMBEDDED_PACKS[-1]
