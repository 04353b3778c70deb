"""Review items: doubtful faces and groups, with faces to compare and commands to type."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence

from faceclust.outputs.overview import build_overview, format_year_range
from faceclust.outputs.report.timeline import to_face_picture
from faceclust.outputs.report.values import (
    CrowdedGroup,
    FacePicture,
    FacesBeforeBirth,
    MergeCandidate,
    Outlier,
    PersonReference,
    ReviewFindings,
    ReviewItem,
    SplitCandidate,
)
from faceclust.text.plural import format_count
from faceclust.types import FaceOccurrence, Person

#: Faces shown of a person who has confirmed faces from before the birth.
_MAX_EARLY_FACES = 3

_ReviewSide = tuple[PersonReference, FacePicture, str]


class ReviewBuilder:
    """Build review items from findings, which refer to persons by id.

    `pictured` has the ids of the faces shown so far, in order. `listed_ids` are the persons that have
    an entry in the report. `number_of` maps face ids to the numbers on their photos.
    """

    def __init__(
        self,
        persons: Sequence[Person],
        occurrences_of: Mapping[str, Sequence[FaceOccurrence]],
        listed_ids: Collection[str],
        number_of: Mapping[str, int],
    ) -> None:
        self._persons = {person.id: person for person in persons}
        self._occurrences_of = occurrences_of
        self._listed_ids, self._number_of = listed_ids, number_of
        self._references: dict[str, PersonReference] = {}
        self.pictured: dict[str, None] = {}

    def build_items(self, findings: ReviewFindings) -> tuple[tuple[ReviewItem, ...], ...]:
        """Return the items of the outliers, the merge candidates, the split candidates, the crowded groups and the
        faces from before a birth."""
        return (
            tuple(map(self._outlier_item, findings.outliers)),
            tuple(map(self._merge_item, findings.merge_candidates)),
            tuple(map(self._split_item, findings.split_candidates)),
            tuple(map(self._crowded_item, findings.crowded_groups)),
            tuple(map(self._before_birth_item, findings.before_birth)),
        )

    def _outlier_item(self, outlier: Outlier) -> ReviewItem:
        owner = self._persons[outlier.person]
        about = self._reference_to(owner)
        sides = [self._make_side(about, outlier.face_id, "this face")]
        sides += self._best_side(about, "the best of the others")
        explanation = f"{outlier.distance:.2f} from the other faces of {about.title}"
        command = _removal_command(owner, sides[0][1].address)
        if outlier.nearest_person is not None:
            other = self._reference_to(self._persons[outlier.nearest_person])
            if outlier.nearest_distance < outlier.distance:
                sides += self._best_side(other, "more alike")
                explanation += f", but {outlier.nearest_distance:.2f} from {other.title}"
        return ReviewItem(tuple(sides), explanation, (command,))

    def _merge_item(self, pair: MergeCandidate) -> ReviewItem:
        both = [self._persons[person] for person in pair.persons]
        sides = [
            side
            for person in both
            for side in self._best_side(self._reference_to(person), format_count(len(person.face_ids), "face"))
        ]
        both.sort(key=lambda person: person.name is not None)  # merge keeps the name that comes last
        one, other = (shlex.quote(person.name) if person.name else str(person.clusters[0]) for person in both)
        return ReviewItem(tuple(sides), f"{pair.distance:.2f} apart", (f"faceclust merge {one} {other}",))

    def _split_item(self, candidate: SplitCandidate) -> ReviewItem:
        about = self._reference_to(self._persons[candidate.person])
        sides = []
        for number, faces in zip(candidate.groups, candidate.faces, strict=True):
            dates = [found.taken_at for face in faces for found in self._occurrences_of.get(face, ())]
            years = format_year_range(dates)
            caption = f"group {number}, {format_count(len(faces), 'face')}" + (f", {years}" if years else "")
            sides.append(self._make_side(about, faces[0], caption))
        command = f"faceclust split {shlex.quote(about.title)} {candidate.groups[1]}"
        return ReviewItem(tuple(sides), f"{candidate.distance:.2f} apart, with one name", (command,))

    def _crowded_item(self, group: CrowdedGroup) -> ReviewItem:
        owner = self._persons[group.person]
        about = self._reference_to(owner)
        typical, untypical = group.faces
        sides = (
            self._make_side(about, typical, format_count(len(owner.face_ids), "face")),
            self._make_side(about, untypical, "the least typical of them"),
        )
        explanation = f"{group.offset:.2f} is added to each of their distances. If the second is somebody else:"
        return ReviewItem(sides, explanation, (_removal_command(owner, sides[1][1].address),))

    def _before_birth_item(self, finding: FacesBeforeBirth) -> ReviewItem:
        about = self._reference_to(self._persons[finding.person])
        ordered = sorted(finding.faces, key=lambda face: (self._occurrences_of[face][0].photo, face))
        shown = ordered[:_MAX_EARLY_FACES]
        sides = [self._make_side(about, face, _describe_date(self._occurrences_of[face][0])) for face in shown]
        count = format_count(len(finding.faces), "confirmed face")
        explanation = f"{count} dated before {about.title} was born ({finding.born})"
        name = shlex.quote(about.title)
        commands = (f"faceclust reject {name} {shlex.quote(sides[0][1].address)}", f"faceclust person {name}")
        return ReviewItem(tuple(sides), explanation, commands)

    def _best_side(self, reference: PersonReference, caption: str) -> list[_ReviewSide]:
        return [self._make_side(reference, reference.best.face_id, caption)] if reference.best else []

    def _make_side(self, reference: PersonReference, face: str, caption: str) -> _ReviewSide:
        self.pictured[face] = None
        return reference, self._picture(self._occurrences_of[face][0], self._persons[reference.id]), caption

    def _picture(self, occurrence: FaceOccurrence, person: Person) -> FacePicture:
        return to_face_picture(occurrence, person.confirmed, self._number_of, person.facts)

    def _reference_to(self, person: Person) -> PersonReference:
        if person.id not in self._references:
            best = build_overview(person, self._occurrences_of).best
            title = person.name or f"Group {person.clusters[0]}"
            self._references[person.id] = PersonReference(
                person.id,
                title,
                len(person.face_ids),
                self._picture(best, person) if best else None,
                person.id in self._listed_ids,
            )
        return self._references[person.id]


def _describe_date(occurrence: FaceOccurrence) -> str:
    return occurrence.taken_at.date().isoformat() if occurrence.taken_at else "without a date"


def _removal_command(owner: Person, face: str) -> str:
    """Return the command that takes a face, given as PHOTO#N, off a person or a group."""
    if owner.name:
        return f"faceclust reject {shlex.quote(owner.name)} {shlex.quote(face)}"
    return f"faceclust split {owner.clusters[0]} {shlex.quote(face)}"
