"""Groupings and their scores, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.terminal.text import format_count

if TYPE_CHECKING:
    from faceclust.evaluation.metrics.clustering import Score
    from faceclust.evaluation.thresholds import GroupingScores, LabelledFaces

#: Of the ways to group, what a person reads.
METHOD_TITLES = {
    "average": "average linkage, in two passes (default)",
    "one-pass": "average linkage, in one pass",
    "complete": "complete linkage",
    "single": "single linkage",
    "hdbscan": "HDBSCAN",
}
_HEADING = (
    "          BCubed          pairwise            homog. compl.               same\n"
    "  cut    P    R    F     P    R    F     NMI             V  groups  alone photo"
)


def format_score(value: float) -> str:
    """ ".962", "1.00"."""
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0") else text[:4]


def count_decimals(thresholds: Sequence[float]) -> int:
    """How many of a column of thresholds are shown: as many as the longest of them has."""
    return max((len(f"{threshold:g}".partition(".")[2]) for threshold in thresholds), default=0)


def print_cuts(labelled: LabelledFaces, cuts: Sequence[GroupingScores]) -> None:
    """A table for each method, a line a threshold; * is the best of the method by that measure."""
    from faceclust.evaluation.thresholds import best_groupings

    for line in _summary_lines(labelled):
        click.echo(line)
    best, places = best_groupings(cuts), count_decimals([cut.threshold for cut in cuts if cut.threshold is not None])
    for method in dict.fromkeys(cut.method for cut in cuts):
        click.echo(f"\n{click.style(METHOD_TITLES[method], bold=True)}\n{_HEADING}")
        for cut in cuts:
            if cut.method == method:
                click.echo(_format_cut(cut, {name for name, one in best[method].items() if one is cut}, places))


def _summary_lines(labelled: LabelledFaces) -> Iterator[str]:
    import numpy as np

    known = int(np.count_nonzero(labelled.known))
    people = len(np.unique(labelled.persons[labelled.known]))
    yield f"{format_count(known, 'face')} of {format_count(people, 'person', 'people')} scored"
    if others := len(labelled.faces) - known:
        yield f"{format_count(others, 'other face')} grouped with them, of nobody the truth tells of"
    if labelled.missed:
        share = known / (known + labelled.missed)
        yield f"{format_count(labelled.missed, 'face')} of the truth not found: {share:.1%} were"
    if labelled.unknown_photos:
        yield f"{format_count(labelled.unknown_photos, 'line')} of the truth passed by: of photos that are not here"


def _format_cut(cut: GroupingScores, best: set[str], decimals: int) -> str:
    def mark(name: str) -> str:
        return "*" if name in best else " "

    def three(score: Score) -> str:
        return f"{format_score(score.precision):>4} {format_score(score.recall):>4} {format_score(score.f):>4}"

    info = cut.information
    return (
        f"{'–' if cut.threshold is None else f'{cut.threshold:.{decimals}f}':>5} {three(cut.bcubed)}{mark('BCubed F')} "
        f"{three(cut.pairwise)}{mark('pairwise F')}  {format_score(info.nmi):>4}{mark('NMI')} "
        f"{format_score(info.homogeneity):>4} "
        f"{format_score(info.completeness):>4} {format_score(info.v_measure):>4}{mark('V')}"
        f"{cut.groups:>7,}{cut.singletons:>7,}{'–' if cut.conflicts is None else f'{cut.conflicts:,}':>6}"
    )


def cuts_record(labelled: LabelledFaces, cuts: Sequence[GroupingScores]) -> dict[str, Any]:
    """The same as JSON."""
    import numpy as np

    from faceclust.evaluation.thresholds import best_groupings

    return {
        "faces": len(labelled.faces),
        "scored": int(np.count_nonzero(labelled.known)),
        "people": len(np.unique(labelled.persons[labelled.known])),
        "missed": labelled.missed,
        "elsewhere": labelled.unknown_photos,
        "cuts": [cut_record(cut) for cut in cuts],
        "best": {
            method: {measure: cut.threshold for measure, cut in by.items()}
            for method, by in best_groupings(cuts).items()
        },
    }


def cut_record(cut: GroupingScores) -> dict[str, Any]:
    """One grouping's."""
    info = cut.information
    return {
        "algorithm": cut.method,
        "threshold": cut.threshold,
        "bcubed": score_record(cut.bcubed),
        "pairwise": score_record(cut.pairwise),
        "nmi": round(info.nmi, 6),
        "homogeneity": round(info.homogeneity, 6),
        "completeness": round(info.completeness, 6),
        "v_measure": round(info.v_measure, 6),
        "groups": cut.groups,
        "alone": cut.singletons,
        "conflicts": cut.conflicts,
    }


def score_record(score: Score) -> dict[str, float]:
    """Precision, recall and F."""
    return {"precision": round(score.precision, 6), "recall": round(score.recall, 6), "f": round(score.f, 6)}


def bcubed_curves(cuts: Sequence[GroupingScores]) -> list[tuple[str, list[float], list[float]]]:
    """BCubed F of each method: its title, the thresholds (none where it knows none), F."""
    found = []
    for method in dict.fromkeys(cut.method for cut in cuts):
        some = [cut for cut in cuts if cut.method == method]
        thresholds = [cut.threshold for cut in some if cut.threshold is not None]
        found.append((METHOD_TITLES[method], thresholds, [cut.bcubed.f for cut in some]))
    return found
