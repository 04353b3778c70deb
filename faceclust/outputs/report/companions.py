"""Co-occurrence of people in photos: each person's companions, and a matrix of counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from faceclust.outputs.report.values import Companion, CooccurrenceMatrix
from faceclust.outputs.search import PersonPair

PEOPLE_IN_MATRIX = 20


def find_companions(pairs: Iterable[PersonPair], id_of: Mapping[str, str]) -> dict[str, tuple[Companion, ...]]:
    """Return each person's companions by person id, most shared photos first.

    `id_of` maps a name to a person id.
    """
    companions: dict[str, list[Companion]] = defaultdict(list)
    for pair in pairs:
        for one, other in (pair.names, pair.names[::-1]):
            companions[id_of[one]].append(Companion(id_of[other], other, pair.photos, pair.confirmed))
    return {person: tuple(others) for person, others in companions.items()}


def build_matrix(
    pairs: Sequence[PersonPair], id_of: Mapping[str, str], photo_counts: Mapping[str, int]
) -> CooccurrenceMatrix | None:
    """Build the matrix of the people with the most shared photos; None if nobody shares one.

    `photo_counts` maps a name to the number of photos.
    """
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
