"""`faceclust evaluate library`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.evaluate.clusters_output import format_score, score_record
from faceclust.cli.terminal.text import format_count, printable

if TYPE_CHECKING:
    from faceclust.evaluation.library_score import ConfidenceInterval, LibraryScore

_SHOWN_THRESHOLD_RANGE = 0.3  # thresholds this near to the present one are shown


@click.command("library", short_help="How well your own people are grouped.")
@library_option
@json_option
def command(library: Path | None, as_json: bool) -> None:
    """Score the grouping of your photos by the names you have confirmed.

    Precision: of what is put together, how much is one person. Recall: of what is one person, how
    much is put together. Scored is what likeness alone makes of your photos with the choices of
    the last grouping: your names mend the groups themselves. In brackets: where the value lies
    with 95 % confidence, had you named other people. The faces you confirmed were mostly shown in
    groups, so it is a little better than it is for others.

    \b
    Examples:
      faceclust evaluate library
      faceclust evaluate library --json
    """
    opened = open_library(library)
    found = opened.evaluate()
    if as_json:
        print_json({"library": str(opened.root), **_library_score_record(found)})
    else:
        _print_library_score(found)


def _print_library_score(score: LibraryScore) -> None:
    params = score.params
    how = "hdbscan" if params.algorithm == "hdbscan" else f"{params.algorithm} linkage at {params.threshold:g}"
    click.echo(
        f"{format_count(score.faces, 'confirmed face')} of {score.people} people, grouped by likeness alone: {how}\n"
    )
    click.echo(click.style("            precision            recall", bold=True))
    for title, (precision, recall) in (("BCubed", score.bcubed), ("pairs", score.pairwise)):
        click.echo(f"  {title:8}  {_format_interval(precision)}  {_format_interval(recall)}")
    if score.pairwise[1].value == 1:
        click.echo("everybody's confirmed faces lie in one group each, as when groups are named as a whole:")
        click.echo("what the groups lack these names cannot tell")
    if score.confusions:
        click.echo(f"\n{click.style('taken for one person', bold=True)}")
    for one in score.confusions:
        some = "group" if len(one.groups) == 1 else "groups"
        numbers = f", now in {some} {', '.join(map(str, one.groups))}" if one.groups else ""
        click.echo(
            f"  {printable(one.names[0])} ({format_count(one.faces[0], 'face')}) and {printable(one.names[1])} "
            f"({one.faces[1]}){numbers}: {one.command}"
        )
    if score.split_people:
        click.echo(f"\n{click.style('in several groups', bold=True)}, which their names hold together")
        told = ", ".join(f"{printable(name)} {groups}" for name, groups in score.split_people)
        click.echo(click.wrap_text(told, 78, "  ", "  "))
    _print_other_thresholds(score)


def _print_other_thresholds(score: LibraryScore) -> None:
    if not score.comparisons:
        return
    click.echo("\n" + click.style("other thresholds", bold=True))
    click.echo("          BCubed         pairs\n   cut    P    R    F     P    R")
    for cut in score.comparisons:
        if abs(cut.threshold - score.params.threshold) > _SHOWN_THRESHOLD_RANGE + 1e-9 and cut is not score.best:
            continue
        marks = "  now" if cut.threshold == score.params.threshold else "  better" if cut is score.best else ""
        values = [cut.bcubed.precision, cut.bcubed.recall, cut.bcubed.f, cut.pairwise.precision, cut.pairwise.recall]
        p, r, f, pairs_p, pairs_r = (f"{format_score(value):>4}" for value in values)
        click.echo(f"{cut.threshold:>6g} {p} {r} {f}  {pairs_p} {pairs_r}{marks}")
    if score.best is None:
        click.echo("no other threshold is better beyond chance")
    else:
        click.echo(
            f"better beyond chance: {score.best.threshold:g}; faceclust calibrate chooses with care for strangers"
        )


def _format_interval(interval: ConfidenceInterval) -> str:
    return f"{format_score(interval.value):>4} ({format_score(interval.low)} to {format_score(interval.high)})"


def _library_score_record(score: LibraryScore) -> dict[str, Any]:
    return {
        "people": score.people,
        "faces": score.faces,
        "pairs": score.pairs,
        "params": asdict(score.params),
        "bcubed": _interval_records(score.bcubed),
        "pairwise": _interval_records(score.pairwise),
        "confusions": [asdict(one) for one in score.confusions],
        "spread": [{"name": name, "groups": groups} for name, groups in score.split_people],
        "thresholds": [
            {
                "threshold": cut.threshold,
                "bcubed": score_record(cut.bcubed),
                "pairwise": score_record(cut.pairwise),
                "better": round(cut.better_share, 4),
            }
            for cut in score.comparisons
        ],
        "best": score.best.threshold if score.best else None,
    }


def _interval_records(precision_recall: tuple[ConfidenceInterval, ConfidenceInterval]) -> dict[str, Any]:
    return {
        name: {key: round(value, 6) for key, value in asdict(interval).items()}
        for name, interval in zip(("precision", "recall"), precision_recall, strict=True)
    }
