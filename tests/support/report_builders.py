"""Build persons, photos and reports, with names that break a page unless they are escaped."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from faceclust.outputs.report.compose import ReportInput, compose_report
from faceclust.outputs.report.render import render_report
from faceclust.outputs.report.values import (
    CrowdedGroup,
    MergeCandidate,
    Outlier,
    Report,
    ReviewFindings,
    SplitCandidate,
)
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


def make_photo_info(face: FaceOccurrence, coordinates: tuple[float, float] | None = None) -> PhotoInfo:
    latitude, longitude = coordinates or (None, None)
    return PhotoInfo(face.photo, face.photo_hash, face.photo_size, 1, face.taken_at, None, latitude, longitude)


def make_report_input(persons: list[Person], occurrences: list[FaceOccurrence], **fields: object) -> ReportInput:
    """Return the input of a report with these faces."""
    occurrences_of: dict[str, list[FaceOccurrence]] = {}
    for face in occurrences:
        occurrences_of.setdefault(face.face_id, []).append(face)
    photos = {face.photo: make_photo_info(face, (48.14, 11.58)) for face in occurrences}
    return ReportInput("/photos", persons, occurrences_of, photos, len(photos), **fields)  # type: ignore[arg-type]


def make_report(persons: list[Person], occurrences: list[FaceOccurrence], **fields: object) -> Report:
    return compose_report(
        make_report_input(persons, occurrences, **fields),
        made_at=MADE_AT,
        faces_per_person=24,
        max_groups=None,
        max_pictures=None,
    )


def render_html(report: Report) -> str:
    """Render the report with drawn faces as pictures."""
    pictures = {face: draw_face(number) for number, face in enumerate(sorted(report.pictures))}
    best = {entry.id: pictures[entry.best.face_id] for entry in report.named if entry.best}
    return render_report(report, pictures, best, Path("/photos"), Path("/photos/page.html"))


def make_varied_people() -> tuple[list[Person], list[FaceOccurrence], dict[str, object]]:
    """Return persons, their faces, and the other fields of `make_report_input`.

    There are two dozen people, one of them called HOSTILE_NAME, five groups without names,
    review findings of each kind and skipped files.
    """
    persons, occurrences = [], []
    names = [HOSTILE_NAME, "Åsa Öberg", "Zoë", *(f"Person {number}" for number in range(21))]
    for number, name in enumerate(names):
        faces = [f"{number:x}f{i:x}" for i in range(8)]
        persons.append(Person(f"{number:012x}", name, tuple(faces), frozenset(faces[:4]), (number + 1,)))
        for i, face in enumerate(faces):
            photo = HOSTILE_FILE if (number, i) == (0, 0) else f"{2012 + i % 5}/photo {(number // 3) * 8 + i}.jpg"
            occurrences.append(make_occurrence(face, photo, (2012 + i % 5, 1 + i) if i else None, 0.3 + i / 20))
    for number in range(5):
        faces = [f"e{number}{i}" for i in range(3)]
        persons.append(Person(f"group-{100 + number}", None, tuple(faces), frozenset(), (100 + number,)))
        occurrences += [make_occurrence(face, f"group/{number} {i}.jpg") for i, face in enumerate(faces)]
    findings = ReviewFindings(
        (Outlier("0f5", persons[0].id, 1.4, persons[1].id, 0.9),),
        (MergeCandidate((persons[0].id, persons[-1].id), 1.15, 0.8),),
        (SplitCandidate(persons[0].id, (1, 7), (("0f1", "0f2"), ("0f3", "0f4")), 1.7),),
        (CrowdedGroup(persons[-1].id, 0.12, (persons[-1].face_ids[0], persons[-1].face_ids[-1])),),
    )
    skipped = [
        {"photo": HOSTILE_FILE, "reason": "truncated file", "detail": HOSTILE_NAME},
        {"photo": "b.jpg", "reason": "empty file", "detail": ""},
    ]
    return persons, occurrences, {"findings": findings, "skipped": skipped}
