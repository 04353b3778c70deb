"""Find what is doubtful about an answer, and put it to the library's `doubts` before it is recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.people.names import person_key
from faceclust.people.near_names import find_near_name
from faceclust.text.plural import format_count
from faceclust.types import Person, PhotoInfo

_MAX_LISTED_PHOTOS = 3


def settle_name(library: Catalogue, name: str, *, renamed: Person | None = None) -> str:
    """Return the name of the person that a name or an alias means, as it is spelt. A new one that is nearly a
    known one is doubtful.

    `renamed`: the person who gets the name. Raises UsageError for what is a face or a group of people, and what
    `doubts` raise.
    """
    known, key = library.known_names, person_key(name)
    if renamed is not None and known.get(key) == renamed.label:
        return name  # another spelling, or an alias
    if key in known:
        is_missing = person_key(known[key]) == key and not any(known[key] == one.label for one in library.people())
        return name if is_missing else known[key]
    if is_face(library, name):
        raise UsageError(f"{name} is a face, not a name", hint='the name comes last: faceclust name WHAT "NAME"')
    if library.find_group(name) is not None:
        raise UsageError(f"{name} is a group of people, not a person", hint="choose another name")
    near = find_near_name(name, (other for other, of in known.items() if renamed is None or of != renamed.label))
    return name if near is None else library.doubts.choose_name(name, known[near])


def check_same_photo(library: Catalogue, faces: Iterable[str], name: str | None = None) -> None:
    """Put it to the library's `doubts` if these faces, of one person from now on, include two of one photo.

    The confirmed faces of the person `name` count, too. Faces that are confirmed or merged already are in
    order, and so is everything in a library whose groups may have two faces of one photo, as for collages.
    """
    person = next((p for p in library.people() if name and person_key(p.label) == person_key(name)), None)
    confirmed = person.confirmed if person else frozenset[str]()
    new = set(faces) - confirmed
    clashes = [on_photo for on_photo in _faces_by_photo(library, new | confirmed) if on_photo & new]
    merges = library.answers.merges if clashes else ()
    clashes = [on_photo for on_photo in clashes if not any(on_photo <= merged for merged in merges)]
    if clashes and not (library.clustering and library.clustering.params.allow_same_photo):
        who = f"{name} would be" if name else "this person would be"
        library.doubts.accept_same_photo(f"{who} twice on {_list_photos(library, clashes)}")


def check_twice_on_photo(library: Catalogue, photo: PhotoInfo, name: str) -> None:
    """Put it to the library's `doubts` if a new face of a person is on a photo that has a confirmed one already."""
    person = next((p for p in library.people() if person_key(p.label) == person_key(name)), None)
    on_photo = {face.face_id for face in library.faces_on.get(photo.photo_hash, ())}
    clash = on_photo & person.confirmed if person else set()
    if clash and not (library.clustering and library.clustering.params.allow_same_photo):
        library.doubts.accept_same_photo(f"{name} is on {_list_photos(library, [clash])} already")


def check_shared_photos(library: Catalogue, one: Person, other: Person) -> None:
    """Put it to the library's `doubts` if two persons, one from now on, are on the same photos."""
    both = _faces_by_photo(library, {*one.face_ids, *other.face_ids})
    shared = [
        on_photo
        for on_photo in both
        if not on_photo.isdisjoint(one.face_ids) and not on_photo.isdisjoint(other.face_ids)
    ]
    if shared and one.id != other.id:
        library.doubts.accept_same_photo(
            f"{one.label} and {other.label} are together on {_list_photos(library, shared)}"
        )


def _faces_by_photo(library: Catalogue, faces: Collection[str]) -> list[set[str]]:
    """The faces of each photo with at least two of them."""
    by_photo: dict[str, set[str]] = defaultdict(set)
    for face in faces:
        if face in library.picture_of:
            by_photo[library.picture_of[face]].add(face)
    return [found for found in by_photo.values() if len(found) > 1]


def is_face(library: Catalogue, name: str) -> bool:
    """Whether a text is a face of the library, given by its id or as PHOTO#N."""
    with suppress(UsageError):  # there is no such photo or face
        return library.find_face(name) is not None
    return False


def _list_photos(library: Catalogue, clashes: Iterable[set[str]]) -> str:
    """Describe faces, given as those of each photo: "2 photos: a.jpg#1 and #3, b.jpg#1 and #2"."""
    listed = []
    for faces in clashes:
        on_photo = library.faces_on[library.photo_of[next(iter(faces))]]
        numbers = [f"#{number}" for number, face in enumerate(on_photo, start=1) if face.face_id in faces]
        listed.append(on_photo[0].photo + " and ".join(numbers))
    more = f" and {len(listed) - _MAX_LISTED_PHOTOS:,} more" if len(listed) > _MAX_LISTED_PHOTOS else ""
    return f"{format_count(len(listed), 'photo')}: {', '.join(sorted(listed)[:_MAX_LISTED_PHOTOS])}{more}"
