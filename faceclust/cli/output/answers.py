"""What a command changed among the people, as lines and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import print_json
from faceclust.cli.terminal.text import count
from faceclust.errors import UsageError

if TYPE_CHECKING:
    from faceclust.library.library import Library
    from faceclust.people.events import Event

Counts = dict[str, tuple[int, int]]  # name → faces, of them confirmed


def answer(library: Library, as_json: bool, say: Callable[[], Event]) -> None:
    """Say something of faces, and tell what that changed."""
    before = people_now(library)
    event = say()
    tell(library, as_json, [event], before)


def tell(library: Library, as_json: bool, events: Sequence[Event], before: Counts, *, undone: bool = False) -> None:
    """What was said, or taken back, and how many faces who has by it."""
    from faceclust.people.event_text import describe

    after = people_now(library)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if as_json:
        records = [_record(name, before.get(name, (0, 0)), after.get(name, (0, 0))) for name in changed]
        said = [_event_record(event) for event in events]
        print_json({"library": str(library.root), "undone" if undone else "said": said, "changed": records})
        return
    for event in events:
        click.echo(f"{'taken back: ' if undone else ''}{describe(event)}")
    if all(event.kind == "rename" for event in events):
        return  # nobody has other faces by it
    for name in changed:
        click.echo(f"  {name}: {_in_words(before.get(name), after.get(name))}")
    if not changed and not undone:
        click.echo("  no named person has changed")


def people_now(library: Library) -> Counts:
    """How many faces who has, to compare with later."""
    return {person.label: (len(person.face_ids), len(person.confirmed)) for person in library.people()}


def _in_words(before: tuple[int, int] | None, after: tuple[int, int] | None) -> str:
    if after is None:
        return "no faces any more"
    new = f"{count(after[0], 'face')}, {after[1]:,} of them confirmed"
    return f"{new} (new)" if before is None else f"{new} (before: {before[0]:,} and {before[1]:,})"


def _record(name: str, before: tuple[int, int], after: tuple[int, int]) -> dict[str, Any]:
    return {
        "name": name,
        "faces": {"before": before[0], "after": after[0]},
        "confirmed": {"before": before[1], "after": after[1]},
    }


def _event_record(event: Event) -> dict[str, Any]:
    record: dict[str, Any] = {"id": event.id, "event": event.kind, "name": event.name, "to": event.to}
    return record | {"faces": [face.face_id for face in event.faces]}


def faces_of(library: Library, targets: Iterable[str], *, person: str | None = None) -> list[str]:
    """The face ids of all that was pointed at, each once. Of a group that is partly the `person`'s
    those faces are meant that are theirs."""
    faces: dict[str, None] = {}
    for target in map(library.target, targets):
        theirs = [face for face in target.everyone if _name(library, face) == person] if person else []
        faces |= dict.fromkeys(theirs or target.faces)
    return list(faces)


def refuse_named_groups(library: Library, targets: Iterable[str], hint: str) -> None:
    """Raises UsageError where one of these is a group, all of whose faces have a name: a number is
    soon mistyped. `hint` has {name} in it."""
    for target in map(library.target, targets):
        names = sorted({name for face in target.everyone if (name := _name(library, face))})
        if names and set(target.faces) == set(target.everyone):
            raise UsageError(f"{target.label} is {' and '.join(names)} already", hint=hint.format(name=names[0]))


def _name(library: Library, face: str) -> str | None:
    return library.person_of[face].label if face in library.person_of else None
