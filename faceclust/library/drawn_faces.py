"""The faces that the user drew on photos, according to the journal."""

from __future__ import annotations

from faceclust.catalogue.catalogue import Catalogue
from faceclust.people.events import JournalFace, effective_events
from faceclust.types import DrawnFace


def drawn_faces_in_effect(library: Catalogue) -> tuple[DrawnFace, ...]:
    """Return the faces that "add" and "move" events in effect drew, and that none replaced, removed or forgot."""
    drawn: dict[str, JournalFace] = {}
    for event in effective_events(library.journal.events()):
        if event.kind in ("move", "remove", "forget"):
            for face in event.rest if event.kind == "move" else event.faces:
                drawn.pop(face.face_id, None)
        if event.kind in ("add", "move"):
            drawn |= {face.face_id: face for face in event.faces}
    return tuple(
        DrawnFace(face.face_id, face.photo, face.photo_hash, face.box, face.taken_at) for face in drawn.values()
    )
