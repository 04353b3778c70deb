"""Events in words."""

from __future__ import annotations

from faceclust.people.events import Event


def describe(event: Event) -> str:
    """ "Anna (12 faces)" or "not Anna (1 face)", "Anna is now called Anne", "ignored (3 faces)"."""
    faces = f"({len(event.faces)} face{'' if len(event.faces) == 1 else 's'})"
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
        "undo": "taken back",
    }[event.kind]
    return f"{what} {faces}" if event.faces else str(what)
