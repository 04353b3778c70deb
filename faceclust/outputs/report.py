"""The report: one HTML file with everyone on it, which needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from faceclust.outputs.page import data_uri, photo_href, render_page
from faceclust.types import FacePlace, Person


@dataclass(frozen=True)
class FacePicture:
    """One face: its picture as a data URI (None: the photo is gone), the photo, the words under it."""

    picture: str | None
    photo: str
    href: str
    confirmed: bool


@dataclass(frozen=True)
class Card:
    """One person or group as the page shows it. `photos`: path, link, and whether the person is
    confirmed to be on it."""

    anchor: str
    title: str
    named: bool
    face_count: int
    confirmed_count: int
    photo_count: int
    dates: str
    faces: tuple[FacePicture, ...]
    photos: tuple[tuple[str, str, bool], ...]

    @property
    def suggested_count(self) -> int:
        return self.face_count - self.confirmed_count


@dataclass(frozen=True)
class Summary:
    """What stands at the head of the page."""

    library: str
    made_at: datetime
    photos: int
    faces: int
    alone: int
    left_out: int


def pictured_faces(person: Person, places: Mapping[str, Sequence[FacePlace]], count: int) -> list[FacePlace]:
    """The faces to show of a person: the best ones, spread over the years, oldest first."""
    mine = [places[face][0] for face in person.face_ids if face in places]
    by_year: dict[int, list[FacePlace]] = {}
    for place in sorted(mine, key=lambda place: (-place.quality, place.face_id)):
        by_year.setdefault(place.taken_at.year if place.taken_at else 0, []).append(place)
    chosen: list[FacePlace] = []
    while len(chosen) < min(count, len(mine)):
        for year in sorted(by_year):
            if by_year[year] and len(chosen) < count:
                chosen.append(by_year[year].pop(0))
    return sorted(chosen, key=lambda place: (place.taken_at or datetime.min, place.photo))


def make_card(
    person: Person,
    shown: Sequence[FacePlace],
    places: Mapping[str, Sequence[FacePlace]],
    pictures: Mapping[str, bytes],
    root: Path,
    page: Path,
) -> Card:
    """One person's card; `pictures` holds JPEG bytes by face id."""
    mine = [place for face in person.face_ids for place in places.get(face, ())]
    photos = sorted({place.photo for place in mine})
    sure = {place.photo for place in mine if place.face_id in person.confirmed}
    return Card(
        anchor=person.id,
        title=person.label,
        named=person.name is not None,
        face_count=len(person.face_ids),
        confirmed_count=len(person.confirmed),
        photo_count=len(photos),
        dates=date_range(place.taken_at for place in mine),
        faces=tuple(
            FacePicture(
                picture=data_uri(pictures[place.face_id]) if place.face_id in pictures else None,
                photo=place.photo,
                href=photo_href(root / place.photo, page),
                confirmed=place.face_id in person.confirmed,
            )
            for place in shown
        ),
        photos=tuple((photo, photo_href(root / photo, page), photo in sure) for photo in photos),
    )


def render_report(summary: Summary, cards: Sequence[Card]) -> str:
    """The page."""
    return render_page(
        "report.html.j2",
        styles=["report.css"],
        summary=summary,
        named=[card for card in cards if card.named],
        groups=[card for card in cards if not card.named],
    )


def date_range(dates: Iterable[date | None]) -> str:
    """ "2019", "2019–2023", or "" where no date is known."""
    years = sorted({date.year for date in dates if date})
    if not years:
        return ""
    return str(years[0]) if years[0] == years[-1] else f"{years[0]}–{years[-1]}"
