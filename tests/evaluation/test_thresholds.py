"""Labelled faces from libraries and files, and the scores of their clusterings."""

from __future__ import annotations

import csv
import dataclasses
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.evaluation.embedding_files import label_saved_faces, read_embedding_file
from faceclust.evaluation.ground_truth import label_library_faces
from faceclust.evaluation.metrics.clustering import bcubed, count_conflicts, pairwise
from faceclust.evaluation.thresholds import METHODS, LabelledFaces, best_groupings, parse_thresholds, score_groupings
from tests.benchmarks.synthetic import face_table, synthetic_faces
from tests.support.sample_photos import COLLINS, HOPPER

RADIUS = 3.15


@pytest.fixture(scope="module")
def labelled_faces() -> LabelledFaces:
    faces = synthetic_faces(300, seed=2)
    return LabelledFaces(
        face_table(np.arange(300), faces.embeddings, faces.photo), np.char.mod("p%d", faces.person).astype(np.str_)
    )


def test_each_method_is_scored_at_each_threshold(labelled_faces: LabelledFaces) -> None:
    found = list(score_groupings(labelled_faces, list(METHODS), [0.9, 1.1]))
    assert [(cut.method, cut.threshold) for cut in found] == [
        *((method, cut) for method in ("average", "unscaled", "one-pass", "complete", "single") for cut in (0.9, 1.1)),
        ("hdbscan", None),
    ]
    library = LabelledFaces(labelled_faces.faces, labelled_faces.persons)
    again = next(iter(score_groupings(library, ["average"], [1.1])))
    assert again == found[1]
    assert all(cut.conflicts == 0 for cut in found) and all(cut.groups + cut.singletons <= 300 for cut in found)
    best = best_groupings(found)
    assert best["average"]["BCubed F"] is max(found[:2], key=lambda cut: cut.bcubed.f)


def test_conflicts_are_counted_if_faces_of_a_photo_may_be_one_person(labelled_faces: LabelledFaces) -> None:
    (cut,) = score_groupings(labelled_faces, ["average"], [1.9], allow_same_photo=True)
    assert cut.conflicts > 0


def test_unlabelled_faces_are_clustered_but_not_scored(labelled_faces: LabelledFaces) -> None:
    half = LabelledFaces(labelled_faces.faces, np.where(np.arange(300) % 2 == 0, labelled_faces.persons, ""))
    (cut,) = score_groupings(half, ["average"], [1.1])
    (all_faces,) = score_groupings(labelled_faces, ["average"], [1.1])
    assert (cut.groups, cut.singletons) == (all_faces.groups, all_faces.singletons) and cut.bcubed != all_faces.bcubed
    with pytest.raises(UsageError, match="the truth names none of these faces"):
        list(score_groupings(LabelledFaces(labelled_faces.faces, np.full(300, "")), ["average"], [1.1]))


def test_sample_draws_whole_people(labelled_faces: LabelledFaces) -> None:
    sample = labelled_faces.sample(60)
    assert 60 <= len(sample.faces) < 150
    for name in np.unique(sample.persons):
        assert (sample.persons == name).sum() == (labelled_faces.persons == name).sum()
    assert np.array_equal(sample.persons, labelled_faces.sample(60).persons)
    assert len(labelled_faces.sample(10_000).faces) == 300


def test_thresholds_are_parsed() -> None:
    assert parse_thresholds("0.6:1.6:0.05") == [round(0.6 + 0.05 * i, 2) for i in range(21)]
    assert parse_thresholds("1.1,0.9,1.1") == [0.9, 1.1] and parse_thresholds("1") == [1.0]
    for bad in (
        "",
        "a",
        "1:2",
        "1:2:0",
        "2:1:0.1",
        "0:1:0.1",
        "0.1:999:0.0001",
        "nan",
        "inf",
        "1:nan:1",
        "-1",
        "1e-9:1:1e-9",
    ):
        with pytest.raises(UsageError, match="invalid thresholds: "):
            parse_thresholds(bad)


# -- ground truth of a library -------------------------------------------------


def test_truth_by_face_id(library: Library, name_of_face: Callable[[Library], dict[str, str]], tmp_path: Path) -> None:
    names = name_of_face(library)
    table = tmp_path / "who.csv"
    table.write_text(
        "face_id,person\n" + "".join(f"{face},{name}\n" for face, name in names.items()) + "0" * 16 + ",X\n"
    )
    found = label_library_faces(library, table)
    assert dict(zip(found.faces.face_ids.tolist(), found.persons.tolist(), strict=True)) == names
    assert (found.missed, found.unknown_photos) == (1, 0)


@pytest.mark.parametrize("fractions", [False, True])
def test_truth_by_boxes(
    library: Library, name_of_face: Callable[[Library], dict[str, str]], tmp_path: Path, fractions: bool
) -> None:
    names = name_of_face(library)
    stream = io.StringIO()
    rows = csv.writer(stream)
    rows.writerow(["photo", "left", "top", "right", "bottom", "person"])
    for place in library.occurrences:
        box = place.box if fractions else [side + 4 for side in place.pixel_box]
        rows.writerow([place.photo, *box, names[place.face_id]])
    rows.writerow(["together/nobody.jpg", *((0.1, 0.1, 0.2, 0.2) if fractions else (10, 10, 90, 90)), "Nobody"])
    rows.writerow(["not/here.jpg", 1, 2, 30, 40, "Somebody"])
    table = tmp_path / "boxes.csv"
    table.write_text(stream.getvalue())
    found = label_library_faces(library, table)
    assert dict(zip(found.faces.face_ids.tolist(), found.persons.tolist(), strict=True)) == names
    assert (found.missed, found.unknown_photos) == (1, 1)


def test_truth_by_folders(library: Library) -> None:
    found = label_library_faces(library, "folders")
    folders = {place.face_id: place.photo.partition("/")[0] for place in library.occurrences}
    person_of = dict(zip(found.faces.face_ids.tolist(), found.persons.tolist(), strict=True))
    assert all(person_of[face] in ("", folder) for face, folder in folders.items())
    assert sum(name == "" for name in person_of.values()) == 2  # the second faces of two photos
    assert found.missed == 1  # nobody.jpg


def test_invalid_tables_are_refused(library: Library, tmp_path: Path) -> None:
    table = tmp_path / "who.csv"
    for text, message in (
        ("", "is empty"),
        ("face_id,age\n1,2\n", "missing column: person"),
        ("photo,left\n", "no column top"),
        ("face_id,person\nab,X\nab,Y\n", "who.csv:3: face ab is Y here, but X above"),
        ("photo,left,top,right,bottom,name\n", "holds no names"),
    ):
        table.write_text(text)
        with pytest.raises(UsageError, match=message):
            label_library_faces(library, table)
    with pytest.raises(UsageError, match="cannot be read"):
        label_library_faces(library, tmp_path / "none.csv")
    with pytest.raises(UsageError, match="cannot be read"):
        label_library_faces(library, tmp_path)


# -- saved embeddings -----------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(2, 9), st.sampled_from(["npz", "parquet"]), st.sampled_from([1.0, 2.5]))
def test_saved_embeddings_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, n: int, d: int, kind: str, norm: float
) -> None:
    rng = np.random.default_rng(n * d)
    embeddings = rng.standard_normal((n, d)).astype(np.float32)
    embeddings *= norm / np.linalg.norm(embeddings, axis=1, keepdims=True)
    labels, photos = rng.integers(0, 4, n), rng.integers(0, 4, n)
    file = tmp_path_factory.mktemp("saved") / f"faces.{kind}"
    if kind == "npz":
        np.savez(file, embeddings=embeddings, labels=labels, photos=photos)
    else:
        columns = {"embedding": list(embeddings), "label": labels, "photo": photos.astype(str)}
        pq.write_table(pa.table(columns), file)
    saved = read_embedding_file(file, None, RADIUS)
    expected_norm = RADIUS if norm == 1 else norm
    assert saved.radius == pytest.approx(expected_norm, rel=1e-5) and saved.norm == pytest.approx(norm, rel=1e-5)
    assert np.allclose(saved.faces.embeddings, embeddings * (expected_norm / norm), atol=1e-5)
    assert label_saved_faces(saved, None).persons.tolist() == labels.astype(str).tolist()
    assert saved.faces.photo_ids.tolist() == photos.astype(str).tolist()
    assert np.allclose(np.linalg.norm(read_embedding_file(file, 7.0, RADIUS).faces.embeddings, axis=1), 7, atol=1e-4)


def test_scores_of_a_file_match_the_definitions(tmp_path: Path) -> None:
    """Two distant points with three faces each; every number is computed by hand."""
    points = np.repeat([[1.0, 0, 0], [0, 1.0, 0]], 3, axis=0)
    labels = np.array(["a", "a", "b", "b", "b", "b"])
    np.savez(tmp_path / "x.npz", embeddings=points, labels=labels)
    found = label_saved_faces(read_embedding_file(tmp_path / "x.npz", None, RADIUS), None)
    (cut,) = score_groupings(found, ["average"], [1.1])
    assert cut.bcubed == bcubed([0, 0, 0, 1, 1, 1], labels) and cut.pairwise == pairwise([0, 0, 0, 1, 1, 1], labels)
    assert (cut.groups, cut.singletons, cut.conflicts) == (2, 0, None) and count_conflicts([0, 0], ["p", "p"]) == 1


def test_folder_cache_is_read_with_the_truth_of_a_table(
    library: Library, name_of_face: Callable[[Library], dict[str, str]], tmp_path: Path
) -> None:
    cache = library.root / "together/.faceclust.mobilefacenet.parquet"
    copied = tmp_path / "cache.parquet"
    copied.write_bytes(cache.read_bytes())
    table = tmp_path / "who.csv"
    table.write_text("face_id,person\n" + "".join(f"{face},{name}\n" for face, name in name_of_face(library).items()))
    saved = read_embedding_file(copied, None, 1.0)
    assert saved.radius == pytest.approx(library.pack.embedder.radius)
    assert sorted(label_saved_faces(saved, table).persons.tolist()) == sorted([COLLINS, HOPPER] * 2)
    with pytest.raises(UsageError, match="holds no labels"):
        label_saved_faces(saved, None)
    with pytest.raises(UsageError, match="by face id"):
        label_saved_faces(saved, "folders")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones(3)}, "missing array: embeddings"),
        ({"embeddings": np.ones(3)}, "expected numbers"),
        ({"embeddings": np.ones((0, 3))}, "expected numbers"),
        ({"embeddings": np.array([["a", "b"]])}, "expected numbers"),
        ({"embeddings": np.ones((3, 2)), "labels": np.ones(2)}, "labels: expected shape"),
        ({"embeddings": np.ones((3, 2)), "photos": np.ones((3, 1))}, "photos: expected shape"),
        ({"embeddings": np.array([[1, 2], [0, 0]])}, "row 1 is not an embedding"),
        ({"embeddings": np.array([[np.nan, 1.0]])}, "row 0 is not an embedding"),
        ({"embeddings": np.array([[{}, 1]], dtype=object)}, "cannot be read"),
    ],
)
def test_invalid_arrays_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(UsageError, match=message):
        read_embedding_file(tmp_path / "x.npz", None, RADIUS)


def test_corrupted_and_foreign_files_are_refused(tmp_path: Path) -> None:
    for name, content in (("a.npz", b"no"), ("a.npz", b""), ("b.parquet", b"no"), ("b.parquet", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match="cannot be read"):
            read_embedding_file(tmp_path / name, None, RADIUS)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, embeddings=np.ones((50, 4)))
    for end in range(0, len(buffer.getvalue()), 17):
        (tmp_path / "cut.npz").write_bytes(buffer.getvalue()[:end])
        with pytest.raises(UsageError):
            read_embedding_file(tmp_path / "cut.npz", None, RADIUS)
    for table, message in (
        (pa.table({"x": [1]}), "missing column: embedding"),
        (pa.table({"embedding": [1.0]}), "not lists of numbers"),
        (pa.table({"embedding": [[1.0], [1.0, 2.0]]}), "differ in dimension"),
        (pa.table({"embedding": [["a"]]}), "expected numbers"),
        (pa.table({"embedding": pa.array([None], pa.list_(pa.float32()))}), "expected numbers"),
    ):
        pq.write_table(table, tmp_path / "c.parquet")
        with pytest.raises(UsageError, match=message):
            read_embedding_file(tmp_path / "c.parquet", None, RADIUS)
    for file in (tmp_path / "none.npz", tmp_path / "faces.txt"):
        with pytest.raises(UsageError):
            read_embedding_file(file, None, RADIUS)


def test_hdbscan_does_not_depend_on_the_sweep(labelled_faces: LabelledFaces) -> None:
    poor = np.where(np.arange(300) % 3 == 0, 0.0, 1.0).astype(np.float32)
    faces = LabelledFaces(dataclasses.replace(labelled_faces.faces, quality=poor), labelled_faces.persons)
    (low,), (high,) = (list(score_groupings(faces, ["hdbscan"], [first, 1.9])) for first in (0.1, 1.7))
    assert low == high


def test_missing_labels_and_photos_stay_unknown(tmp_path: Path) -> None:
    embeddings = np.eye(4)
    np.savez(tmp_path / "x.npz", embeddings=embeddings, labels=np.array([1.0, 1.0, np.nan, 2.0]))
    found = label_saved_faces(read_embedding_file(tmp_path / "x.npz", None, RADIUS), None)
    assert found.persons.tolist() == ["1.0", "1.0", "", "2.0"]
    (cut,) = score_groupings(found, ["average"], [1.1])
    assert cut.conflicts is None
    np.savez(tmp_path / "x.npz", embeddings=embeddings, labels=np.arange(4), face_ids=list("abca"))
    with pytest.raises(UsageError, match="1 rows repeat a face id; the first is 'a'"):
        read_embedding_file(tmp_path / "x.npz", None, RADIUS)
    np.savez(tmp_path / "x.npz", embeddings=embeddings * 1e200)
    with warnings.catch_warnings(action="error"), pytest.raises(UsageError, match="row 0 is not an embedding"):
        read_embedding_file(tmp_path / "x.npz", None, RADIUS)


def test_quality_column_is_read(tmp_path: Path) -> None:
    table = {"embedding": list(np.eye(3)), "label": list("abc"), "quality": [0.25, 0.5, 1.0]}
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    assert read_embedding_file(tmp_path / "x.parquet", None, RADIUS).faces.quality.tolist() == [0.25, 0.5, 1.0]
