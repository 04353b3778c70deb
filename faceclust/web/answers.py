"""Answers as JSON: checked strictly, then recorded by one verb of the library as one event."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request

from faceclust.errors import FaceclustError, UsageError
from faceclust.interview.replies import Reply, faces_also_removed, name_groups, unquote_name
from faceclust.library.library import Library
from faceclust.people.doubts import NoDoubts
from faceclust.people.event_text import describe_event
from faceclust.people.events import Event
from faceclust.types import Box
from faceclust.web.session import WebSession
from faceclust.web.views import photo_info

MAX_BODY_BYTES = 64 * 1024
#: Ids in one list, and characters of a name as it is typed.
_MAX_IDS, _MAX_NAME = 5_000, 1_000

View = dict[str, Any]


class InvalidBodyError(Exception):
    """The body of a request is not what the address takes; `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


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


# -- fields of a body -----------------------------------------------------------

#: Stands for a field that is missing.
_MISSING = object()
Reader = Callable[[str, object], Any]


def _pattern(pattern: str) -> Reader:
    def read(field: str, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise InvalidBodyError(f"{field} is missing or invalid")
        return value

    return read


def _faces(field: str, value: object) -> tuple[str, ...]:
    values = [] if value is _MISSING else value
    if not isinstance(values, list) or len(values) > _MAX_IDS:
        raise InvalidBodyError(f"{field} must be a list of at most {_MAX_IDS:,} faces")
    return tuple(dict.fromkeys(_face(field, face) for face in values))


def _groups(field: str, value: object) -> tuple[int, ...]:
    values = [] if value is _MISSING else value
    if not isinstance(values, list) or len(values) > _MAX_IDS:
        raise InvalidBodyError(f"{field} must be a list of at most {_MAX_IDS:,} numbers")
    if not all(type(number) is int and 0 <= number < 2**31 for number in values):
        raise InvalidBodyError(f"{field} must be numbers of groups")
    return tuple(dict.fromkeys(values))


def _name(field: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_NAME:
        raise InvalidBodyError(f"{field} must be text of at most {_MAX_NAME:,} characters")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise InvalidBodyError(f"{field} is not valid Unicode") from None
    return value


def _optional_name(field: str, value: object) -> str | None:
    return None if value is _MISSING or value is None else _name(field, value)


def _verdict(field: str, value: object) -> bool | None:
    if value is _MISSING or value is None:
        return None
    if value not in ("yes", "no"):
        raise InvalidBodyError(f'{field} must be "yes", "no" or null')
    return value == "yes"


def _flag(field: str, value: object) -> bool:
    if value is _MISSING:
        return False
    if not isinstance(value, bool):
        raise InvalidBodyError(f"{field} must be true or false")
    return value


def _box(field: str, value: object) -> Box:
    if not isinstance(value, list) or len(value) != 4 or not {type(side) for side in value} <= {int, float}:
        raise InvalidBodyError(f"{field} must be four numbers")
    left, top, right, bottom = (float(side) if abs(side) < 10 else math.inf for side in value)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise InvalidBodyError(f"{field} must be left, top, right and bottom as fractions of the photo")
    return left, top, right, bottom


def _min_face(field: str, value: object) -> int:
    if type(value) is not int or not 8 <= value <= 10_000:
        raise InvalidBodyError(f"{field} must be a width in pixels")
    return value


def _object(field: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InvalidBodyError(f"{field} must be an object")
    return value


def _optional_object(field: str, value: object) -> Mapping[str, object]:
    return {} if value is _MISSING or value is None else _object(field, value)


def _optional_event(field: str, value: object) -> str | None:
    return None if value is _MISSING or value is None else _event(field, value)


_face, _photo, _event = _pattern("[0-9a-f]{16}"), _pattern("[0-9a-f]{32}"), _pattern("[!-~]{1,100}")
_question, _position, _kind = _pattern("[0-9a-f]{16}"), _pattern("[0-9a-f]{16}"), _pattern("[a-z_]{1,20}")


def read_fields(record: Mapping[str, object], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the fields of a JSON object. Raises InvalidBodyError for missing, invalid and unknown ones."""
    if unknown := sorted(record.keys() - readers.keys()):
        raise InvalidBodyError(f"unknown field {unknown[0][:40]}")
    return {field: read(field, record.get(field, _MISSING)) for field, read in readers.items()}


async def read_body(request: Request, **readers: Reader) -> dict[str, Any]:
    """Return the fields of a request's JSON body. Raises InvalidBodyError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidBodyError("the body must be application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise InvalidBodyError("the body is too long", 413)
    try:
        record = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_unique_fields)
    except (ValueError, RecursionError):
        raise InvalidBodyError("the body is not valid JSON") from None
    return read_fields(_object("the body", record), readers)


def _refuse_constant(text: str) -> float:
    raise ValueError(text)


def _unique_fields(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a field is given twice")
    return record


ANSWERS_BODY: dict[str, Reader] = {"position": _position, "answer": _object, "accept": _optional_object}
UNDO_BODY: dict[str, Reader] = {"position": _position, "redo": _flag, "event": _optional_event}
SKIP_BODY: dict[str, Reader] = {"question": _question}
LOOK_BODY: dict[str, Reader] = {"photo": _photo, "min_face": _min_face}
_ACCEPT: dict[str, Reader] = {"name": _optional_name, "same_photo": _flag}


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


def _typed_name(session: WebSession, name: str) -> str:
    """Return a name, which is in use already or must not read as another answer, as on the terminal."""
    text = name.strip()
    return (
        text if any(person.label == text for person in session.library.people()) else unquote_name(text, is_alone=True)
    )


def _require_something(*lists: tuple[object, ...]) -> None:
    if not any(lists):
        raise UsageError("no face is chosen", hint="choose a group or a face")


#: Kind → its fields, and the function that records it.
ANSWERS: dict[str, tuple[dict[str, Reader], Callable[..., Event | tuple[Event, list[str]]]]] = {
    "question": (
        {"question": _question, "left_out": _faces, "name": _optional_name, "verdict": _verdict},
        _answer_question,
    ),
    "name": (
        {"name": _name, "groups": _groups, "faces": _faces, "seen": _faces, "left_out": _faces},
        _name_groups,
    ),
    "confirm": ({"faces": _faces, "name": _name}, _confirm),
    "reject": ({"faces": _faces, "name": _name}, _reject),
    "ignore": ({"groups": _groups, "faces": _faces}, _ignore),
    "unignore": ({"groups": _groups, "faces": _faces}, _unignore),
    "split": ({"faces": _faces, "rest": _faces}, _split),
    "link": ({"groups": _groups, "faces": _faces}, _link),
    "merge": ({"name": _name, "to": _name}, _merge),
    "rename": ({"name": _name, "to": _name}, _rename),
}


async def record_answer(
    session: WebSession, position: str, answer: Mapping[str, object], accept: Mapping[str, object]
) -> View:
    """Record an answer as one event. Return its id and text, and the position after it."""
    kind = _kind("kind", answer.get("kind"))
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
        Library(library.root).scan(again=[library.root / path], min_face=min_face, workers=1)

    path, before = await session.run(known)
    await asyncio.to_thread(look, path)
    after = await session.run(lambda: len(library.faces_on.get(photo, ())))
    return {"position": session.position, "added": max(0, after - before)}
