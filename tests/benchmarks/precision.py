"""The cost of storing embeddings as float32, float16 and int8, in bytes and in accuracy.

    python tests/benchmarks/precision.py LFW_FOLDER PAIRS_FILE [--pack PACK] [--faces 10000] [--dimension D]

LFW_FOLDER holds <person>/<person>_0001.jpg …; PAIRS_FILE is in the layout of LFW's pairs.txt. The
embeddings are measured once, then read from the user's cache folder. Each row of the Markdown table is about
embeddings stored in one precision and read again. The last row is int8 with one scale for all
vectors, for comparison. The bytes are those of the column of embeddings, and of a whole cache file with
this many faces on as many photos; if the folder has fewer, means of two faces are added.

--dimension adds a table about embeddings projected to that dimension: rotated to their principal axes, of
which the first D are kept. The axes are those of one half of the people, the rates those of the other half.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faceclust.evaluation.labelled_folders import LabelledPhotos, find_labelled_photos
from faceclust.evaluation.main_faces import MainFaces, find_main_faces
from faceclust.evaluation.metrics.clustering import bcubed
from faceclust.evaluation.metrics.verification import verify_all_pairs
from faceclust.evaluation.score_pairs import VerificationPairs, load_pairs, score_pairs
from faceclust.files.names import PRECISIONS
from faceclust.packs.pack import Pack
from faceclust.photos.face_ids import face_id
from faceclust.store.precision import quantise_embeddings
from faceclust.store.schema import CacheInfo, encode_parquet, photos_to_table
from faceclust.types import Metadata, PhotoRef, ScannedPhoto

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.grouping import cluster_faces
from tests.benchmarks.packs import add_pack_option
from tests.benchmarks.people_halves import split_people

#: Stores embeddings (n, d) and reads them again.
Read = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Measure the faces and print a row for each precision."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("pairs", type=Path)
    add_pack_option(parser)
    parser.add_argument("--faces", type=int, default=10_000)
    parser.add_argument("--dimension", type=int)
    arguments = parser.parse_args()
    labelled, pack = find_labelled_photos(arguments.folder), arguments.pack
    faces = find_main_faces(labelled.paths, pack)
    radius = pack.embedder.radius
    exact = faces.embeddings(radius, mirrored=pack.embedder.mirror)
    pairs = _among(labelled, load_pairs(arguments.folder, arguments.pairs))
    print(
        f"| embeddings as | bytes a face | cache of {arguments.faces:,} faces | accuracy, ten folds | VAL at FAR 0.001 "
        "| all pairs, TAR at FAR 0.00001 | grouping at 1.1, BCubed F |\n|---|---|---|---|---|---|---|"
    )
    for precision in PRECISIONS:
        column, file = _sizes(faces, exact, pack, precision, arguments.faces)
        sizes = f"{column:.0f} | {file / 1e6:.2f} MB"
        _line(precision, sizes, pairs, faces, labelled.persons, pack, partial(_quantise, precision, radius))
    step = np.abs(exact).max() / 127

    def by_one_scale(vectors: np.ndarray) -> np.ndarray:
        read = np.rint(vectors / step) * step
        return read * (radius / np.maximum(np.linalg.norm(read, axis=1, keepdims=True), 1e-12))

    _line("int8, one scale for all", " | ", pairs, faces, labelled.persons, pack, by_one_scale)
    if arguments.dimension:
        _print_projection(exact[faces.found], labelled.persons[faces.found], arguments.dimension)


def _true_accept_rate(vectors: np.ndarray, people: np.ndarray) -> str:
    rate = verify_all_pairs(vectors, people, (1e-5,)).rates[0].tar
    return "–" if rate is None else f"{100 * rate:.1f} %"


def _print_projection(vectors: np.ndarray, people: np.ndarray, dimension: int, splits: int = 3) -> None:
    fars, losses, kept = (1e-3, 1e-4, 1e-5), [], []
    for half in split_people(people, splits):
        # The axes are not centred: distances from the mean recognise people less well.
        axes = np.linalg.svd(vectors[half], full_matrices=False)[2][:dimension]
        projected = vectors[~half] @ axes.T
        kept.append((projected**2).sum() / (vectors[~half] ** 2).sum())
        projected /= np.linalg.norm(projected, axis=1, keepdims=True)
        before, after = (verify_all_pairs(some, people[~half], fars).rates for some in (vectors[~half], projected))
        losses.append([(b.tar or 0) - (a.tar or 0) for b, a in zip(before, after, strict=True)])
    print(f"\n| projected to {dimension} of {vectors.shape[1]} | energy kept | loss of TAR | from … to |")
    print("|---|---|---|---|")
    for far, values in zip(fars, np.array(losses).T, strict=True):
        span = f"{values.min():.4f} to {values.max():.4f}"
        print(f"| all pairs, FAR {far:g} | {100 * np.mean(kept):.1f} % | {values.mean():.4f} | {span} |")


def _quantise(precision: str, radius: float, vectors: np.ndarray) -> np.ndarray:
    return quantise_embeddings(vectors, precision, radius)


def _among(labelled: LabelledPhotos, pairs: VerificationPairs) -> VerificationPairs:
    """Return the same pairs, as indices into all labelled photos."""
    index_of = {photo: i for i, photo in enumerate(labelled.photos)}
    positions = np.array([index_of[name] for name in pairs.names])
    return replace(
        pairs,
        pictures=tuple(labelled.paths),
        names=labelled.photos,
        left=positions[pairs.left],
        right=positions[pairs.right],
    )


def _line(
    name: str, sizes: str, pairs: VerificationPairs, faces: MainFaces, people: np.ndarray, pack: Pack, read: Read
) -> None:
    spec = pack.embedder
    s = score_pairs(pairs, faces, spec.radius, mirrored=spec.mirror, quantise=read).protocol
    error = "" if s.accuracy_error is None else f" ± {100 * s.accuracy_error:.2f}"
    found = faces.found
    vectors = read(faces.embeddings(spec.radius, mirrored=spec.mirror))[found]
    accepted = _true_accept_rate(vectors, people[found])
    f = bcubed(cluster_faces(vectors), people[found]).f
    print(
        f"| {name} | {sizes} | {100 * s.accuracy:.2f}{error} % | {100 * s.val:.1f} % | {accepted} | {f:.4f} |",
        flush=True,
    )


def _sizes(faces: MainFaces, exact: np.ndarray, pack: Pack, precision: str, count: int) -> tuple[float, int]:
    """Return the bytes per face of the embedding column, and the bytes of the file."""
    rng = np.random.default_rng(0)
    found = np.flatnonzero(faces.found)
    first, second = rng.permutation(np.resize(found, count)), rng.choice(found, count)
    second[: len(found)] = first[: len(found)]
    vectors = exact[first] + exact[second]
    vectors *= pack.embedder.radius / np.linalg.norm(vectors, axis=1, keepdims=True)
    spec = pack.embedder
    info = replace(CacheInfo(pack.name, pack.fingerprint, spec.dimension, spec.radius), precision=precision)
    photos = (_photo(i, int(first[i]), faces, vectors[i : i + 1]) for i in range(count))
    content = encode_parquet(photos_to_table(photos, info))
    group = pq.read_metadata(pa.BufferReader(content)).row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    (size,) = [column.total_compressed_size for column in columns if column.path_in_schema.startswith("embedding")]
    return size / count, len(content)


def _photo(number: int, face: int, faces: MainFaces, vectors: np.ndarray) -> ScannedPhoto:
    box, content = (faces.boxes[face : face + 1] / 250).astype(np.float32), f"{number * 0x9E3779B97F4A7C15:032x}"[-32:]
    return ScannedPhoto(
        ref=PhotoRef(f"IMG_{number:05d}.jpg", 3_000_000 + 977 * number, 10**18 + 10**10 * number),
        content_hash=content,
        full_size=(4000, 3000),
        metadata=Metadata(),
        face_ids=(face_id(content, box[0]),),
        boxes=box,
        landmarks=(faces.landmarks[face : face + 1] / 250).astype(np.float32),
        scores=faces.scores[face : face + 1],
        quality=faces.quality[face : face + 1],
        embeddings=vectors.astype(np.float32),
        min_face=80,
    )


if __name__ == "__main__":
    main()
