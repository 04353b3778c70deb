"""A face that was drawn by hand, as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceclust.cli.terminal.printing import print_line

if TYPE_CHECKING:
    from faceclust.library.library import Library
    from faceclust.people.events import Event


def print_drawn_face(library: Library, as_json: bool, event: Event) -> None:
    """Print the address of the face that an event drew, and whether it can be compared."""
    face = event.faces[0].face_id
    if as_json or face not in library.occurrences_of:
        return
    has_embedding = library.occurrences_of[face][0].has_embedding
    note = "" if has_embedding else "; too small or blurred to be compared with others: it only keeps its name"
    print_line(f"  it is {library.address_of(face)}{note}")
