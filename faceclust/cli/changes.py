"""What a new grouping has changed, in words and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import count

if TYPE_CHECKING:
    from faceclust.cluster.numbering import Changes
    from faceclust.library import Library

_MOST = 5  # groups named in a line


def changes_record(changes: Changes | None) -> dict[str, Any] | None:
    """For `--json`; None: there was no grouping before."""
    if changes is None:
        return None
    return {
        "added": changes.added,
        "gone": changes.gone,
        "joined": [{"face": face, "group": group} for face, group in changes.joined],
        "new": list(changes.new),
        "merged": [{"group": group, "into": into} for group, into in changes.merged],
        "split": [{"group": group, "new": new} for group, new in changes.split],
        "moved": [{"face": face, "from": before, "to": now} for face, before, now in changes.moved],
        "left": [{"face": face, "from": before} for face, before in changes.left],
    }


def tell_changes(library: Library, changes: Changes) -> None:
    """A line for each kind of change there is."""
    names = _owners(library)

    def name(group: int) -> str:
        return f"{group} ({names[group]})" if group in names else str(group)

    faces = [count(changes.added, "new face")] if changes.added else []
    faces += [f"{count(changes.gone, 'face')} no longer there"] if changes.gone else []
    click.echo(f"since the last grouping: {', '.join(faces) or 'the same faces'}")
    if not changes:
        click.echo("  no group has changed")
    if changes.joined:
        into = Counter(group for _, group in changes.joined).most_common()
        told = [f"{name(group)} +{number}" for group, number in into]
        click.echo(f"  joined: {count(len(changes.joined), 'face')} to {_some(told, 'group')}")
    for what, told in (
        ("new", [name(group) for group in changes.new]),
        ("merged", [f"{name(group)} into {name(into)}" for group, into in changes.merged]),
        ("split", [f"{name(group)} into itself and {name(new)}" for group, new in changes.split]),
    ):
        if told:
            click.echo(f"  {what}: {_some(told, 'group')}")
    if changes.moved:
        ways = Counter((before, now) for _, before, now in changes.moved).most_common()
        told = [f"{number} from {name(before)} to {name(now)}" for (before, now), number in ways]
        click.echo(f"  moved: {count(len(changes.moved), 'face')}: {_listed(told)}")
    if changes.left:
        told = [f"{number} of {name(group)}" for group, number in Counter(g for _, g in changes.left).most_common()]
        click.echo(f"  now alone: {count(len(changes.left), 'face')}: {_listed(told)}")


def _owners(library: Library) -> dict[int, str]:
    """The named person most of a group's faces are, by group."""
    most: dict[int, tuple[int, str]] = {}
    for person in library.people():
        counts = Counter(library.cluster_of[face] for face in person.face_ids if face in library.cluster_of)
        for group, number in counts.items():
            most[group] = max(most.get(group, (0, "")), (number, person.label))
    return {group: name for group, (_, name) in most.items()}


def _some(told: list[str], what: str) -> str:
    return f"{what if len(told) == 1 else what + 's'} {_listed(told)}"


def _listed(told: list[str]) -> str:
    more = f" and {len(told) - _MOST:,} more" if len(told) > _MOST else ""
    return ", ".join(told[:_MOST]) + more
