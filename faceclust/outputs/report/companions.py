"""Who is seen with whom: each person's companions, and a matrix of those seen together most."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from faceclust.outputs.report.values import Companion, CooccurrenceMatrix
from faceclust.outputs.search import PersonPair

PEOPLE_IN_MATRIX = 20


def find_companions(pairs: Iterable[PersonPair], id_of: Mapping[str, str]) -> dict[str, tuple[Companion, ...]]:
    """Person id → those on photos with them, most photos first. `id_of`: name → person id."""
    found: dict[str, list[Companion]] = defaultdict(list)
    for pair in pairs:
        for one, other in (pair.names, pair.names[::-1]):
            found[id_of[one]].append(Companion(id_of[other], other, pair.photos, pair.confirmed))
    return {person: tuple(seen) for person, seen in found.items()}


def build_matrix(
    pairs: Sequence[PersonPair], id_of: Mapping[str, str], photo_counts: Mapping[str, int]
) -> CooccurrenceMatrix | None:
    """Of the people seen together most; None where nobody is. `photos_of`: name → photos."""
    together: Counter[str] = Counter()
    counts: dict[tuple[str, str], int] = {}
    for pair in pairs:
        for one, other in (pair.names, pair.names[::-1]):
            together[one] += pair.photos
            counts[one, other] = pair.photos
    if not together:
        return None
    names = sorted(together, key=lambda name: (-together[name], name))[:PEOPLE_IN_MATRIX]
    rows = [[photo_counts[a] if a == b else counts.get((a, b), 0) for b in names] for a in names]
    highest = max((rows[i][j] for i in range(len(rows)) for j in range(len(rows)) if i != j), default=0)
    return CooccurrenceMatrix(tuple((id_of[name], name) for name in names), tuple(map(tuple, rows)), highest)
