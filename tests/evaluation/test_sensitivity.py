"""The choice of pairs for measuring degraded photos, and their degradation."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceclust.errors import UsageError
from faceclust.evaluation import sensitivity
from faceclust.evaluation.degradations import Downscaling
from faceclust.evaluation.main_faces import MainFaces
from faceclust.evaluation.sensitivity import _downscale_to_width, choose_pairs, measure_degradations
from faceclust.packs.registry import load_pack
from tests.support.labelled_photos import make_labelled_photos, write_pairs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty people with one to twenty photos, all empty files."""
    for person in range(30):
        (tmp_path / f"p{person:02d}").mkdir()
        for photo in range(1 + person % 20):
            (tmp_path / f"p{person:02d}" / f"{photo}.jpg").touch()
    return tmp_path


@pytest.mark.slow
def test_drawn_pairs_are_the_same_each_time(folder: Path) -> None:
    pairs, again = choose_pairs(folder, None), choose_pairs(folder, None)
    assert pairs.names == again.names and pairs.left.tolist() == again.left.tolist()
    one, two = int(pairs.same.sum()), int((~pairs.same).sum())
    people = {name: name.partition("/")[0] for name in pairs.names}
    both = [(pairs.names[a], pairs.names[b]) for a, b in zip(pairs.left, pairs.right, strict=True)]
    assert [people[a] == people[b] for a, b in both] == pairs.same.tolist()
    assert len({frozenset(pair) for pair in both}) == len(both)  # no pair twice, no photo with itself
    photos = [min(1 + person % 20, 10) for person in range(30)]
    assert one == sum(n * (n - 1) // 2 for n in photos)
    n = sum(photos) - photos.count(1)  # a person with one photo has no pair of one person
    assert one + two == n * (n - 1) // 2
    assert len(set(pairs.names)) == len(pairs.names)


@pytest.mark.slow
def test_sample_has_at_most_max_photos(folder: Path) -> None:
    pairs = choose_pairs(folder, None, max_photos=100)
    assert 80 < len(pairs.pictures) <= 100 and (~pairs.same).sum() >= 1000
    with pytest.raises(UsageError, match="too few people to compare"):
        choose_pairs(folder, None, max_photos=4)


def test_pairs_of_a_list_can_be_sampled(tmp_path: Path) -> None:
    folder = make_labelled_photos(tmp_path / "photos")
    file = write_pairs(tmp_path / "pairs.txt", times=200)
    pairs = choose_pairs(folder, file)
    assert len(pairs.same) == 2400 and len(pairs.pictures) == 8
    file = write_pairs(tmp_path / "pairs.txt", times=1000)
    fewer = choose_pairs(folder, file, max_photos=5)
    assert len(fewer.pictures) == 5 < len(pairs.pictures)
    names = {frozenset((fewer.names[a], fewer.names[b])) for a, b in zip(fewer.left, fewer.right, strict=True)}
    assert names <= {frozenset((pairs.names[a], pairs.names[b])) for a, b in zip(pairs.left, pairs.right, strict=True)}


@pytest.mark.slow
def test_too_few_pairs_are_refused_before_any_work(tmp_path: Path) -> None:
    folder = make_labelled_photos(tmp_path / "photos")
    with pytest.raises(UsageError, match="too few pairs to measure VAL at FAR 1e-3"):
        choose_pairs(folder, write_pairs(tmp_path / "pairs.txt"))
    with pytest.raises(UsageError, match="too few pairs to measure"):
        choose_pairs(folder, None)  # two people, eight photos
    file = tmp_path / "x.bin"
    file.write_bytes(pickle.dumps(([b"1", b"2"], [True])))
    with pytest.raises(UsageError, match="holds cropped faces, not photos"):
        choose_pairs(folder, file)


def test_faces_are_reduced_but_never_enlarged() -> None:
    assert _downscale_to_width(np.array([80.0, 40.0, 30.0, 0.0], np.float32), 40) == [
        Downscaling(2.0),
        None,
        None,
        None,
    ]
    assert repr(Downscaling(2.0)) == "Downscaling(factor=2.0, restore_size=False)"  # part of the cache key
    small = Downscaling(2.0)(np.asarray(Image.new("RGB", (250, 200))))
    assert small.shape == (100, 125, 3)


def test_width_is_skipped_if_most_faces_are_narrower_and_no_face_means_val_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_labelled_photos(tmp_path / "photos")
    pairs = choose_pairs(folder, write_pairs(tmp_path / "pairs.txt", times=200))
    n = len(pairs.pictures)

    def find_faces(*_: object, description: str, **__: object) -> MainFaces:
        found = np.full(n, not description.endswith("JPEG quality 10"))
        boxes = np.tile(np.array([0, 0, 70, 70], np.float32), (n, 1))
        vectors = np.random.default_rng(0).normal(size=(n, 128)).astype(np.float32) * found[:, None]
        nothing = np.zeros(n, np.float32)
        return MainFaces(found, vectors, vectors, boxes, np.zeros((n, 5, 2), np.float32), nothing, nothing)

    monkeypatch.setattr(sensitivity, "find_main_faces", find_faces)
    levels = {(level.kind, level.value): level for level in measure_degradations(pairs, load_pack("dlib"))}
    lost = levels["jpeg", 10]
    assert lost.rate is not None and lost.rate.val == 0 and lost.not_found == n
    assert levels["width", 64].rate is not None and levels["width", 80].rate is None
    assert levels["width", 80].narrower == n
