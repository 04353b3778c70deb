"""The confirmed faces of a library as training data."""

from __future__ import annotations

from faceclust.catalogue.catalogue import Catalogue
from faceclust.types import LibraryFace


def confirmed_faces(library: Catalogue) -> tuple[LibraryFace, ...]:
    """Return every face with a confirmed name, once however many copies its photo has, by person.

    Left out are suggested faces, those in videos, people who are on a photo without a face to be seen, and photos on
    disks that are away. Raises NothingScannedError before the first scan.
    """
    faces = []
    for person in sorted(library.people(), key=lambda person: person.label):
        for face in sorted(person.confirmed.intersection(library.occurrences_of)):
            first = library.viewable_occurrence(face)
            if not first.is_whole_photo and first.frame_time is None and library.is_here(first.photo):
                path, address = library.path_of(first.photo), library.address_of(face)
                left, top, right, bottom = map(float, first.pixel_box)
                box = (left, top, right, bottom)
                faces.append(LibraryFace(path, box, person.label, face, first.photo_hash, address))
    return tuple(faces)
