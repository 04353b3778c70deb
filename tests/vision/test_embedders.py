"""Embedders with every kind of input and output.

The models return the means of a chip's quarters, so that their outputs show how the chip was passed
in.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceclust.errors import PackError
from faceclust.installer.trial import try_pack
from faceclust.packs.alignment_templates import TEMPLATES, template_points
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack
from faceclust.types import Detections
from faceclust.vision.embed import Embedder, load_embedder
from faceclust.vision.embedder_io import EmbedderIO
from faceclust.vision.pipeline import FacePipeline
from tests.support import tiny_models


def pack_with_embedder(path: Path, size: tuple[int, int] = (112, 112), **spec: Any) -> Pack:
    dlib = load_pack("dlib")
    embedder = dataclasses.replace(
        dlib.embedder,
        **{"file": path.name, "dimension": 12, "chip_size": size, "template": template_points("arcface", size)} | spec,
    )
    files = tuple(dataclasses.replace(file, embedded=True) for file in dlib.files)
    return dataclasses.replace(dlib, name="test", folder=path.parent, embedder=embedder, files=files, embedded=False)


def random_chips(n: int, size: tuple[int, int] = (112, 112)) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, size[1], size[0], 3), np.uint8)


def quarter_means(chips: np.ndarray, colour: str, mean: Any, scale: Any) -> np.ndarray:
    """Return the models' outputs by their definition, (n, 12)."""
    values = chips[..., ::-1] if colour == "bgr" else chips
    values = (values.astype(np.float64) - np.array(mean)) / np.array(scale)
    height, width = chips.shape[1] // 2, chips.shape[2] // 2
    parts = [values[:, y : y + height, x : x + width].mean(axis=(1, 2)) for y in (0, height) for x in (0, width)]
    return np.stack(parts, axis=2).reshape(len(chips), 12)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("batch", ["n", 1, 8])
@pytest.mark.parametrize(
    ("colour", "mean", "scale"),
    [("rgb", 127.5, 127.5), ("bgr", 0.0, 1.0), ("bgr", (104.0, 117.0, 123.0), (57.0, 58.0, 60.0))],
)
def test_chips_are_normalised_as_in_the_manifest(
    tmp_path: Path, layout: str, batch: object, colour: str, mean: Any, scale: Any
) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx", layout=layout, batch=batch)
    embedder = load_embedder(pack_with_embedder(path, colour=colour, mean=mean, scale=scale))
    for n in (0, 1, 3, 8, 11):
        chips = random_chips(n)
        np.testing.assert_allclose(
            embedder.raw_vectors(chips), quarter_means(chips, colour, mean, scale), rtol=1e-4, atol=1e-3
        )


@pytest.mark.parametrize(
    "model",
    [
        {"four_axes": True},
        {"with_norm": True},
        {"declared_size": ("h", "w")},
        {"declared_size": ("h", "w"), "channels": "c"},
        {"declares_shape": False},
        {"four_axes": True, "batch": 1, "declares_shape": False},
    ],
    ids=str,
)
def test_every_kind_of_input_and_output_shape_is_read(tmp_path: Path, model: dict[str, Any]) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx", **model)
    spec = {"layout": "nchw"} if "channels" in model else {}
    embedder = load_embedder(pack_with_embedder(path, mean=127.5, scale=128.0, **spec))
    chips = random_chips(3)
    np.testing.assert_allclose(
        embedder.raw_vectors(chips), quarter_means(chips, "rgb", 127.5, 128.0), rtol=1e-4, atol=1e-3
    )


def test_half_precision_outputs_become_float32(tmp_path: Path) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx", half=True)
    vectors = load_embedder(pack_with_embedder(path, mean=127.5, scale=127.5)).raw_vectors(random_chips(2))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, quarter_means(random_chips(2), "rgb", 127.5, 127.5), atol=2e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, 0.0])
@pytest.mark.parametrize("mirror", [False, True])
def test_vectors_without_a_direction_are_unusable(bad: float, mirror: bool, recwarn: pytest.WarningsRecorder) -> None:
    rows = np.ones((3, 12), np.float32)
    rows[1] = bad
    spec = dataclasses.replace(pack_with_embedder(Path("model.onnx")).embedder, mirror=mirror)
    embedded = Embedder(lambda images: {"embedding": rows[: len(images)]}, spec)(random_chips(3))
    assert embedded.usable.tolist() == [True, False, True] and not recwarn
    assert np.isfinite(embedded.vectors[embedded.usable]).all()


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_model_of_fixed_size_and_batch_is_run(tmp_path: Path, layout: str) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx", (160, 160), batch=1, layout=layout)
    embedder = load_embedder(pack_with_embedder(path, (160, 160)))
    chips = random_chips(2, (160, 160))
    np.testing.assert_allclose(embedder.raw_vectors(chips), quarter_means(chips, "rgb", 0.0, 1.0), rtol=1e-4)


def test_chips_need_not_be_square(tmp_path: Path) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx", (96, 112))
    chips = random_chips(2, (96, 112))
    embedder = load_embedder(pack_with_embedder(path, (96, 112)))
    np.testing.assert_allclose(embedder.raw_vectors(chips), quarter_means(chips, "rgb", 0.0, 1.0), rtol=1e-4)


@pytest.mark.parametrize(
    ("model", "spec", "message"),
    [
        ({"size": (96, 112)}, {}, r"takes any×3×112×96; the manifest's chips are 112×112"),
        ({}, {"dimension": 512}, "returns 12 numbers a face; the manifest declares 512"),
        ({}, {"layout": "nhwc"}, "takes any×3×112×112, which is not nhwc"),
        ({"channels": "c", "declared_size": ("h", "w")}, {}, "takes any×any×any×any"),
        ({}, {"output": "norm"}, "has no output 'norm'; it has embedding"),
        ({"with_norm": True}, {"output": "norm"}, "returns 1 numbers a face; the manifest declares 12"),
        ({"more_inputs": ["phase"]}, {}, r"must have one input, an image, not 2 \(input, phase\)"),
        ({"channels": 1}, {}, "takes any×1×112×112, which is not a colour picture"),
    ],
)
def test_a_model_that_does_not_fit_the_manifest_is_a_one_line_error(
    tmp_path: Path, model: dict[str, Any], spec: dict[str, Any], message: str
) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx", **model)
    with pytest.raises(PackError, match=message) as failure:
        FacePipeline(pack_with_embedder(path, **spec))
    assert "\n" not in str(failure.value)


def test_outputs_of_unspecified_shape_are_checked_when_run() -> None:
    with pytest.raises(PackError, match="for 2 faces the embedder returned 2×12; expected 2×512"):
        EmbedderIO().read_vectors({"embedding": np.zeros((2, 12), np.float32)}, 2, 512)
    with pytest.raises(PackError, match="for 2 faces the embedder returned 3×8; expected 2×12"):
        EmbedderIO().read_vectors({"embedding": np.zeros((3, 8), np.float32)}, 2, 12)


@pytest.mark.parametrize("batch", ["n", 1, 8])
@pytest.mark.parametrize("tells_shape", [True, False])
def test_the_norm_may_be_a_separate_output(tmp_path: Path, batch: object, tells_shape: bool) -> None:
    path = tiny_models.write_embedder(
        tmp_path / "own.onnx", batch=batch, with_norm=True, unit=True, declares_shape=tells_shape
    )
    pack = pack_with_embedder(path, mean=0.0, scale=1.0, norm=(0.0, 100.0), norm_output="norm")
    chips = random_chips(11)
    norms = np.linalg.norm(quarter_means(chips, "rgb", 0.0, 1.0), axis=1)
    embedded = load_embedder(pack)(chips)
    np.testing.assert_allclose(embedded.norms, norms, rtol=1e-4)
    assert min(try_pack(pack).norms) > 2
    plain = load_embedder(pack_with_embedder(path, mean=0.0, scale=1.0, output="embedding"))(chips)
    np.testing.assert_allclose(plain.norms, 1, rtol=1e-4)
    np.testing.assert_array_equal(plain.vectors, embedded.vectors)


def test_an_invalid_norm_output_is_a_one_line_error(tmp_path: Path) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx", with_norm=True, unit=True)
    for more, message in (
        ({"norm_output": "length"}, "has no output 'length' beside the embedding; it has norm, embedding"),
        ({"norm_output": "embedding"}, "output 'embedding' is any×12; a norm must be one number a face"),
    ):
        with pytest.raises(PackError, match=message):
            load_embedder(pack_with_embedder(path, norm=(0.0, 1.0), **more))
    for more in ({"norm_output": "norm"}, {"norm_output": "x", "output": "x", "norm": (0.0, 1.0)}):
        with pytest.raises(ValueError, match="norm_output needs norm"):
            pack_with_embedder(path, **more)
    with pytest.raises(PackError, match="'norm' returned 3×2; expected one number a face"):
        EmbedderIO(vector_output="v", norm_output="norm").read_norms(
            {"norm": np.zeros((3, 2), np.float32)}, np.zeros((3, 4), np.float32)
        )


def test_templates_are_scaled_by_the_height_around_the_middle() -> None:
    sphereface = template_points("sphereface", (96, 112))
    np.testing.assert_allclose(template_points("arcface", (96, 112)), sphereface, atol=1e-4)
    np.testing.assert_allclose(template_points("arcface", (224, 224)), 2 * template_points("arcface", (112, 112)))
    np.testing.assert_array_equal(template_points("dlib", (150, 150)), load_pack("dlib").embedder.template)
    assert template_points("box", (160, 160)).shape == (5, 2)
    with pytest.raises(ValueError, match="use one of arcface, sphereface, dlib, box"):
        template_points("insight", (112, 112))
    assert set(TEMPLATES) == {"arcface", "sphereface", "dlib"}


def test_box_alignment_crops_the_box_with_its_margin(tmp_path: Path) -> None:
    path = tiny_models.write_embedder(tmp_path / "own.onnx", (160, 160))
    analyser = FacePipeline(pack_with_embedder(path, (160, 160), margin=0.25))
    pixels = np.zeros((400, 400, 3), np.uint8)
    pixels[100:260, 140:260] = 200  # a box of 120×160 becomes a square of 200, with margins of 20 along the long side
    found = Detections(
        np.array([[140, 100, 260, 260]], np.float32), np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32)
    )
    assert analyser.chip_scales(found)[0] == pytest.approx(160 / 200)
    (chip,) = analyser.align(pixels, found)
    bright = np.argwhere(chip[:, :, 0] > 100)
    assert np.abs(bright.min(axis=0) - (16, 32)).max() <= 1  # row, column
    assert np.abs(bright.max(axis=0) - (143, 127)).max() <= 1


def test_a_trial_measures_the_model_and_rejects_invalid_vectors(tmp_path: Path) -> None:
    trial = try_pack(pack_with_embedder(tiny_models.write_embedder(tmp_path / "own.onnx"), mean=127.5, scale=127.5))
    assert trial.dimension == 12 and 0 < trial.milliseconds < 1000 and min(trial.norms) > 0
    for spec, message in (
        ({"mean": 0.0, "scale": 1e-38}, "numbers that are not finite"),
        ({"mean": 1e9, "scale": 1.0}, "same vector for different faces"),
        ({"mean": 0.0, "scale": 1e30}, "zero vector for a face"),
    ):
        with pytest.raises(PackError, match=message):
            try_pack(pack_with_embedder(tmp_path / "own.onnx", **spec))
