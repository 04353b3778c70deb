"""A name the user typed is never lost: one test for each thing that happens to photos."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faceclust import Library
from faceclust.errors import CacheError
from tests.support.photo_changes import SCENARIOS, names_on_photos, surviving
from tests.support.sample_photos import COLLINS, HOPPER

NameOfFace = Callable[[Library], dict[str, str]]

#: What may not be sure any more afterwards: the name is then suggested.
UNSURE = {"the date mended in place", "edited and renamed at once"}


@pytest.mark.parametrize("what", SCENARIOS)
def test_every_confirmed_face_has_its_name_again(library: Library, name_of_face: NameOfFace, what: str) -> None:
    for person in (COLLINS, HOPPER):
        library.name([face for face, who in name_of_face(library).items() if who == person], person)
    before = names_on_photos(library)
    journal = library.home.journal.read_bytes()
    after = SCENARIOS[what](library)
    confirmed, named, sure = surviving(before, after)
    assert (named, sure if what not in UNSURE else named) == (confirmed, confirmed) and confirmed == 12
    assert {person.name for person in after.people()} == {COLLINS, HOPPER}
    assert sum(map(len, names_on_photos(after).values())) == confirmed  # and nobody else has one
    assert after.home.journal.read_bytes().startswith(journal)


def test_a_scan_does_not_fail_for_a_journal_that_cannot_be_written(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.name(library.faces_in_group(1), COLLINS)
    before = names_on_photos(library)

    def refuse(*_: object, **__: object) -> None:
        raise CacheError("the disk is full")

    monkeypatch.setattr("faceclust.people.journal.Journal.record", refuse)
    after = SCENARIOS["a comment added in place"](library)
    assert surviving(before, after)[1] == 6
    assert [event.kind for event in after.journal.events()] == ["name"]
    monkeypatch.undo()
    after.scan(workers=0)  # the next one notes where the faces are
    assert [event.kind for event in after.journal.events()] == ["name", "found"]
