"""Exported networks compute what torch computes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from faceclust.errors import CacheError, FaceclustError
from faceclust.packs.session import OnnxModel
from faceclust.training.export import export_embedder
from faceclust.training.heads.base import Head
from tests.support.tiny_networks import LayeredHead, PlainHead, TinyBackbone


def embed(backbone: TinyBackbone, head: Head, chips: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(head.eval().embed(backbone.eval()(torch.from_numpy(chips))).numpy())


def randomise(backbone: TinyBackbone) -> None:
    """Give batch normalisation statistics that differ from those of any batch."""
    for name, buffer in backbone.named_buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 2.0) if "var" in name else buffer.normal_()


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(PlainHead(16, 50_000), id="plain", marks=pytest.mark.slow),
        pytest.param(LayeredHead(16, 7), id="layered"),
    ],
)
def test_the_file_computes_what_torch_does_for_any_batch(
    head: Head, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(3)
    backbone = TinyBackbone(size="24x32").train()
    randomise(backbone)
    path = tmp_path / "embedder.onnx"
    export_embedder(backbone, head.train(), path)
    assert capfd.readouterr() == ("", "")
    assert backbone.training and head.training, "a network that goes on training keeps its mode"
    model = OnnxModel(path)
    assert model.input_shape == (None, 3, 32, 24) and model.output_shapes == {"embedding": (None, 16)}
    for n in (1, 3, 8):
        chips = np.random.default_rng(n).uniform(-1, 1, (n, 3, 32, 24)).astype(np.float32)
        wanted = embed(backbone, head, chips)
        difference = np.linalg.norm(model(chips)["embedding"] - wanted, axis=1) / np.linalg.norm(wanted, axis=1)
        assert difference.max() <= 1e-4
    assert os.listdir(tmp_path) == ["embedder.onnx"]
    assert path.stat().st_size < 100_000, "class centres are left out"
    tensors = onnx.load(path, load_external_data=False).graph.initializer
    assert tensors and all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in tensors)


class _ByValue(TinyBackbone):
    """Its graph depends on the values of the input."""

    def forward(self, chips: Tensor) -> Tensor:
        return super().forward(chips if chips.mean().item() > 2 else 2 * chips)


class _Diverged(TinyBackbone):
    def forward(self, chips: Tensor) -> Tensor:
        return super().forward(chips) * float("nan")


class _Dead(TinyBackbone):
    def forward(self, chips: Tensor) -> Tensor:
        return super().forward(chips) * 0


@pytest.mark.parametrize(
    ("backbone", "words"),
    [
        pytest.param(_ByValue, "cannot be exported to ONNX", marks=pytest.mark.slow),
        (_Diverged, "training diverged"),
        (_Dead, "training diverged"),
    ],
)
def test_a_network_that_cannot_be_exported_is_reported_in_one_line(
    backbone: type[TinyBackbone], words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FaceclustError, match=words) as raised:
        export_embedder(backbone(), PlainHead(16, 3), tmp_path / "embedder.onnx")
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 300 and raised.value.hint
    assert os.listdir(tmp_path) == [] and capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "words"), [(1.001, "differs from the trained one by 0.001"), (None, "returns")])
def test_a_file_with_other_results_is_not_written(
    factor: float | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = OnnxModel.__call__

    def change(self: OnnxModel, images: np.ndarray) -> dict[str, np.ndarray]:
        (vectors,) = run(self, images).values()
        return {"embedding": vectors[:, 1:] if factor is None else vectors * np.float32(factor)}

    monkeypatch.setattr(OnnxModel, "__call__", change)
    with pytest.raises(FaceclustError, match=words):
        export_embedder(TinyBackbone(), PlainHead(16, 3), tmp_path / "embedder.onnx")
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_full_disk_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "embedder.onnx").write_bytes(b"former")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CacheError, match=r"embedder\.onnx cannot be written: No space left"):
        export_embedder(TinyBackbone(), PlainHead(16, 3), tmp_path / "embedder.onnx")
    assert (tmp_path / "embedder.onnx").read_bytes() == b"former" and len(os.listdir(tmp_path)) == 1


@pytest.mark.slow
def test_equal_networks_give_equal_files_that_tell_nothing_of_this_machine(tmp_path: Path) -> None:
    backbone, head = TinyBackbone(), LayeredHead(16, 3)
    for name in ("first", "second"):
        export_embedder(backbone, head, tmp_path / name)
    content = (tmp_path / "first").read_bytes()
    assert content == (tmp_path / "second").read_bytes()
    assert b".py" not in content and str(Path.cwd()).encode() not in content
