"""The facts about people, as the page shows them."""

from __future__ import annotations

from datetime import date
from typing import Any

from faceclust.outputs.ages import format_age, format_life
from faceclust.text.visible import make_visible
from faceclust.types import FaceOccurrence, PersonFacts


def facts_view(facts: PersonFacts) -> dict[str, Any]:
    """Return the facts about a person; `life` has birth and death in words."""
    return {
        "favourite": facts.favourite,
        "life": format_life(facts, date.today()),
        "groups": list(facts.groups),
        "aliases": list(facts.aliases),
        "note": "\n".join(map(make_visible, facts.note.splitlines())),
    }


def age_view(facts: PersonFacts, face: FaceOccurrence) -> dict[str, str]:
    """Return the age of the person on the photo of a face, in words; nothing if it is unknown."""
    age = format_age(facts, face.taken_at.date() if face.taken_at else None)
    return {"age": age} if age else {}
