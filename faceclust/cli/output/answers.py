"""Changes that a command made to the people, as lines and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from faceclust.cli.common import print_json
from faceclust.cli.terminal.printing import print_line
from faceclust.people.event_text import describe_event
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.library import Library
    from faceclust.people.events import Event

FaceCounts = dict[str, tuple[int, int]]  # name → (faces, confirmed faces)


def record_and_print(library: Library, as_json: bool, record_event: Callable[[], Event]) -> Event:
    """Record an answer, and print the changes it made."""
    before = count_faces_by_name(library)
    event = record_event()
    print_changes(library, as_json, [event], before)
    return event


def print_changes(
    library: Library, as_json: bool, events: Sequence[Event], before: FaceCounts, *, undone: bool = False
) -> None:
    """Print the answers that were recorded or undone, and the people whose faces changed."""
    after = count_faces_by_name(library)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if as_json:
        records = [_count_change_record(name, before.get(name, (0, 0)), after.get(name, (0, 0))) for name in changed]
        answers = [_event_record(event) for event in events]
        print_json({"library": str(library.root), "undone" if undone else "said": answers, "changed": records})
        return
    for event in events:
        print_line(f"{'undone: ' if undone else ''}{describe_event(event)}")
    if all(event.kind == "rename" for event in events):
        return  # the faces stay with the person
    for name in changed:
        print_line(f"  {name}: {_describe_face_counts(before.get(name), after.get(name))}")
    if not changed and not undone:
        print_line("  no named person has changed")


def count_faces_by_name(library: Library) -> FaceCounts:
    """The faces and confirmed faces of each named person, to compare with later."""
    return {person.label: (len(person.face_ids), len(person.confirmed)) for person in library.people()}


def _describe_face_counts(before: tuple[int, int] | None, after: tuple[int, int] | None) -> str:
    if after is None:
        return "no faces left"
    counts = f"{format_count(after[0], 'face')}, {after[1]:,} confirmed"
    return f"{counts} (new)" if before is None else f"{counts} (before: {before[0]:,}, {before[1]:,} confirmed)"


def _count_change_record(name: str, before: tuple[int, int], after: tuple[int, int]) -> dict[str, Any]:
    return {
        "name": name,
        "faces": {"before": before[0], "after": after[0]},
        "confirmed": {"before": before[1], "after": after[1]},
    }


def _event_record(event: Event) -> dict[str, Any]:
    record: dict[str, Any] = {"id": event.id, "event": event.kind, "name": event.name, "to": event.to}
    return record | {"faces": [face.face_id for face in event.faces]}
