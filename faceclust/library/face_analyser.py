"""Find and embed the faces on pictures, without a library."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TypeVar, overload

import numpy as np

from faceclust.catalogue.models_in_use import load_pack_in_use
from faceclust.errors import UsageError
from faceclust.library.photo_faces import (
    FaceReader,
    Picture,
    UnreadablePhotoError,
    expand_photo_path,
    resolve_typed_photo,
)
from faceclust.packs.pack import Pack
from faceclust.types import Face
from faceclust.types.arguments import require_number

_P = TypeVar("_P", bound=Picture)


class FaceAnalyser:
    """Finds the faces on pictures: boxes, landmarks, embeddings, quality and aligned chips.

        analyser = faceclust.FaceAnalyser()
        for face in analyser.faces("photo.jpg"):
            print(face.box, face.quality, face.embedding.shape)

    It does what InsightFace's `FaceAnalysis.get`, DeepFace's `represent` and `extract_faces`, and
    face_recognition's `face_locations`, `face_landmarks` and `face_encodings` do. Arrays are RGB, as Pillow and
    scikit-image return them; those of OpenCV are BGR: `picture[:, :, ::-1]`.

    `pack`: the face models, by name (`faceclust models` lists them). Default: those that a new library
    uses. `device`: what they run on: "auto", "cpu" or another one of `packs.session.DEVICES`.
    `min_face`: width of the smallest face to find, in pixels of the picture; default the pack's own
    for the picture's size. The models are loaded when first needed.

    Raises PackError for an unknown pack, UsageError for arguments of another type.
    """

    def __init__(self, pack: str | Pack | None = None, *, device: str = "auto", min_face: int | None = None) -> None:
        if not isinstance(pack, str | Pack | None):
            raise UsageError(f"pack must be the name of a model pack, not {pack!r}")
        if min_face is not None:
            require_number("min_face", min_face)
        self.pack = pack if isinstance(pack, Pack) else load_pack_in_use(None, pack)
        self._reader = FaceReader(self.pack, device, min_face)

    def __repr__(self) -> str:
        return f"<FaceAnalyser pack {self.pack.name}>"

    @overload
    def faces(self, pictures: Picture) -> list[Face]: ...

    @overload
    def faces(self, pictures: list[_P] | tuple[_P, ...] | Iterator[_P]) -> list[list[Face]]: ...

    def faces(self, pictures: Picture | Iterable[Picture]) -> list[Face] | list[list[Face]]:
        """Return the faces of a picture from left to right, or a list of them for each of several.

        A picture is the path of a photo file in any format that a scan reads, a uint8 array, or a
        Pillow image. An array is RGB (H, W, 3); grey (H, W) and RGBA (H, W, 4), put on white, are
        converted. Files and Pillow images are turned upright by their EXIF orientation, and converted
        to sRGB. Arrays and Pillow images may be of any size; files below 128 pixels are refused.

        Raises UsageError for a file that is no readable photo, for what is no picture and for an
        invalid `min_face`, PackError if the models or the device cannot be used. To go on after a bad
        file among many, call this for each.
        """
        if not isinstance(pictures, str | bytes | os.PathLike | np.ndarray) and isinstance(pictures, Iterable):
            return [self._find_faces(picture, f"picture {number}: ") for number, picture in enumerate(pictures)]
        return self._find_faces(pictures, "")

    def _find_faces(self, picture: Picture, label: str) -> list[Face]:
        try:
            if isinstance(picture, str | os.PathLike):
                label = f"{os.fspath(picture)}: "
                picture = resolve_typed_photo(expand_photo_path(picture))
            found, chips = self._reader.examine(picture)
        except UnreadablePhotoError as error:
            raise UsageError(f"{label}{error}") from error
        except UsageError as error:
            raise UsageError(f"{label}{error}", hint=error.hint) from error
        size = np.array(found.full_size, np.float32)
        return [
            Face(
                box=tuple((found.boxes[i] * np.tile(size, 2)).tolist()),
                landmarks=found.landmarks[i] * size,
                score=float(found.scores[i]),
                quality=float(found.quality[i]),
                embedding=found.embeddings[i],
                chip=chips[i],
            )
            for i in range(len(found.face_ids))
        ]
