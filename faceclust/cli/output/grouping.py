"""Changes by a new grouping, as lines and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from faceclust.cli.terminal.printing import print_line
from faceclust.store.clusters import DamagedClusteringError
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.cluster.group import Grouping
    from faceclust.cluster.numbering import Changes
    from faceclust.library.library import Library

_MAX_LISTED_GROUPS = 5  # in a line


def changes_record(changes: Changes | None) -> dict[str, Any] | None:
    """The changes for `--json`; None if there was no grouping before."""
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
    """The grouping for `--json`. `sizes`: faces of each group."""
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
    """Print the faces added and removed since the last grouping, and why all were grouped from scratch."""
    faces = [format_count(changes.added, "new face")] if changes.added else []
    faces += [f"{format_count(changes.removed, 'face')} removed"] if changes.removed else []
    full = f"; all faces were grouped from scratch: {grouping.full_reason}" if grouping.full_reason else ""
    print_line(f"since the last grouping: {', '.join(faces) or 'the same faces'}{full}")


def suggest_full_run(grouping: Grouping) -> None:
    """Suggest `--full` if groups would merge, or if a third of the faces came after the last full run."""
    faces, at_full_run = len(grouping.clustering.labels), grouping.clustering.size_at_full_run
    reasons = []
    if grouping.would_merge:
        reasons.append(f"{format_count(grouping.would_merge, 'group')} would now merge with others")
    if 2 * faces > 3 * at_full_run:
        reasons.append(f"{faces - at_full_run:,} of {faces:,} faces are new since all were grouped from scratch")
    if reasons:
        print_line(f"{'; '.join(reasons)}: see faceclust cluster --full --dry-run")


def print_group_changes(changes: Changes, names: Mapping[int, str]) -> None:
    """Print a line for each kind of change. `names`: by group number, of the groups that have one."""
    if not changes:
        print_line("  no group has changed")
    for line in _change_lines(changes, names):
        print_line(f"  {line}")


def _change_lines(changes: Changes, names: Mapping[int, str]) -> Iterable[str]:
    def title(group: int) -> str:
        return f"{group} ({names[group]})" if group in names else str(group)

    def added_to(groups: Iterable[int]) -> str:
        return _join_with_noun([f"{title(group)} +{number}" for group, number in Counter(groups).most_common()])

    if joined := changes.joined:
        yield f"joined: {format_count(len(joined), 'new face')} to {added_to(group for _, group in joined)}"
    if joined := changes.no_longer_alone:
        yield f"no longer alone: {format_count(len(joined), 'face')} to {added_to(group for _, group in joined)}"
    if changes.new_groups:
        yield f"new: {_join_with_noun([title(group) for group in changes.new_groups])}"
    if changes.merged:
        yield f"merged: {_join_with_noun([f'{title(group)} into {title(into)}' for group, into in changes.merged])}"
    if changes.split:
        parts: dict[int, list[str]] = {}
        for group, new in changes.split:
            parts.setdefault(group, []).append(title(new))
        items = [f"{title(group)} into itself and {' and '.join(new)}" for group, new in parts.items()]
        yield f"split: {_join_with_noun(items)}"
    if changes.moved:
        moves = Counter((before, now) for _, before, now in changes.moved).most_common()
        items = [f"{format_count(number, 'face')} from {title(old)} to {title(new)}" for (old, new), number in moves]
        yield f"moved: {join_truncated(items)}"
    if changes.now_alone:
        groups = Counter(group for _, group in changes.now_alone).most_common()
        items = [f"{number} of {title(group)}" for group, number in groups]
        yield f"now alone: {format_count(len(changes.now_alone), 'face')}: {join_truncated(items)}"


def names_of_groups(library: Library) -> dict[int, str]:
    """The named person with the most faces in each group, by group number."""
    try:
        people = library.people()
    except DamagedClusteringError:
        return {}  # the command itself reports it
    most: dict[int, tuple[int, str]] = {}
    for person in people:
        counts = Counter(library.group_of[face] for face in person.face_ids if face in library.group_of)
        for group, number in counts.items():
            most[group] = max(most.get(group, (0, "")), (number, person.label))
    return {group: name for group, (_, name) in most.items()}


def _join_with_noun(items: list[str]) -> str:
    return f"{'group' if len(items) == 1 else 'groups'} {join_truncated(items)}"


def join_truncated(items: list[str]) -> str:
    """The first items, and the number of the others."""
    more = f" and {len(items) - _MAX_LISTED_GROUPS:,} more" if len(items) > _MAX_LISTED_GROUPS else ""
    return ", ".join(items[:_MAX_LISTED_GROUPS]) + more
