"""`faceclust cluster`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from faceclust.cli.common import (
    dask_options,
    device_option,
    json_option,
    library_option,
    open_library,
    print_json,
    read_dask_options,
)
from faceclust.cli.output.grouping import (
    changes_record,
    grouping_record,
    join_truncated,
    names_of_groups,
    print_face_changes,
    print_group_changes,
    suggest_full_run,
)
from faceclust.cli.terminal.printing import print_failure, print_line
from faceclust.errors import UsageError
from faceclust.library.calibration import AUTO_THRESHOLD, LINKAGE_OPTIONS
from faceclust.store.clusters import DamagedClusteringError
from faceclust.text.plural import format_count
from faceclust.types import LOCAL_SCALING, OPERATING_POINT

if TYPE_CHECKING:
    from faceclust.cluster.group import Grouping
    from faceclust.library.library import Library
    from faceclust.store.calibrations import Calibration


class _ThresholdType(click.ParamType):  # type: ignore[type-arg] # of some versions of click
    """A distance, or "auto"."""

    name = "auto|n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        try:
            return "auto" if value == "auto" else float(value)
        except (TypeError, ValueError):
            self.fail(f"{value!r} is neither a number, such as 1.1, nor auto", param, ctx)


@click.command("cluster")
@library_option
@click.option(
    "--threshold",
    "-t",
    type=_ThresholdType(),
    metavar="auto|N",
    default="auto",
    show_default=True,
    help="Squared L2 distance up to which groups are merged; auto is the calibrated one, else 1.1.",
)
@click.option(
    "--algorithm",
    "-a",
    type=click.Choice(["average", "complete", "single", "hdbscan"]),
    default="average",
    show_default=True,
    help="Clustering method; hdbscan ignores the threshold.",
)
@click.option("--min-size", type=click.IntRange(1), default=2, show_default=True, help="Break up smaller groups.")
@click.option(
    "--min-samples", type=click.IntRange(1), default=1, show_default=True, help="Neighbours of a core face in hdbscan."
)
@click.option(
    "--second-pass/--no-second-pass",
    default=True,
    show_default=True,
    help="Repeat average linkage, allowing for loose groups.",
)
@click.option(
    "--local-scaling",
    metavar="W",
    type=float,
    default=LOCAL_SCALING,
    show_default=True,
    help="How much nearer faces have to be that look like many others, such as children; 0 to 2 (average only).",
)
@click.option(
    "--min-quality",
    metavar="Q",
    type=float,
    default=0.5,
    show_default=True,
    help="Poorer faces join finished groups or group among themselves; 0 treats all faces alike.",
)
@device_option("Hardware that compares all faces; all but cpu need their own onnxruntime package.")
@click.option("--allow-same-photo", is_flag=True, help="Allow two faces of one photo in a group: collages, mirrors.")
@click.option("--full", is_flag=True, help="Group all faces from scratch, not only new ones. Group numbers are kept.")
@click.option("--dry-run", "-n", is_flag=True, help="Show what would change, and write nothing.")
@dask_options
@click.option("--undo", is_flag=True, help="Restore the previous grouping; repeat to go forward again.")
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
    dask: str | None,
    dask_root: str | None,
    dask_insecure: bool,
    **choices: Any,
) -> None:
    """Group the faces by person.

    A lower threshold makes more groups with fewer mistakes in them, a higher one makes fewer and
    larger groups. Names stay with their faces. Two faces on one photo are two people.

    After a scan, groups keep their numbers and take in new faces. With another threshold or
    --full, all faces are grouped from scratch, and the changes are listed.

    \b
    Examples:
      faceclust cluster
      faceclust cluster --threshold 0.9 --dry-run
      faceclust cluster --algorithm hdbscan --min-size 3
      faceclust cluster --undo
    """
    sources = {
        name: context.get_parameter_source(name) for name in ("full", "dask", "dask_root", "dask_insecure", *choices)
    }
    if undo and ParameterSource.COMMANDLINE in sources.values():
        raise UsageError(
            "--undo cannot be combined with options other than --dry-run, --json and --library",
            hint="faceclust cluster --undo",
        )
    cluster = read_dask_options(dask, dask_root, dask_insecure)
    opened = open_library(library)
    if undo:
        _undo_clustering(opened, dry_run, as_json)
        return
    names, named_before = names_of_groups(opened), _name_of_each_face(opened)
    is_configured = choices["threshold"] != AUTO_THRESHOLD and sources["threshold"] is ParameterSource.DEFAULT_MAP
    calibration = _resolve_threshold(context, opened, choices)
    grouping = opened.cluster(full=full, dry_run=dry_run, dask=cluster, **choices)
    sizes = grouping.sizes
    if as_json:
        record = {"calibrated": calibration is not None, "named": len(opened.people()), "written": not dry_run}
        print_json({"library": str(opened.root), **choices, **record, **grouping_record(grouping, sizes)})
        _print_lost_names(opened, named_before)
        return
    _print_threshold_source(choices["threshold"], calibration, is_configured)
    uses_files = not context.find_root().params.get("no_config")
    if calibration is None and sources["threshold"] is ParameterSource.DEFAULT and uses_files:
        _print_unused_calibration(opened, choices)
    _print_grouping(grouping, sizes, names | names_of_groups(opened))
    _print_next_step(opened, dry_run, len(sizes))
    _print_lost_names(opened, named_before)


def _undo_clustering(library: Library, dry_run: bool, as_json: bool) -> None:
    names = names_of_groups(library)
    changes = library.undo_cluster(dry_run=dry_run)
    if as_json:
        print_json({"library": str(library.root), "written": not dry_run, "changes": changes_record(changes)})
        return
    print_line(f"{'would restore' if dry_run else 'restored'} the previous grouping (--undo again to go forward)")
    print_group_changes(changes, names | names_of_groups(library))
    if changes.removed:
        print_line(f"{format_count(changes.removed, 'face')} not in that grouping; next: faceclust cluster")


def _resolve_threshold(context: click.Context, library: Library, choices: dict[str, Any]) -> Calibration | None:
    """Replace "auto" among the choices by a number. Return the calibration it comes from, if any."""
    if choices["threshold"] != AUTO_THRESHOLD:
        return None
    calibration = None
    if not context.find_root().params.get("no_config"):
        linkage = {name: choices[name] for name in LINKAGE_OPTIONS}
        calibration = library.applicable_calibration(**linkage)
    choices["threshold"] = calibration.threshold if calibration else OPERATING_POINT
    return calibration


def _print_threshold_source(threshold: float, calibration: Calibration | None, is_configured: bool) -> None:
    if calibration:
        people = format_count(calibration.people, "person", "people")
        print_line(f"threshold {threshold:g}, calibrated on {people} on {calibration.made}")
    elif is_configured:
        print_line(f"threshold {threshold:g}, set in a configuration file (faceclust config shows it)")


def _print_unused_calibration(library: Library, choices: dict[str, Any]) -> None:
    """Mention a calibration that was made with another weight of local scaling."""
    unused = library.calibration
    is_comparable = choices["algorithm"] == "average" and choices["second_pass"]
    if unused is not None and unused.local_scaling != choices["local_scaling"] and is_comparable:
        print_line(
            f"the calibrated threshold {unused.threshold:g} is not used: it was chosen with local scaling "
            f"{unused.local_scaling:g}; next: faceclust calibrate"
        )


def _print_grouping(grouping: Grouping, sizes: list[int], names: dict[int, str]) -> None:
    faces = len(grouping.clustering.labels)
    print_line(f"{format_count(faces, 'face')}: {format_count(len(sizes), 'group')}, {faces - sum(sizes):,} alone")
    if sizes:
        print_line(f"largest: {', '.join(str(size) for size in sizes[:10])} faces")
    if grouping.changes is not None:
        print_face_changes(grouping, grouping.changes)
        print_group_changes(grouping.changes, names)
    suggest_full_run(grouping)


def _name_of_each_face(library: Library) -> dict[str, str]:
    """The person of each face with a name, confirmed or suggested."""
    try:
        return {face: person.label for face, person in library.person_of.items()}
    except DamagedClusteringError:
        return {}  # the command itself reports it


def _print_lost_names(library: Library, before: dict[str, str]) -> None:
    """If most named faces have lost their name, say how to bring back the grouping before."""
    after = _name_of_each_face(library)
    kept = sum(after.get(face) == name for face, name in before.items())
    if kept < len(before) / 2:
        print_failure(
            f"{len(before) - kept:,} of {format_count(len(before), 'named face')} lost the name they had; "
            "to restore the grouping before: faceclust cluster --undo"
        )


def _print_next_step(library: Library, dry_run: bool, groups: int) -> None:
    if dry_run:
        print_line("nothing was written: --dry-run")
        return
    unnamed = len(library.unnamed_groups()) if library.answers.has_answers else groups
    suggested = {
        person.label: sum(face not in library.answers.labels for face in person.face_ids) for person in library.people()
    }
    items = [f"{number} for {name}" for name, number in suggested.items() if number]
    if items:
        print_line(f"suggested faces: {join_truncated(items)}; next: faceclust label (asks about them first)")
    elif unnamed:
        print_line(f"next: faceclust label ({format_count(unnamed, 'unnamed group')})")
