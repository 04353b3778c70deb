"""Events in words."""

from __future__ import annotations

from faceclust.people.journal import Event


def describe(event: Event) -> str:
    """ "Anna (12 faces)" or "not Anna (1 face)", "ignored (3 faces)"."""
    faces = f"{len(event.faces)} face{'' if len(event.faces) == 1 else 's'}"
    what = {"name": str(event.name), "reject": f"not {event.name}"}.get(event.kind, "ignored")
    return f"{what} ({faces})"
