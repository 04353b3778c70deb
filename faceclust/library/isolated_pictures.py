"""Cut faces out of photos and videos. Videos are decoded in worker processes: a crash or hang loses only one video."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Generic, TypeVar

from faceclust.files.library_roots import LibraryRoots
from faceclust.photos.face_crops import CropOptions, FaceCrop, FailedCrop, WantedCrop, cut_faces
from faceclust.photos.thumbnails import make_face_thumbnails
from faceclust.scan.workers.pool import run_isolated
from faceclust.scan.workers.process import LossCause, LostTask
from faceclust.types import FaceOccurrence

T = TypeVar("T")
R = TypeVar("R")

#: Seconds for the pictures of one video, and at most for one of its frames if there are many.
TIME_LIMIT, _FRAME_TIME_LIMIT = 120.0, 3.0
_WORKERS = 2


def make_thumbnails(
    roots: LibraryRoots, places: Iterable[FaceOccurrence], on_note: Callable[[str], None]
) -> Iterator[tuple[str, bytes]]:
    """Yield (face id, JPEG) for each face whose picture can be read, as `make_face_thumbnails` does.

    `on_note` receives a message for each photo or video that is there but cannot be opened or decoded.
    """
    places = list(places)
    yield from make_face_thumbnails(roots, [place for place in places if place.frame_time is None], on_note)
    videos = _group_by_video((place, place) for place in places)
    for task, outcome in _run_on_videos(partial(_make_thumbnails_of_video, roots), videos):
        if isinstance(outcome, LostTask):
            on_note(f"{task[0].photo} has been given up: {_describe_loss(outcome)}; its faces have no picture")
        else:
            pictures, notes = outcome
            for note in notes:
                on_note(note)
            yield from pictures


def make_crops(
    roots: LibraryRoots, wanted: Iterable[WantedCrop], options: CropOptions
) -> Iterator[FaceCrop | FailedCrop]:
    """Yield the picture of each face, or the reason why it cannot be cut out, as `cut_faces` does."""
    wanted = list(wanted)
    yield from cut_faces(roots.path_of, [one for one in wanted if one.place.frame_time is None], options)
    videos = _group_by_video((one.place, one) for one in wanted)
    for task, outcome in _run_on_videos(partial(_cut_faces_of_video, roots, options), videos):
        if isinstance(outcome, LostTask):
            yield from (FailedCrop(one.place, _describe_loss(outcome)) for one in task)
        else:
            yield from outcome


class _VideoWorker(Generic[T, R]):
    """Makes the pictures of one video at a time."""

    def __init__(self, make: Callable[[list[T]], R]) -> None:
        self._make = make

    def prepare(self, task: list[T]) -> None:
        """Do nothing: FFmpeg reads the file in blocks."""

    def work(self, task: list[T], prepared: None) -> R:
        """Make the pictures of a video, which is opened once."""
        return self._make(task)


def _run_on_videos(make: Callable[[list[T]], R], videos: list[list[T]]) -> Iterator[tuple[list[T], R | LostTask]]:
    """Yield the faces of each video with their pictures, made in worker processes."""
    if videos:
        create_worker = partial(_VideoWorker[T, R], make)
        yield from run_isolated(create_worker, videos, min(_WORKERS, len(videos)), lambda: False, _time_limit)


def _time_limit(task: list[T]) -> float:
    return max(TIME_LIMIT, _FRAME_TIME_LIMIT * len(task))


def _group_by_video(faces: Iterable[tuple[FaceOccurrence, T]]) -> list[list[T]]:
    """Return the faces of videos, those of one video together."""
    by_video: dict[str, list[T]] = {}
    for place, face in faces:
        if place.frame_time is not None:
            by_video.setdefault(place.photo, []).append(face)
    return list(by_video.values())


def _make_thumbnails_of_video(
    roots: LibraryRoots, places: list[FaceOccurrence]
) -> tuple[list[tuple[str, bytes]], list[str]]:
    notes: list[str] = []
    return list(make_face_thumbnails(roots, places, notes.append)), notes


def _cut_faces_of_video(
    roots: LibraryRoots, options: CropOptions, wanted: list[WantedCrop]
) -> list[FaceCrop | FailedCrop]:
    return list(cut_faces(roots.path_of, wanted, options))


def _describe_loss(lost: LostTask) -> str:
    if lost.cause in (LossCause.PREPARE_TIMEOUT, LossCause.WORK_TIMEOUT):
        return f"decoding it took more than {lost.detail}"
    return f"its worker process died twice: {lost.detail}"
