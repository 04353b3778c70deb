"""Build persons, photos and reports, with names that would break a page without escaping."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from faceclust.outputs.report.compose import ReportInput, compose_report
from faceclust.outputs.report.render import render_report
from faceclust.outputs.report.values import MergeCandidate, Outlier, Report, ReviewFindings, SplitCandidate
from faceclust.types import FaceOccurrence, Person, PhotoInfo
from tests.support.drawn_faces import draw_face

HOSTILE_NAME = "<img src=x onerror=alert(1)>"
HOSTILE_FILE = "2020/\"'><script>document.title='broken'</script>#?%41 &amp; {{ 7*7 }}/javascript:alert(1).jpg"
MADE_AT = datetime(2024, 5, 6, 7, 8)


def make_occurrence(
    face: str, photo: str = "a.jpg", when: tuple[int, int] | None = (2020, 6), quality: float = 0.5
) -> FaceOccurrence:
    taken = datetime(*when, 3, 12) if when else None
    return FaceOccurrence(face, photo, f"hash of {photo}", (0.1, 0.2, 0.3, 0.4), (4000, 3000), quality, 0.99, taken)


def make_photo_info(place: FaceOccurrence, at: tuple[float, float] | None = None) -> PhotoInfo:
    north, east = at or (None, None)
    return PhotoInfo(place.photo, place.photo_hash, place.photo_size, 1, place.taken_at, None, north, east)


def make_report_input(persons: list[Person], places: list[FaceOccurrence], **more: object) -> ReportInput:
    """Return the input of a report with these faces."""
    occurrences_of: dict[str, list[FaceOccurrence]] = {}
    for one in places:
        occurrences_of.setdefault(one.face_id, []).append(one)
    photos = {one.photo: make_photo_info(one, (48.14, 11.58)) for one in places}
    return ReportInput("/photos", persons, occurrences_of, photos, len(photos), **more)  # type: ignore[arg-type]


def make_report(persons: list[Person], places: list[FaceOccurrence], **more: object) -> Report:
    return compose_report(
        make_report_input(persons, places, **more),
        made_at=MADE_AT,
        faces_per_person=24,
        max_groups=None,
        max_pictures=None,
    )


def render_html(made: Report) -> str:
    pictures = {face: draw_face(number) for number, face in enumerate(sorted(made.pictures))}
    best = {entry.id: pictures[entry.best.face_id] for entry in made.named if entry.best}
    return render_report(made, pictures, best, Path("/photos"), Path("/photos/page.html"))


def make_varied_people() -> tuple[list[Person], list[FaceOccurrence], dict[str, object]]:
    """Return two dozen people, one of them named EVIL, groups, findings of each kind and skipped files."""
    persons, places = [], []
    names = [HOSTILE_NAME, "Åsa Öberg", "Zoë", *(f"Person {number}" for number in range(21))]
    for number, name in enumerate(names):
        faces = [f"{number:x}f{i:x}" for i in range(8)]
        persons.append(Person(f"{number:012x}", name, tuple(faces), frozenset(faces[:4]), (number + 1,)))
        for i, face in enumerate(faces):
            photo = HOSTILE_FILE if (number, i) == (0, 0) else f"{2012 + i % 5}/photo {(number // 3) * 8 + i}.jpg"
            places.append(make_occurrence(face, photo, (2012 + i % 5, 1 + i) if i else None, 0.3 + i / 20))
    for number in range(5):
        faces = [f"e{number}{i}" for i in range(3)]
        persons.append(Person(f"group-{100 + number}", None, tuple(faces), frozenset(), (100 + number,)))
        places += [make_occurrence(face, f"group/{number} {i}.jpg") for i, face in enumerate(faces)]
    findings = ReviewFindings(
        (Outlier("0f5", persons[0].id, 1.4, persons[1].id, 0.9),),
        (MergeCandidate((persons[0].id, persons[-1].id), 1.15, 0.8),),
        (SplitCandidate(persons[0].id, (1, 7), (("0f1", "0f2"), ("0f3", "0f4")), 1.7),),
    )
    skipped = [
        {"photo": HOSTILE_FILE, "reason": "truncated file", "detail": HOSTILE_NAME},
        {"photo": "b.jpg", "reason": "empty file", "detail": ""},
    ]
    return persons, places, {"findings": findings, "skipped": skipped}
