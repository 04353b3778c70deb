"""Changes that a command made to the people, as lines and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
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
    library: Library, as_json: bool, events: Sequence[Event], before: FaceCounts, *, done: str = ""
) -> None:
    """Print the answers, and the people whose faces changed.

    `done`: what happened to them: "undone", "redone" or "would undo"; "" if they were recorded.
    """
    after = count_faces_by_name(library)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if as_json:
        records = [_count_change_record(name, before.get(name, (0, 0)), after.get(name, (0, 0))) for name in changed]
        answers = [_event_record(event) for event in events]
        key = {"": "said", "redone": "redone"}.get(done, "undone")
        written = {"written": done == "undone"} if key == "undone" else {}
        print_json({"library": str(library.root), key: answers, "changed": records, **written})
        return
    for event in events:
        if done in ("", "redone"):
            print_line(describe_event(event))
        else:  # it is undone now, whether or not it was redone before
            print_line(f"{done}: {describe_event(replace(event, redoes=None))}")
    if all(event.kind == "rename" for event in events):
        return  # the faces stay with the person
    for name in changed:
        print_line(f"  {name}: {_describe_face_counts(before.get(name), after.get(name))}")
    _print_suggested(library, events if done in ("", "redone") else ())
    if not changed and not done:
        print_line("  no named person has changed")


def _print_suggested(library: Library, events: Sequence[Event]) -> None:
    """Point to the suggested faces of the people who were named."""
    named = {event.to or event.name for event in events if event.kind in ("name", "confirm", "merge", "add")}
    for person in library.people():
        if person.label in named and (count := len(person.face_ids) - len(person.confirmed)):
            print_line(
                f"{format_count(count, 'more face')} suggested as {person.label}: see them in faceclust label, "
                f"or confirm all: faceclust confirm {shlex.quote(person.label)}"
            )


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
