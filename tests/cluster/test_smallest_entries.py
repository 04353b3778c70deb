"""The smallest entries of each row, however the matrix arrives."""

from __future__ import annotations

import numpy as np
import pytest

from faceclust.cluster.nearest_lists import SmallestEntries


@pytest.mark.parametrize("rows_at_a_time", [7, 1 << 15])
@pytest.mark.parametrize("pending", [1, 8])
def test_the_smallest_entries_stay(monkeypatch: pytest.MonkeyPatch, rows_at_a_time: int, pending: int) -> None:
    monkeypatch.setattr("faceclust.cluster.nearest_lists._CHUNK", rows_at_a_time)
    monkeypatch.setattr("faceclust.cluster.nearest_lists._PENDING_PER_ROW", pending)
    rng = np.random.default_rng(3)
    matrix = rng.permutation(40 * 60).reshape(40, 60).astype(np.float32)
    matrix[:5, 4:] += 10_000  # rows with few entries within the limit
    best = SmallestEntries(40, 5000.0, 6)
    for entries in np.array_split(rng.permutation(matrix.size), 50):
        rows, columns = np.divmod(entries, 60)
        best.add(rows.astype(np.int32), columns.astype(np.int32), matrix[rows, columns])
    best.flush()
    order = np.argsort(matrix, axis=1)[:, :6]
    values = np.take_along_axis(matrix, order, axis=1)
    assert np.array_equal(best.columns, np.where(values <= 5000, order, -1))
    assert np.array_equal(best.values, np.where(values <= 5000, values, np.inf))
    assert best.full_rows.tolist() == [row >= 5 for row in range(40)]
    assert np.array_equal(best.limits[5:], values[5:, -1])
