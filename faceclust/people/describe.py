"""Events in words."""

from __future__ import annotations

from faceclust.people.journal import Event


def describe(event: Event) -> str:
    """ "Anna (12 faces)" or "ignored (3 faces)"."""
    faces = f"{len(event.faces)} face{'' if len(event.faces) == 1 else 's'}"
    return f"{event.name if event.kind == 'name' else 'ignored'} ({faces})"
