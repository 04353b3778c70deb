"""Every row of a cache keeps the rules: whatever is written passes, and whatever breaks a rule is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.files.names import PRECISIONS
from faceclust.photos.face_ids import face_id
from faceclust.store.folder_cache import FolderCache, UnusableCacheError, read_any_cache
from faceclust.store.locations import CachePaths
from faceclust.store.row_rules import RULES, BrokenRuleError, check_rows
from faceclust.store.schema import CacheInfo, encode_parquet, folder_schema, photos_to_table
from faceclust.types import WHOLE_PHOTO, Metadata, PhotoRef, ScannedPhoto, SkippedPhoto, SkipReason

RADIUS, DIMENSION = 3.0, 8
Row = dict[str, Any]
Rows = list[Row]


def make_info(precision: str = "float16") -> CacheInfo:
    return CacheInfo("test", "test-fingerprint", DIMENSION, RADIUS, precision)


def make_photo(name: str, faces: int, seed: int, **changes: Any) -> ScannedPhoto:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(faces, DIMENSION))
    corners = rng.uniform(0, 0.4, (faces, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.1, 0.6, (faces, 2))], axis=1).astype(np.float32)
    content = f"{seed:032x}"
    photo = ScannedPhoto(
        ref=PhotoRef(f"sub/{name}", seed, seed),
        content_hash=content,
        full_size=(4000, 3000),
        metadata=Metadata(datetime(2020, 2, 29), "Canon", 6, -33.5, 70.25, "exif"),
        face_ids=tuple(face_id(content, box) for box in boxes),
        boxes=boxes,
        landmarks=rng.uniform(-1, 2, (faces, 5, 2)).astype(np.float32),
        scores=rng.random(faces).astype(np.float32),
        quality=rng.random(faces).astype(np.float32),
        embeddings=(vectors * RADIUS / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
        min_face=20,
    )
    return replace(photo, **changes)


def make_rows(precision: str = "float16") -> Rows:
    """Rows 0 and 1: a photo with two faces; 2: without faces; 3: skipped; 4: a copy with one face; 5: its original;
    6: a person without a visible face."""
    person = make_photo("f.jpg", 1, 6, boxes=np.array([WHOLE_PHOTO], np.float32))
    drawn = frozenset(person.face_ids)
    copied = make_photo("e.jpg", 1, 4)
    photos: list[ScannedPhoto | SkippedPhoto] = [
        make_photo("a.jpg", 2, 1),
        make_photo("b.jpg", 0, 2),
        SkippedPhoto(PhotoRef("sub/c.jpg", 1, 1), SkipReason.EMPTY, "no bytes"),
        replace(copied, ref=PhotoRef("sub/d.jpg", 4, 9)),
        copied,
        replace(person, by_hand=drawn, uncompared=drawn),
    ]
    rows: Rows = photos_to_table(photos, make_info(precision)).to_pylist()
    return rows


def make_table(rows: Rows, precision: str = "float16") -> pa.Table:
    schema = folder_schema(make_info(precision))
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=pa.schema([field.with_nullable(True) for field in schema]))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_faceclust_writes_keeps_every_rule(tmp_path: Path, precision: str) -> None:
    rows = make_rows(precision)
    check_rows(make_table(rows, precision), RADIUS)
    check_rows(make_table([], precision), RADIUS)
    cache = FolderCache(CachePaths(tmp_path / "x.parquet", (), tmp_path / "aside"), make_info(precision))
    photos = [make_photo(f"{seed}.jpg", seed % 3, seed) for seed in range(20)]
    cache.update([], {photo.ref: photo for photo in photos})
    cache.forget_faces(photos[1].face_ids)
    read_any_cache(tmp_path / "x.parquet")
    cache.remove_photos([photo.ref.name for photo in photos])  # an empty file
    assert len(read_any_cache(tmp_path / "x.parquet")[1]) == 0


def change(row: int, **values: Any) -> Callable[[Rows], object]:
    return lambda rows: rows[row].update(values)


def change_photo(*numbers: int, **values: Any) -> Callable[[Rows], object]:
    return lambda rows: [rows[number].update(values) for number in numbers]


def swap(rows: Rows) -> None:
    rows[2], rows[3] = rows[3], rows[2]


NAN, INF = float("nan"), float("inf")
BROKEN: list[tuple[str, Callable[[Rows], object]]] = [
    *(("missing", change(0, **{name: None})) for name in ("photo", "photo_size", "photo_mtime_ns", "status")),
    *(("missing", change(2, **{name: None})) for name in ("photo_hash", "width", "height")),
    *(("status", change(3, status=status)) for status in ("", "no such reason", "OK", "\x1b]0;x\x07")),
    ("skipped", change(2, status="empty file")),
    *(("skipped", change(3, **values)) for values in ({"photo_hash": "0" * 32}, {"width": 3}, {"min_face": 3})),
    *(("name", change(3, photo=name)) for name in ("", ".", "..", "../c", "/etc/passwd", "a/b", "a\0b", "c" * 1021)),
    ("order", swap),
    ("order", lambda rows: rows.reverse()),
    ("order", lambda rows: rows.append(rows[0])),
    ("order", lambda rows: rows.insert(2, rows[2])),
    *(("order", change(1, face=number)) for number in (0, 2, -1, 32767)),
    *(("contradiction", change(1, **{name: 7})) for name in ("photo_size", "photo_mtime_ns", "width", "orientation")),
    *(("contradiction", change(1, **{name: None})) for name in ("taken_at_source", "camera", "latitude", "min_face")),
    ("contradiction", change(1, taken_at=None, taken_at_source=None)),
    ("contradiction", change(1, camera="Nikon")),
    *(("hash", change(2, photo_hash=text)) for text in ("", "z" * 32, "A" * 32, "0" * 31, "0" * 33, "é" * 16)),
    ("size", change(3, photo_size=-1)),
    *(("size", change(2, width=size)) for size in (0, -5, 2**31 - 1)),
    *(("orientation", change(2, orientation=number)) for number in (0, -1, 9, 127)),
    *(("date", change(2, taken_at=date)) for date in (datetime(1825, 12, 31), datetime(1, 1, 1))),
    *(("date", change(2, taken_at_source=source)) for source in ("", "EXIF", "guess")),
    ("date", change(2, taken_at=None)),  # but a source
    *(("place", change(2, latitude=value)) for value in (NAN, INF, -INF, 90.5, -1e300)),
    *(("place", change(2, longitude=value)) for value in (NAN, INF, 180.5)),
    ("min_face", change(2, min_face=-1)),
    ("text", change(2, camera="c" * 801)),
    ("text", change(3, detail="d" * 2001)),
    *(("incomplete", change(0, **{name: None})) for name in ("face_id", "left", "bottom", "score", "quality")),
    *(("incomplete", change(0, **{name: None})) for name in ("embedding", "landmarks")),
    ("incomplete", change(4, face=None)),
    ("incomplete", change(2, quality=0.5)),
    ("incomplete", change(2, embedding=[0.0] * DIMENSION)),
    ("incomplete", change(2, by_hand=False)),
    *(("incomplete", change(6, by_hand=value)) for value in (False, None)),
    ("incomplete", change(6, quality=0.5)),
    ("incomplete", change(6, landmarks=[0.5] * 10)),
    ("incomplete", change(0, by_hand=True, quality=None)),
    *(("frame", change_photo(0, 1, frame_time=time, frames_seen=3)) for time in (-1.0, NAN, INF, 1e7, None)),
    *(("frame", change_photo(0, 1, frame_time=2.0, frames_seen=number)) for number in (0, -1, 201, None)),
    ("frame", change(1, frame_time=2.0, frames_seen=3)),  # the other face of the photo has none
    ("frame", change(6, frame_time=2.0, frames_seen=3)),  # drawn by hand
    *(("id", change(0, face_id=text)) for text in ("", "../../../x", "/tmp/x", "Z" * 16, "A" * 16, "é" * 8, "0" * 15)),
    ("ambiguous", lambda rows: rows[1].update(face_id=rows[0]["face_id"])),
    ("ambiguous", change(5, photo_hash="f" * 32)),
    ("ambiguous", change(5, right=0.99)),
    ("ambiguous", change(5, frame_time=2.0, frames_seen=3)),
    ("ambiguous", lambda rows: rows[6].update(face_id=rows[0]["face_id"])),
    *(("box", change(0, left=value)) for value in (NAN, INF, -INF, -7.0, 0.999, -0.001)),
    *(("box", change(0, bottom=value)) for value in (NAN, INF, 1e20, 1.001, 0.0)),
    *(("score", change(0, score=value)) for value in (NAN, INF, -0.01, 1.01)),
    *(("quality", change(0, quality=value)) for value in (NAN, -INF, -5.0, 1e30)),
    *(("landmarks", change(0, landmarks=[0.0] * 9 + [value])) for value in (NAN, INF, None)),
    *(("embedding", change(1, embedding=[value] * DIMENSION)) for value in (NAN, INF, 0.0, 20.0, 1e-7, None)),
]


@pytest.mark.parametrize("number", range(len(BROKEN)), ids=[f"{rule}{i}" for i, (rule, _) in enumerate(BROKEN)])
def test_a_row_that_breaks_a_rule_is_refused_by_its_name(number: int) -> None:
    rule, break_rule = BROKEN[number]
    rows = make_rows()
    break_rule(rows)
    with pytest.raises(BrokenRuleError) as raised:
        check_rows(make_table(rows), RADIUS)
    assert raised.value.rule == rule and str(raised.value).startswith(RULES[rule][0])


@pytest.mark.parametrize(
    "allow",
    [
        change(0, by_hand=True),
        change(0, by_hand=None),  # an older row
        change(0, by_hand=True, quality=0.0, landmarks=None, embedding=None),
        change(0, by_hand=True, quality=None, landmarks=None, embedding=None),  # forgotten
        lambda rows: rows.append(rows[6] | {"photo": "g.jpg", "photo_hash": "e" * 32}),  # the photo was edited
    ],
)
def test_drawn_faces_keep_the_rules(allow: Callable[[Rows], object]) -> None:
    rows = make_rows()
    allow(rows)
    check_rows(make_table(rows), RADIUS)


def test_the_faces_of_a_video_have_frames() -> None:
    rows = make_rows()
    change_photo(0, 1, frame_time=2.5, frames_seen=3)(rows)
    check_rows(make_table(rows), RADIUS)


def test_every_rule_is_broken_by_an_example() -> None:
    assert {rule for rule, _ in BROKEN} == RULES.keys()


def test_a_date_after_9999_is_refused_although_python_cannot_represent_it() -> None:
    table = make_table(make_rows()[:3])
    for seconds in (253_402_300_800, 2**62, -(2**62)):
        dates = pa.array([seconds] * len(table)).cast(pa.timestamp("s"))
        index = table.schema.get_field_index("taken_at")
        with pytest.raises(BrokenRuleError, match="1826 to 9999"):
            check_rows(table.set_column(index, "taken_at", dates), RADIUS)


@pytest.mark.parametrize("values", [[0] * DIMENSION, [100] * DIMENSION, [-128, *[0] * (DIMENSION - 1)]])
def test_integers_have_a_peak(values: list[int]) -> None:
    rows = make_rows("int8")
    rows[0]["embedding"] = values
    with pytest.raises(BrokenRuleError, match="embedding"):
        check_rows(make_table(rows, "int8"), RADIUS)


names = st.text(
    st.characters(blacklist_characters="/\0" if Path("/").anchor == "/" else "/\\:\0", blacklist_categories=["Cs"]),
    min_size=1,
    max_size=255,
).filter(lambda name: name not in (".", ".."))
metadata = st.builds(
    Metadata,
    st.none() | st.datetimes(datetime(1826, 1, 1)).map(lambda date: date.replace(microsecond=0)),
    st.none() | st.text(max_size=300),
    st.none() | st.integers(1, 8),
    st.none() | st.floats(-90, 90),
    st.none() | st.floats(-180, 180),
)


@st.composite
def any_photo(draw: st.DrawFn, name: str) -> ScannedPhoto | SkippedPhoto:
    ref = PhotoRef(f"sub/{name}", draw(st.integers(0, 2**63 - 1)), draw(st.integers(-(2**63), 2**63 - 1)))
    if draw(st.booleans()):
        return SkippedPhoto(ref, draw(st.sampled_from(list(SkipReason))), draw(st.text(max_size=600)))
    photo = make_photo(name, draw(st.integers(0, 3)), draw(st.integers(0, 5)), ref=ref, metadata=draw(metadata))
    forgotten = frozenset(draw(st.sets(st.sampled_from(photo.face_ids)))) if photo.face_ids else frozenset()
    by_hand = frozenset(draw(st.sets(st.sampled_from(photo.face_ids)))) if photo.face_ids else frozenset()
    uncompared = frozenset(draw(st.sets(st.sampled_from(sorted(by_hand))))) if by_hand else frozenset()
    size = draw(st.tuples(st.integers(128, 15_000), st.integers(128, 15_000)))
    marks = {"forgotten": forgotten, "by_hand": by_hand, "uncompared": uncompared}
    return replace(photo, **marks, full_size=size, min_face=draw(st.none() | st.integers(10, 30_000)))


@st.composite
def any_folder(draw: st.DrawFn) -> list[ScannedPhoto | SkippedPhoto]:
    return [draw(any_photo(name)) for name in draw(st.lists(names, unique=True, max_size=5))]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(any_folder(), st.sampled_from(PRECISIONS))
def test_any_folder_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, photos: list[ScannedPhoto | SkippedPhoto], precision: str
) -> None:
    path = tmp_path_factory.mktemp("folder") / "x.parquet"
    cache = FolderCache(CachePaths(path, (), path.with_name("aside")), make_info(precision))
    cache.update([], {photo.ref: photo for photo in photos})
    if photos:
        found = read_any_cache(path)[1]
        assert set(found["photo"].to_pylist()) == {photo.ref.name for photo in photos}


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(sorted({*"\0/.", "é", "a"})), max_size=4).map("".join), st.integers(0, 5))
def test_a_name_is_refused_unless_it_stays_in_its_folder(name: str, row: int) -> None:
    rows = make_rows()
    rows[row]["photo"] = name
    try:
        check_rows(make_table(rows), RADIUS)
    except BrokenRuleError as error:
        assert error.rule in ("name", "order", "contradiction")
    else:
        assert name not in ("", ".", "..") and not {"/", "\0"} & set(name)


def test_a_file_that_breaks_a_rule_is_unusable_and_named(tmp_path: Path) -> None:
    rows = make_rows()
    rows[0]["photo"] = rows[1]["photo"] = "../a.jpg"
    path = tmp_path / "x.parquet"
    table = make_table(rows).replace_schema_metadata(folder_schema(make_info()).metadata)
    path.write_bytes(encode_parquet(table))
    with pytest.raises(UnusableCacheError, match=r"x\.parquet: the name of a photo is not a file name \(row 1\)"):
        read_any_cache(path)
    pq.write_table(table.slice(2), path)
    assert len(read_any_cache(path)[1]) == 5
