"""Events in words."""

from __future__ import annotations

from faceclust.people.events import Event
from faceclust.types import OPERATING_POINT


def describe_event(event: Event) -> str:
    """ "Anna (12 faces)" or "not Anna (1 face)", "Anna is now called Anne", "ignored (3 faces)",
    "Anna (12 faces), from XMP sidecars"."""
    return (
        f"{_describe_without_source(event)}, from {event.source}" if event.source else _describe_without_source(event)
    )


def _describe_without_source(event: Event) -> str:
    number, sure = len({face.face_id for face in event.faces}), sum(face.confirmed for face in event.faces)
    suggested = f", {sure} of them confirmed" if event.kind == "name" and sure < number else ""
    faces = f"({number} face{'' if number == 1 else 's'}{suggested})"
    if event.kind == "rename":
        return f"{event.name} is now called {event.to}"
    if event.kind == "merge" and event.name is not None:
        return f"{event.name} and {event.to} are one: {event.to}"
    what = {
        "name": event.name,
        "confirm": f"{event.name} confirmed",
        "reject": f"not {event.name}",
        "merge": "one person",
        "split": "taken out of a group",
        "ignore": "ignored",
        "unignore": "no longer ignored",
        "forget": "forgotten",
        "found": "found again after an edit",
        "undo": "taken back",
    }[event.kind]
    rest = f", not {len(event.rest)} other{'' if len(event.rest) == 1 else 's'}" if event.rest and event.name else ""
    return f"{what} {faces}{rest}" if event.faces else str(what)


def describe_similarity(distance: float) -> str:
    """How alike two faces this far apart look, squared L2 on the scale on which 1.1 is the
    threshold."""
    for limit, words in ((0.8, "very alike"), (OPERATING_POINT, "alike"), (1.3, "somewhat alike")):
        if distance <= limit:
            return words
    return "a little alike"
