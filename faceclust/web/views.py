"""What the page shows, as JSON values. All functions run on the library's thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from faceclust.errors import FaceclustError
from faceclust.interview.candidates import find_likely_people, find_nearest_people
from faceclust.interview.planner import PROPOSAL_PROBABILITY
from faceclust.interview.presenter import PresentedQuestion
from faceclust.interview.questions import Candidate
from faceclust.outputs.overview import Overview, build_overview, format_year_range
from faceclust.outputs.report.timeline import select_faces_across_years
from faceclust.people.event_text import describe_event, describe_similarity
from faceclust.people.events import redoable_events
from faceclust.types import WHOLE_PHOTO, FaceOccurrence, Person, PhotoInfo
from faceclust.types.frames import format_frame_time, split_picture_id
from faceclust.web.face_views import dated_face_view, face_view
from faceclust.web.person_facts import age_view, facts_view
from faceclust.web.photo_order import list_faces, list_pictures, sort_pictures
from faceclust.web.session import WebSession

#: Named persons that a question offers, chosen by the digits 1 to 9; pictures of a row and of a finding.
CANDIDATES, ROW_PICTURES, FINDING_PICTURES = 9, 8, 4

View = dict[str, Any]


class NotFoundError(FaceclustError):
    """The address names nothing in the library."""


# -- the library ----------------------------------------------------------------


def library_state(session: WebSession) -> View:
    """Return the counts of the library, and what can be undone and redone."""
    library = session.library
    people, events = library.people(), library.journal.events()
    undo, redo = library.journal.undoable()[:1], redoable_events(events)[:1]
    return {
        "library": str(library.root),
        "name": library.root.name,
        "counts": {
            "photos": library.table.photo_count,
            "faces": len(library.occurrences_of),
            "people": len(people),
            "groups": len(library.unnamed_groups()),
            "named_faces": sum(len(person.face_ids) for person in people),
            "confirmed_faces": sum(len(person.confirmed) for person in people),
        },
        "undo": {"event": undo[0].id, "text": describe_event(undo[0])} if undo else None,
        "redo": {"text": describe_event(redo[0])} if redo else None,
        "notes": list(session.notes),
    }


def list_people(session: WebSession) -> View:
    """Return the named persons, most faces first, and the names whose photos are missing."""
    library = session.library
    people = library.people()
    names = library.answers.missing_names - {person.label for person in people}
    return {"people": [_person_facts(session, person) for person in people], "other_names": sorted(names)}


def _person_facts(session: WebSession, person: Person) -> View:
    overview = _overview(session, person)
    return {
        "person": person.id,
        "name": person.label,
        "faces": len(person.face_ids),
        "confirmed": len(person.confirmed),
        "photos": overview.photos,
        "years": format_year_range((overview.first, overview.last)),
        "face": overview.best.face_id if overview.best else None,
        **facts_view(person.facts),
    }


def _overview(session: WebSession, person: Person) -> Overview:
    faces = (person.face_ids, person.confirmed, person.facts)
    return session.keep_longer(
        f"overview {person.id}", faces, lambda: build_overview(person, session.library.occurrences_of)
    )


# -- questions ------------------------------------------------------------------


def next_question(session: WebSession) -> View:
    """Return the next question of the interview."""
    question = session.question()
    interview = session.interview
    return {
        "question": question_view(session, question) if question else None,
        "offer": interview.offer or None,
        "skipped": interview.skipped_count,
    }


def question_view(session: WebSession, presented: PresentedQuestion) -> View:
    """Return a question with its pictures and the people who may be the answer."""
    question = presented.question
    faces = [face for candidate in question.candidates for face in candidate.faces]
    id = session.remember_question(presented)
    return {
        "id": id,
        "kind": question.kind.name.lower(),
        "text": presented.text,
        "summary": presented.summary,
        "remaining": presented.remaining,
        "accepts_name": presented.accepts_name,
        "names": list(question.names),
        "total": len(faces) + len(question.unshown_faces),
        "pictures": [
            {**face_view(picture.occurrence), "number": picture.number, "caption": picture.caption}
            for picture in presented.pictures
        ],
        "candidates": session.keep(f"candidates {id}", lambda: _candidates(session, question.candidates[0]))
        if presented.accepts_name
        else [],
    }


def _candidates(session: WebSession, candidate: Candidate) -> list[View]:
    interview = session.interview
    near = find_nearest_people(interview.group_distances, interview.state(), candidate.faces, CANDIDATES)
    return [
        {
            "name": person.label,
            "person": person.id,
            "face": best.face_id if (best := _overview(session, person).best) else None,
            "faces": len(person.face_ids),
            "similarity": describe_similarity(distance),
        }
        for person, distance in near
    ]


# -- groups ---------------------------------------------------------------------


def list_groups(session: WebSession) -> View:
    """Return the groups without a name, largest first. Their numbers are valid as long as `grouping` is the same."""

    def line_of(group: Person) -> list[int | None]:
        return session.keep_longer(group.id, group.face_ids, lambda: _group_line(session, group))

    groups = session.keep("groups", lambda: [line_of(group) for group in _unnamed(session)])
    return {"groups": groups, "grouping": session.grouping}


def _unnamed(session: WebSession) -> tuple[Person, ...]:
    return session.library.unnamed_groups()


def _group_line(session: WebSession, group: Person) -> list[int | None]:
    occurrences = _occurrences(session, group.face_ids)
    years = [occurrence.taken_at.year for occurrence in occurrences if occurrence.taken_at]
    photos = len({occurrence.photo for occurrence in occurrences})
    return [group.clusters[0], len(group.face_ids), photos, min(years, default=None), max(years, default=None)]


def list_rows(session: WebSession, numbers: Sequence[int]) -> View:
    """Return what the rows of these groups show. Groups that are gone are left out."""
    by_number = session.keep("groups by number", lambda: {group.clusters[0]: group for group in _unnamed(session)})
    groups = [by_number[number] for number in dict.fromkeys(numbers) if number in by_number]
    likely = _likely_people(session, groups)
    return {"rows": [{**_row(session, group), "likely": likely.get(group.clusters[0])} for group in groups]}


def _row(session: WebSession, group: Person) -> View:
    occurrences = _occurrences(session, group.face_ids)
    best = select_faces_across_years((session.library.occurrences_of[face][0] for face in group.face_ids), ROW_PICTURES)
    return {
        "group": group.clusters[0],
        "faces": len(group.face_ids),
        "photos": len({occurrence.photo for occurrence in occurrences}),
        "years": format_year_range(occurrence.taken_at for occurrence in occurrences),
        "pictures": [face_view(occurrence) for occurrence in best],
    }


def _likely_people(session: WebSession, groups: Iterable[Person]) -> dict[int, View]:
    """Group number → the named person that it probably is."""
    interview, people = session.interview, session.library.people()
    candidates = {group.clusters[0]: Candidate(group.face_ids, group.clusters) for group in groups}
    matches = find_likely_people(
        *(interview.group_distances, interview.state(), list(candidates.values()), people, frozenset[str]()),
        min_probability=PROPOSAL_PROBABILITY,
    )
    ids = {person.label: person.id for person in people}
    return {
        number: {
            "name": match.name,
            "person": ids[match.name],
            "similarity": describe_similarity(match.candidate.distance),
        }
        for number, candidate in candidates.items()
        if (match := matches.get(candidate.key))
    }


def show_group(session: WebSession, number: int) -> View:
    """Return all faces of a group without a name. Raises NotFoundError."""
    group = next((group for group in _unnamed(session) if number in group.clusters), None)
    if group is None:
        raise NotFoundError(f"there is no group {number} without a name")
    return {"group": group.clusters[0], "faces": [_dated(session, face) for face in _by_date(session, group.face_ids)]}


# -- one person -----------------------------------------------------------------


def show_person(session: WebSession, id: str) -> View:
    """Return a named person: confirmed faces by date, and suggested ones, the least likely first."""
    person = _find_person(session, id)
    doubts = session.interview.group_distances.outlier_probabilities(person.face_ids)
    unconfirmed = set(person.face_ids) - person.confirmed
    suggested = sorted(unconfirmed, key=lambda face: (-doubts.get(face, 0.0), face))
    return {
        "person": {**_person_facts(session, person), "companions": _companions(session, person)},
        "confirmed": [_dated(session, face, person) for face in _by_date(session, person.confirmed)],
        "suggested": [{**_dated(session, face, person), "doubt": round(doubts.get(face, 0), 3)} for face in suggested],
    }


def _find_person(session: WebSession, id: str) -> Person:
    people = session.keep("people", lambda: {person.id: person for person in session.library.people()})
    if id not in people:
        raise NotFoundError("there is no such person, or no more")
    return people[id]


def _companions(session: WebSession, person: Person) -> list[View]:
    """The named persons on the same photos, most photos first."""
    library = session.library
    photos: dict[str, set[str]] = {}
    for photo in {library.photo_of[face] for face in person.face_ids}:
        for face in library.faces_on[photo]:
            other = library.person_of.get(face.face_id)
            if other is not None and other.id != person.id:
                photos.setdefault(other.id, set()).add(photo)
    found = [(_find_person(session, id), len(shared)) for id, shared in photos.items()]
    found.sort(key=lambda item: (-item[1], item[0].label))
    return [{"person": other.id, "name": other.label, "photos": count} for other, count in found]


# -- one photo ------------------------------------------------------------------


def show_photo(session: WebSession, photo: str, of: tuple[str, str] | None) -> View:
    """Return a photo or frame, and its faces from the left. `of`: ("person", id) or ("group", number) to page by."""
    library = session.library
    info = photo_info(session, photo)
    frame_time = split_picture_id(photo)[1]
    order = _photo_order(session, of)
    place = order.index(photo) if photo in order else -1
    ignored = session.keep("ignored", lambda: {f for p in library.persons if p.ignored for f in p.face_ids})
    return {
        "photo": {
            "photo": photo,
            "path": info.photo if frame_time is None else f"{info.photo} at {format_frame_time(frame_time)}",
            "width": info.size[0],
            "height": info.size[1],
            "taken_at": info.taken_at.isoformat() if info.taken_at else None,
            "camera": info.camera,
            "previous": order[place - 1] if place > 0 else None,
            "next": order[place + 1] if 0 <= place < len(order) - 1 else None,
        },
        "faces": [_face_on_photo(session, face, ignored) for face in list_faces(library, photo)],
    }


def photo_info(session: WebSession, photo: str) -> PhotoInfo:
    """Return the photo with this content hash, or the video of a frame. Raises NotFoundError."""
    info = _photos(session).get(split_picture_id(photo)[0])
    if info is None:
        raise NotFoundError("there is no such photo, or no more")
    return info


def _photos(session: WebSession) -> dict[str, PhotoInfo]:
    """Content hash → photo; the first of its copies."""
    photos = session.library.photos.values()
    return session.keep("photos", lambda: {info.photo_hash: info for info in reversed(photos)})


def _photo_order(session: WebSession, of: tuple[str, str] | None) -> list[str]:
    """The photos and frames to page through."""
    photos, library = _photos(session), session.library

    if of is None:
        return session.keep("photo order", lambda: sort_pictures(list_pictures(library), photos))
    kind, id = of
    faces = _find_person(session, id).face_ids if kind == "person" else library.group_members.get(int(id), ())
    return sort_pictures({library.picture_of[face] for face in faces}, photos)


def _face_on_photo(session: WebSession, face: FaceOccurrence, ignored: set[str]) -> View:
    library = session.library
    person, label = library.person_of.get(face.face_id), library.answers.labels.get(face.face_id)
    return {
        "face": face.face_id,
        "box": list(face.box),
        "name": person.label if person else None,
        "person": person.id if person else None,
        "confirmed": person is not None and face.face_id in person.confirmed,
        "ignored": face.face_id in ignored or (label is not None and label.name is None),
        "by_hand": face.by_hand,
        "whole": face.by_hand and face.box == WHOLE_PHOTO,
        "group": library.group_of.get(face.face_id),
        **(age_view(person.facts, face) if person else {}),
    }


# -- worth a look ---------------------------------------------------------------


def list_findings(session: WebSession) -> View:
    """Return the findings of the review: outliers, merge candidates and split candidates."""
    return session.keep("review", lambda: _findings(session))


def _findings(session: WebSession) -> View:
    library = session.library
    review, persons = library.review(), {person.id: person for person in library.persons}

    def who(id: str) -> View:
        person = persons[id]
        faces = [library.occurrences_of[face][0] for face in person.confirmed or person.face_ids]
        best = select_faces_across_years(faces, FINDING_PICTURES)
        return {
            "person": id,
            "label": person.label,
            "named": person.name is not None,
            "group": person.clusters[0] if person.name is None else None,
            "faces": len(person.face_ids),
            "pictures": [occurrence.face_id for occurrence in best],
        }

    return {
        "findings": [
            *(
                {
                    "kind": "outlier",
                    "face": outlier.face_id,
                    "photo": library.picture_of[outlier.face_id],
                    "person": who(outlier.person),
                    "nearest": who(outlier.nearest_person) if outlier.nearest_person else None,
                }
                for outlier in review.outliers
            ),
            *(
                {
                    "kind": "merge",
                    "one": who(candidate.persons[0]),
                    "other": who(candidate.persons[1]),
                    "similarity": describe_similarity(candidate.distance),
                }
                for candidate in review.merge_candidates
            ),
            *(
                {
                    "kind": "split",
                    "person": who(candidate.person),
                    "parts": [list(part[:FINDING_PICTURES]) for part in candidate.faces],
                    "rest": list(candidate.faces[1]),
                }
                for candidate in review.split_candidates
            ),
        ]
    }


# -- parts of views -------------------------------------------------------------


def _dated(session: WebSession, face: str, person: Person | None = None) -> View:
    return dated_face_view(session.library.occurrences_of[face][0], person)


def _by_date(session: WebSession, faces: Iterable[str]) -> list[str]:
    def key(face: str) -> tuple[datetime, str, str]:
        occurrence = session.library.occurrences_of[face][0]
        return occurrence.taken_at or datetime.max, occurrence.photo, face

    return sorted(faces, key=key)


def _occurrences(session: WebSession, faces: Iterable[str]) -> list[FaceOccurrence]:
    return [occurrence for face in faces for occurrence in session.library.occurrences_of[face]]
