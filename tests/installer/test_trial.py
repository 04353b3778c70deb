"""The trial tells embedders that work from faulty ones, on drawn faces."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from faceclust.errors import PackError
from faceclust.files.names import DEFAULT_PACK
from faceclust.installer.drawn_faces import disturb, draw_faces
from faceclust.installer.trial import try_pack
from faceclust.packs.registry import load_pack
from tests.support import tiny_models
from tests.support.pack_builders import pack_with_embedder


@pytest.mark.parametrize("name", sorted({DEFAULT_PACK, "dlib"}))
def test_the_embedded_models_pass(name: str) -> None:
    pack = load_pack(name)
    result = try_pack(pack)
    assert result.dimension == pack.embedder.dimension and not result.warning
    assert 0 < result.milliseconds < 1000 and 0 < result.norms[0] < result.norms[1]


@pytest.mark.parametrize(
    ("model", "spec"),
    [
        ({"layout": "nhwc", "size": (160, 160)}, {"margin": 0.2}),
        ({"batch": 1, "four_axes": True}, {"colour": "bgr"}),
        ({"batch": 16, "half": True}, {}),
        ({"with_norm": True, "unit": True}, {"colour": "bgr", "norm": (0.0, 1.0), "norm_output": "norm"}),
        ({"size": (96, 112), "declares_shape": False}, {"mirror": False}),
    ],
    ids=str,
)
def test_every_kind_of_embedder_passes(tmp_path: Path, model: dict[str, Any], spec: dict[str, Any]) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx", **model)
    result = try_pack(pack_with_embedder(path, model.get("size", (112, 112)), mean=127.5, scale=127.5, **spec))
    assert result.dimension == 12 and not result.warning and 0 < result.norms[0] < result.norms[1] != 1


@pytest.mark.parametrize(
    ("model", "spec", "message"),
    [
        ({}, {"scale": 1e-38}, "numbers that are not finite"),
        ({}, {"scale": 1e30}, "zero vector for a face"),
        ({"offset": 1e9}, {}, "nearly the same vector for different faces, 0 apart"),
        ({"offset": 5.0}, {}, r"nearly the same vector for different faces, 0\.00\d* apart"),
        ({"frequency": 1e4}, {}, "differ as much for copies of a face"),
        ({"centred": True}, {}, "a different vector for a face if others are in the batch"),
    ],
    ids=str,
)
def test_faulty_embedders_are_refused(
    tmp_path: Path, model: dict[str, Any], spec: dict[str, Any], message: str
) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx", **model)
    with pytest.raises(PackError, match=message):
        try_pack(pack_with_embedder(path, **{"mean": 127.5, "scale": 127.5} | spec))


@pytest.mark.slow
def test_a_faulty_conversion_of_mobilefacenet_is_refused(tmp_path: Path) -> None:
    """Its graph for TensorFlow.js has a Relu behind each depthwise convolution, which the PReLU does not expect."""
    pack = load_pack("mobilefacenet")
    model = onnx.load(pack.path(pack.embedder.file))
    for node in [node for node in model.graph.node if any(one.name == "group" and one.i > 1 for one in node.attribute)]:
        position = list(model.graph.node).index(node)
        output, node.output[0] = node.output[0], f"{node.output[0]}_before"
        model.graph.node.insert(position + 1, onnx.helper.make_node("Relu", [node.output[0]], [output]))
    onnx.save(model, tmp_path / "faulty.onnx")
    spec = dataclasses.replace(pack.embedder, file="faulty.onnx")
    faulty = pack_with_embedder(tmp_path / "faulty.onnx", **vars(spec))
    with pytest.raises(PackError, match="nearly the same vector for different faces") as failure:
        try_pack(faulty)
    assert failure.value.hint is not None and "conver" in failure.value.hint


def test_a_mean_and_scale_that_suit_a_model_better_are_named(tmp_path: Path) -> None:
    """Faces differ by hundreds in this model's input, or by one."""
    pack = pack_with_embedder(tiny_models.write_embedder(tmp_path / "own.onnx", offset=-140.0), mean=0.0, scale=1.0)
    assert not try_pack(pack).warning
    wrong = dataclasses.replace(pack, embedder=dataclasses.replace(pack.embedder, mean=127.5, scale=127.5))
    with pytest.raises(PackError) as failure:
        try_pack(wrong)
    assert failure.value.hint is not None and "with mean 0 and scale 1 (SFace) they are" in failure.value.hint


def test_a_small_separation_is_a_warning(tmp_path: Path) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx", offset=1.8)
    assert "drawn faces differ little" in try_pack(pack_with_embedder(path, mean=127.5, scale=127.5)).warning


def test_milliseconds_are_cpu_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped wall clock does not matter."""
    for clock in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(f"time.{clock}", lambda: 0.0)
    pack = pack_with_embedder(tiny_models.write_embedder(tmp_path / "own.onnx"), mean=127.5, scale=127.5)
    assert try_pack(pack).milliseconds > 0


def test_drawn_faces_are_unlike_and_copies_are_like(tmp_path: Path) -> None:
    def difference(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.abs(one.astype(float) - other).mean())

    faces = draw_faces(load_pack("dlib").embedder)
    copies = disturb(faces)
    assert faces.dtype == copies.dtype == np.uint8 and faces.shape == copies.shape == (8, 150, 150, 3)
    closest = min(difference(faces[i], faces[j]) for i in range(8) for j in range(i))
    assert max(difference(face, copy) for face, copy in zip(faces, copies, strict=True)) < closest / 2
