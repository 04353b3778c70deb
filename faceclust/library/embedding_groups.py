"""Group embeddings by person, without a library."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceclust.cluster.constraints import Constraints, same_photo_exclusions
from faceclust.cluster.group import group_faces
from faceclust.errors import UsageError
from faceclust.types import OPERATING_POINT, ClusterParams, FaceTable, Float32
from faceclust.types.arguments import require_number, require_threshold

#: Embeddings stored as int8 differ from their radius by up to a percent.
_MAX_NORM_RATIO = 1.05


def group(
    embeddings: ArrayLike,
    threshold: float = OPERATING_POINT,
    photos: Iterable[Hashable] | None = None,
    radius: float | None = None,
) -> NDArray[np.int32]:
    """Group embeddings (n, d) of faces by person. Return the group of each face, int32 (n,).

    This is clustering, as dlib's `chinese_whispers_clustering` or scikit-learn's `DBSCAN` do it.
    Groups are numbered from 1, the largest first; -1 is a face alone. They are those of
    `Library.cluster`: average linkage, with local scaling. `threshold`: squared L2 up to which groups are
    merged. `photos` (n,): the photo of each face, by any value; faces of one photo never share a group,
    except those whose photo is None. `radius`: scale all embeddings to this norm; None leaves them as
    `FaceAnalyser` and a library return them, at the radius for which the default threshold was chosen.
    Unit vectors of another model at a cosine similarity of at least c have a squared L2 of at most
    2 - 2c: `group(vectors, threshold=2 - 2 * c, radius=1)`.

    Raises UsageError for another shape, infinite values, vectors of different norms without a radius,
    and an invalid threshold or radius.
    """
    vectors = _to_vectors(embeddings)
    faces = len(vectors)
    require_number("threshold", threshold, above=0)
    if radius is not None:
        require_number("radius", radius, above=0)
    vectors = _scale(vectors, radius)
    if faces:
        require_threshold(threshold, float(np.linalg.norm(vectors[0])))
    same_photo = [] if photos is None else same_photo_exclusions(_number_photos(photos, faces))
    table = FaceTable(
        face_ids=np.array([f"{number:016d}" for number in range(faces)], np.str_),
        photo_ids=np.zeros(faces, np.str_),
        embeddings=vectors,
        quality=np.ones(faces, np.float32),
        taken_at=np.full(faces, "NaT", "datetime64[s]"),
        boxes=np.zeros((faces, 4), np.float32),
        shots=np.full((faces, 2), -1, np.int64),
    )
    grouping = group_faces(table, ClusterParams(threshold=threshold), Constraints(exclusions=same_photo))
    return grouping.clustering.labels


def _to_vectors(embeddings: ArrayLike) -> Float32:
    try:
        with np.errstate(over="ignore"):  # infinite values are refused below
            vectors = np.asarray(embeddings, np.float32)
    except (TypeError, ValueError) as error:
        raise UsageError(f"embeddings must be numbers of shape (n, d): {error}") from error
    if vectors.shape == (0,):
        vectors = vectors.reshape(0, 1)
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise UsageError(
            f"embeddings must have the shape (n, d), not {vectors.shape}",
            hint="numpy.stack([face.embedding for face in faces])",
        )
    if not np.isfinite(vectors).all():
        raise UsageError("embeddings must be finite numbers")
    return vectors


def _scale(vectors: Float32, radius: float | None) -> Float32:
    """Scale vectors to the radius, or check that they have one."""
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    if not norms.all():
        raise UsageError(f"embedding {int(norms.argmin())} is zero and has no direction")
    if radius is not None:
        return np.asarray(vectors * (radius / norms)[:, None], np.float32)
    if len(norms) and norms.max() > norms.min() * _MAX_NORM_RATIO:
        raise UsageError(
            f"the embeddings have different norms, from {norms.min():.4g} to {norms.max():.4g}",
            hint="radius=1 scales them to one norm, and threshold=2 - 2 * c groups them by their cosine similarity c",
        )
    return vectors


def _number_photos(photos: Iterable[Hashable], faces: int) -> NDArray[np.str_]:
    """Return one text for each photo, (n,)."""
    numbers: dict[Hashable, int] = {}
    try:
        found = [
            f"alone {number}" if photo is None else str(numbers.setdefault(photo, number))
            for number, photo in enumerate(photos)
        ]
    except TypeError as error:
        raise UsageError(f"photos must be one value for each face: {error}") from error
    if len(found) != faces or isinstance(photos, str):
        raise UsageError(f"photos must be one value for each of the {faces:,} faces, not {len(found):,}")
    return np.array(found, np.str_)
