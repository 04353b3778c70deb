"""The part of the picture service that runs in worker processes: it alone opens and decodes pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from faceclust.files.library_roots import LibraryRoots
from faceclust.photos.previews import make_preview
from faceclust.photos.thumbnails import is_thumbnail, make_face_thumbnails
from faceclust.store.thumbs import ThumbStore
from faceclust.types import FaceOccurrence


@dataclass(frozen=True)
class PictureTask:
    """Pictures to make of one photo, a POSIX path below the root: those of `faces`, or without any the
    photo itself, or the frame of a video at `frame_time`."""

    photo: str
    faces: tuple[FaceOccurrence, ...] = ()
    frame_time: float | None = None


@dataclass(frozen=True)
class Pictures:
    """JPEG bytes. `cached` and `cut`: by face id, from the store and out of the photo. `preview`: of the photo.
    Pictures that cannot be made are missing."""

    cached: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, bytes] = field(default_factory=dict)
    preview: bytes | None = None


class PictureMaker:
    """Makes the pictures of one photo at a time."""

    def __init__(self, root: Path | LibraryRoots, thumbs: ThumbStore) -> None:
        self._root, self._thumbs = root, thumbs

    def prepare(self, task: PictureTask) -> None:
        """Do nothing: a task is sent once the one before it is finished."""

    def work(self, task: PictureTask, prepared: None) -> Pictures:
        """Make the pictures. It decodes the photo once at most."""
        if not task.faces:
            return Pictures(preview=make_preview(self._root, task.photo, task.frame_time))
        stored = {face.face_id: self._thumbs.get(face.face_id) for face in task.faces}
        cached = {face: picture for face, picture in stored.items() if picture is not None and is_thumbnail(picture)}
        missing = [face for face in task.faces if face.face_id not in cached]
        return Pictures(cached, dict(make_face_thumbnails(self._root, missing)))
