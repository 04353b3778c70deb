"""From persons and photos to what the report says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from faceclust.outputs.overview import build_overview, format_year_range
from faceclust.outputs.report.chosen_pictures import choose_pictures
from faceclust.outputs.report.companions import build_matrix, find_companions
from faceclust.outputs.report.places import assign_places, summarise_places
from faceclust.outputs.report.review import ReviewBuilder
from faceclust.outputs.report.skipped import group_skips
from faceclust.outputs.report.timeline import build_timeline, to_face_picture
from faceclust.outputs.report.values import Companion, ListedPhoto, Report, ReportEntry, ReviewFindings
from faceclust.outputs.search import count_pairs
from faceclust.types import FaceOccurrence, Person, PhotoInfo

_MAX_PAIRS = 60  # pairs of people listed below the matrix
_MAX_PLACES = 40  # places listed of the library


@dataclass(frozen=True)
class ReportInput:
    """What is known of a library: its persons, named ones first; face id → the photos it is on; every
    photo by its path; what is doubtful; and the photos passed by. `photo_count`: photos of any kind."""

    library: str
    persons: Sequence[Person]
    occurrences_of: Mapping[str, Sequence[FaceOccurrence]]
    photos: Mapping[str, PhotoInfo]
    photo_count: int
    findings: ReviewFindings = field(default_factory=ReviewFindings)
    skipped: Sequence[Mapping[str, str]] = ()


def compose_report(
    source: ReportInput, *, made_at: datetime, faces_per_person: int, max_groups: int | None, max_pictures: int | None
) -> Report:
    """The report. `faces`: pictures a person at most; `groups`: groups without a name at most, None for
    all; `pictures`: at most this many in all."""
    named = [person for person in source.persons if person.name is not None]
    unnamed = [person for person in source.persons if person.name is None and not person.ignored]
    shown = [*named, *unnamed[:max_groups]]
    pairs = count_pairs((place for places in source.occurrences_of.values() for place in places), named)
    id_of = {person.label: person.id for person in named}
    company = find_companions(pairs, id_of)
    mentions = ReviewBuilder(source.persons, source.occurrences_of, {person.id for person in shown})
    strays, alike, rifts = mentions.build_items(source.findings)
    chosen = choose_pictures(shown, source.occurrences_of, mentions.pictured, faces_per_person, max_pictures)
    place_of_photo = assign_places(source.photos.values())
    entries = [
        _build_entry(person, source, chosen.faces, company.get(person.id, ()), place_of_photo) for person in shown
    ]
    counted = {entry.title: len({source.photos[line.photo].photo_hash for line in entry.photos}) for entry in entries}
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
        outliers=strays,
        merge_candidates=alike,
        split_candidates=rifts,
        matrix=build_matrix(pairs, id_of, counted),
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
    companions_of_person: tuple[Companion, ...],
    place_of_photo: Mapping[str, int],
) -> ReportEntry:
    mine = [place for face in person.face_ids for place in source.occurrences_of.get(face, ())]
    distinct = [source.occurrences_of[face][0] for face in person.face_ids if face in source.occurrences_of]
    lines = _list_photos(mine, person)
    summed = build_overview(person, source.occurrences_of)
    title = person.name or f"Group {person.clusters[0]}"
    return ReportEntry(
        id=person.id,
        title=title,
        named=person.name is not None,
        faces=len(person.face_ids),
        confirmed=len(person.confirmed),
        photos=lines,
        first=summed.first,
        last=summed.last,
        years=format_year_range((summed.first, summed.last)),
        best=to_face_picture(summed.best, person.confirmed) if summed.best else None,
        timeline=build_timeline(distinct, pictured, person.confirmed),
        places=summarise_places(
            (source.photos[line.photo] for line in lines if line.photo in source.photos), place_of_photo
        ),
        companions=companions_of_person,
        command="" if person.name is not None else f"faceclust name {person.clusters[0]} NAME",
    )


def _list_photos(occurrences: Iterable[FaceOccurrence], person: Person) -> tuple[ListedPhoto, ...]:
    """The photos, by date, what has none last."""
    sure = {place.photo for place in occurrences if place.face_id in person.confirmed}
    photos = {place.photo: place.taken_at for place in occurrences}
    ordered = sorted(photos.items(), key=lambda item: (item[1] or datetime.max, item[0]))
    return tuple(ListedPhoto(photo, when, photo in sure) for photo, when in ordered)
