"""What storing embeddings as float32, float16 and int8 costs, in bytes and in accuracy.

    python tests/benchmarks/precision.py LFW_FOLDER PAIRS_FILE [--pack NAME]

LFW_FOLDER holds <person>/<person>_0001.jpg …; PAIRS_FILE is in the layout of LFW's pairs.txt. The
embeddings are worked out once, then taken from the user's cache folder. Each line of the table it
prints, in Markdown, is of embeddings stored so and read again; the last is of int8 by one scale for
all vectors, for comparison. The bytes are those of the column of embeddings, and of a whole cache
file, of 10,000 faces on as many photos (where the folder has fewer, means of two of them).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faceclust.cluster.constraints import Constraints
from faceclust.cluster.two_passes import two_passes
from faceclust.evaluation.clustering import bcubed
from faceclust.evaluation.verification import PairList, read_pairs, verify_folds
from faceclust.measure.faces import MainFaces, main_faces
from faceclust.measure.labelled import labelled_photos
from faceclust.packs.known import load_pack
from faceclust.packs.pack import Pack
from faceclust.photos.face_ids import face_id
from faceclust.store.precision import embedding_matrix, embedding_type, encoded
from faceclust.store.schema import CacheInfo, parquet_bytes, rows_to_table
from faceclust.types import Metadata, PhotoRef, ScannedPhoto

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.lfw import _true_accept_rate

COUNT = 10_000


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("folder", type=Path)
    ask.add_argument("pairs", type=Path)
    ask.add_argument("--pack", default="dlib")
    arguments = ask.parse_args()
    labelled, pairs, pack = labelled_photos(arguments.folder), read_pairs(arguments.pairs), load_pack(arguments.pack)
    faces = main_faces(labelled.paths, pack)
    radius = pack.embedder.radius
    exact = faces.embeddings(radius, mirrored=pack.embedder.mirror)
    at = {Path(photo).stem: i for i, photo in enumerate(labelled.photos)}
    print(
        "| embeddings as | bytes a face | cache of 10,000 faces | accuracy, ten folds | VAL at FAR 0.001 "
        "| all pairs, TAR at FAR 0.00001 | grouping at 1.1, BCubed F |\n|---|---|---|---|---|---|---|"
    )
    for precision in ("float32", "float16", "int8"):
        column, file = _sizes(faces, exact, pack, precision)
        read = embedding_matrix(_column(exact, precision), exact.shape[1], radius)
        _line(precision, f"{column:.0f} | {file / 1e6:.2f} MB", read, faces.found, labelled.persons, pairs, at)
    step = np.abs(exact).max() / 127
    read = np.rint(exact / step) * step
    read *= radius / np.maximum(np.linalg.norm(read, axis=1, keepdims=True), 1e-12)
    name = "int8, one scale for all"
    _line(name, " | ", read.astype(np.float32), faces.found, labelled.persons, pairs, at)


def _line(
    name: str,
    sizes: str,
    vectors: np.ndarray,
    found: np.ndarray,
    people: np.ndarray,
    pairs: PairList,
    at: dict[str, int],
) -> None:
    left = np.array([at[f"{person}_{i:04d}"] for person, i in pairs.left])
    right = np.array([at[f"{person}_{i:04d}"] for person, i in pairs.right])
    distances = ((vectors[left] - vectors[right]) ** 2).sum(axis=1)
    # A face that was not found is a pair judged different, whatever the threshold.
    distances[~(found[left] & found[right])] = np.inf
    s = verify_folds(distances, pairs.same, pairs.folds)
    accepted = _true_accept_rate(vectors[found], people[found], 1e-5)
    f = bcubed(two_passes(vectors[found], 1.1, Constraints()), people[found]).f
    print(
        f"| {name} | {sizes} | {100 * s.accuracy:.2f} ± {100 * s.accuracy_error:.2f} % | {100 * s.val:.1f} % "
        f"| {100 * accepted:.1f} % | {f:.4f} |"
    )


def _column(vectors: np.ndarray, precision: str) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(list(encoded(vectors, precision)), embedding_type(precision, vectors.shape[1]))])


def _sizes(faces: MainFaces, exact: np.ndarray, pack: Pack, precision: str) -> tuple[float, int]:
    """Bytes a face of the column, and of the file."""
    rng = np.random.default_rng(0)
    there = np.flatnonzero(faces.found)
    first, second = rng.permutation(np.resize(there, COUNT)), rng.choice(there, COUNT)
    second[: len(there)] = first[: len(there)]
    vectors = exact[first] + exact[second]
    vectors *= pack.embedder.radius / np.linalg.norm(vectors, axis=1, keepdims=True)
    spec = pack.embedder
    info = replace(CacheInfo(pack.name, pack.fingerprint, spec.dimension, spec.radius), precision=precision)
    photos = (_photo(i, int(first[i]), faces, vectors[i : i + 1]) for i in range(COUNT))
    content = parquet_bytes(rows_to_table(photos, info))
    group = pq.read_metadata(pa.BufferReader(content)).row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    (size,) = [column.total_compressed_size for column in columns if column.path_in_schema.startswith("embedding")]
    return size / COUNT, len(content)


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
