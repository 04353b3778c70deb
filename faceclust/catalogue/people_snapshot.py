"""The user's answers and the persons that follow from them, as of one moment."""

from __future__ import annotations

from functools import cached_property

from faceclust.catalogue.face_snapshot import FaceSnapshot
from faceclust.people.date_evidence import NO_DATE_EVIDENCE, DateEvidence
from faceclust.people.groups import Groups
from faceclust.people.journal import Journal
from faceclust.people.name_index import group_people, index_names
from faceclust.people.persons import build_persons
from faceclust.people.replay import ReplayedAnswers
from faceclust.types import Person


class PeopleSnapshot:
    """The journal applied to the faces of one snapshot. Each value is worked out when first needed."""

    def __init__(self, faces: FaceSnapshot, journal: Journal) -> None:
        self._faces, self._journal = faces, journal

    @cached_property
    def answers(self) -> ReplayedAnswers:
        """The user's answers about the current faces."""
        events = self._journal.events()
        return self._faces.replay.answers(events) if events else ReplayedAnswers({})

    @cached_property
    def groups(self) -> Groups | None:
        """The groups of the last clustering, corrected by the answers; None before the first."""
        return self._faces.correct_groups(self.answers)

    @cached_property
    def date_evidence(self) -> DateEvidence:
        """Evidence from photo dates about people with a birth date."""
        births = {key: facts.born for key, facts in self.answers.facts.items() if facts.born is not None}
        return DateEvidence(self._faces.dates, births) if births else NO_DATE_EVIDENCE

    @cached_property
    def persons(self) -> tuple[Person, ...]:
        """Named persons, then groups without a name, then ignored ones."""
        return build_persons(self.groups, self.answers, self._faces.picture_of, self.date_evidence)

    @cached_property
    def people(self) -> tuple[Person, ...]:
        """The named persons: favourites first, then most faces first."""
        if self._faces.clustering is not None and not self.answers.labels:
            return ()  # spares reading the faces
        return tuple(person for person in self.persons if person.name is not None)

    @cached_property
    def known_names(self) -> dict[str, str]:
        """Key of a name or an alias → name of the person; people whose photos are missing are included."""
        return index_names(self.people, self.answers.missing_names, self.answers.facts)

    @cached_property
    def people_groups(self) -> dict[str, tuple[Person, ...]]:
        """Group of people, such as "Family" → its people."""
        return group_people(self.people)

    @cached_property
    def person_of(self) -> dict[str, Person]:
        """Face id → the named person."""
        return {face: person for person in self.people for face in person.face_ids}
