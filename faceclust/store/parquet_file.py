"""Read a Parquet file that may be hostile, in memory and time proportional to its size.

A crafted file of a kilobyte can expand to gigabytes: a page of zeros, a dictionary with one long
text, a list that never ends. Everything that decides how much memory decoding takes is checked
before decoding: the size of the footer, the number of rows, and the header of every page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faceclust.errors import CacheError
from faceclust.files.own_files import UnsafeFileError, read_own

MAX_FILE_SIZE = 2**31
#: A megabyte describes 100 row groups of 24 columns, each of up to a million rows.
_MAX_FOOTER_SIZE = 2**20
_MAX_ROWS = 4_000_000
# A row takes 4 bytes at least: its photo's content hash or modification time does not compress.
_FREE_ROWS, _BYTES_PER_ROW = 10_000, 4
#: Arrow ends a page after a megabyte, with up to 1,024 more values.
_MAX_PAGE_SIZE = 2**24
# Pages expand less than 200 times even if every file name has 1,000 letters and a counter.
_FREE_EXPANSION, _MAX_EXPANSION = 2**26, 200
# In memory, a missing list takes as much as a list: a photo without faces as much as an embedding.
_FREE_LISTS_SIZE, _MAX_LISTS_EXPANSION = 2**28, 1000
#: Bytes of a text, before those of a dictionary are copied to every row.
MAX_TEXT_SIZE = 4096
#: Files of this size are decoded by several threads.
_LARGE_FILE = 2**20

_TEXT = pa.dictionary(pa.int32(), pa.string())
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_PLAIN, _PLAIN_DICTIONARY, _RLE_DICTIONARY = 0, 2, 8


class ParquetFile:
    """A Parquet file in memory, with its footer parsed. `schema` has texts as dictionaries."""

    def __init__(self, path: Path, text_columns: tuple[str, ...]) -> None:
        """Raises FileNotFoundError, CacheError if the disk cannot be read, ValueError or ArrowException
        if the file is damaged or no regular file."""
        try:
            self._data = read_own(path, MAX_FILE_SIZE)
        except FileNotFoundError:
            raise
        except UnsafeFileError as error:
            raise ValueError(error.strerror) from error
        except OSError as error:
            raise CacheError(f"{path} cannot be read: {error.strerror or error}", hint="check the disk") from error
        _check_footer_size(self._data)
        self._file = pq.ParquetFile(
            pa.BufferReader(self._data), read_dictionary=text_columns, page_checksum_verification=True
        )
        self.schema: pa.Schema = self._file.schema_arrow
        self.metadata: pq.FileMetaData = self._file.metadata

    def read(self, expected: pa.Schema) -> pa.Table:
        """Return all rows if the columns are those of `expected`, in that order; nullability may differ.
        Raises ValueError or ArrowException if the file is damaged or would expand beyond its size."""
        _check_columns(self.schema, expected)
        _check_row_count(self.metadata, len(self._data))
        lists = {field.name: field.type.list_size for field in expected if pa.types.is_fixed_size_list(field.type)}
        _check_lists_size(expected, self.metadata.num_rows, len(self._data))
        _check_pages(self._data, self.metadata, lists)
        table = self._file.read(use_threads=len(self._data) >= _LARGE_FILE)
        table.validate(full=True)  # texts may not be UTF-8, and indices may lie outside their dictionary
        table = table.unify_dictionaries().combine_chunks()
        for field in table.schema:
            if field.type == _TEXT:
                _check_text_sizes(table[field.name])
        return table.cast(pa.schema([field.with_nullable(True) for field in expected], table.schema.metadata))


def _check_footer_size(data: bytes) -> None:
    if len(data) < 12 or data[-4:] != b"PAR1":
        raise ValueError("it is not a Parquet file, or its end is missing")
    size = int.from_bytes(data[-8:-4], "little")
    if size > min(_MAX_FOOTER_SIZE, len(data) - 12):
        raise ValueError(f"its footer takes {size:,} bytes")


def _check_columns(found: pa.Schema, expected: pa.Schema) -> None:
    if found.names != expected.names:
        raise ValueError("its columns are not the expected ones")
    for one, other in zip(found, expected, strict=True):
        if not _fits(one.type, other.type):
            raise ValueError(f"its column {one.name} has the type {one.type}, not {other.type}")


def _fits(found: pa.DataType, expected: pa.DataType) -> bool:
    """Does a column of this type hold the expected one? Parquet changes details of some types."""
    if pa.types.is_string(expected):
        return bool(found == _TEXT)
    if pa.types.is_timestamp(expected):
        return found in (pa.timestamp("s"), pa.timestamp("ms"))
    if pa.types.is_fixed_size_list(expected) and pa.types.is_fixed_size_list(found):
        return bool(found.list_size == expected.list_size and found.value_type == expected.value_type)
    return bool(found == expected)


def _check_row_count(metadata: pq.FileMetaData, size: int) -> None:
    rows = metadata.num_rows
    if not 0 <= rows <= min(_MAX_ROWS, _FREE_ROWS + size // _BYTES_PER_ROW):
        raise ValueError(f"it claims {rows:,} rows in {size:,} bytes")


def _check_lists_size(schema: pa.Schema, rows: int, size: int) -> None:
    lists = [field.type for field in schema if pa.types.is_fixed_size_list(field.type)]
    expanded = rows * sum(one.list_size * one.value_type.bit_width // 8 for one in lists)
    if expanded > _FREE_LISTS_SIZE + _MAX_LISTS_EXPANSION * size:
        raise ValueError(f"its lists would take {expanded:,} bytes")


def _check_text_sizes(column: pa.ChunkedArray) -> None:
    for chunk in column.chunks:
        longest = pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0
        if longest > MAX_TEXT_SIZE:
            raise ValueError(f"it contains a text of {longest:,} bytes")


# -- pages --------------------------------------------------------------------


def _check_pages(data: bytes, metadata: pq.FileMetaData, lists: Mapping[str, int]) -> None:
    """Check the header of every page. `lists`: length of the lists of each column that has lists."""
    expanded = row_count = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        row_count += group.num_rows
        for index in range(metadata.num_columns):
            chunk = group.column(index)
            name = chunk.path_in_schema.partition(".")[0]
            values = 0
            for page_values, page_size in _iter_pages(data, chunk):
                values += page_values
                expanded += page_size
            if values != chunk.num_values or not group.num_rows <= values <= group.num_rows * lists.get(name, 1):
                raise ValueError(f"its column {name} has {values:,} values for {group.num_rows:,} rows")
    if row_count != metadata.num_rows:
        raise ValueError(f"it claims {metadata.num_rows:,} rows, its parts {row_count:,}")
    if expanded > _FREE_EXPANSION + _MAX_EXPANSION * len(data):
        raise ValueError(f"it would expand from {len(data):,} to {expanded:,} bytes")


def _iter_pages(data: bytes, chunk: pq.ColumnChunkMetaData) -> Iterator[tuple[int, int]]:
    """Yield the number of values of each page, 0 for dictionaries, and its size in bytes once it is
    decompressed. Raises ValueError unless the pages fill the column chunk."""
    at = start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)), default=0)
    end = start + chunk.total_compressed_size
    if chunk.file_path or not 4 <= start <= end <= len(data):
        raise ValueError("its parts lie outside the file")
    while at < end:
        is_first = at == start
        try:
            header, at = _read_struct(data, at)
            kind, size, compressed = header[1], header[2], header[3]
            details = header[5] if kind == _DATA_PAGE else header[7]
            values, encoding = details[1], details[2]
        except (IndexError, KeyError, TypeError) as error:
            raise ValueError("the header of a page is damaged") from error
        at += compressed
        if not (0 <= size <= _MAX_PAGE_SIZE and compressed >= 0 and at <= end and values >= 0):
            raise ValueError(f"a page has {size:,} bytes and {values:,} values")
        if kind == _DATA_PAGE and encoding in (_PLAIN, _PLAIN_DICTIONARY, _RLE_DICTIONARY):
            yield values, size
        elif kind == _DICTIONARY_PAGE and is_first and encoding in (_PLAIN, _PLAIN_DICTIONARY):
            yield 0, size
        else:
            raise ValueError("a page has an unexpected kind or encoding")


def _read_struct(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """Read a struct in Thrift's compact protocol; return its fields by number, and where it ends.

    Texts are skipped. Stricter than Arrow, so that both read the same: no field twice, no number
    that its type cannot hold. Raises ValueError, IndexError.
    """
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        step, kind = head >> 4, head & 15
        number += step
        if not step or depth > 2:
            raise ValueError("the header of a page is damaged")
        if kind in (1, 2):
            fields[number] = kind == 1
        elif kind in (5, 6):
            fields[number], at = _read_integer(data, at, 32 if kind == 5 else 64)
        elif kind == 8:
            length, at = _read_varint(data, at)
            at += length
        elif kind == 12:
            fields[number], at = _read_struct(data, at, depth + 1)
        else:
            raise ValueError("the header of a page is damaged")
    return fields, at + 1


def _read_integer(data: bytes, at: int, bits: int) -> tuple[int, int]:
    zigzag, at = _read_varint(data, at)
    if zigzag >> bits:
        raise ValueError("the header of a page is damaged")
    return (zigzag >> 1) ^ -(zigzag & 1), at


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("the header of a page is damaged")
