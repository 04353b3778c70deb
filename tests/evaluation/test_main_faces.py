"""Measuring the main face of each picture in worker processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceclust.evaluation import main_faces
from faceclust.evaluation.main_face_finder import MainFaceFinder, PictureTask
from faceclust.evaluation.main_faces import MainFaces, find_main_faces
from faceclust.files.user_folders import cache_folder
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack
from faceclust.progress import SilentProgress
from faceclust.scan.workers.pool import run_isolated
from faceclust.types import UInt8
from faceclust.vision.pipeline import FacePipeline
from tests.support.sample_photos import COLLINS, HOPPER, load_portrait, save_photo


@dataclass(frozen=True)
class KillOnBlack:
    """Kills the worker process on a black picture."""

    signal_name: str

    def __call__(self, pixels: UInt8) -> UInt8:
        if not pixels.any():
            os.kill(os.getpid(), getattr(signal, self.signal_name))
        return pixels


class Notes(SilentProgress):
    def __init__(self) -> None:
        self.messages: list[str] = []
        self.steps = 0

    def advance(self, steps: int = 1, **counts: int) -> None:
        self.steps += steps

    def note(self, message: str) -> None:
        self.messages.append(message)


def refuse(*_: object) -> None:
    raise AssertionError("measured again")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return [
        save_photo(load_portrait(COLLINS).resize((300, 300)), tmp_path / "collins.png"),
        save_photo(Image.new("RGB", (300, 300)), tmp_path / "black.png"),
        tmp_path / "missing.png",
        save_photo(load_portrait(HOPPER).resize((240, 300)), tmp_path / "hopper.png"),
    ]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
@pytest.mark.parametrize(("signal_name", "is_cached"), [("SIGSEGV", True), ("SIGKILL", False)])
def test_picture_that_kills_its_worker_counts_as_unreadable(
    pictures: list[Path], signal_name: str, is_cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress, pack = Notes(), load_pack("dlib")
    kill = KillOnBlack(signal_name)
    faces = find_main_faces(pictures, pack, degradation=kill, workers=1, progress=progress)
    assert faces.found.tolist() == [True, False, False, True]
    assert not faces.chip[1].any() and faces.chip[3].any()
    assert progress.messages == [f"skipped {pictures[1]}: its process died twice: signal {signal_name}"]
    assert progress.steps == len(pictures)
    # A crash will happen again, so it is cached; too little memory may suffice another day.
    monkeypatch.setattr(main_faces, "run_isolated", refuse)
    if is_cached:
        again = find_main_faces(pictures, pack, degradation=kill)
        np.testing.assert_array_equal(again.chip, faces.chip)
    else:
        with pytest.raises(AssertionError, match="measured again"):
            find_main_faces(pictures, pack, degradation=kill)


def test_no_pictures_have_no_faces() -> None:
    pack = load_pack("dlib")
    faces = find_main_faces([], pack)
    assert faces.found.shape == (0,) and faces.chip.shape == (0, pack.embedder.dimension)


def count_detector_runs(pictures: list[Path], pack: Pack, monkeypatch: pytest.MonkeyPatch) -> tuple[MainFaces, int]:
    """Find main faces in this process; return them and the number of pictures on which the detector ran."""
    runs, detect = [], FacePipeline.detect

    def count(self: FacePipeline, pixels: UInt8) -> object:
        runs.append(pixels)
        return detect(self, pixels)

    def run_here(worker: Callable[[], MainFaceFinder], tasks: Iterable[PictureTask], *_: object) -> Iterator[object]:
        return run_isolated(worker, tasks, 0, lambda: False, 60)

    with monkeypatch.context() as patched:
        patched.setattr(main_faces, "run_isolated", run_here)
        patched.setattr(FacePipeline, "detect", count)
        return find_main_faces(pictures, pack), len(runs)


def test_a_second_pack_with_the_same_detector_only_embeds(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = load_pack("dlib")
    first, runs = count_detector_runs(pictures[:2], pack, monkeypatch)
    assert runs == 2
    other = replace(pack, name="other", embedder=replace(pack.embedder, mean=8.0))
    again, runs = count_detector_runs(pictures, other, monkeypatch)
    assert runs == 1  # on the picture that is new
    np.testing.assert_array_equal(again.boxes[:2], first.boxes)
    assert np.abs(again.chip[0] - first.chip[0]).max() > 0.001
    assert count_detector_runs(pictures, replace(other, name="renamed"), monkeypatch)[1] == 0
    other = replace(other, detector=replace(pack.detector, long_side=900))
    assert count_detector_runs(pictures, other, monkeypatch)[1] == 3
    assert count_detector_runs(pictures[:2], pack, monkeypatch)[1] == 0


def test_damaged_measurements_count_as_missing(pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    pack = load_pack("dlib")
    first, _ = count_detector_runs(pictures[:1], pack, monkeypatch)
    for path in cache_folder().glob("measured/*/*.npz"):
        path.write_bytes(path.read_bytes()[:-100])
    again, runs = count_detector_runs(pictures[:1], pack, monkeypatch)
    assert runs == 1
    for field in fields(MainFaces):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))
