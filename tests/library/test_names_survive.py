"""A name the user typed is never lost, whatever happens to the photos."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faceclust import Library
from faceclust.errors import CacheError
from tests.support.photo_changes import SCENARIOS, count_surviving_names, list_names_on_photos
from tests.support.sample_photos import COLLINS, HOPPER

NameOfFace = Callable[[Library], dict[str, str]]

#: Changes after which a face may no longer be certain: its name is then suggested.
UNCERTAIN = {"the date corrected in place", "edited and renamed at once"}


@pytest.mark.slow
@pytest.mark.parametrize("change", SCENARIOS)
def test_every_confirmed_face_keeps_its_name(library: Library, name_of_face: NameOfFace, change: str) -> None:
    for person in (COLLINS, HOPPER):
        library.name([face for face, who in name_of_face(library).items() if who == person], person)
    before = list_names_on_photos(library)
    journal = library.home.journal.read_bytes()
    after = SCENARIOS[change](library)
    confirmed, named, certain = count_surviving_names(before, after)
    assert (named, certain if change not in UNCERTAIN else named) == (confirmed, confirmed) and confirmed == 12
    assert {person.name for person in after.people()} == {COLLINS, HOPPER}
    assert sum(map(len, list_names_on_photos(after).values())) == confirmed  # and no other face got one
    assert after.home.journal.read_bytes().startswith(journal)


def test_a_scan_succeeds_with_a_journal_that_cannot_be_written(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.name(library.faces_in_group(1), COLLINS)
    before = list_names_on_photos(library)

    def refuse(*_: object, **__: object) -> None:
        raise CacheError("the disk is full")

    monkeypatch.setattr("faceclust.people.journal.Journal.record", refuse)
    after = SCENARIOS["a comment added in place"](library)
    assert count_surviving_names(before, after)[1] == 6
    assert [event.kind for event in after.journal.events()] == ["name"]
    monkeypatch.undo()
    after.scan(workers=0)  # the next scan records where the faces are
    assert [event.kind for event in after.journal.events()] == ["name", "found"]
