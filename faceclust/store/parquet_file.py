"""Read a Parquet file that may be hostile, in memory and time proportional to its size.

A crafted file of a kilobyte can expand to gigabytes: a page of zeros, a dictionary with one long
text, a list that never ends. Everything that decides how much memory decoding takes is checked
before decoding: the size of the footer, the number of rows, and the header of every page. The
footer is parsed here as well, because PyArrow's own objects for it abort the process if it is
damaged (an exception that nothing catches, in version 26).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faceclust.errors import CacheError
from faceclust.files.own_files import UnsafeFileError, read_own
from faceclust.store.thrift_compact import parse_struct

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
        self._footer = _read_footer(self._data)
        self._file = pq.ParquetFile(
            pa.BufferReader(self._data),
            read_dictionary=text_columns,
            pre_buffer=False,
            page_checksum_verification=True,
        )
        self.schema: pa.Schema = self._file.schema_arrow

    def count_nulls(self, column: str) -> int | None:
        """Return the number of missing values according to the file's statistics, None without any."""
        counts = [chunk.null_count for chunk in self._footer.chunks if chunk.column == column]
        return None if None in counts else sum(filter(None, counts))

    def read(self, expected: pa.Schema) -> pa.Table:
        """Return all rows if the columns are those of `expected`, in that order. Values may be missing
        where they must not. Raises ValueError or ArrowException if the file is damaged, or would expand
        beyond its size."""
        _check_columns(self.schema, expected)
        _check_lists_size(expected, self._footer.row_count, len(self._data))
        largest = _check_pages(self._data, self._footer, expected)
        table = self._file.read(use_threads=len(self._data) >= _LARGE_FILE)
        table.validate(full=True)  # texts may not be UTF-8, and indices may lie outside their dictionary
        table = table.unify_dictionaries().combine_chunks()
        for field, column in zip(table.schema, table.columns, strict=True):
            if field.type == _TEXT and largest[field.name] > MAX_TEXT_SIZE:
                _check_text_sizes(column)
        # Only some types differ, and a cast of the whole table would take as long as reading a small file.
        columns = [
            column if column.type == field.type else column.cast(field.type)
            for field, column in zip(expected, table.columns, strict=True)
        ]
        return pa.Table.from_arrays(columns, schema=expected.with_metadata(self.schema.metadata))


@dataclass(frozen=True)
class _Chunk:
    """The values of one column in one row group. `row_count`: rows of that row group."""

    column: str
    start: int
    end: int
    value_count: int
    null_count: int | None
    row_count: int


@dataclass(frozen=True)
class _Footer:
    row_count: int
    chunks: tuple[_Chunk, ...]


def _read_footer(data: bytes) -> _Footer:
    if len(data) < 12 or data[-4:] != b"PAR1":
        raise ValueError("it is not a Parquet file, or its end is missing")
    size = int.from_bytes(data[-8:-4], "little")
    if size > min(_MAX_FOOTER_SIZE, len(data) - 12):
        raise ValueError(f"its footer takes {size:,} bytes")
    try:
        fields, _ = parse_struct(data, len(data) - 8 - size, last_field=4)
        groups = [(group[3], group[1]) for group in fields[4]]
        footer = _Footer(fields[3], tuple(_to_chunk(chunk, rows) for rows, chunks in groups for chunk in chunks))
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError("its footer is damaged") from error
    rows = footer.row_count
    if not 0 <= rows <= min(_MAX_ROWS, _FREE_ROWS + len(data) // _BYTES_PER_ROW):
        raise ValueError(f"it claims {rows:,} rows in {len(data):,} bytes")
    if rows != sum(count for count, _ in groups) or any(count < 0 for count, _ in groups):
        raise ValueError("its footer contradicts itself")
    return footer


def _to_chunk(chunk: dict[int, Any], row_count: int) -> _Chunk:
    """Convert the struct ColumnChunk of a Parquet footer."""
    if 1 in chunk:
        raise ValueError("its parts lie in other files")
    fields = chunk[3]
    data_page, dictionary_page = fields[9], fields.get(11, 0)
    start = dictionary_page if 0 < dictionary_page < data_page else data_page
    null_count = fields.get(12, {}).get(3)
    return _Chunk(fields[3][0].decode(), start, start + fields[7], fields[5], null_count, row_count)


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


def _check_pages(data: bytes, footer: _Footer, schema: pa.Schema) -> dict[str, int]:
    """Check the header of every page. Return the size of the largest page of each column."""
    lengths = {field.name: field.type.list_size for field in schema if pa.types.is_fixed_size_list(field.type)}
    largest = dict.fromkeys(schema.names, 0)
    expanded = 0
    for chunk in footer.chunks:
        values = 0
        for page_values, page_size in _iter_pages(data, chunk):
            values += page_values
            expanded += page_size
            largest[chunk.column] = max(largest[chunk.column], page_size)
        # A missing list counts as one value.
        most = chunk.row_count * lengths.get(chunk.column, 1)
        if values != chunk.value_count or not chunk.row_count <= values <= most:
            raise ValueError(f"its column {chunk.column} has {values:,} values for {chunk.row_count:,} rows")
    if expanded > _FREE_EXPANSION + _MAX_EXPANSION * len(data):
        raise ValueError(f"it would expand from {len(data):,} to {expanded:,} bytes")
    return largest


def _iter_pages(data: bytes, chunk: _Chunk) -> Iterator[tuple[int, int]]:
    """Yield the number of values of each page, 0 for dictionaries, and its size in bytes once it is
    decompressed. Raises ValueError unless the pages fill the chunk."""
    if not chunk.value_count:
        return  # its offsets mean nothing
    if not 0 <= chunk.start <= chunk.end <= len(data):
        raise ValueError("its parts lie outside the file")
    at = chunk.start
    while at < chunk.end:
        is_first = at == chunk.start
        header, at = parse_struct(data, at)
        try:
            kind, size, compressed = header[1], header[2], header[3]
            details = header[5] if kind == _DATA_PAGE else header[7]
            values, encoding = details[1], details[2]
        except (KeyError, TypeError) as error:
            raise ValueError("the header of a page is damaged") from error
        at += compressed
        if not (0 <= size <= _MAX_PAGE_SIZE and compressed >= 0 and at <= chunk.end and values >= 0):
            raise ValueError(f"a page has {size:,} bytes and {values:,} values")
        if kind == _DATA_PAGE and encoding in (_PLAIN, _PLAIN_DICTIONARY, _RLE_DICTIONARY):
            yield values, size
        elif kind == _DICTIONARY_PAGE and is_first and encoding in (_PLAIN, _PLAIN_DICTIONARY):
            yield 0, size
        else:
            raise ValueError("a page has an unexpected kind or encoding")
