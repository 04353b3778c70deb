"""The facts about a person, as lines and as JSON."""

from __future__ import annotations

from datetime import date
from typing import Any

from faceclust.outputs.ages import format_age
from faceclust.types import PersonFacts


def facts_record(facts: PersonFacts) -> dict[str, Any]:
    """The facts for `--json`. `age` is today's in words, None if it is unknown or the person has died."""
    return {
        "born": str(facts.born) if facts.born else None,
        "died": str(facts.died) if facts.died else None,
        "age": None if facts.died else format_age(facts, date.today()) or None,
        "note": facts.note or None,
        "picture": facts.picture,
        "favourite": facts.favourite,
        "groups": list(facts.groups),
        "aliases": list(facts.aliases),
    }


def fact_lines(facts: PersonFacts, picture: str = "") -> list[tuple[str, str]]:
    """Return (word, text) for each fact that is known. `picture`: the chosen face as PHOTO#N, "" without one."""
    age = "" if facts.died else format_age(facts, date.today())
    born = f"{facts.born}, {age}" if age else str(facts.born or "")
    lines = [
        ("born", born),
        ("died", str(facts.died or "")),
        ("favourite", "yes" if facts.favourite else ""),
        ("groups", ", ".join(facts.groups)),
        ("also called", ", ".join(facts.aliases)),
        ("picture", picture),
    ]
    lines += [("note" if not number else "", line) for number, line in enumerate(facts.note.splitlines())]
    return [(word, text) for word, text in lines if text]
