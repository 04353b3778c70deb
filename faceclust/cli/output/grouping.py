"""What a new grouping has changed, in words and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.terminal.text import format_count
from faceclust.errors import CacheError

if TYPE_CHECKING:
    from faceclust.cluster.group import Grouping
    from faceclust.cluster.numbering import Changes
    from faceclust.library.library import Library

_MAX_LISTED_GROUPS = 5  # groups named in a line


def changes_record(changes: Changes | None) -> dict[str, Any] | None:
    """For `--json`; None: there was no grouping before."""
    if changes is None:
        return None
    return {
        "added": changes.added,
        "gone": changes.removed,
        "joined": [{"face": face, "group": group} for face, group in changes.joined],
        "woken": [{"face": face, "group": group} for face, group in changes.no_longer_alone],
        "new": list(changes.new_groups),
        "merged": [{"group": group, "into": into} for group, into in changes.merged],
        "split": [{"group": group, "new": new} for group, new in changes.split],
        "moved": [{"face": face, "from": before, "to": now} for face, before, now in changes.moved],
        "left": [{"face": face, "from": before} for face, before in changes.now_alone],
    }


def grouping_record(grouping: Grouping, sizes: list[int]) -> dict[str, Any]:
    """For `--json`; `sizes` of the groups."""
    faces = len(grouping.clustering.labels)
    return {
        "faces": faces,
        "groups": len(sizes),
        "alone": faces - sum(sizes),
        "sizes": sizes,
        "anew": grouping.full_reason,
        "compared": grouping.compared,
        "would_merge": grouping.would_merge,
        "whole": grouping.clustering.size_at_full_run,
        "changes": changes_record(grouping.changes),
    }


def print_face_changes(grouping: Grouping, changes: Changes) -> None:
    """What there is to group that was not there, and whether all was grouped."""
    faces = [format_count(changes.added, "new face")] if changes.added else []
    faces += [f"{format_count(changes.removed, 'face')} no longer there"] if changes.removed else []
    anew = f"; all were grouped anew: {grouping.full_reason}" if grouping.full_reason else ""
    click.echo(f"since the last grouping: {', '.join(faces) or 'the same faces'}{anew}")


def suggest_full_run(grouping: Grouping) -> None:
    """Where grouping all faces anew is worth a thought."""
    faces, whole = len(grouping.clustering.labels), grouping.clustering.size_at_full_run
    reasons = []
    if grouping.would_merge:
        reasons.append(f"{format_count(grouping.would_merge, 'group')} would now go into others")
    if 2 * faces > 3 * whole:
        reasons.append(f"{faces - whole:,} of {faces:,} faces came after all were last grouped anew")
    if reasons:
        click.echo(f"{'; '.join(reasons)}: see faceclust cluster --full --dry-run")


def print_group_changes(changes: Changes, names: Mapping[int, str]) -> None:
    """A line for each kind of change there is. `names`: those of the groups that have one."""

    def name(group: int) -> str:
        return f"{group} ({names[group]})" if group in names else str(group)

    def counted(groups: Iterable[int]) -> list[str]:
        return [f"{name(group)} +{number}" for group, number in Counter(groups).most_common()]

    if not changes:
        click.echo("  no group has changed")
    if changes.joined:
        told = counted(group for _, group in changes.joined)
        click.echo(f"  joined: {format_count(len(changes.joined), 'new face')} to {_join_with_noun(told, 'group')}")
    if changes.no_longer_alone:
        told = counted(group for _, group in changes.no_longer_alone)
        click.echo(
            f"  no longer alone: {format_count(len(changes.no_longer_alone), 'face')} to "
            f"{_join_with_noun(told, 'group')}"
        )
    if changes.new_groups:
        click.echo(f"  new: {_join_with_noun([name(group) for group in changes.new_groups], 'group')}")
    if changes.merged:
        told = [f"{name(group)} into {name(into)}" for group, into in changes.merged]
        click.echo(f"  merged: {_join_with_noun(told, 'group')}")
    if changes.split:
        parts: dict[int, list[str]] = {}
        for group, new in changes.split:
            parts.setdefault(group, []).append(name(new))
        told = [f"{name(group)} into itself and {' and '.join(new)}" for group, new in parts.items()]
        click.echo(f"  split: {_join_with_noun(told, 'group')}")
    if changes.moved:
        ways = Counter((before, now) for _, before, now in changes.moved).most_common()
        told = [f"{format_count(number, 'face')} from {name(before)} to {name(now)}" for (before, now), number in ways]
        click.echo(f"  moved: {join_truncated(told)}")
    if changes.now_alone:
        told = [
            f"{number} of {name(group)}" for group, number in Counter(g for _, g in changes.now_alone).most_common()
        ]
        click.echo(f"  now alone: {format_count(len(changes.now_alone), 'face')}: {join_truncated(told)}")


def names_of_groups(library: Library) -> dict[int, str]:
    """The named person most of a group's faces are, by group."""
    try:
        people = library.people()
    except CacheError:
        return {}  # of a damaged grouping, which the command itself tells of
    most: dict[int, tuple[int, str]] = {}
    for person in people:
        counts = Counter(library.group_of[face] for face in person.face_ids if face in library.group_of)
        for group, number in counts.items():
            most[group] = max(most.get(group, (0, "")), (number, person.label))
    return {group: name for group, (_, name) in most.items()}


def _join_with_noun(items: list[str], noun: str) -> str:
    return f"{noun if len(items) == 1 else noun + 's'} {join_truncated(items)}"


def join_truncated(items: list[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(items) - _MAX_LISTED_GROUPS:,} more" if len(items) > _MAX_LISTED_GROUPS else ""
    return ", ".join(items[:_MAX_LISTED_GROUPS]) + more
