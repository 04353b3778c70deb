"""The one-stage detectors, compared with decoders written cell by cell from the definitions.

Their models are built by the tests, so that the outputs are known.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceclust.errors import PackError
from faceclust.packs.pack import DetectorSpec, Pack
from faceclust.packs.registry import load_pack
from faceclust.packs.session import OnnxModel
from faceclust.types import Detections
from faceclust.vision.detect import load_detector
from faceclust.vision.pipeline import FacePipeline
from faceclust.vision.pyramid import ImagePyramid
from faceclust.vision.scrfd import Scrfd
from faceclust.vision.single_stage import SingleStageSettings
from tests.support import tiny_models

BOX = (2.0, 1.0, 3.0, 4.0)
POINTS = (-1.0, -0.5, 1.0, -0.5, 0.0, 0.25, -0.75, 1.0, 0.75, 1.5)


def pack_with(folder: Path, kind: str, **settings: Any) -> Pack:
    spec = DetectorSpec(kind, 1000, 20, None, {kind: f"{kind}.onnx"}, {"threshold": 0.5, "overlap": 0.4} | settings)
    dlib = load_pack("dlib")
    files = tuple(dataclasses.replace(file, embedded=True) for file in dlib.files)
    return dataclasses.replace(dlib, name="made", folder=folder, detector=spec, files=files, embedded=False)


def black_with_red_cells(size: tuple[int, int], *cells: tuple[int, int, int]) -> np.ndarray:
    """Return a black picture of `size` (width, height) with red cells, given as (stride, column, row)."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for grid, column, row in cells:
        pixels[row * grid : (row + 1) * grid, column * grid : (column + 1) * grid, 0] = 255
    return pixels


def iter_cells(pixels: np.ndarray) -> Iterator[tuple[int, int, int, np.ndarray]]:
    """Yield (stride, column, row, mean colour) of each cell of each grid, with black beyond the edge."""
    height, width = (32 * math.ceil(side / 32) for side in pixels.shape[:2])
    padded = np.zeros((height, width, 3))
    padded[: pixels.shape[0], : pixels.shape[1]] = pixels
    for grid in (8, 16, 32):
        for row in range(height // grid):
            for column in range(width // grid):
                part = padded[row * grid : (row + 1) * grid, column * grid : (column + 1) * grid]
                yield grid, column, row, part.mean(axis=(0, 1))


def overlap(a: list[float], b: list[float]) -> float:
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return across * down / (sum(areas) - across * down)


Found = list[tuple[float, list[float], list[float]]]


def suppress(found: Found, max_overlap: float) -> Found:
    kept: Found = []
    for one in sorted(found, key=lambda one: -one[0]):
        if all(overlap(one[1], other[1]) <= max_overlap for other in kept):
            kept.append(one)
    return kept


def decode_scrfd_cell_by_cell(pixels: np.ndarray) -> Found:
    found = []
    for grid, column, row, colour in iter_cells(pixels):
        score = (colour[0] - 127.5) / 128
        if score > 0.5:
            x, y = column * grid, row * grid
            box = [x - BOX[0] * grid, y - BOX[1] * grid, x + BOX[2] * grid, y + BOX[3] * grid]
            points = [(x, y)[i % 2] + value * grid for i, value in enumerate(POINTS)]
            found += [(score, box, points)] * 2
    return suppress(found, 0.4)


def decode_retinaface_cell_by_cell(pixels: np.ndarray, *, softmaxed: bool) -> Found:
    """Decode as the authors do: with priors and outputs in fractions of the picture's sides."""
    height, width = (32 * math.ceil(side / 32) for side in pixels.shape[:2])
    found = []
    for grid, column, row, colour in iter_cells(pixels):
        probability = (colour[2] - 104) / 100  # the first channel is blue
        score = probability if softmaxed else 1 / (1 + math.exp(-probability))
        for side in {8: (16, 32), 16: (64, 128), 32: (256, 512)}[grid]:
            if score <= 0.6:
                continue
            cx, cy, w, h = (column + 0.5) * grid / width, (row + 0.5) * grid / height, side / width, side / height
            x, y = cx + BOX[0] * 0.1 * w, cy + BOX[1] * 0.1 * h
            w2, h2 = w * math.exp(BOX[2] * 0.2), h * math.exp(BOX[3] * 0.2)
            box = [(x - w2 / 2) * width, (y - h2 / 2) * height, (x + w2 / 2) * width, (y + h2 / 2) * height]
            points = [
                (cx + value * 0.1 * w) * width if i % 2 == 0 else (cy + value * 0.1 * h) * height
                for i, value in enumerate(POINTS)
            ]
            found.append((score, box, points))
    return suppress(found, 0.4)


def assert_same_faces(detections: Detections, expected: Found) -> None:
    assert len(detections) == len(expected) > 0

    def in_order(rows: Found) -> list[list[float]]:
        return sorted([*box, *points, score] for score, box, points in rows)

    ours: Found = [
        (float(score), box.tolist(), points.ravel().tolist())
        for score, box, points in zip(detections.scores, detections.boxes, detections.landmarks, strict=True)
    ]
    np.testing.assert_allclose(in_order(ours), in_order(expected), rtol=1e-4, atol=1e-3)


PICTURES = [
    black_with_red_cells((96, 64), (8, 3, 2)),
    black_with_red_cells((250, 130), (8, 1, 1), (16, 9, 3), (32, 5, 2)),  # sides that are not multiples of 32
    black_with_red_cells((320, 64), (32, 0, 0), (32, 9, 1), (8, 20, 4), (16, 10, 0)),
]


@pytest.mark.parametrize("pixels", PICTURES, ids=lambda pixels: f"{pixels.shape[1]}x{pixels.shape[0]}")
def test_scrfd_equals_its_definition(tmp_path: Path, pixels: np.ndarray) -> None:
    tiny_models.write_scrfd(tmp_path / "scrfd.onnx", BOX, POINTS)
    detector = load_detector(pack_with(tmp_path, "scrfd"))
    assert_same_faces(detector(ImagePyramid(pixels), 10), decode_scrfd_cell_by_cell(pixels))
    assert len(detector(ImagePyramid(pixels[:, :, ::-1]), 10)) == 0  # red is the first channel


def test_scrfd_decodes_one_cell(tmp_path: Path) -> None:
    tiny_models.write_scrfd(tmp_path / "scrfd.onnx", BOX, POINTS)
    found = load_detector(pack_with(tmp_path, "scrfd"))(ImagePyramid(black_with_red_cells((96, 64), (8, 3, 2))), 10)
    np.testing.assert_allclose(found.boxes, [[8, 8, 48, 48]])
    np.testing.assert_allclose(found.landmarks[0], np.array(POINTS).reshape(5, 2) * 8 + (24, 16))
    np.testing.assert_allclose(found.scores, [127.5 / 128])


def test_scrfds_outputs_may_have_a_leading_axis_and_any_order() -> None:
    class Model:
        def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
            n = images.shape[2] * images.shape[3]
            out = {}
            for grid in (32, 8, 16):
                for numbers in (10, 1, 4):
                    out[f"{grid}-{numbers}"] = np.zeros((1, 2 * n // grid**2, numbers), np.float32)
            out["16-1"][0, 5] = 0.9  # the third cell of the first row, its second anchor
            out["16-4"][0, 5] = BOX
            return out

    found = Scrfd(Model(), SingleStageSettings(20, 0.5, 0.4))(ImagePyramid(np.zeros((64, 96, 3), np.uint8)), 10)
    np.testing.assert_allclose(found.boxes, [[0, -16, 80, 64]])


@pytest.mark.parametrize("softmaxed", [True, False])
@pytest.mark.parametrize("pixels", PICTURES, ids=lambda pixels: f"{pixels.shape[1]}x{pixels.shape[0]}")
def test_retinaface_equals_its_definition(tmp_path: Path, pixels: np.ndarray, softmaxed: bool) -> None:
    tiny_models.write_retinaface(tmp_path / "retinaface.onnx", BOX, POINTS, softmaxed=softmaxed)
    pack = pack_with(tmp_path, "retinaface", softmaxed=softmaxed, threshold=0.6)
    blue = np.ascontiguousarray(pixels[:, :, ::-1])  # blue is the first channel
    assert_same_faces(
        load_detector(pack)(ImagePyramid(blue), 10), decode_retinaface_cell_by_cell(blue, softmaxed=softmaxed)
    )


def test_mean_scale_and_channel_order_are_settings(tmp_path: Path) -> None:
    tiny_models.write_retinaface(tmp_path / "retinaface.onnx", BOX, POINTS)
    settings: dict[str, Any] = {"colour": "rgb", "mean": [255.0, 0.0, 0.0], "scale": [-2.55, 1.0, 1.0]}
    found = load_detector(pack_with(tmp_path, "retinaface", **settings))
    assert len(found(ImagePyramid(black_with_red_cells((64, 64), (32, 0, 0))), 10)) > 0  # everything that is not red
    assert (
        len(found(ImagePyramid(black_with_red_cells((64, 64), (32, 0, 0), (32, 0, 1), (32, 1, 0), (32, 1, 1))), 10))
        == 0
    )


def test_a_network_of_fixed_size_gets_pictures_of_that_size(tmp_path: Path) -> None:
    tiny_models.write_scrfd(tmp_path / "scrfd.onnx", BOX, POINTS, (1, 3, 96, 96))
    detector = load_detector(pack_with(tmp_path, "scrfd"))
    found = detector(ImagePyramid(black_with_red_cells((192, 128), (16, 4, 3))), 10)  # twice as wide as it takes
    np.testing.assert_allclose(found.boxes, [[2 * 16, 2 * 16, 2 * 56, 2 * 56]])
    small = ImagePyramid(black_with_red_cells((40, 30), (8, 2, 1)))  # smaller than the network's input
    assert len(detector(small, 10)) == 1


def test_the_picture_is_scaled_to_the_smallest_face(tmp_path: Path) -> None:
    tiny_models.write_scrfd(tmp_path / "scrfd.onnx", BOX, POINTS)
    detector = load_detector(pack_with(tmp_path, "scrfd"))
    picture = black_with_red_cells((768, 512), (32, 6, 4))
    assert_same_faces(
        detector(ImagePyramid(picture), 80),
        [
            (
                127.5 / 128,
                [4 * 32, 4 * 24, 4 * 72, 4 * 64],
                [4 * ((48, 32)[i % 2] + value * 8) for i, value in enumerate(POINTS)],
            )
        ],
    )


def pack_builder(build: Callable[[Path], object]) -> Callable[[Path], Pack]:
    def pack(folder: Path) -> Pack:
        build(folder / "scrfd.onnx")
        return pack_with(folder, "scrfd")

    return pack


INVALID_PACKS = {
    "another detector's outputs": (
        pack_builder(lambda path: tiny_models.write_retinaface(path, BOX, POINTS)),
        r"pack 'made': the model's outputs are not SCRFD's: expected nine.*found loc 1×840×4",
    ),
    "no detector": (
        pack_builder(lambda path: tiny_models.write_embedder(path, (160, 128))),
        "expected nine.*found embedding 1×12",
    ),
    "odd sides": (
        pack_builder(lambda path: tiny_models.write_scrfd(path, BOX, POINTS, (1, 3, 100, 100))),
        "sides must be free, or multiples of 32",
    ),
    "an unknown setting": (
        lambda folder: pack_with(folder, "scrfd", treshold=1),
        "pack 'made': its detector scrfd does not know treshold",
    ),
    "no number": (
        lambda folder: pack_with(folder, "scrfd", overlap="much"),
        "overlap must be a number from 0 to 1, not 'much'",
    ),
}


@pytest.mark.parametrize("what", INVALID_PACKS)
def test_an_invalid_detector_is_a_one_line_error(tmp_path: Path, what: str) -> None:
    make, message = INVALID_PACKS[what]
    with pytest.raises(PackError, match=message) as failure:
        FacePipeline(make(tmp_path))
    assert "\n" not in str(failure.value)


def test_missing_settings_and_files_are_named(tmp_path: Path) -> None:
    pack = pack_with(tmp_path, "yunet")
    for spec, message in (
        (dataclasses.replace(pack.detector, settings={"overlap": 0.3}), "its detector yunet lacks threshold"),
        (dataclasses.replace(pack.detector, files={"net": "x"}), "does not know net and lacks yunet"),
        (dataclasses.replace(pack.detector, kind="ssd"), "asks for detector 'ssd'"),
    ):
        with pytest.raises(PackError, match=message):
            load_detector(dataclasses.replace(pack, detector=spec))


def test_yunets_outputs_are_checked(tmp_path: Path) -> None:
    tiny_models.write_scrfd(tmp_path / "yunet.onnx", BOX, POINTS)
    with pytest.raises(PackError, match=r"not YuNet's: expected cls, obj, .*found 400 640×1"):
        FacePipeline(pack_with(tmp_path, "yunet"))


def test_non_finite_outputs_give_no_face(tmp_path: Path) -> None:
    tiny_models.write_retinaface(tmp_path / "retinaface.onnx", (0, 0, 1e9, 1e9), POINTS)
    detector = load_detector(pack_with(tmp_path, "retinaface"))
    assert len(detector(ImagePyramid(np.full((64, 64, 3), 255, np.uint8)), 10)) == 0


def test_only_detectors_may_have_their_fixed_size_removed(tmp_path: Path) -> None:
    path = tiny_models.write_embedder(tmp_path / "facenet.onnx", (160, 160), batch=1)
    assert OnnxModel(path).input_shape == (1, 3, 160, 160)
    path = tiny_models.write_scrfd(tmp_path / "scrfd.onnx", BOX, POINTS, (1, 3, 640, 640))
    assert OnnxModel(path, any_size=True).input_shape == (1, 3, None, None)
