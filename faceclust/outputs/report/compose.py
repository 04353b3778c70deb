"""From persons and photos to what the report says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from faceclust.outputs.overview import date_range, overview
from faceclust.outputs.report.chosen_pictures import chosen_pictures
from faceclust.outputs.report.companions import companions, matrix
from faceclust.outputs.report.places import places_of_photos, spots
from faceclust.outputs.report.review import Mentions
from faceclust.outputs.report.skipped import grouped_skips
from faceclust.outputs.report.timeline import shot_of, time_line
from faceclust.outputs.report.values import Companion, Doubts, Entry, Line, Report
from faceclust.outputs.search import count_pairs
from faceclust.types import FacePlace, Person, PhotoFacts

_PAIRS = 60  # pairs of people listed below the matrix
_SPOTS = 40  # places listed of the library


@dataclass(frozen=True)
class Known:
    """What is known of a library: its persons, named ones first; face id → the photos it is on; every
    photo by its path; what is doubtful; and the photos passed by. `photo_count`: photos of any kind."""

    library: str
    persons: Sequence[Person]
    places_of: Mapping[str, Sequence[FacePlace]]
    photos: Mapping[str, PhotoFacts]
    photo_count: int
    doubts: Doubts = field(default_factory=Doubts)
    skipped: Sequence[Mapping[str, str]] = ()


def compose(known: Known, *, made_at: datetime, faces: int, groups: int | None, pictures: int | None) -> Report:
    """The report. `faces`: pictures a person at most; `groups`: groups without a name at most, None for
    all; `pictures`: at most this many in all."""
    named = [person for person in known.persons if person.name is not None]
    unnamed = [person for person in known.persons if person.name is None and not person.ignored]
    shown = [*named, *unnamed[:groups]]
    pairs = count_pairs((place for places in known.places_of.values() for place in places), named)
    id_of = {person.label: person.id for person in named}
    company = companions(pairs, id_of)
    mentions = Mentions(known.persons, known.places_of, {person.id for person in shown})
    strays, alike, rifts = mentions.doubts(known.doubts)
    chosen = chosen_pictures(shown, known.places_of, mentions.pictured, faces, pictures)
    place_of_photo = places_of_photos(known.photos.values())
    entries = [_entry(person, known, chosen.faces, company.get(person.id, ()), place_of_photo) for person in shown]
    counted = {entry.title: len({known.photos[line.photo].photo_hash for line in entry.photos}) for entry in entries}
    return Report(
        library=known.library,
        made_at=made_at,
        photos=known.photo_count,
        faces=len(known.places_of),
        alone=len(known.places_of) - sum(len(person.face_ids) for person in known.persons),
        years=date_range(photo.taken_at for photo in known.photos.values()),
        named=tuple(entries[: len(named)]),
        groups=tuple(entries[len(named) :]),
        left_out=len(unnamed) - (len(shown) - len(named)),
        strays=strays,
        alike=alike,
        rifts=rifts,
        matrix=matrix(pairs, id_of, counted),
        pairs=tuple(
            (
                Companion(id_of[pair.names[0]], pair.names[0], pair.photos, pair.confirmed),
                Companion(id_of[pair.names[1]], pair.names[1], pair.photos, pair.confirmed),
            )
            for pair in pairs[:_PAIRS]
        ),
        pair_count=len(pairs),
        spots=spots(known.photos.values(), place_of_photo)[:_SPOTS],
        skips=grouped_skips(known.skipped),
        pictures=chosen.faces,
        unpictured=chosen.left_out,
    )


def _entry(
    person: Person,
    known: Known,
    pictured: frozenset[str],
    company: tuple[Companion, ...],
    place_of_photo: Mapping[str, int],
) -> Entry:
    mine = [place for face in person.face_ids for place in known.places_of.get(face, ())]
    distinct = [known.places_of[face][0] for face in person.face_ids if face in known.places_of]
    lines = _lines(mine, person)
    summed = overview(person, known.places_of)
    title = person.name or f"Group {person.clusters[0]}"
    return Entry(
        id=person.id,
        title=title,
        named=person.name is not None,
        faces=len(person.face_ids),
        confirmed=len(person.confirmed),
        photos=lines,
        first=summed.first,
        last=summed.last,
        years=date_range((summed.first, summed.last)),
        best=shot_of(summed.best, person.confirmed) if summed.best else None,
        timeline=time_line(distinct, pictured, person.confirmed),
        spots=spots((known.photos[line.photo] for line in lines if line.photo in known.photos), place_of_photo),
        company=company,
        advice="" if person.name is not None else f"faceclust name {person.clusters[0]} NAME",
    )


def _lines(places: Iterable[FacePlace], person: Person) -> tuple[Line, ...]:
    """The photos, by date, what has none last."""
    sure = {place.photo for place in places if place.face_id in person.confirmed}
    photos = {place.photo: place.taken_at for place in places}
    ordered = sorted(photos.items(), key=lambda item: (item[1] or datetime.max, item[0]))
    return tuple(Line(photo, when, photo in sure) for photo, when in ordered)
