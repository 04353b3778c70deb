"""Short lists of the smallest entries equal those of the whole matrix, in whatever pieces it arrives."""

from __future__ import annotations

import numpy as np
import pytest

from faceclust.cluster.nearest_lists import SmallestEntries

LENGTH = 5


def smallest(matrix: np.ndarray, limit: float) -> list[list[tuple[float, int]]]:
    return [
        sorted((value, column) for column, value in enumerate(row) if value <= limit)[:LENGTH]
        for row in matrix.tolist()
    ]


def listed(lists: SmallestEntries) -> list[list[tuple[float, int]]]:
    return [
        [(value, column) for value, column in zip(*row, strict=True) if column >= 0]
        for row in zip(lists.values.tolist(), lists.columns.tolist(), strict=True)
    ]


@pytest.mark.parametrize("values", ["distinct", "ties", "negative"])
@pytest.mark.parametrize("pieces", ["entries", "lists"])
def test_the_smallest_entries_are_kept(pieces: str, values: str) -> None:
    rng = np.random.default_rng(3)
    matrix = rng.permutation(40 * 30).reshape(40, 30).astype(np.float32)
    if values == "ties":
        matrix //= 100
    limit = 900.0 if values != "ties" else 9.0
    if values == "negative":  # rounding errors of a distance of zero count as zero
        matrix[matrix < 20] = -1e-6
    best = SmallestEntries(len(matrix), limit, LENGTH)
    for first in rng.permutation(np.arange(0, 30, 6)).tolist():
        for rows in (slice(0, 25), slice(25, 40)):
            block = matrix[rows, first : first + 6]
            if pieces == "entries":
                row, column = (side.astype(np.int32) for side in np.nonzero(block <= limit))
                best.add(row + np.int32(rows.start), column + np.int32(first), block[row, column])
                continue
            part = SmallestEntries(len(block), limit, LENGTH)
            part.add(*(side.astype(np.int32) for side in np.nonzero(block <= limit)), block[block <= limit])
            part.flush()
            used = part.columns >= 0
            best.merge_lists(rows, used.sum(axis=1), part.columns[used] + np.int32(first), part.values[used])
    best.flush()
    expected = smallest(np.maximum(matrix, 0) if values == "negative" else matrix, limit)
    found = [[(max(value, 0.0), column) for value, column in row] for row in listed(best)]
    assert [[value for value, _ in row] for row in found] == [[value for value, _ in row] for row in expected]
    for row, entries in enumerate(found):
        assert len({column for _, column in entries}) == len(entries)
        assert all(max(float(matrix[row, column]), 0.0) == value for value, column in entries)
    full = best.full_rows
    assert np.array_equal(best.limits[full], best.values[full, -1]) and (best.limits[~full] == limit).all()


def test_no_lists_change_nothing() -> None:
    best = SmallestEntries(3, 1.0)
    best.merge_lists(slice(0, 3), np.zeros(3, np.uint8), np.empty(0, np.int32), np.empty(0, np.float32))
    assert not best.full_rows.any() and (best.columns == -1).all()
