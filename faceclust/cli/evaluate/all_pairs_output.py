"""The true accept rates over all pairs of faces: a table and JSON."""

from __future__ import annotations

from typing import Any

from faceclust.cli.evaluate.formatting import NO_VALUE, format_far, format_percent, format_threshold
from faceclust.cli.terminal.printing import print_line
from faceclust.cli.terminal.table import print_table
from faceclust.evaluation.metrics.verification import MIN_ACCEPTED, AllPairsScores, TarAtFar
from faceclust.text.plural import format_count

_HEADINGS = ["FAR", "accepted of two people", "threshold", "TAR", "TAR, mean per person"]


def print_all_pairs(scores: AllPairsScores) -> None:
    """Print the numbers of pairs, and a table of TAR at each FAR."""
    faces, people = format_count(scores.faces, "face"), format_count(scores.people, "person", "people")
    print_line(f"all pairs of {faces}: {scores.same:,} of one person, {scores.different:,} of two")
    print_line(f"{people} with at least two faces")
    if not scores.same:
        return
    print_table(_HEADINGS, [_rate_cells(rate) for rate in scores.rates])
    if missing := [format_far(rate.target) for rate in scores.rates if rate.tar is None]:
        print_line(f"{NO_VALUE}: fewer than {MIN_ACCEPTED} pairs of two people at FAR {' and '.join(missing)}")


def _rate_cells(rate: TarAtFar) -> list[str]:
    return [
        format_far(rate.target),
        NO_VALUE if rate.accepted is None else f"{rate.accepted:,}",
        format_threshold(rate.threshold),
        format_percent(rate.tar),
        format_percent(rate.mean_person_tar),
    ]


def all_pairs_record(scores: AllPairsScores) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "faces": scores.faces,
        "people_with_two_faces": scores.people,
        "same": scores.same,
        "different": scores.different,
        "tar": [
            {
                "far": rate.target,
                "resolvable": rate.tar is not None,
                "accepted": rate.accepted,
                "threshold": rate.threshold,
                "tar": rate.tar,
                "mean_per_person": rate.mean_person_tar,
            }
            for rate in scores.rates
        ],
    }
