"""Checks of an ONNX file before it is run."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path, PurePath

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from faceclust.errors import PackError
from faceclust.packs.onnx_file import check_onnx
from faceclust.packs.registry import load_pack
from faceclust.packs.session import OnnxModel
from tests.support import tiny_models


def make_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model/data.pkl", b"x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "words", "hint"),
    [
        ("a.pt", make_zip(), "zip archive, such as PyTorch's", 'torch.zeros(1, 3, 112, 112), "a.onnx", dynamo=False)'),
        ("a.keras", make_zip(), "a Keras model", "--keras m/a.keras --output a.onnx --opset 13"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "HDF5", "tf2onnx.convert --keras m/a.h5 --output a.onnx"),
        ("a.pth", pickle.dumps({"a": 1}, 2), "Python pickle", "torch.onnx.export("),
        ("a.pth", pickle.dumps({"a": 1}, 5), "Python pickle", "torch.onnx.export("),
        ("a.safetensors", b"\x68\2\0\0\0\0\0\0" + b'{"w":{}}', "safetensors", "torch.onnx.export("),
        (
            "my model.tflite",
            b"\x1c\x00\x00\x00TFL3\x14\x00",
            "TensorFlow Lite",
            "python -m tf2onnx.convert --tflite 'm/my model.tflite' --output 'my model.onnx' --opset 13",
        ),
        ("model.json", b' {"format": "x",\n "modelTopology": {}}', "TensorFlow.js", "'numpy<2' && python -m tf2onnx"),
        (
            "a.pb",
            b"\x0a\x05hello",
            "frozen TensorFlow graph",
            "--graphdef m/a.pb --inputs input:0 --outputs embeddings:0",
        ),
        ("saved_model.pb", b"\x08\x01\x12\x00", "TensorFlow SavedModel", "name its folder"),
        ("a.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS", "git lfs pull"),
        ("a.onnx", b"\n<!DOCTYPE html><html>", "web page", "download it again"),
        ("a.onnx", b"hello, world", "not an ONNX file", "again"),
        ("a.onnx", b"", "it has no graph", "again"),
        ("a.onnx", b"\x08\x08", "it has no graph", "again"),
        ("a.onnx", b"\xff" * 40, "not an ONNX file", "again"),
    ],
)
def test_other_file_types_are_named_with_their_conversion(name: str, data: bytes, words: str, hint: str) -> None:
    with pytest.raises(PackError, match=words) as failure:
        check_onnx(data, PurePath("m", name))
    assert failure.value.hint is not None and hint in failure.value.hint


def test_the_embedded_models_pass() -> None:
    pack = load_pack("dlib")
    for file in pack.files:
        check_onnx(pack.path(file.name).read_bytes(), PurePath(file.name))


@settings(max_examples=60)
@given(st.data())
def test_truncated_or_corrupted_files_raise_only_pack_errors(data: st.DataObject) -> None:
    content = bytearray(load_pack("dlib").path("mtcnn_pnet.onnx").read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=8)):
            content[position] ^= data.draw(st.integers(1, 255))
    try:
        check_onnx(bytes(content), PurePath("corrupted.onnx"))
    except PackError as error:
        assert "\n" not in str(error)


def write_external_model(location: str, folder: Path) -> Path:
    """Write a model that would read weights from secret.bin beside it: an initializer, or a constant
    in a node, in a branch of an If or in a function. "sound" has no external data."""
    (folder / "secret.bin").write_bytes(np.arange(3, dtype=np.float32).tobytes())
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "secret.bin"
    plain = numpy_helper.from_array(np.zeros(3, np.float32), "w")
    constant = helper.make_node("Constant", [], ["w"], value=tensor)
    output = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    branch = helper.make_graph([constant], "b", [], [helper.make_tensor_value_info("w", TensorProto.FLOAT, None)])
    opset = helper.make_opsetid("", 17)
    nodes = [helper.make_node("Add", ["input", "w"], ["out"])]
    functions = []
    if location == "node":
        nodes.insert(0, constant)
    elif location == "branch":
        yes = helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True)))
        nodes = [yes, helper.make_node("If", ["yes"], ["w"], then_branch=branch, else_branch=branch), *nodes]
    elif location == "function":
        nodes = [helper.make_node("f", [], ["w"], domain="own"), *nodes]
        functions = [helper.make_function("own", "f", [], ["w"], [constant], [opset])]
    tensors = {"initializer": [tensor], "sound": [plain]}.get(location, [])
    given_ = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3])]
    graph = helper.make_graph(nodes, "g", given_, [output], tensors)
    model = helper.make_model(
        graph, opset_imports=[opset, helper.make_opsetid("own", 1)], functions=functions, ir_version=8
    )
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("location", ["initializer", "node", "branch", "function"])
def test_a_model_with_external_data_is_refused(tmp_path: Path, location: str) -> None:
    with pytest.raises(PackError, match="keeps its weights in another file") as failure:
        OnnxModel(write_external_model(location, tmp_path))
    assert "save_as_external_data=False" in str(failure.value.hint)


def varint(value: int) -> bytes:
    return bytes([value & 0x7F | (0x80 if value > 0x7F else 0)]) + (varint(value >> 7) if value > 0x7F else b"")


def overlong_tag(number: int, wire_type: int, encoding: str) -> bytes:
    """Return an invalid field tag that other parsers cut to 32 bits, or accept although it is too long."""
    key = number << 3 | wire_type
    return bytes([key | 0x80, 0x80, 0x80, 0x80, *((0x10,) if encoding == "more bits" else (0x80, 0x00))])


@pytest.mark.parametrize("encoding", ["more bits", "more bytes"])
def test_external_data_under_an_overlong_tag_is_detected(encoding: str) -> None:
    def message(number: int, content: bytes) -> bytes:
        return varint(number << 3 | 2) + varint(len(content)) + content

    entry = message(1, b"location") + message(2, b"secret.bin")
    tensor = overlong_tag(13, 2, encoding) + varint(len(entry)) + entry + overlong_tag(14, 0, encoding) + b"\x01"
    model = helper.make_model(helper.make_graph([], "g", [], []), ir_version=8)
    model.graph.Clear()
    header = model.SerializeToString()
    check_onnx(header + message(7, message(5, b"\x08\x0c\x10\x01")), PurePath("sound.onnx"))
    with pytest.raises(PackError, match="not an ONNX file"):
        check_onnx(header + message(7, message(5, b"\x08\x0c\x10\x01" + tensor)), PurePath("corrupted.onnx"))


def test_a_model_with_embedded_weights_is_accepted(tmp_path: Path) -> None:
    assert OnnxModel(write_external_model("sound", tmp_path)).input_shape == (1, 3)


def test_an_unknown_operator_gives_a_one_line_error(tmp_path: Path) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx")
    model = onnx.load(path)
    model.graph.node[0].op_type, model.graph.node[0].domain = "ReadFile", "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(PackError, match=r"own\.onnx cannot be loaded") as failure:
        OnnxModel(path)
    assert "\n" not in str(failure.value)


def test_unsupported_input_types_are_reported(tmp_path: Path) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx")
    model = onnx.load(path)
    cast = helper.make_node("Cast", ["bytes"], ["input"], to=TensorProto.FLOAT)
    model.graph.node.insert(0, cast)
    model.graph.input[0].name = "bytes"
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    path.write_bytes(model.SerializeToString())
    with pytest.raises(PackError, match=r"the input must be one of .*, not tensor\(uint8\)"):
        OnnxModel(path)
