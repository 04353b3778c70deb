"""Files of embeddings that are damaged or hostile."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faceclust.errors import UsageError
from faceclust.evaluation import npz_files
from faceclust.evaluation.embedding_files import read_embedding_file

HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}"


def build_array(header: str = HEADER, content: bytes = np.ones((2, 3), np.float32).tobytes()) -> bytes:
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + content


def build_zip(array: bytes, method: int = zipfile.ZIP_STORED, **fields: int) -> bytes:
    """Return a zip of one array; `fields` change its directory entry."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("embeddings.npy", array)
        for name, value in fields.items():
            setattr(archive.infolist()[0], name, value)
    return out.getvalue()


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "faces.npz"
    path.write_bytes(build_zip(build_array()))
    assert read_embedding_file(path, None, 1.2).faces.embeddings.shape == (2, 3)


@pytest.mark.parametrize(
    "data",
    {
        "no zip": b"hello",
        "an array": build_array(),
        "a pickle": b"\x80\x04N.",
        "no array": build_zip(b"hello"),
        "an empty member": build_zip(b""),
        "an encrypted member": build_zip(build_array(), flag_bits=1),
        "an unknown compression": build_zip(build_array(), compress_type=99),
        "damaged LZMA": build_zip(build_array(), zipfile.ZIP_LZMA).replace(b"NUMPY", b"\xff" * 5)[:60] + bytes(200),
        "a header without an end": build_zip(build_array("(" * 9000)),
        "a header of operators": build_zip(build_array("-" * 9000 + "1")),
        "a type that is no type": build_zip(build_array(HEADER.replace("<f4", ",,,"))),
        "a negative size": build_zip(build_array(HEADER.replace("2, 3", "-1, 3"))),
        "a size beyond 64 bits": build_zip(build_array(HEADER.replace("2, 3", f"{10**30}, 3"))),
        "a size of terabytes": build_zip(build_array(HEADER.replace("2, 3", f"{10**12}, 3"))),
        "objects": build_zip(build_array(HEADER.replace("<f4", "|O"))),
        "code": build_zip(build_array("__import__('os').abort()")),
    }.items(),
    ids=lambda item: item[0],
)
def test_damaged_npz_files_raise_one_clear_error(tmp_path: Path, data: tuple[str, bytes]) -> None:
    path = tmp_path / "faces.npz"
    path.write_bytes(data[1])
    with pytest.raises(UsageError, match=r"cannot be read: .") as failure:
        read_embedding_file(path, None, 1.2)
    assert "\n" not in str(failure.value)


def test_an_npz_that_expands_beyond_the_limit_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz_files, "_MAX_SIZE", 100_000)
    array = build_array(HEADER.replace("2, 3", "10000, 3"), bytes(120_000))
    path = tmp_path / "faces.npz"
    path.write_bytes(build_zip(array, zipfile.ZIP_DEFLATED))
    with pytest.raises(UsageError, match="larger than 100,000 bytes"):
        read_embedding_file(path, None, 1.2)


def test_a_parquet_file_with_a_column_twice_raises_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "faces.parquet"
    column = pa.array([[1.0, 2.0]])
    pq.write_table(pa.Table.from_arrays([column, column], names=["embedding", "embedding"]), path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_embedding_file(path, None, 1.2)


def test_a_small_parquet_file_of_a_million_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faces.parquet"
    rows = pa.array([[1.0, 2.0]]).take(pa.array(np.zeros(1_000_000, np.int64)))
    pq.write_table(pa.table({"embedding": rows}), path, compression="zstd")
    assert path.stat().st_size < 200_000
    with pytest.raises(UsageError, match="declares 1,000,000 rows"):
        read_embedding_file(path, None, 1.2)
