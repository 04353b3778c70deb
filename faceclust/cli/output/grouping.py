"""What a new grouping has changed, in words and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.terminal.text import count
from faceclust.errors import CacheError

if TYPE_CHECKING:
    from faceclust.cluster.group import Grouping
    from faceclust.cluster.numbering import Changes
    from faceclust.library.library import Library

_MOST = 5  # groups named in a line


def changes_record(changes: Changes | None) -> dict[str, Any] | None:
    """For `--json`; None: there was no grouping before."""
    if changes is None:
        return None
    return {
        "added": changes.added,
        "gone": changes.gone,
        "joined": [{"face": face, "group": group} for face, group in changes.joined],
        "woken": [{"face": face, "group": group} for face, group in changes.woken],
        "new": list(changes.new),
        "merged": [{"group": group, "into": into} for group, into in changes.merged],
        "split": [{"group": group, "new": new} for group, new in changes.split],
        "moved": [{"face": face, "from": before, "to": now} for face, before, now in changes.moved],
        "left": [{"face": face, "from": before} for face, before in changes.left],
    }


def grouping_record(grouping: Grouping, sizes: list[int]) -> dict[str, Any]:
    """For `--json`; `sizes` of the groups."""
    faces = len(grouping.clustering.labels)
    return {
        "faces": faces,
        "groups": len(sizes),
        "alone": faces - sum(sizes),
        "sizes": sizes,
        "anew": grouping.anew,
        "compared": grouping.compared,
        "would_merge": grouping.would_merge,
        "whole": grouping.clustering.whole,
        "changes": changes_record(grouping.changes),
    }


def tell_since(grouping: Grouping, changes: Changes) -> None:
    """What there is to group that was not there, and whether all was grouped."""
    faces = [count(changes.added, "new face")] if changes.added else []
    faces += [f"{count(changes.gone, 'face')} no longer there"] if changes.gone else []
    anew = f"; all were grouped anew: {grouping.anew}" if grouping.anew else ""
    click.echo(f"since the last grouping: {', '.join(faces) or 'the same faces'}{anew}")


def tell_about_full(grouping: Grouping) -> None:
    """Where grouping all faces anew is worth a thought."""
    faces, whole = len(grouping.clustering.labels), grouping.clustering.whole
    reasons = []
    if grouping.would_merge:
        reasons.append(f"{count(grouping.would_merge, 'group')} would now go into others")
    if 2 * faces > 3 * whole:
        reasons.append(f"{faces - whole:,} of {faces:,} faces came after all were last grouped anew")
    if reasons:
        click.echo(f"{'; '.join(reasons)}: see faceclust cluster --full --dry-run")


def tell_changes(changes: Changes, names: Mapping[int, str]) -> None:
    """A line for each kind of change there is. `names`: those of the groups that have one."""

    def name(group: int) -> str:
        return f"{group} ({names[group]})" if group in names else str(group)

    def counted(groups: Iterable[int]) -> list[str]:
        return [f"{name(group)} +{number}" for group, number in Counter(groups).most_common()]

    if not changes:
        click.echo("  no group has changed")
    if changes.joined:
        told = counted(group for _, group in changes.joined)
        click.echo(f"  joined: {count(len(changes.joined), 'new face')} to {_some(told, 'group')}")
    if changes.woken:
        told = counted(group for _, group in changes.woken)
        click.echo(f"  no longer alone: {count(len(changes.woken), 'face')} to {_some(told, 'group')}")
    if changes.new:
        click.echo(f"  new: {_some([name(group) for group in changes.new], 'group')}")
    if changes.merged:
        told = [f"{name(group)} into {name(into)}" for group, into in changes.merged]
        click.echo(f"  merged: {_some(told, 'group')}")
    if changes.split:
        parts: dict[int, list[str]] = {}
        for group, new in changes.split:
            parts.setdefault(group, []).append(name(new))
        told = [f"{name(group)} into itself and {' and '.join(new)}" for group, new in parts.items()]
        click.echo(f"  split: {_some(told, 'group')}")
    if changes.moved:
        ways = Counter((before, now) for _, before, now in changes.moved).most_common()
        told = [f"{count(number, 'face')} from {name(before)} to {name(now)}" for (before, now), number in ways]
        click.echo(f"  moved: {listed(told)}")
    if changes.left:
        told = [f"{number} of {name(group)}" for group, number in Counter(g for _, g in changes.left).most_common()]
        click.echo(f"  now alone: {count(len(changes.left), 'face')}: {listed(told)}")


def names_of_groups(library: Library) -> dict[int, str]:
    """The named person most of a group's faces are, by group."""
    try:
        people = library.people()
    except CacheError:
        return {}  # of a damaged grouping, which the command itself tells of
    most: dict[int, tuple[int, str]] = {}
    for person in people:
        counts = Counter(library.cluster_of[face] for face in person.face_ids if face in library.cluster_of)
        for group, number in counts.items():
            most[group] = max(most.get(group, (0, "")), (number, person.label))
    return {group: name for group, (_, name) in most.items()}


def _some(told: list[str], what: str) -> str:
    return f"{what if len(told) == 1 else what + 's'} {listed(told)}"


def listed(told: list[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(told) - _MOST:,} more" if len(told) > _MOST else ""
    return ", ".join(told[:_MOST]) + more
