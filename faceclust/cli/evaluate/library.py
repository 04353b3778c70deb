"""`faceclust evaluate library`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.evaluate.clusters_output import score_record, short
from faceclust.cli.terminal.text import count, printable

if TYPE_CHECKING:
    from faceclust.evaluation.library_score import Interval, OwnPeople

_AROUND = 0.3  # thresholds this near to the present one are shown


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
        print_json({"library": str(opened.root), **_record(found)})
    else:
        _print(found)


def _print(found: OwnPeople) -> None:
    params = found.params
    how = "hdbscan" if params.algorithm == "hdbscan" else f"{params.algorithm} linkage at {params.threshold:g}"
    click.echo(f"{count(found.faces, 'confirmed face')} of {found.people} people, grouped by likeness alone: {how}\n")
    click.echo(click.style("            precision            recall", bold=True))
    for title, (precision, recall) in (("BCubed", found.bcubed), ("pairs", found.pairwise)):
        click.echo(f"  {title:8}  {_interval(precision)}  {_interval(recall)}")
    if found.pairwise[1].value == 1:
        click.echo("everybody's confirmed faces lie in one group each, as when groups are named as a whole:")
        click.echo("what the groups lack these names cannot tell")
    if found.confusions:
        click.echo(f"\n{click.style('taken for one person', bold=True)}")
    for one in found.confusions:
        some = "group" if len(one.groups) == 1 else "groups"
        numbers = f", now in {some} {', '.join(map(str, one.groups))}" if one.groups else ""
        click.echo(
            f"  {printable(one.names[0])} ({count(one.faces[0], 'face')}) and {printable(one.names[1])} "
            f"({one.faces[1]}){numbers}: {one.command}"
        )
    if found.spread:
        click.echo(f"\n{click.style('in several groups', bold=True)}, which their names hold together")
        told = ", ".join(f"{printable(name)} {groups}" for name, groups in found.spread)
        click.echo(click.wrap_text(told, 78, "  ", "  "))
    _print_cuts(found)


def _print_cuts(found: OwnPeople) -> None:
    if not found.cuts:
        return
    click.echo("\n" + click.style("other thresholds", bold=True))
    click.echo("          BCubed         pairs\n   cut    P    R    F     P    R")
    for cut in found.cuts:
        if abs(cut.threshold - found.params.threshold) > _AROUND + 1e-9 and cut is not found.best:
            continue
        marks = "  now" if cut.threshold == found.params.threshold else "  better" if cut is found.best else ""
        values = [cut.bcubed.precision, cut.bcubed.recall, cut.bcubed.f, cut.pairwise.precision, cut.pairwise.recall]
        p, r, f, pairs_p, pairs_r = (f"{short(value):>4}" for value in values)
        click.echo(f"{cut.threshold:>6g} {p} {r} {f}  {pairs_p} {pairs_r}{marks}")
    if found.best is None:
        click.echo("no other threshold is better beyond chance")
    else:
        click.echo(
            f"better beyond chance: {found.best.threshold:g}; faceclust calibrate chooses with care for strangers"
        )


def _interval(interval: Interval) -> str:
    return f"{short(interval.value):>4} ({short(interval.low)} to {short(interval.high)})"


def _record(found: OwnPeople) -> dict[str, Any]:
    return {
        "people": found.people,
        "faces": found.faces,
        "pairs": found.pairs,
        "params": asdict(found.params),
        "bcubed": _intervals(found.bcubed),
        "pairwise": _intervals(found.pairwise),
        "confusions": [asdict(one) for one in found.confusions],
        "spread": [{"name": name, "groups": groups} for name, groups in found.spread],
        "thresholds": [
            {
                "threshold": cut.threshold,
                "bcubed": score_record(cut.bcubed),
                "pairwise": score_record(cut.pairwise),
                "better": round(cut.better, 4),
            }
            for cut in found.cuts
        ],
        "best": found.best.threshold if found.best else None,
    }


def _intervals(both: tuple[Interval, Interval]) -> dict[str, Any]:
    return {
        name: {key: round(value, 6) for key, value in asdict(interval).items()}
        for name, interval in zip(("precision", "recall"), both, strict=True)
    }
