"""Compose the report from persons and photos, as values without HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from faceclust.outputs.ages import format_age, format_life
from faceclust.outputs.overview import build_overview, format_year_range
from faceclust.outputs.report.chosen_pictures import choose_pictures
from faceclust.outputs.report.companions import build_matrix, find_companions
from faceclust.outputs.report.places import assign_places, summarise_places
from faceclust.outputs.report.review import ReviewBuilder
from faceclust.outputs.report.skipped import group_skips
from faceclust.outputs.report.timeline import build_timeline, to_face_picture
from faceclust.outputs.report.values import Companion, ListedPhoto, Report, ReportEntry, ReviewFindings
from faceclust.outputs.search import count_pairs
from faceclust.text.visible import make_visible
from faceclust.types import FaceOccurrence, Person, PhotoInfo
from faceclust.types.face_numbers import number_faces

_MAX_PAIRS = 60  # listed below the matrix
_MAX_PLACES = 40  # listed for the whole library


@dataclass(frozen=True)
class ReportInput:
    """The contents of a library that a report is made of.

    `persons` has the named ones first. `occurrences_of` maps a face id to its occurrences, `photos` a
    path to its photo. `photo_count` includes photos without faces. Each entry of `skipped` has
    `photo`, `reason` and `detail`. People alive are as old as on the day `today`.
    """

    library: str
    persons: Sequence[Person]
    occurrences_of: Mapping[str, Sequence[FaceOccurrence]]
    photos: Mapping[str, PhotoInfo]
    photo_count: int
    findings: ReviewFindings = field(default_factory=ReviewFindings)
    skipped: Sequence[Mapping[str, str]] = ()
    today: date = field(default_factory=date.today)


def compose_report(
    source: ReportInput, *, made_at: datetime, faces_per_person: int, max_groups: int | None, max_pictures: int | None
) -> Report:
    """Compose the report.

    `faces_per_person` limits the pictures of a person, `max_pictures` all pictures. At most
    `max_groups` groups without a name are listed; None lists all.
    """
    named = [person for person in source.persons if person.name is not None]
    unnamed = [person for person in source.persons if person.name is None and not person.ignored]
    shown = [*named, *unnamed[:max_groups]]
    occurrences = [occurrence for found in source.occurrences_of.values() for occurrence in found]
    number_of = number_faces(occurrences)
    pairs = count_pairs(occurrences, named)
    id_of = {person.label: person.id for person in named}
    companions = find_companions(pairs, id_of)
    review = ReviewBuilder(source.persons, source.occurrences_of, {person.id for person in shown}, number_of)
    outliers, merge_candidates, split_candidates, crowded_groups, before_birth = review.build_items(source.findings)
    chosen = choose_pictures(shown, source.occurrences_of, review.pictured, faces_per_person, max_pictures)
    place_of_photo = assign_places(source.photos.values())
    entries = [
        _build_entry(person, source, chosen.faces, companions.get(person.id, ()), place_of_photo, number_of)
        for person in shown
    ]
    photo_counts = {
        entry.title: len({source.photos[line.photo].photo_hash for line in entry.photos}) for entry in entries
    }
    return Report(
        library=source.library,
        made_at=made_at,
        photos=source.photo_count,
        faces=len(source.occurrences_of),
        alone=len(source.occurrences_of) - sum(len(person.face_ids) for person in source.persons),
        years=format_year_range(photo.taken_at for photo in source.photos.values()),
        named=tuple(entries[: len(named)]),
        groups=tuple(entries[len(named) :]),
        omitted_groups=len(unnamed) - (len(shown) - len(named)),
        outliers=outliers,
        merge_candidates=merge_candidates,
        split_candidates=split_candidates,
        crowded_groups=crowded_groups,
        before_birth=before_birth,
        matrix=build_matrix(pairs, id_of, photo_counts),
        pairs=tuple(
            (
                Companion(id_of[pair.names[0]], pair.names[0], pair.photos, pair.confirmed),
                Companion(id_of[pair.names[1]], pair.names[1], pair.photos, pair.confirmed),
            )
            for pair in pairs[:_MAX_PAIRS]
        ),
        pair_count=len(pairs),
        places=summarise_places(source.photos.values(), place_of_photo)[:_MAX_PLACES],
        skip_groups=group_skips(source.skipped),
        pictures=chosen.faces,
        omitted_pictures=chosen.omitted,
    )


def _build_entry(
    person: Person,
    source: ReportInput,
    pictured: frozenset[str],
    companions: tuple[Companion, ...],
    place_of_photo: Mapping[str, int],
    number_of: Mapping[str, int],
) -> ReportEntry:
    occurrences = [found for face in person.face_ids for found in source.occurrences_of.get(face, ())]
    distinct = [source.occurrences_of[face][0] for face in person.face_ids if face in source.occurrences_of]
    lines = _list_photos(occurrences, person)
    overview = build_overview(person, source.occurrences_of)
    return ReportEntry(
        id=person.id,
        title=person.name or f"Group {person.clusters[0]}",
        named=person.name is not None,
        faces=len(person.face_ids),
        confirmed=len(person.confirmed),
        photos=lines,
        first=overview.first,
        last=overview.last,
        years=format_year_range((overview.first, overview.last)),
        best=to_face_picture(overview.best, person.confirmed, number_of, person.facts) if overview.best else None,
        timeline=build_timeline(distinct, pictured, person.confirmed, number_of, person.facts),
        places=summarise_places(
            (source.photos[line.photo] for line in lines if line.photo in source.photos), place_of_photo
        ),
        companions=companions,
        command="" if person.name is not None else f"faceclust name {person.clusters[0]} NAME",
        facts=replace(person.facts, note="\n".join(map(make_visible, person.facts.note.splitlines()))),
        life=format_life(person.facts, source.today),
    )


def _list_photos(occurrences: Iterable[FaceOccurrence], person: Person) -> tuple[ListedPhoto, ...]:
    """List the photos by date, undated ones last."""
    confirmed = {occurrence.photo for occurrence in occurrences if occurrence.face_id in person.confirmed}
    photos = {occurrence.photo: occurrence.taken_at for occurrence in occurrences}
    ordered = sorted(photos.items(), key=lambda item: (item[1] or datetime.max, item[0]))
    return tuple(
        ListedPhoto(photo, taken, photo in confirmed, format_age(person.facts, taken.date() if taken else None))
        for photo, taken in ordered
    )
