"""`faceclust evaluate library`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.evaluate.clusters_output import score_record
from faceclust.cli.evaluate.formatting import format_interval, format_score
from faceclust.cli.terminal.printing import print_line, print_lines, print_wrapped
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.evaluation.library_score import ConfidenceInterval, Confusion, LibraryScore

_SHOWN_THRESHOLD_RANGE = 0.3  # thresholds this near to the present one are shown


@click.command("library")
@library_option
@json_option
def command(library: Path | None, as_json: bool) -> None:
    """Score the grouping of your photos by the names you confirmed.

    Precision is how much of what is grouped together is one person. Recall is how much of one
    person is grouped together. Your names correct the groups themselves, so the score is that of
    a grouping without them, with the choices of the last one. The 95 % confidence intervals in
    brackets say how the score may vary with the people you named. Most confirmed faces were shown
    to you in groups, so the score is a little too good.

    \b
    Examples:
      faceclust evaluate library
      faceclust evaluate library --json
    """
    opened = open_library(library)
    score = opened.evaluate()
    if as_json:
        print_json({"library": str(opened.root), **_library_score_record(score)})
    else:
        _print_library_score(score)


def _print_library_score(score: LibraryScore) -> None:
    params = score.params
    method = "hdbscan" if params.algorithm == "hdbscan" else f"{params.algorithm} linkage at {params.threshold:g}"
    faces = format_count(score.faces, "confirmed face")
    print_line(f"{faces} of {score.people} people, grouped without their names: {method}")
    print_line()
    print_line("            precision            recall", bold=True)
    for title, (precision, recall) in (("BCubed", score.bcubed), ("pairs", score.pairwise)):
        print_line(f"  {title:8}  {format_interval(precision)}  {format_interval(recall)}")
    if score.pairwise[1].value == 1:
        print_line("everybody's confirmed faces are in one group each, as if whole groups had been named:")
        print_line("these names cannot show which faces the groups miss")
    if score.confusions:
        print_line()
        print_line("taken for one person", bold=True)
    for confusion in score.confusions:
        print_line(f"  {_describe_confusion(confusion)}")
    if score.split_people:
        print_line()
        print_line("in several groups, joined only by their names", bold=True)
        groups = ", ".join(f"{name} {number}" for name, number in score.split_people)
        print_wrapped(groups, width=78, indent="  ")
    _print_other_thresholds(score)


def _describe_confusion(confusion: Confusion) -> str:
    (first, second), (first_faces, second_faces), groups = confusion.names, confusion.faces, confusion.groups
    now = f", now in group{'s' if len(groups) > 1 else ''} {', '.join(map(str, groups))}" if groups else ""
    people = f"{first} ({format_count(first_faces, 'face')}) and {second} ({second_faces})"
    return f"{people}{now}: {confusion.command}"


def _print_other_thresholds(score: LibraryScore) -> None:
    if not score.comparisons:
        return
    print_line()
    print_line("other thresholds", bold=True)
    print_lines(["          BCubed         pairs", "   thr.   P    R    F     P    R"])
    for other in score.comparisons:
        is_near = abs(other.threshold - score.params.threshold) <= _SHOWN_THRESHOLD_RANGE + 1e-9
        if not is_near and other is not score.best:
            continue
        mark = "  now" if other.threshold == score.params.threshold else "  better" if other is score.best else ""
        bcubed, pairwise = other.bcubed, other.pairwise
        values = [bcubed.precision, bcubed.recall, bcubed.f, pairwise.precision, pairwise.recall]
        p, r, f, pairs_p, pairs_r = (f"{format_score(value):>4}" for value in values)
        print_line(f"{other.threshold:>6g} {p} {r} {f}  {pairs_p} {pairs_r}{mark}")
    if score.best is None:
        print_line("no other threshold is significantly better")
    else:
        print_line(f"significantly better: {score.best.threshold:g}; `faceclust calibrate` also allows for strangers")


def _library_score_record(score: LibraryScore) -> dict[str, Any]:
    return {
        "people": score.people,
        "faces": score.faces,
        "pairs": score.pairs,
        "params": asdict(score.params),
        "bcubed": _interval_records(score.bcubed),
        "pairwise": _interval_records(score.pairwise),
        "confusions": [asdict(confusion) for confusion in score.confusions],
        "spread": [{"name": name, "groups": groups} for name, groups in score.split_people],
        "thresholds": [
            {
                "threshold": other.threshold,
                "bcubed": score_record(other.bcubed),
                "pairwise": score_record(other.pairwise),
                "better": round(other.better_share, 4),
            }
            for other in score.comparisons
        ],
        "best": score.best.threshold if score.best else None,
    }


def _interval_records(precision_recall: tuple[ConfidenceInterval, ConfidenceInterval]) -> dict[str, Any]:
    return {
        name: {key: round(value, 6) for key, value in asdict(interval).items()}
        for name, interval in zip(("precision", "recall"), precision_recall, strict=True)
    }
