"""InsightFace's RecordIO: what is read of it, and how hostile files are refused."""

from __future__ import annotations

import gc
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from faceclust.errors import UsageError
from faceclust.files.user_folders import cache_folder
from faceclust.progress import SilentProgress
from faceclust.training.data import record_chips
from faceclust.training.data.record_chips import RecordChips, read_records, resize_aligned
from faceclust.training.data.recordio import RecordFile, check_property, select_indexed
from faceclust.training.data.sources import list_bin_files, load_training_data
from tests.support.photo_files import encode_image
from tests.support.recordio_files import MAGIC, encode_face, encode_part, encode_record, write_records

BLUE = encode_image(Image.new("RGB", (112, 112), "blue"), "PNG")
HEADER = struct.pack("<IfQQ", 0, 3, 1, 0)


def make_picture(person: int, number: int = 0, format: str = "PNG") -> bytes:
    colour = (person % 256, person // 256, 100 * number)
    return encode_image(Image.new("RGB", (112, 112), colour), format)


def write(folder: Path, *records: bytes) -> RecordFile:
    (folder / "train.rec").write_bytes(b"".join(records))
    return RecordFile(folder / "train.rec")


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**24 - 1),
            st.lists(st.one_of(st.just(MAGIC), st.binary(max_size=9)), min_size=1, max_size=5).map(b"".join),
        ),
        max_size=6,
    )
)
def test_records_of_any_content_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, faces: list[tuple[int, bytes]]
) -> None:
    file = write(tmp_path_factory.mktemp("records"), *(encode_face(*face) for face in faces))
    table = file.list_records()
    assert table.labels.tolist() == [label if picture else -1 for label, picture in faces]
    assert [file.read_picture(int(offset)) for offset in table.offsets] == [picture for _, picture in faces]


def test_label_arrays_and_records_without_a_picture(tmp_path: Path) -> None:
    file = write(tmp_path, encode_face((5, 9), b""), encode_face((7, 1), b"ab"), encode_face(float("nan"), b""))
    table = file.list_records()
    assert table.labels.tolist() == [-1, 7, -1] and table.numbers.tolist() == [0, 1, 2]
    assert file.read_picture(int(table.offsets[1])) == b"ab"


ONE = encode_face(3, b"face")
#: Damage of `train.rec` after a valid record of 40 bytes → part of the message.
DAMAGED = {
    "rubbish": (b"x" * 40, "record 1 is damaged: no part of a record starts at byte 40"),
    "one byte": (b"x", "record 1 is damaged: no part"),
    "truncated": (ONE[:-1], "record 1 is cut off: it ends at byte 76, the file at 75"),
    "length beyond the file": (MAGIC + struct.pack("<I", 400), "record 1 is cut off"),
    "huge length": (MAGIC + struct.pack("<I", (1 << 29) - 1), "record 1 has more than 16,777,216 bytes"),
    "no header": (encode_part(0, b"short"), "record 1 is damaged: 5 bytes are less than a header"),
    "empty": (encode_part(0, b""), "0 bytes are less than a header"),
    "continued by the next record": (encode_part(1, HEADER) + ONE, "a part of kind 0 at byte 72"),
    "begins in the middle": (encode_part(2, HEADER + b"x"), "a part of kind 2 at byte 40"),
    "begins at its end": (encode_part(3, HEADER + b"x"), "a part of kind 3"),
    "unknown kind": (encode_part(7, HEADER + b"x"), "a part of kind 7"),
    "never ends": (encode_part(1, HEADER) + encode_part(2, b""), "no part of a record starts at byte"),
    "labels beyond its end": (
        encode_record(struct.pack("<IfQQ", 2**31, 0, 0, 0) + b"x" * 8),
        "fewer than the 2,147,483,648 labels",
    ),
    "NaN": (encode_face(float("nan"), b"x"), "record 1 has the label nan, not a whole number from 0"),
    "infinite": (encode_face(float("inf"), b"x"), "label inf"),
    "negative": (encode_face(-1, b"x"), "label -1"),
    "fraction": (encode_face(0.5, b"x"), "label 0.5"),
    "no exact float": (encode_face(2.0**24, b"x"), "label 1.67772e+07"),
    "NaN in an array": (encode_face((float("nan"), 1), b"x"), "label nan"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_records_are_named(name: str, tmp_path: Path) -> None:
    damage, message = DAMAGED[name]
    file = write(tmp_path, encode_face(3, b"face    "), damage)
    with pytest.raises(UsageError) as raised:
        file.list_records()
    assert message in str(raised.value) and str(tmp_path / "train.rec") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_read_and_too_many_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        RecordFile(tmp_path / "train.rec")
    assert len(write(tmp_path).list_records().labels) == 0
    monkeypatch.setattr("faceclust.training.data.recordio._MAX_RECORDS", 2)
    with pytest.raises(UsageError, match="more than 2 records"):
        write(tmp_path, *[ONE] * 3).list_records()


#: Content of `train.idx` → part of the message.
BAD_INDEXES = {
    "": "it is empty",
    "0\t0\n1\t41\n": "train.idx:2: no record of train.rec starts at byte 41",
    "0\t0\n1\t-4\n": "no record of train.rec starts at byte -4",
    "0\t0\n1\t4000000000000\n": "no record of train.rec starts",
    "0\t36\n1\t36\n": "lists the record at byte 36 2 times",
    "0\t0\n1\n": "is not an index",
    "0\t0\t0\n": "3 columns, expected two",
    "0\t1e400\n": "is not an index",
    "0\t99999999999999999999\n": "is not an index",
    "\xff\t0\n": "is not an index",
    "0\t0\n" * 99: "cannot be read: it is larger than 192 bytes",
}


@pytest.mark.parametrize("content", BAD_INDEXES)
def test_an_index_that_does_not_fit_is_refused(content: str, tmp_path: Path) -> None:
    table = write(tmp_path, ONE, ONE).list_records()
    (tmp_path / "train.idx").write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError) as raised:
        select_indexed(table, tmp_path / "train.idx")
    assert BAD_INDEXES[content] in str(raised.value) and "\n" not in str(raised.value)


def test_only_the_records_of_the_index_are_used(tmp_path: Path) -> None:
    table = write(tmp_path, *(encode_face(label, b"face") for label in (4, 5, 6))).list_records()
    assert select_indexed(table, tmp_path / "train.idx") is table
    (tmp_path / "train.idx").write_text(f"8\t{table.offsets[2]}\n3\t0\n")
    assert select_indexed(table, tmp_path / "train.idx").labels.tolist() == [4, 6]


@pytest.mark.parametrize(
    "content", ["", "3", "3,112", "3,112,112,1", "-3,112,112", "0,112,112", "x,112,112", "3,1e9,2"]
)
def test_an_invalid_property_file_is_refused(content: str, tmp_path: Path) -> None:
    table = write(tmp_path, ONE).list_records()
    check_property(table, tmp_path / "property")
    (tmp_path / "property").write_text(content)
    with pytest.raises(UsageError, match="must hold three numbers"):
        check_property(table, tmp_path / "property")


def test_a_label_beyond_the_announced_people_is_refused(tmp_path: Path) -> None:
    table = write(tmp_path, ONE).list_records()
    (tmp_path / "property").write_text("4,112,112\n")
    check_property(table, tmp_path / "property")
    (tmp_path / "property").write_text("4\x1c,112, 112\n")  # int() fails at this space
    check_property(table, tmp_path / "property")
    (tmp_path / "property").write_text("3,112,112")
    with pytest.raises(UsageError, match=r"announces 3 people, but record 0 of train\.rec has the label 3"):
        check_property(table, tmp_path / "property")


def make_faces(people: int = 60, each: int = 2) -> list[tuple[int, bytes]]:
    return [(person, make_picture(person, number)) for person in range(people) for number in range(each)]


@pytest.mark.parametrize("index", [True, False])
def test_records_become_training_data(tmp_path: Path, index: bool) -> None:
    faces = make_faces()
    data = load_training_data(write_records(tmp_path, faces, index=index), (112, 112))
    assert (data.origin, data.skipped) == ("recordio", {})
    assert len(data.train) + len(data.held_out) == 120 and len(data.held_out.people) == 40
    assert not set(data.train.people) & set(data.held_out.people)
    for part in (data.train, data.held_out):
        chips = part.read(np.arange(len(part)))
        shown = chips[:, 5, 5, 0].tolist()
        assert [int(part.people[label]) for label in part.labels] == shown  # the red of a person's pictures
        assert sorted(part.people) == list(part.people)
    first = int(data.train.sources[0].removeprefix("record "))
    assert faces[first - 1][0] == int(data.train.people[0])
    assert data.pictures.aligned
    assert [
        dict(zip([p for _, p in faces], [str(n) for n, _ in faces], strict=True))[picture]
        for picture in data.pictures.pictures
        if isinstance(picture, bytes)
    ] == data.pictures.persons.tolist()
    assert [data.held_out.people[label] for label in data.held_out.labels] == data.pictures.persons.tolist()


def test_a_damaged_picture_costs_only_itself(tmp_path: Path) -> None:
    bomb = encode_image(Image.new("1", (3000, 3000)), "PNG")
    faces = [*make_faces(), (0, b"no picture"), (1, make_picture(9, 9, "JPEG")[:300]), (2, bomb)]
    data = load_training_data(write_records(tmp_path, faces), (112, 112))
    assert data.skipped == {"damaged picture": 3} and len(data.train) + len(data.held_out) == 120


def test_the_digest_depends_on_people_and_pictures_only(tmp_path: Path) -> None:
    faces = make_faces()
    digests = {
        name: load_training_data(write_records(tmp_path / name, changed, people=99), (112, 112)).digest
        for name, changed in {
            "a": faces,
            "reversed": faces[::-1],
            "relabelled": [(person or 1, picture) for person, picture in faces],
            "fewer": faces[:-1],
        }.items()
    }
    assert digests["a"] == digests["reversed"] and len(set(digests.values())) == 3


def test_a_second_run_does_not_read_the_records_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_records(tmp_path, [*make_faces(), (3, b"damaged")])
    first = load_training_data(folder, (112, 112))
    with monkeypatch.context() as patched:
        patched.setattr(RecordFile, "list_records", lambda *_: pytest.fail("read again"))
        again = load_training_data(folder, (64, 64))
    assert again.digest == first.digest and again.skipped == first.skipped
    assert again.train.read(np.arange(3)).shape == (3, 64, 64, 3)
    (cached,) = cache_folder().glob("training/records-*.npz")
    cached.write_bytes(cached.read_bytes()[:-50])
    assert load_training_data(folder, (112, 112)).digest == first.digest
    write_records(tmp_path, make_faces(61))
    assert load_training_data(folder, (112, 112)).digest != first.digest


def test_a_file_changed_during_training_is_one_clear_error(tmp_path: Path) -> None:
    records = read_records(write_records(tmp_path, make_faces(2)), SilentProgress())
    chips = RecordChips(records.file, records.table.offsets, (112, 112))
    content = bytearray((tmp_path / "train.rec").read_bytes())
    at = content.index(b"PNG")
    with (tmp_path / "train.rec").open("r+b") as stream:
        stream.seek(at)
        stream.write(b"JPG")
    with pytest.raises(UsageError, match=r"train\.rec was changed"):
        chips.read(np.arange(4))


@pytest.mark.parametrize("size", [(96, 112), (64, 64), (160, 160), (48, 56), (120, 112)])
def test_chips_of_another_size_are_scaled_by_the_height_and_centred(size: tuple[int, int]) -> None:
    ramp = np.broadcast_to(np.arange(112, dtype=np.uint8)[None, :, None] * 2, (112, 112, 3)).copy()
    chip = resize_aligned(ramp, size)
    assert chip.shape == (size[1], size[0], 3)
    columns = (np.arange(size[0]) + 0.5 - size[0] / 2) * 112 / size[1] + 56 - 0.5
    inside = (columns > 2) & (columns < 109)
    np.testing.assert_allclose(chip[size[1] // 2, inside, 0], 2 * columns[inside], atol=3)
    assert not chip[:, columns < -2].any()
    assert resize_aligned(ramp, (112, 112)) is ramp


def test_bin_files_are_listed(tmp_path: Path) -> None:
    for name in ("lfw.bin", "agedb_30.bin", "train.rec"):
        (tmp_path / name).touch()
    (tmp_path / "folder.bin").mkdir()
    assert [path.name for path in list_bin_files(tmp_path)] == ["agedb_30.bin", "lfw.bin"]


def test_millions_of_records_need_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = encode_image(Image.new("L", (4, 4)), "PNG")
    folder = write_records(tmp_path, [(number // 40, picture + number.to_bytes(4)) for number in range(5000)])
    monkeypatch.setattr(record_chips, "_find_damaged", lambda _, offsets, __: np.zeros(len(offsets), np.bool_))
    tracemalloc.start()
    try:
        data = load_training_data(folder, (16, 16))
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(data.train) + len(data.held_out) == 5000
    assert kept - sum(len(each) + 50 for each in data.pictures.pictures if isinstance(each, bytes)) < 100 * 5000
