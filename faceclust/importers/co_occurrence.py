"""Infer which group of faces a name means, from the photos that carry the name.

Some programs tell who is on a photo, but not where. A group of faces that is on the photos with a name,
and seldom on others, is that person. Each pair of a group and a name is scored by the logarithm of a
likelihood ratio (Dunning, Accurate methods for the statistics of surprise and coincidence, 1993): the
name is on the group's photos as often as on those of its person, or only as often as on any photo. An
optimal assignment gives names to groups. A pair is accepted if

- its score is high,
- it leads clearly over its rivals: other names of the group, and other people on the group's photos,
- the name is on photos on which no other face could be its person.

The last rule keeps a name from the companion of a person whose own faces are in no group. After each
round the photos that are explained by now are left out, and all other pairs are scored again: so siblings
are told apart by the photos that they do not share, and a person's second group is found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceclust.types.arrays import Float64

#: Minimum number of a group's photos with the name, and minimum score of a pair, also above its rivals'.
_MIN_HITS, _MIN_SCORE = 2, 6.0
#: Bounds for the share of a person's photos that carry the name.
_MIN_RATE, _MAX_RATE = 0.5, 0.95
#: A group on at least three photos whose share of photos with the name is lower cannot be its person.
_REFUTED_RATE, _MIN_REFUTING = 0.4, 3
#: The share of photos with the name, if the person is on none of the found faces.
_UNSEEN_RATE = 0.1
#: Score that the photos without another possible face must have: for each hit after the second, and at most.
_ALONE_SCORE, _MAX_ALONE_SCORE = 0.4, 2.0
#: Maximum share of a group's photos with another face of the same person. Groups have errors.
_MAX_SHARED = 0.05
#: The names on most photos that are considered, and photos or groups times names at once.
_MAX_NAMES, _MAX_BLOCK = 2_000, 10_000_000
_Pairs: TypeAlias = list[tuple[int, int]]
_Entries: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp], Float64, NDArray[np.bool_]]


def assign_names(
    groups: Mapping[str, Collection[str]],
    tagged: Mapping[str, Collection[str]],
    face_counts: Mapping[str, int],
    known: Mapping[str, str],
) -> dict[str, str]:
    """Return the names of the groups that follow from the photos that carry names.

    `groups` has the photos of each group, `tagged` those that carry each name, and `face_counts` the
    number of faces on each photo that counts. `known` has the names of groups that need no inference,
    "" for nobody. Several groups can have one name.
    """
    number_of = {photo: number for number, photo in enumerate(sorted(face_counts))}
    photos_of_name = {name: number_of.keys() & photos for name, photos in tagged.items()}
    frequent = [name for name, photos in photos_of_name.items() if len(photos) >= _MIN_HITS]
    frequent.sort(key=lambda name: (-len(photos_of_name[name]), name))
    names, ids = frequent[:_MAX_NAMES], sorted(groups)
    if not names or not ids:
        return {}
    evidence = _Evidence(
        _incidence([groups[group] for group in ids], number_of),
        _incidence([photos_of_name[name] for name in names], number_of),
        np.array([face_counts[photo] for photo in number_of], np.int32),
    )
    column_of = {name: column for column, name in enumerate(names)}
    for row, group in enumerate(ids):
        if group in known:
            evidence.settle(row, column_of.get(known[group]))
    found: dict[str, str] = {}
    while pairs := evidence.find_clear_pairs():
        for row, column in pairs:
            evidence.settle(row, column)
            found[ids[row]] = names[column]
    return found


class _Evidence:
    """Scores all pairs of a group (row) and a name (column)."""

    def __init__(self, groups: Any, tagged: Any, face_counts: NDArray[np.int32]) -> None:
        """`groups` (groups, photos) and `tagged` (names, photos) are sparse, 1 if the photo has a face of the group
        or carries the name; `face_counts` is (photos,)."""
        self._groups, self._tagged = groups, tagged
        self._sizes = _sum(groups, 1)
        self._ungrouped = np.maximum(face_counts - _sum(groups, 0), 0)
        self._is_open = np.ones(groups.shape[0], bool)
        self._explained: dict[int, NDArray[np.bool_]] = {}  # the photos with a face that has the name, by column

    def settle(self, row: int, column: int | None) -> None:
        """Give a group a name; None for one that is not among the names."""
        self._is_open[row] = False
        if column is not None:
            photos = self._groups[[row]].toarray()[0] > 0
            self._explained[column] = self._explained.get(column, np.zeros_like(photos)) | photos

    def find_clear_pairs(self) -> _Pairs:
        """Return pairs of an open group and a name that lead clearly over all rivals."""
        from scipy.sparse import coo_array

        blocks = [self._score_block(columns) for columns in self._list_blocks()]
        rows, columns, values = (np.concatenate(parts) for parts in zip(*(block[:3] for block in blocks), strict=True))
        is_supported = np.concatenate([block[3] for block in blocks])
        shape = self._groups.shape[0], self._tagged.shape[0]
        scores = coo_array((values, (rows, columns)), shape=shape).tocsr()
        is_strong = values >= _MIN_SCORE
        name_of = _assign(rows[is_strong], columns[is_strong], values[is_strong])
        supported = set(zip(rows[is_supported].tolist(), columns[is_supported].tolist(), strict=True))
        pairs = [pair for pair in name_of.items() if pair in supported]
        return [pair for pair in pairs if not self._has_rival(*pair, scores, name_of)]

    def _list_blocks(self) -> Iterator[range]:
        width = max(1, _MAX_BLOCK // max(self._tagged.shape[1], self._groups.shape[0], 1))
        for start in range(0, self._tagged.shape[0], width):
            yield range(start, min(start + width, self._tagged.shape[0]))

    def _score_block(self, columns: range) -> _Entries:
        """Score the pairs with these names: return the rows, columns and scores above 0, and whether photos without
        another possible face support the pair."""
        groups = self._groups
        tagged = self._tagged[columns.start : columns.stop].toarray().T > 0
        explained = np.zeros_like(tagged)
        for column in self._explained.keys() & set(columns):
            explained[:, column - columns.start] = self._explained[column]
        tagged &= ~explained
        hits, shared = groups @ tagged.astype(np.int32), groups @ explained.astype(np.int32)
        sizes = self._sizes[:, None] - shared
        may_be_named = self._is_open[:, None] & (shared <= _MAX_SHARED * self._sizes[:, None])
        may_be_named &= (hits >= _REFUTED_RATE * sizes) | (sizes < _MIN_REFUTING)
        possible_faces = self._ungrouped[:, None] + groups.T @ may_be_named.astype(np.int32)
        is_alone = (possible_faces == 1) & ~explained
        alone_hits, alone_sizes = groups @ (is_alone & tagged).astype(np.int32), groups @ is_alone.astype(np.int32)
        base = (tagged.sum(axis=0) + 1) / (tagged.shape[0] + 2)
        scores = np.where(may_be_named & (hits >= _MIN_HITS), _log_ratio(hits, sizes, base), 0.0)
        required = np.minimum(_ALONE_SCORE * (hits - _MIN_HITS), _MAX_ALONE_SCORE)
        is_supported = _log_ratio(alone_hits, alone_sizes, np.array(_UNSEEN_RATE)) >= required
        rows, within = np.nonzero(scores > 0)
        return rows, within + columns.start, scores[rows, within], is_supported[rows, within]

    def _has_rival(self, row: int, column: int, scores: Any, name_of: Mapping[int, int]) -> bool:
        """Is another name nearly as likely for the group, or another group on its photos for the name?

        A rival that fits another partner clearly better is none. `scores` is sparse.
        """
        group_of = {column: row for row, column in name_of.items()}
        least = scores[row, column] - _MIN_SCORE
        for other, score in _entries(scores[[row]]):
            owner = group_of.get(other)
            is_taken = owner is not None and scores[owner, other] >= score + _MIN_SCORE
            if other != column and score > least and not is_taken:
                return True
        for other, score in _entries(scores[:, [column]].T):
            own = name_of.get(other)
            is_taken = own is not None and scores[other, own] >= score + _MIN_SCORE
            is_rival = other != row and score > least and not is_taken
            if is_rival and (self._groups[[row]] @ self._groups[[other]].T).nnz:
                return True
        return False


def _entries(row: Any) -> list[tuple[int, float]]:
    """Return the columns and values of a sparse row."""
    entries = row.tocoo()
    return list(zip(entries.col.tolist(), entries.data.tolist(), strict=True))


def _assign(rows: NDArray[np.intp], columns: NDArray[np.intp], scores: Float64) -> dict[int, int]:
    """Assign columns to rows, one to one, with the maximum sum of scores."""
    from scipy.optimize import linear_sum_assignment  # slow to import: 0.1 s

    best_first = np.argsort(-scores, kind="stable")
    kept_columns = np.unique(columns)
    used_rows = list(dict.fromkeys(rows[best_first].tolist()))[: _MAX_BLOCK // max(len(kept_columns), 1)]
    kept_rows = np.array(sorted(used_rows), np.intp)
    is_kept = np.isin(rows, kept_rows)
    rows, columns, scores = rows[is_kept], columns[is_kept], scores[is_kept]
    matrix = np.zeros((len(kept_rows), len(kept_columns)))
    matrix[np.searchsorted(kept_rows, rows), np.searchsorted(kept_columns, columns)] = scores
    pairs = zip(*linear_sum_assignment(-matrix), strict=True)
    return {int(kept_rows[row]): int(kept_columns[column]) for row, column in pairs if matrix[row, column] > 0}


def _log_ratio(hits: NDArray[np.int32], sizes: NDArray[np.int32], base: Float64) -> Float64:
    """Return the log likelihood ratio of so many hits at the person's rate, and at the rate `base`."""
    rate = np.clip(hits / np.maximum(sizes, 1), _MIN_RATE, _MAX_RATE)
    ratio: Float64 = hits * np.log(rate / base) + (sizes - hits) * np.log((1 - rate) / (1 - base))
    return ratio


def _incidence(photos: Sequence[Collection[str]], number_of: Mapping[str, int]) -> Any:
    """Return a sparse array (sets, photos), int32: 1 if the set has the photo."""
    from scipy.sparse import csr_array

    numbers = [sorted({number_of[photo] for photo in its_photos if photo in number_of}) for its_photos in photos]
    starts = np.cumsum([0, *map(len, numbers)])
    columns = np.fromiter((number for row in numbers for number in row), np.int32, count=int(starts[-1]))
    return csr_array((np.ones(len(columns), np.int32), columns, starts), shape=(len(photos), len(number_of)))


def _sum(array: Any, axis: int) -> NDArray[np.int32]:
    return np.asarray(array.sum(axis=axis), np.int32).ravel()
