"""Faces cut out of videos: a decoder that crashes or hangs loses the pictures of its video alone."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import pytest

from faceclust.files.library_roots import LibraryRoots
from faceclust.library import isolated_pictures
from faceclust.library.isolated_pictures import make_crops, make_thumbnails
from faceclust.photos import videos
from faceclust.photos.face_crops import CropOptions, FaceCrop, FailedCrop, WantedCrop, cut_faces
from faceclust.photos.thumbnails import is_thumbnail, make_face_thumbnails
from faceclust.types import FaceOccurrence
from tests.support.sample_photos import COLLINS
from tests.support.sample_videos import SIZE, write_video

pytest.importorskip("av")
TIMES = (2.0, 0.0, 2.0, 4.0)


def list_faces(video: str, number: int) -> list[FaceOccurrence]:
    return [
        FaceOccurrence(
            f"{number + i:016x}", video, "0" * 32, (0.2, 0.1, 0.4, 0.5), SIZE, 1.0, 1.0, None, frame_time=time
        )
        for i, time in enumerate(TIMES)
    ]


def _misbehave(video: str) -> None:
    if video == "crash.mp4":
        ctypes.string_at(0)
    if video == "hang.mp4":
        time.sleep(600)


def make_thumbnails_or_die(
    roots: LibraryRoots, places: list[FaceOccurrence]
) -> tuple[list[tuple[str, bytes]], list[str]]:
    _misbehave(places[0].photo)
    return list(make_face_thumbnails(roots, places)), []


def cut_or_die(roots: LibraryRoots, options: CropOptions, wanted: list[WantedCrop]) -> list[FaceCrop | FailedCrop]:
    _misbehave(wanted[0].place.photo)
    return list(cut_faces(roots.path_of, wanted, options))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_video(tmp_path / "good.mp4", [(6.0, [COLLINS])], key_interval=4)
    return tmp_path


@pytest.mark.process
def test_a_deadly_video_loses_only_its_own_pictures(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated_pictures, "TIME_LIMIT", 1.5)
    monkeypatch.setattr(isolated_pictures, "_FRAME_TIME_LIMIT", 0.1)
    monkeypatch.setattr(isolated_pictures, "_make_thumbnails_of_video", make_thumbnails_or_die)
    good = list_faces("good.mp4", 0)
    faces = [*list_faces("crash.mp4", 100), *good, *list_faces("hang.mp4", 200)]
    notes: list[str] = []
    found = dict(make_thumbnails(LibraryRoots(root), faces, notes.append))
    assert found.keys() == {face.face_id for face in good} and all(map(is_thumbnail, found.values()))
    assert sorted(note.partition(" ")[0] for note in notes) == ["crash.mp4", "hang.mp4"]
    assert "SIGSEGV" in "".join(notes) or "process" in "".join(notes)


@pytest.mark.process
def test_a_crop_of_a_deadly_video_has_a_reason(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated_pictures, "_cut_faces_of_video", cut_or_die)
    wanted = [WantedCrop(face, None) for face in (*list_faces("crash.mp4", 100), *list_faces("good.mp4", 0))]
    found = list(make_crops(LibraryRoots(root), wanted, CropOptions()))
    failed = [one for one in found if isinstance(one, FailedCrop)]
    assert {one.place.photo for one in failed} == {"crash.mp4"} and len(failed) == len(TIMES) == len(found) / 2
    assert all("its worker process died twice" in one.reason for one in failed)


def test_all_faces_of_a_video_are_cut_in_one_opening(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, open_video = [], videos.open_video

    def note(path: Path) -> object:
        opened.append(path.name)
        return open_video(path)

    monkeypatch.setattr(videos, "open_video", note)
    faces = list_faces("good.mp4", 0)
    assert len(list(make_face_thumbnails(root, faces))) == len(faces)
    assert opened == ["good.mp4"]
    crops = list(cut_faces(lambda photo: root / photo, [WantedCrop(face, None) for face in faces], CropOptions()))
    assert [type(crop) for crop in crops] == [FaceCrop] * len(faces) and opened == ["good.mp4"] * 2
