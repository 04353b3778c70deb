"""Measure the activation ranges that `quantise` needs on real faces. Run by hand, once per network:

    python models/packbuilder/calibrate.py FOLDER_OF_FACES > models/packbuilder/dlib_ranges.json

FOLDER_OF_FACES contains photos at any depth; one face each from 256 of them is used. Only the
minimum and maximum of each tensor are stored, nothing about the faces.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

sys.path.insert(0, str(Path(__file__).parents[1]))

from faceclust.packs.registry import load_pack
from faceclust.photos.decode import decode_photo
from faceclust.types import PhotoRef, UInt8
from faceclust.vision.pipeline import FacePipeline
from packbuilder import build_float_embedder
from packbuilder.quantise import tensors_to_measure

_FACE_COUNT = 256


def measure_ranges(chips: UInt8) -> dict[str, tuple[float, float]]:
    """Return (minimum, maximum) of each of the embedder's tensors over chips uint8 (n, h, w, 3),
    rounded to four significant digits."""
    model = onnx.load_from_string(build_float_embedder())
    names = tensors_to_measure(model)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ranges = dict.fromkeys(names, (0.0, 0.0))
    for chip in chips:
        image = chip.transpose(2, 0, 1)[None].astype(np.float32)
        for name, values in zip(names, session.run(names, {"input": image}), strict=True):
            low, high = ranges[name]
            ranges[name] = min(low, float(values.min())), max(high, float(values.max()))
    return {name: (float(f"{low:.4g}"), float(f"{high:.4g}")) for name, (low, high) in ranges.items()}


def _cut_one_face_per_photo(folder: Path) -> UInt8:
    analyser = FacePipeline(load_pack("dlib"))
    paths = sorted(folder.rglob("*.jpg"))
    chips = []
    for path in paths[:: max(1, len(paths) // (2 * _FACE_COUNT))]:
        pixels = decode_photo(path.read_bytes(), PhotoRef(path.name, 0, 0)).pixels
        found = analyser.detect(pixels)
        chips += list(analyser.align(pixels, found)[:1])
    return np.stack(chips[:_FACE_COUNT])


if __name__ == "__main__":
    measured = measure_ranges(_cut_one_face_per_photo(Path(sys.argv[1])))
    print("{\n" + ",\n".join(f"  {json.dumps(name)}: {list(limits)}" for name, limits in measured.items()) + "\n}")
