"""Install user packs made from the embedded files: one with another detector, one with another embedder."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from faceclust.packs.registry import clear_pack_cache, load_pack, user_models_folder

#: Text in the manifest of the embedded pack → its replacement.
_NO_LONGER_EMBEDDED = {"embedded = true": "embedded = false"}
_OTHER_BOXES = {"smallest = 20 ": "smallest = 23 ", "mirror = true": "mirror = false", "radius = 3.15": "radius = 3.0"}


def install_other_detector(name: str = "second") -> Path:
    """Install a pack with other boxes and another norm of embeddings; return its folder."""
    return _install(name, _OTHER_BOXES)


def install_tiny_embedder(name: str = "tiny", *, nan_for_light_chips: bool = False) -> Path:
    """Install a pack with the embedded detector and an embedder of 108 dimensions; return its folder.

    The embedding is the mean colour of each of a chip's 36 parts, minus middle grey.
    `nan_for_light_chips`: the embedding is NaN if the chip is lighter than middle grey.
    """
    folder = _install(name, {"dimension = 128": "dimension = 108", "mirror = true": "mirror = false"})
    values = [
        helper.make_tensor_value_info("chip", TensorProto.FLOAT, ["n", 3, 150, 150]),
        helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", 108]),
    ]
    nodes = [
        helper.make_node("Sub", ["chip", "grey"], ["centred"]),
        helper.make_node("AveragePool", ["centred"], ["parts"], kernel_shape=[25, 25], strides=[25, 25]),
        helper.make_node("Flatten", ["parts"], ["vector"]),
    ]
    if nan_for_light_chips:
        nodes[-1:] = [
            helper.make_node("Flatten", ["parts"], ["flat"]),
            helper.make_node("ReduceMean", ["flat"], ["light"], axes=[1]),
            helper.make_node("Neg", ["light"], ["dark"]),
            helper.make_node("Sqrt", ["dark"], ["root"]),  # NaN below 0
            helper.make_node("Sub", ["root", "root"], ["nothing"]),
            helper.make_node("Add", ["flat", "nothing"], ["vector"]),
        ]
    grey = onnx.numpy_helper.from_array(np.float32(127.5), "grey")
    graph = helper.make_graph(nodes, "tiny", values[:1], values[1:], [grey])
    path = folder / "dlib_resnet.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    manifest = folder / "pack.toml"
    (file,) = [file for file in load_pack("dlib").files if file.name == path.name]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(manifest.read_text().replace(str(file.sha256), digest))
    clear_pack_cache()
    return folder


def _install(name: str, changes: dict[str, str]) -> Path:
    embedded = load_pack("dlib")
    folder = user_models_folder() / name
    folder.mkdir(parents=True)
    text = (embedded.folder / "dlib.toml").read_text(encoding="utf-8")
    text = re.sub(r'^fingerprint = ".*"\n', "", text, flags=re.M)
    for before, after in ({'name = "dlib"': f'name = "{name}"'} | _NO_LONGER_EMBEDDED | changes).items():
        assert before in text, before
        text = text.replace(before, after, 1)
    (folder / "pack.toml").write_text(text, encoding="utf-8")
    for file in embedded.files:
        shutil.copy(embedded.path(file.name), folder)
    clear_pack_cache()
    return folder
