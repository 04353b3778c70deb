"""`faceclust cluster`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.output.grouping import (
    changes_record,
    grouping_record,
    join_truncated,
    names_of_groups,
    print_face_changes,
    print_group_changes,
    suggest_full_run,
)
from faceclust.cli.terminal.text import format_count
from faceclust.errors import UsageError
from faceclust.types import ClusterParams

if TYPE_CHECKING:
    from faceclust.library.library import Library


class _ThresholdType(click.ParamType):  # type: ignore[type-arg] # of some versions of click
    """A distance, or "auto"."""

    name = "auto|n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        try:
            return "auto" if value == "auto" else float(value)
        except (TypeError, ValueError):
            self.fail(f"{value!r} is neither a number, such as 1.1, nor auto", param, ctx)


_COMMAND_LINE = click.core.ParameterSource.COMMANDLINE


@click.command("cluster")
@library_option
@click.option(
    "--threshold",
    "-t",
    type=_ThresholdType(),
    metavar="auto|N",
    default="auto",
    show_default=True,
    help="Squared L2 distance up to which groups are one; auto: the calibrated one, else 1.1.",
)
@click.option(
    "--algorithm",
    "-a",
    type=click.Choice(["average", "complete", "single", "hdbscan"]),
    default="average",
    show_default=True,
    help="How groups are made; hdbscan knows no threshold.",
)
@click.option("--min-size", type=click.IntRange(1), default=2, show_default=True, help="Break up smaller groups.")
@click.option("--min-samples", type=click.IntRange(1), default=1, show_default=True, help="For hdbscan.")
@click.option(
    "--second-pass/--no-second-pass",
    default=True,
    show_default=True,
    help="Average linkage again, with allowance for loose groups.",
)
@click.option(
    "--min-quality",
    metavar="Q",
    type=float,
    default=0.5,
    show_default=True,
    help="Poorer faces join finished groups, or group among themselves; 0: all alike.",
)
@click.option("--allow-same-photo", is_flag=True, help="Two faces of a photo may be one person: collages, mirrors.")
@click.option("--full", is_flag=True, help="Group all faces anew, not only new ones. Numbers are kept.")
@click.option("--dry-run", "-n", is_flag=True, help="Say what would change, and write nothing.")
@click.option("--undo", is_flag=True, help="Go back to the grouping before this; again to return.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    library: Path | None,
    undo: bool,
    as_json: bool,
    full: bool,
    dry_run: bool,
    **choices: Any,
) -> None:
    """Group the faces by person.

    A lower threshold makes more and purer groups, a higher one fewer and larger ones.
    Names given before stay with their faces. Two faces of one photo are two people.
    After a scan, groups keep their numbers and take in new faces; with another threshold
    or --full all faces are grouped anew, and what has changed is said.

    \b
    Examples:
      faceclust cluster
      faceclust cluster --threshold 0.9 --dry-run
      faceclust cluster --algorithm hdbscan --min-size 3
      faceclust cluster --undo
    """
    given = [name for name in ("full", *choices) if context.get_parameter_source(name) is _COMMAND_LINE]
    if undo and given:
        raise UsageError(
            "--undo cannot be combined with options other than --dry-run, --json and --library",
            hint="faceclust cluster --undo",
        )
    opened = open_library(library)
    if undo:
        _undo_clustering(opened, dry_run, as_json)
        return
    names = names_of_groups(opened)
    told = _resolve_threshold(context, opened, choices)
    grouping = opened.cluster(full=full, dry_run=dry_run, **choices)
    labels = grouping.clustering.labels
    sizes = _group_sizes(labels)
    if as_json:
        run = {
            "library": str(opened.root),
            **choices,
            "calibrated": "calibrated" in told,
            "named": len(opened.people()),
            "written": not dry_run,
        }
        print_json(run | grouping_record(grouping, sizes))
        return
    if told:
        click.echo(told)
    click.echo(
        f"{format_count(len(labels), 'face')}: {format_count(len(sizes), 'group')}, {len(labels) - sum(sizes):,} alone"
    )
    if sizes:
        click.echo(f"largest: {', '.join(str(size) for size in sizes[:10])} faces")
    if grouping.changes is not None:
        print_face_changes(grouping, grouping.changes)
        print_group_changes(grouping.changes, names | names_of_groups(opened))
    suggest_full_run(grouping)
    _print_clustering_next_step(opened, dry_run, len(sizes))


def _undo_clustering(library: Library, dry_run: bool, as_json: bool) -> None:
    names = names_of_groups(library)
    changes = library.undo_cluster(dry_run=dry_run)
    if as_json:
        print_json({"library": str(library.root), "written": not dry_run, "changes": changes_record(changes)})
        return
    click.echo(f"{'this would go' if dry_run else 'gone'} back to the grouping before; --undo again returns")
    print_group_changes(changes, names | names_of_groups(library))
    if changes.removed:
        click.echo(f"{format_count(changes.removed, 'face')} came after that grouping; next: faceclust cluster")


def _resolve_threshold(context: click.Context, library: Library, choices: dict[str, Any]) -> str:
    """Put the number in that "auto" stands for. Gives what to say of where the number is from."""
    if choices["threshold"] != "auto":
        said = context.get_parameter_source("threshold") is click.core.ParameterSource.DEFAULT_MAP
        return f"threshold {choices['threshold']:g}, as a configuration file says" if said else ""
    choices["threshold"] = ClusterParams().threshold
    if context.find_root().params.get("no_config"):
        return ""
    threshold = library.default_threshold(algorithm=choices["algorithm"], second_pass=choices["second_pass"])
    known = library.calibration
    if known is None or threshold != known.threshold:
        return ""
    choices["threshold"] = threshold
    return f"threshold {threshold:g}, calibrated on {format_count(known.people, 'person', 'people')} on {known.made}"


def _group_sizes(labels: Any) -> list[int]:
    return sorted(Counter(labels[labels >= 0].tolist()).values(), reverse=True)


def _print_clustering_next_step(library: Library, dry_run: bool, groups: int) -> None:
    if dry_run:
        click.echo("nothing was written: --dry-run")
        return
    waiting = len(library.unnamed_groups()) if library.answers.has_answers else groups
    new = {
        person.label: sum(face not in library.answers.labels for face in person.face_ids) for person in library.people()
    }
    told = [f"{number} to {name}" for name, number in new.items() if number]
    if told:
        click.echo(f"suggested: {join_truncated(told)} (faceclust label asks about them first)")
    elif waiting:
        click.echo(f"next: faceclust label ({format_count(waiting, 'group')} without a name)")
