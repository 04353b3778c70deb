"""Describe events and similarity in words."""

from __future__ import annotations

from faceclust.people.events import Event, suggester_of
from faceclust.people.fact_changes import FactChanges
from faceclust.text.plural import format_count
from faceclust.types import OPERATING_POINT, WHOLE_PHOTO


def describe_event(event: Event) -> str:
    """Describe an event, for example "Anna (12 faces)", "not Anna (1 face)", "Anna is now called Anne",
    "ignored (3 faces)", "Anna (12 faces), from XMP sidecars", "Anna (12 faces), suggested by Aunt Mary" or
    "Anna (12 faces), redone"."""
    is_suggested = suggester_of(event) is not None
    source = f", {'' if is_suggested else 'from '}{event.source}" if event.source else ""
    return f"{_describe_without_source(event)}{source}{', redone' if event.redoes else ''}"


def _describe_without_source(event: Event) -> str:
    count, confirmed = len({face.face_id for face in event.faces}), sum(face.confirmed for face in event.faces)
    partly = f", {confirmed} of them confirmed" if event.kind == "name" and confirmed < count else ""
    faces = f"({format_count(count, 'face')}{partly})"
    if event.kind == "rename":
        return f"{event.name} is now called {event.to}"
    if event.kind == "merge" and event.name is not None:
        return f"{event.name} and {event.to} are one: {event.to}"
    if event.kind == "person" and event.facts is not None:
        return describe_facts(event.name or "", event.facts, has_picture=bool(event.faces))
    if event.kind == "add" and all(face.box == WHOLE_PHOTO for face in event.faces):
        return f"{event.name} on {format_count(count, 'photo')}, without a face to be seen"
    action = {
        "name": event.name,
        "confirm": f"{event.name} confirmed",
        "reject": f"not {event.name}",
        "merge": "one person",
        "split": "taken out of a group",
        "ignore": "ignored",
        "unignore": "no longer ignored",
        "add": f"{event.name} drawn by hand" if event.name else "drawn by hand",
        "move": "box moved",
        "remove": "not a face",
        "forget": "forgotten",
        "found": "found again after an edit",
        "undo": "taken back",
    }[event.kind]
    rest = f", not {format_count(len(event.rest), 'other')}" if event.rest and event.name else ""
    return f"{action} {faces}{rest}" if event.faces else str(action)


def describe_facts(name: str, changes: FactChanges, *, has_picture: bool) -> str:
    """Describe new facts about a person, for example "Anna: born 1987-05-03, no note, in Family"."""
    words: list[str] = []
    for word, value in (("born", changes.born), ("died", changes.died)):
        if value is not None:
            words.append(f"{word} {value}" if value else f"no date for {word}")
    if changes.note is not None:
        words.append("a note" if changes.note else "no note")
    if has_picture or changes.clears_picture:
        words.append("a chosen picture" if has_picture else "no chosen picture")
    if changes.favourite is not None:
        words.append("a favourite" if changes.favourite else "no favourite")
    for before, names in (
        ("in ", changes.added_groups),
        ("not in ", changes.removed_groups),
        ("also called ", changes.added_aliases),
        ("not called ", changes.removed_aliases),
    ):
        words += [f"{before}{', '.join(names)}"] if names else []
    return f"{name}: {', '.join(words) or 'no new facts'}"


def describe_similarity(distance: float) -> str:
    """Describe the similarity of two faces at this squared L2, on the scale of OPERATING_POINT."""
    for limit, words in ((0.8, "very alike"), (OPERATING_POINT, "alike"), (1.3, "somewhat alike")):
        if distance <= limit:
            return words
    return "a little alike"
