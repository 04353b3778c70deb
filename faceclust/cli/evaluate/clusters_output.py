"""The output of `faceclust evaluate clusters`: tables, JSON and curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from faceclust.cli.evaluate.formatting import NO_VALUE, format_score
from faceclust.cli.terminal.printing import print_line, print_lines
from faceclust.evaluation.metrics.clustering import Score
from faceclust.evaluation.thresholds import GroupingScores, LabelledFaces, best_groupings
from faceclust.text.plural import format_count

#: The titles of the clustering methods.
METHOD_TITLES = {
    "average": "average linkage, with local scaling (default)",
    "unscaled": "average linkage, without local scaling",
    "one-pass": "average linkage, in one pass",
    "complete": "complete linkage",
    "single": "single linkage",
    "hdbscan": "HDBSCAN",
}
_HEADINGS = (
    "          BCubed          pairwise            homog. compl.               same",
    "  thr.   P    R    F     P    R    F     NMI             V  groups single photo",
)


def print_groupings(labelled: LabelledFaces, scores: Sequence[GroupingScores]) -> None:
    """Print a table for each method with a line for each threshold; * marks the method's best value."""
    print_lines(_summary_lines(labelled))
    best = best_groupings(scores)
    decimals = _count_decimals([one.threshold for one in scores if one.threshold is not None])
    for method in dict.fromkeys(one.method for one in scores):
        print_line()
        print_line(METHOD_TITLES[method], bold=True)
        print_lines(_HEADINGS)
        for one in scores:
            if one.method == method:
                best_by = {measure for measure, best_one in best[method].items() if best_one is one}
                print_line(_format_line(one, best_by, decimals))


def _count_decimals(thresholds: Sequence[float]) -> int:
    """The number of decimals of the longest threshold."""
    return max((len(f"{threshold:g}".partition(".")[2]) for threshold in thresholds), default=0)


def _summary_lines(labelled: LabelledFaces) -> Iterator[str]:
    known = int(np.count_nonzero(labelled.known))
    people = len(np.unique(labelled.persons[labelled.known]))
    yield f"{format_count(known, 'face')} of {format_count(people, 'person', 'people')} scored"
    if others := len(labelled.faces) - known:
        yield f"{format_count(others, 'other face')} grouped with them, but not named by the truth"
    if labelled.missed:
        share = known / (known + labelled.missed)
        yield f"{format_count(labelled.missed, 'face')} of the truth not found ({share:.1%} found)"
    if labelled.unknown_photos:
        yield f"{format_count(labelled.unknown_photos, 'line')} of the truth skipped: unknown photos"


def _format_line(scores: GroupingScores, best_by: set[str], decimals: int) -> str:
    def mark(measure: str) -> str:
        return "*" if measure in best_by else " "

    def three(score: Score) -> str:
        return " ".join(f"{format_score(value):>4}" for value in (score.precision, score.recall, score.f))

    info = scores.information
    nmi, homogeneity, completeness, v_measure = (
        f"{format_score(value):>4}" for value in (info.nmi, info.homogeneity, info.completeness, info.v_measure)
    )
    threshold = NO_VALUE if scores.threshold is None else f"{scores.threshold:.{decimals}f}"
    conflicts = NO_VALUE if scores.conflicts is None else f"{scores.conflicts:,}"
    return (
        f"{threshold:>5} {three(scores.bcubed)}{mark('BCubed F')} {three(scores.pairwise)}{mark('pairwise F')}  "
        f"{nmi}{mark('NMI')} {homogeneity} {completeness} {v_measure}{mark('V')}"
        f"{scores.groups:>7,}{scores.singletons:>7,}{conflicts:>6}"
    )


def groupings_record(labelled: LabelledFaces, scores: Sequence[GroupingScores]) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "faces": len(labelled.faces),
        "scored": int(np.count_nonzero(labelled.known)),
        "people": len(np.unique(labelled.persons[labelled.known])),
        "missed": labelled.missed,
        "elsewhere": labelled.unknown_photos,
        "cuts": [_grouping_record(one) for one in scores],
        "best": {
            method: {measure: one.threshold for measure, one in by_measure.items()}
            for method, by_measure in best_groupings(scores).items()
        },
    }


def _grouping_record(scores: GroupingScores) -> dict[str, Any]:
    info = scores.information
    return {
        "algorithm": scores.method,
        "threshold": scores.threshold,
        "bcubed": score_record(scores.bcubed),
        "pairwise": score_record(scores.pairwise),
        "nmi": round(info.nmi, 6),
        "homogeneity": round(info.homogeneity, 6),
        "completeness": round(info.completeness, 6),
        "v_measure": round(info.v_measure, 6),
        "groups": scores.groups,
        "alone": scores.singletons,
        "conflicts": scores.conflicts,
    }


def score_record(score: Score) -> dict[str, float]:
    """Precision, recall and F for `--json`."""
    return {"precision": round(score.precision, 6), "recall": round(score.recall, 6), "f": round(score.f, 6)}


def bcubed_curves(scores: Sequence[GroupingScores]) -> list[tuple[str, list[float], list[float]]]:
    """BCubed F of each method: its title, the thresholds (none for HDBSCAN), F."""
    curves = []
    for method in dict.fromkeys(one.method for one in scores):
        of_method = [one for one in scores if one.method == method]
        thresholds = [one.threshold for one in of_method if one.threshold is not None]
        curves.append((METHOD_TITLES[method], thresholds, [one.bcubed.f for one in of_method]))
    return curves
