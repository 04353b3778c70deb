"""Pictures of faces, as the page shows them."""

from __future__ import annotations

from typing import Any

from faceclust.types import FaceOccurrence, Person
from faceclust.types.frames import format_frame_time
from faceclust.web.person_facts import age_view


def face_view(occurrence: FaceOccurrence) -> dict[str, Any]:
    """Return a face and its picture; of a video, with the time of the frame in words."""
    view = {"face": occurrence.face_id, "photo": occurrence.picture}
    return view if occurrence.frame_time is None else view | {"time": format_frame_time(occurrence.frame_time)}


def dated_face_view(occurrence: FaceOccurrence, person: Person | None = None) -> dict[str, Any]:
    """Return a face with its date, and the age of the person if it is known."""
    age = age_view(person.facts, occurrence) if person else {}
    return {
        **face_view(occurrence),
        "date": occurrence.taken_at.isoformat() if occurrence.taken_at else None,
        **age,
    }
