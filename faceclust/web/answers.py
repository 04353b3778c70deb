"""Answers as JSON, each recorded by one verb of the library as one event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from faceclust.errors import FaceclustError, UsageError
from faceclust.interview.replies import Reply, faces_also_removed, name_groups, unquote_name
from faceclust.library.library import Library
from faceclust.people.doubts import NoDoubts
from faceclust.people.event_text import describe_event
from faceclust.people.events import Event
from faceclust.people.names import person_key
from faceclust.types import Box
from faceclust.web.body import (
    InvalidBodyError,
    Reader,
    read_box,
    read_face,
    read_faces,
    read_fields,
    read_flag,
    read_groups,
    read_kind,
    read_min_face,
    read_name,
    read_object,
    read_optional_event,
    read_optional_name,
    read_optional_object,
    read_photo,
    read_position,
    read_question,
    read_verdict,
)
from faceclust.web.session import WebSession
from faceclust.web.views import photo_info

View = dict[str, Any]


class DoubtRaisedError(FaceclustError):
    """The answer is doubtful: the user is asked, and sends it again with what they accept."""

    def __init__(self, doubt: View) -> None:
        super().__init__(str(doubt["message"]))
        self.doubt = doubt


class AcceptedDoubts:
    """Raises DoubtRaisedError for what the request does not accept.

    `name`: the spelling that the user chose. `same_photo`: one person may be twice on a photo.
    """

    def __init__(self, name: str | None, same_photo: bool) -> None:
        self._name, self._same_photo = name, same_photo

    def choose_name(self, name: str, near: str) -> str:
        """Return the spelling that the user chose."""
        if self._name in (name, near):
            return self._name
        message = f"{name}: a new person, or {near}?"
        raise DoubtRaisedError({"kind": "near_name", "name": name, "near": near, "message": message})

    def accept_same_photo(self, message: str) -> None:
        """Return if the user accepted it."""
        if not self._same_photo:
            raise DoubtRaisedError({"kind": "same_photo", "message": message})


ANSWERS_BODY: dict[str, Reader] = {"position": read_position, "answer": read_object, "accept": read_optional_object}
UNDO_BODY: dict[str, Reader] = {"position": read_position, "redo": read_flag, "event": read_optional_event}
SKIP_BODY: dict[str, Reader] = {"question": read_question}
LOOK_BODY: dict[str, Reader] = {"photo": read_photo, "min_face": read_min_face}
_ACCEPT: dict[str, Reader] = {"name": read_optional_name, "same_photo": read_flag}


# -- answers --------------------------------------------------------------------


def _answer_question(
    session: WebSession, question: str, left_out: tuple[str, ...], name: str | None, verdict: bool | None
) -> tuple[Event, list[str]]:
    presented = session.find_question(question)
    reply = Reply(left_out, None if name is None else _typed_name(session, name), verdict)
    event = session.interview.reply(presented, reply)
    return event, faces_also_removed(presented, event)


def _name_groups(
    session: WebSession,
    name: str,
    groups: tuple[int, ...],
    faces: tuple[str, ...],
    seen: tuple[str, ...],
    left_out: tuple[str, ...],
) -> Event:
    _require_something(groups, faces)
    typed = _typed_name(session, name)
    return name_groups(session.library, groups, typed, faces=faces, seen=seen, left_out=left_out)


def _confirm(session: WebSession, faces: tuple[str, ...], name: str) -> Event:
    _require_something(faces)
    return session.library.confirm(list(faces), session.library.find_person(name).label)


def _reject(session: WebSession, faces: tuple[str, ...], name: str) -> Event:
    _require_something(faces)
    return session.library.reject(list(faces), session.library.find_person(name).label)


def _ignore(session: WebSession, groups: tuple[int, ...], faces: tuple[str, ...]) -> Event:
    _require_something(groups, faces)
    return session.library.ignore([*groups, *faces])


def _unignore(session: WebSession, groups: tuple[int, ...], faces: tuple[str, ...]) -> Event:
    _require_something(groups, faces)
    return session.library.unignore([*groups, *faces])


def _split(session: WebSession, faces: tuple[str, ...], rest: tuple[str, ...]) -> Event:
    _require_something(faces)
    _require_something(rest)
    return session.library.split(list(faces), list(rest))


def _link(session: WebSession, groups: tuple[int, ...], faces: tuple[str, ...]) -> Event:
    if len(groups) + len(faces) < 2:
        raise UsageError("choose at least two groups or faces that are one person")
    return session.library.link([*groups, *faces])


def _merge(session: WebSession, name: str, to: str) -> Event:
    people = [session.library.find_person(name), session.library.find_person(to)]
    return session.library.merge(*(person.label for person in people))


def _rename(session: WebSession, name: str, to: str) -> Event:
    return session.library.rename(session.library.find_person(name).label, to)


def _not_a_face(session: WebSession, faces: tuple[str, ...]) -> Event:
    _require_something(faces)
    return session.library.remove_faces(list(faces))


def _add_face(session: WebSession, photo: str, box: Box, name: str | None) -> Event:
    return session.library.add_face(photo, box, None if name is None else _typed_name(session, name))


def _add_whole(session: WebSession, photo: str, name: str) -> Event:
    return session.library.add_whole(photo, _typed_name(session, name))


def _move_face(session: WebSession, face: str, box: Box) -> Event:
    return session.library.move_face(face, box)


def _typed_name(session: WebSession, name: str) -> str:
    """Return a name, which is in use already or must not read as another answer, as on the terminal."""
    text = name.strip()
    return text if person_key(text) in session.library.known_names else unquote_name(text, is_alone=True)


def _require_something(*lists: tuple[object, ...]) -> None:
    if not any(lists):
        raise UsageError("no face is chosen", hint="choose a group or a face")


#: Kind → its fields, and the function that records it.
ANSWERS: dict[str, tuple[dict[str, Reader], Callable[..., Event | tuple[Event, list[str]]]]] = {
    "question": (
        {"question": read_question, "left_out": read_faces, "name": read_optional_name, "verdict": read_verdict},
        _answer_question,
    ),
    "name": (
        {"name": read_name, "groups": read_groups, "faces": read_faces, "seen": read_faces, "left_out": read_faces},
        _name_groups,
    ),
    "confirm": ({"faces": read_faces, "name": read_name}, _confirm),
    "reject": ({"faces": read_faces, "name": read_name}, _reject),
    "ignore": ({"groups": read_groups, "faces": read_faces}, _ignore),
    "unignore": ({"groups": read_groups, "faces": read_faces}, _unignore),
    "split": ({"faces": read_faces, "rest": read_faces}, _split),
    "link": ({"groups": read_groups, "faces": read_faces}, _link),
    "merge": ({"name": read_name, "to": read_name}, _merge),
    "rename": ({"name": read_name, "to": read_name}, _rename),
    "not_a_face": ({"faces": read_faces}, _not_a_face),
    "add_face": ({"photo": read_photo, "box": read_box, "name": read_optional_name}, _add_face),
    "add_whole": ({"photo": read_photo, "name": read_name}, _add_whole),
    "move_face": ({"face": read_face, "box": read_box}, _move_face),
}


async def record_answer(
    session: WebSession, position: str, answer: Mapping[str, object], accept: Mapping[str, object]
) -> View:
    """Record an answer as one event. Return its id and text, and the position after it."""
    kind = read_kind("kind", answer.get("kind"))
    if kind not in ANSWERS:
        raise InvalidBodyError(f"unknown kind of answer: {kind}")
    readers, record_kind = ANSWERS[kind]
    fields = read_fields({field: value for field, value in answer.items() if field != "kind"}, readers)
    accepted = read_fields(accept, _ACCEPT)

    def record() -> View:
        session.library.doubts = AcceptedDoubts(accepted["name"], accepted["same_photo"])
        try:
            recorded = record_kind(session, **fields)
        finally:
            session.library.doubts = NoDoubts()
        event, also = recorded if isinstance(recorded, tuple) else (recorded, [])
        if kind != "question":
            session.note_answer(event)
        return {
            "event": event.id,
            "text": describe_event(event),
            **({"also": [{"face": face} for face in also]} if also else {}),
        }

    recorded, position = await session.answer(position, record)
    return {"position": position, **recorded}


async def undo_or_redo(session: WebSession, position: str, redo: bool, event: str | None) -> View:
    """Take back the last answer, or the one of this id, or give the last one again that was taken back."""
    if redo and event is not None:
        raise InvalidBodyError("event is for undo only")

    def record() -> View:
        interview = session.interview
        found = interview.redo_answer() if redo else interview.undo_answer(event)
        if found is None:
            raise UsageError("nothing to redo" if redo else "nothing to take back")
        text = describe_event(found)
        return {"event": found.id, "text": text if redo else f"taken back: {text}"}

    recorded, position = await session.answer(position, record)
    return {"position": position, **recorded}


async def look_again(session: WebSession, photo: str, min_face: int) -> View:
    """Look for faces on one photo again, harder. Return the number of faces that it has more than before."""
    library = session.library

    def known() -> tuple[str, int]:
        info = photo_info(session, photo)
        return info.photo, len(library.faces_on.get(photo, ()))

    def look(path: str) -> None:
        # A library of its own, on a thread of its own: answers do not wait for it.
        Library(library.root).scan(again=[library.path_of(path)], min_face=min_face, workers=1)

    path, before = await session.run(known)
    await asyncio.to_thread(look, path)
    after = await session.run(lambda: len(library.faces_on.get(photo, ())))
    return {"position": session.position, "added": max(0, after - before)}
