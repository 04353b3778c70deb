"""The detectors' code around the networks: strips, pyramids, crops and decoding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from faceclust.errors import PackError
from faceclust.packs.registry import load_pack
from faceclust.packs.session import OnnxModel, available_providers, choose_device
from faceclust.photos.exif_orientation import apply_orientation
from faceclust.types import Detections
from faceclust.vision.align import cut_squares
from faceclust.vision.detect import detector_settings, load_detector
from faceclust.vision.landmarks import LandmarkRefiner
from faceclust.vision.mtcnn import Mtcnn, _find_local_maxima, _select_likely, with_coarse_cells
from faceclust.vision.pillow_image import to_pillow_image, to_rgb_array
from faceclust.vision.pyramid import ImagePyramid, _reduce_pixels
from faceclust.vision.single_stage import SingleStageSettings
from faceclust.vision.yunet import Yunet
from tests.support.sample_photos import COLLINS, HOPPER, load_portrait, make_scenery


@pytest.fixture(scope="module")
def mtcnn() -> Mtcnn:
    detector = load_detector(load_pack("dlib"))
    assert isinstance(detector, Mtcnn)
    return detector


@pytest.mark.parametrize("height", [12, 13, 105, 106, 107, 108, 202, 203, 204, 301])
def test_p_net_gives_the_same_in_strips_as_in_one_run(mtcnn: Mtcnn, height: int) -> None:
    level = np.asarray(load_portrait(COLLINS).resize((160, height)))
    expected = mtcnn._pnet(np.ascontiguousarray(level.transpose(2, 0, 1)[None], dtype=np.float32))
    for coarse, every in ((False, 1), (True, 2)):
        box, face, stride = mtcnn._run_pnet(level, coarse=coarse)
        assert stride == 2 * every
        np.testing.assert_allclose(box, expected["box"][0, :, ::every, ::every], atol=1e-5)
        np.testing.assert_allclose(face, expected["face"][0, ::every, ::every], atol=1e-5)


def test_p_nets_without_the_name_of_the_third_layer_keep_their_cells(mtcnn: Mtcnn) -> None:
    pnet = load_pack("dlib").path("mtcnn_pnet.onnx").read_bytes()
    assert len(with_coarse_cells(pnet) or b"") == len(pnet)
    assert with_coarse_cells(pnet.replace(b"third_layer", b"other_layer")) is None
    own = Mtcnn({"pnet": mtcnn._pnet, "rnet": mtcnn._rnet, "onet": mtcnn._onet})
    assert own._run_pnet(np.asarray(load_portrait(COLLINS)), coarse=True)[2] == 2


def test_settings_of_earlier_versions_are_accepted() -> None:
    pack = load_pack("dlib")
    former = {"factor": 0.709, "thresholds": [0.8, 0.7, 0.8], "overlap": 0.6}
    detector_settings(replace(pack, detector=replace(pack.detector, settings=former)))
    with pytest.raises(PackError, match="does not know tresholds"):
        detector_settings(replace(pack, detector=replace(pack.detector, settings={"tresholds": 1})))


def test_all_sure_candidates_and_the_best_others_are_kept() -> None:
    scores = np.array([0.7, 0.98, 0.9, 0.97, 0.6, 0.9], np.float32)
    assert _select_likely(scores, 2).tolist() == [1, 3, 2, 5]
    assert _select_likely(scores[:0], 2).tolist() == []


def test_local_maxima_are_cells_that_no_neighbour_exceeds() -> None:
    face_map = np.array([[0.9, 0.95, 0.1, 0.1], [0.2, 0.3, 0.1, 0.9], [0.99, 0.1, 0.1, 0.9]], np.float32)
    rows, columns = _find_local_maxima(face_map, 0.5)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 3), (2, 0), (2, 3)]
    assert len(_find_local_maxima(face_map, 0.995)[0]) == 0


@pytest.mark.parametrize("scale", [1.0, 0.6, 0.5, 0.31, 0.124])
def test_pyramid_levels_equal_resized_pictures(scale: float) -> None:
    picture = make_scenery(3).resize((803, 601))
    copy = ImagePyramid(np.asarray(picture)).resize(scale)
    expected = picture.resize((copy.shape[1], copy.shape[0]), Image.Resampling.BOX)
    assert copy.shape[:2] == (int(np.ceil(601 * scale)), int(np.ceil(803 * scale)))
    assert np.abs(copy.astype(int) - np.asarray(expected).astype(int)).mean() < 2


@pytest.mark.parametrize(("width", "height", "scale"), [(803, 601, 0.31), (600, 400, 1.0), (97, 31, 0.5), (40, 9, 1.0)])
def test_levels_shrink_by_the_root_of_two_down_to_the_smallest_side(width: int, height: int, scale: float) -> None:
    ramps = np.zeros((height, width, 3))
    ramps[..., 0], ramps[..., 1] = np.linspace(0, 255, width), np.linspace(0, 255, height)[:, None]
    levels = list(ImagePyramid(ramps.astype(np.uint8)).levels(scale, 12))
    ideal = [scale * 0.5 ** (number / 2) for number in range(30)]
    assert len(levels) == sum(height * each >= 12 for each in ideal)
    for level, each in zip(levels, ideal, strict=False):
        np.testing.assert_allclose(level.scale, each, atol=2 / height)
        for side, values in enumerate((level.pixels[0, :-1, 0], level.pixels[:-1, 0, 1])):
            expected = (np.arange(len(values)) + 0.5) / level.scale[side] - 0.5
            step = ((width, height)[side] - 1) / 255  # pixels between two values of the ramp
            assert np.abs(values.astype(float) * step - expected).max() < step + 0.6 / level.scale[side]


@pytest.mark.slow
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(80, 60), (81, 60), (80, 61), (81, 61)])
@pytest.mark.parametrize(("channels", "factor"), [(3, 2), (4, 2), (4, 4)])
def test_reducing_turned_pixels_equals_reducing_a_copy(
    size: tuple[int, int], orientation: int, channels: int, factor: int
) -> None:
    stored = np.zeros((size[1], size[0], channels), np.uint8)
    stored[:, :, :3] = np.asarray(make_scenery(3).resize(size))
    pixels = apply_orientation(stored[:, :, :3], orientation)
    expected = Image.fromarray(np.ascontiguousarray(pixels)).reduce(factor)
    if factor == 4 and size[1] % 4 == 0 and (size[0] % 4 == 0 or orientation in (1, 5)):  # from every second row
        rows = apply_orientation(stored[::2, :, :3], orientation)
        expected = Image.fromarray(rows).reduce((4, 2) if orientation < 5 else (2, 4))
    np.testing.assert_array_equal(to_rgb_array(_reduce_pixels(pixels, factor)), np.asarray(expected))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_parts_of_pictures_are_the_same_as_pillow_images(orientation: int) -> None:
    stored = np.random.default_rng(3).integers(0, 256, (7, 9, 4), np.uint8)
    for pixels in (stored[:, :, :3], stored[:, :, 1:], np.ascontiguousarray(stored[:, :, :3])):
        upright = apply_orientation(pixels, orientation)
        for part in (upright, upright[2:6, 1:]):
            np.testing.assert_array_equal(to_rgb_array(to_pillow_image(part)), part)
    assert to_pillow_image(stored[:, :, :3]).mode == "RGBX"
    assert to_pillow_image(stored[:, :, 1:]).mode == "RGB"  # a fourth byte would be beyond the end


def test_cut_squares_equals_pyramid_crops() -> None:
    pixels = np.asarray(make_scenery(3))
    boxes = np.array([[30, 40, 130, 140], [-20, -30, 60, 50], [5000, 0, 5100, 100]], np.float32)
    few, many = cut_squares(pixels, boxes, 48), ImagePyramid(pixels).crop(boxes, 48)
    assert np.abs(few.astype(int) - many.astype(int)).mean() < 4
    assert (few[2] == 127).all() and (few[1, 0, 0] == 127).all()


def test_crops_are_grey_beyond_the_picture() -> None:
    pixels = np.zeros((400, 400, 3), np.uint8)
    pixels[100:200, 200:300] = 255
    boxes = np.array([[200, 100, 300, 200], [150, 50, 350, 250], [-50, -50, 50, 50], [500, 500, 600, 600]], np.float32)
    exact, around, corner, beyond = ImagePyramid(pixels).crop(boxes, 24)
    assert exact[1:-1, 1:-1].min() == 255
    assert around[7:17, 7:17].min() == 255 and around[:5].max() == 0
    assert (corner[:11] == 127).all() and (corner[13:, 13:] == 0).all()
    assert (beyond == 127).all()


def test_refined_landmarks_are_near_those_of_the_cascade(mtcnn: Mtcnn) -> None:
    for person in (COLLINS, HOPPER):
        pixels = np.asarray(load_portrait(person))
        found = mtcnn(ImagePyramid(pixels), 40)
        eye_distance = np.linalg.norm(found.landmarks[0, 1] - found.landmarks[0, 0])
        shifted = Detections(found.boxes, found.scores, found.landmarks + np.float32(0.3 * eye_distance))
        refined = LandmarkRefiner(mtcnn._onet)(pixels, shifted)
        assert np.abs(refined.landmarks - found.landmarks).max() < 0.1 * eye_distance
        np.testing.assert_array_equal(refined.boxes, found.boxes)


def test_landmarks_stay_if_o_net_sees_no_face(mtcnn: Mtcnn) -> None:
    found = Detections(
        np.array([[10, 10, 60, 60]], np.float32), np.ones(1, np.float32), np.full((1, 5, 2), 30, np.float32)
    )
    refined = LandmarkRefiner(mtcnn._onet)(np.asarray(make_scenery(3)), found)
    np.testing.assert_array_equal(refined.landmarks, found.landmarks)


class _FakeYunet:
    """A model with YuNet's outputs, in which one cell of each grid sees a face."""

    def __init__(self, cells: dict[int, tuple[int, int]]) -> None:
        self.cells, self.given = cells, np.empty(0)

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        self.given = images
        out = {}
        for grid, (column, row) in self.cells.items():
            rows, columns = (side // grid for side in images.shape[2:])
            for name, channels in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
                out[f"{name}_{grid}"] = np.zeros((1, rows * columns, channels), np.float32)
            at = row * columns + column
            out[f"cls_{grid}"][0, at], out[f"obj_{grid}"][0, at] = 0.9, 0.4  # a score of .6
            out[f"bbox_{grid}"][0, at] = 0.5, 0.25, np.log(2), np.log(3)
            out[f"kps_{grid}"][0, at] = np.arange(10)
        return out


def test_yunets_outputs_become_boxes_and_landmarks() -> None:
    model = _FakeYunet({8: (5, 2), 16: (7, 1), 32: (1, 1)})
    pixels = np.zeros((70, 250, 3), np.uint8)
    pixels[:, :, 0] = 200  # red
    found = Yunet(model, SingleStageSettings(smallest=10, threshold=0.5, overlap=0.3))(ImagePyramid(pixels), 20)
    assert model.given.shape == (1, 3, 64, 128)  # half the size, padded to whole cells of 32
    assert model.given[0, 2, :35, :125].min() == 200 and model.given[0, 0].max() == 0  # BGR
    by_width = np.argsort(found.boxes[:, 2] - found.boxes[:, 0])
    centre = [(found.boxes[i, :2] + found.boxes[i, 2:]) / 2 for i in by_width]
    np.testing.assert_allclose(centre, [[88, 36], [240, 40], [96, 80]], atol=1e-3)
    np.testing.assert_allclose(found.boxes[by_width[0], 2:] - found.boxes[by_width[0], :2], [32, 48], rtol=1e-5)
    np.testing.assert_allclose(found.scores, 0.6, atol=1e-6)
    np.testing.assert_allclose(found.landmarks[by_width[0], 1], [(5 + 2) * 16, (2 + 3) * 16])


def test_a_model_exported_for_one_size_accepts_any(tmp_path: Path) -> None:
    weights = onnx.numpy_helper.from_array(np.ones((1, 3, 3, 3), np.float32), "weights")
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("input", [1, 3, 640, 640]), ("sum", None))
    ]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["input", "weights"], ["sum"])], "g", values[:1], values[1:], [weights]
    )
    path = tmp_path / "fixed.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    assert OnnxModel(path, any_size=True)(np.ones((1, 3, 320, 480), np.float32))["sum"].shape == (1, 1, 318, 478)


def test_a_missing_device_is_reported_with_the_package_to_install() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda")
    with pytest.raises(PackError, match="no device called 'gpu'") as unknown:
        choose_device("gpu")
    assert "cuda" in str(unknown.value.hint)
    if "OpenVINOExecutionProvider" not in available_providers():
        with pytest.raises(PackError, match="does not support openvino") as missing:
            choose_device("openvino")
        assert "onnxruntime-openvino" in str(missing.value.hint)
