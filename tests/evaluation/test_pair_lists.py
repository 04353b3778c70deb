"""Lists of pairs and `.bin` files: read correctly, or refused with one line."""

from __future__ import annotations

import os
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.errors import UsageError
from faceclust.evaluation.pair_lists import holds_pictures, read_pair_list, read_picture_pairs
from faceclust.evaluation.safe_pickle import UnsafePickleError, read_pickle

PICTURES = [b"\xff\xd8one", b"\x89PNGtwo", b"\xff\xd8one", b"three\n'\\"]
PAIRS = (PICTURES, [False, True])


def test_pairs_are_read_and_bad_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("2\t1\nAnna\t1\t2\nAnna\t1\tBen\t4\nCarl\t3\t1\nBen\t1\tCarl\t2\n\n", encoding="utf-8-sig")
    pairs = read_pair_list(path)
    assert pairs.left == (("Anna", 1), ("Anna", 1), ("Carl", 3), ("Ben", 1))
    assert pairs.right == (("Anna", 2), ("Ben", 4), ("Carl", 1), ("Carl", 2))
    assert pairs.same.tolist() == [True, False, True, False] and pairs.folds.tolist() == [0, 0, 1, 1]
    for text, words in (
        ("", ":1"),
        ("1 2 3\n", ":1"),
        ("0\t300\n", ":1"),
        ("-1\t-1\nAnna\t1\t2\nAnna\t1\tBen\t4\n", ":1"),
        ("2\t1\nAnna\t1\n", ":2"),
        ("2\t1\nAnna\tx\t2\n", ":2"),
        ("2\t1\nAnna\t1\t" + "9" * 5000 + "\n", ":2"),
        ("2\t1\nAnna\t1\t2\n\nAnna\t1\t2\n", ":3"),
        ("2\t1\nAnna\t1\t2\n", "announces 4"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=words) as failure:
            read_pair_list(path)
        assert len(str(failure.value)) < 400


def test_single_number_means_one_fold(tmp_path: Path) -> None:
    path = tmp_path / "pairsDevTest.txt"
    path.write_text("2\nAnna\t1\t2\nBen\t1\t2\nAnna\t1\tBen\t4\nAnna 2 Ben 4\n")
    pairs = read_pair_list(path)
    assert pairs.folds.tolist() == [0] * 4 and pairs.same.tolist() == [True, True, False, False]
    assert pairs.right[3] == ("Ben", 4)


def test_binary_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"\xff\xd8\xff\xe0")
    for name in ("photo", "nothing", "."):
        with pytest.raises(UsageError) as failure:
            read_pair_list(tmp_path / name)
        assert failure.value.hint


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("sequence", [list, np.array, lambda same: [np.bool_(value) for value in same]])
def test_bin_files_of_every_pickle_protocol(tmp_path: Path, protocol: int, sequence: Callable[[Any], Any]) -> None:
    path = tmp_path / "agedb_30.bin"
    path.write_bytes(pickle.dumps((PICTURES, sequence(PAIRS[1])), protocol))
    pairs = read_picture_pairs(path)
    assert pairs.pictures == (PICTURES[0], PICTURES[1], PICTURES[3])  # each once
    assert pairs.left.tolist() == [0, 0] and pairs.right.tolist() == [1, 2]
    assert pairs.same.tolist() == [False, True] and pairs.same.dtype == np.bool_


@pytest.mark.parametrize("protocol", range(6))
def test_pictures_may_be_arrays_of_bytes(tmp_path: Path, protocol: int) -> None:
    """cv2.imencode returns such arrays."""
    path = tmp_path / "x.bin"
    path.write_bytes(pickle.dumps([[np.frombuffer(p, np.uint8) for p in PICTURES], [1, 0]], protocol))
    assert read_picture_pairs(path).pictures == (PICTURES[0], PICTURES[1], PICTURES[3])


def test_python_2_strings_are_bytes(tmp_path: Path) -> None:
    """The opcodes of `pickle.dumps((["\\xff\\xd8", "b" * 300], [True]), 2)` in Python 2.7."""
    short, long = b"U\x02\xff\xd8q\x02", b"T" + struct.pack("<i", 300) + b"b" * 300 + b"q\x03"
    data = b"\x80\x02]q\x01(" + short + long + b"e]q\x04\x88a\x86q\x05."
    assert pickle.loads(data, encoding="bytes") == ([b"\xff\xd8", b"b" * 300], [True])
    path = tmp_path / "old.bin"
    path.write_bytes(data)
    assert read_picture_pairs(path).pictures == (b"\xff\xd8", b"b" * 300)


def test_folds_are_consecutive_tenths(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(pickle.dumps(([str(i).encode() for i in range(46)], [True] * 23)))
    folds = read_picture_pairs(path).folds.tolist()
    assert [folds.count(fold) for fold in range(10)] == [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]  # the same as KFold's
    assert folds == sorted(folds)


def test_bin_file_is_recognised_by_suffix_or_first_byte(tmp_path: Path) -> None:
    (tmp_path / "pairs").write_bytes(pickle.dumps(PAIRS))
    (tmp_path / "pairs.txt").write_text("10\t300\n")
    assert holds_pictures(tmp_path / "pairs") and holds_pictures(Path("x.BIN"))
    assert not holds_pictures(tmp_path / "pairs.txt")
    with pytest.raises(UsageError, match="cannot be read"):
        holds_pictures(tmp_path / "nothing.txt")


class Runs:
    """Unpickled by Python, this would run a command."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch ran",)


def instructions(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


def recall_and_decode(calls: int, data: bytes, call: bytes) -> bytes:
    """Return a pickle that recalls the same bytes many times and decodes them each time."""
    dtype = b"\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02b1\x85R\x94"  # memo 0
    memoised = b"B" + struct.pack("<I", len(data)) + data + b"\x94"  # memo 1
    return instructions(dtype, memoised, b"](", calls * call, b"e")


RECALLED = b"\x8c\x12numpy.core.numeric\x8c\x0b_frombuffer\x93h\x01h\x00\x86R"


HOSTILE = {
    "a command": pickle.dumps(([Runs()], [True])),
    "a command, in text": b"cos\nsystem\n(S'touch ran'\ntR.",
    "an old instance": b"(S'touch ran'\nios\nsystem\n.",
    "an object": b"(cos\nsystem\nS'touch ran'\no.",
    "builtins": instructions(b"\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R"),
    "a name of numpy": instructions(b"\x8c\x05numpy\x8c\x04load\x93\x8c\x011\x85R"),
    "a name with dots": instructions(b"\x8c\x16numpy.core.multiarray.\x8c\x0c_reconstruct\x93"),
    "a name that is bytes": instructions(b"C\x02osC\x06system\x93"),
    "another object's bytes": b"\x80\x02(U\x01a.",
    "a persistent id": b"\x80\x04\x8c\x01aQ.",
    "an extension": b"\x80\x02\x82\x01.",
    "a dictionary": pickle.dumps({"a": 1}),
    "a dictionary in the list": pickle.dumps(([{}], [True])),
    "text": pickle.dumps((["one", "two"], [True])),
    "a float": pickle.dumps(([b"1", b"2"], [1.0])),
    "a number of its own": pickle.dumps(([b"1", b"2"], [2])),
    "none": pickle.dumps(([b"1", b"2"], [None])),
    "an array of numbers": pickle.dumps(([b"1", b"2"], np.array([1.0]))),
    "an array of objects": pickle.dumps(([b"1", b"2"], np.array([Runs()], dtype=object))),
    "a list in itself": instructions(b"]\x94h\x00a]\x86"),
    "too few pictures": pickle.dumps(([b"1"], [True])),
    "no pairs": pickle.dumps(([], [])),
    "three lists": pickle.dumps(([], [], [])),
    "no list": pickle.dumps(3),
    "nothing": b"",
    "no pickle": b"\xff\xd8\xff\xe0 a photo",
    "a large place in the memo": instructions(b"]r\xff\xff\xff\x7f"),
    "a missing place in the memo": instructions(b"j\xff\xff\xff\x7f"),
    "bytes of 4 GB": instructions(b"B\xff\xff\xff\xff1234"),
    "bytes of 8 EB": instructions(b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f1234"),
    "bytes of more": instructions(b"\x8e" + b"\xff" * 8 + b"1234"),
    "bytes of a negative length": b"\x80\x02T\xff\xff\xff\xff1234.",
    "a frame of 8 EB": instructions(b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f]"),
    "a number of 2 GB": instructions(b"\x8b\xff\xff\xff\x7f1"),
    "digits without end": b"I" + b"9" * 100_000 + b"\n.",
    "marks": b"\x80\x04" + b"(" * 100_000 + b"e.",
    "nothing on the stack": b"\x80\x04aaa.",
    "two values": b"\x80\x04]].",
    "a state of a list": instructions(b"]\x88b"),
    "a call of a list": instructions(b"]]R"),
    "lists in lists, as a name": b"\x80\x04" + b"]" * 5000 + b"a" * 4999 + b"\x8c\x01x\x93.",
    "tuples of pairs of tuples, as a name": instructions(
        b"]", b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(40)), b"\x8c\x01x\x93"
    ),
    "booleans decoded many times": recall_and_decode(300, b"\x01" * 100_000, RECALLED),
    "a long scalar": instructions(
        b"\x8c\x16numpy.core.multiarray\x8c\x06scalar\x93\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02b1\x85RC\x02\x01\x01\x86R"
    ).replace(b"\x16numpy", b"\x15numpy"),
    "text encoded many times": b"\x80\x02X"
    + struct.pack("<I", 100_000)
    + b"a" * 100_000
    + b"q\x00]("
    + 500 * b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    + b"e.",
    "an array without a state": instructions(b"\x8c\x15numpy.core.multiarray\x8c\x0c_reconstruct\x93)R\x85]\x86"),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.bin"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match="is not a file of pairs") as failure:
            read_picture_pairs(path)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
    assert "\n" not in str(failure.value) and len(str(failure.value)) < 400
    assert [file.name for file in tmp_path.iterdir()] == ["hostile.bin"]


@pytest.mark.parametrize(
    "data",
    [
        instructions(b"]c_codecs\nencode\na"),
        instructions(b"](c_codecs\nencode\nNta"),
        instructions(b"]\x8c\x05numpy\x8c\x07ndarray\x93)R\x85\x85a"),
    ],
)
def test_a_stand_in_never_leaves_the_reader(data: bytes) -> None:
    with pytest.raises(UnsafePickleError, match="function or an unfinished array"):
        read_pickle(data)


def test_forbidden_global_is_named() -> None:
    for name, global_name in (
        ("a command", "posix.system" if os.name == "posix" else "nt.system"),
        ("builtins", "builtins.eval"),
    ):
        with pytest.raises(UnsafePickleError, match=f"it names {global_name}, which is not allowed"):
            read_pickle(HOSTILE[name])


def test_memo_bomb_takes_no_memory(tmp_path: Path) -> None:
    """Ten levels of lists, each of ten times the one before: 10,000,000,000 values if expanded."""
    value: list[Any] = [b"1"]
    for _ in range(10):
        value = [value] * 10
    path = tmp_path / "bomb.bin"
    path.write_bytes(pickle.dumps((value, [True] * 5)))
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match="a picture is not bytes"):
            read_picture_pairs(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@given(st.integers(0, 200), st.binary(max_size=6))
def test_corrupted_files_raise_only_unsafe_pickle_error(position: int, replacement: bytes) -> None:
    content = pickle.dumps((PICTURES, np.array([True, False])), 4)
    for data in (content[:position], content[:position] + replacement + content[position + len(replacement) :]):
        try:
            read_pickle(data)
        except UnsafePickleError as error:
            assert "\n" not in str(error)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_raise_only_unsafe_pickle_error(data: bytes) -> None:
    try:
        read_pickle(data)
    except UnsafePickleError as error:
        assert "\n" not in str(error)


@given(
    st.recursive(
        st.binary(min_size=1, max_size=9) | st.booleans() | st.integers(0, 9),
        lambda values: st.lists(values, max_size=4),
    )
)
def test_result_equals_that_of_python(value: Any) -> None:
    for protocol in range(6):
        assert read_pickle(pickle.dumps((value,), protocol)) == (value,)
