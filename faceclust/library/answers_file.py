"""Take in the answers that somebody else gave on a page of questions: as suggestions, for the user to confirm.

A suggestion never replaces what the user confirmed, ignored or rejected. A "no" takes no face from anybody.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import CacheError, UsageError
from faceclust.files.own_files import UnsafeFileError, open_own
from faceclust.files.user_folders import expand_user
from faceclust.library.doubtful import settle_name
from faceclust.library.importing import trace_renames
from faceclust.library.naming import journal_transaction, validate_name
from faceclust.library.sent_pages import read_sent_page
from faceclust.people.answers_file import MAX_ANSWERS_SIZE, AnswersFile, GivenAnswer, is_answers_file, parse_answers
from faceclust.people.events import Event, JournalFace, effective_events, suggestion_source
from faceclust.people.face_finder import FaceFinder, recorded_successors
from faceclust.people.hand_edits import replay_hand_edits
from faceclust.people.names import person_key
from faceclust.people.replay import is_removed
from faceclust.people.sent_page import SentQuestion
from faceclust.people.suggestions import Suggestions, collect_suggestions

#: Reasons for which an answer is left out, as `SkippedAnswer.reason`.
UNKNOWN, KNOWN, MISSING = "does not know", "taken in already", "its photos are not in the library now"
FORGOTTEN, NO_QUESTION, NO_NAME = "about somebody who was forgotten since", "not a question of the page", "not a name"


@dataclass(frozen=True)
class SuggestedAnswer:
    """An answer to record: `faces` (current ids) are, or are not, the person `name`.

    `kind`: "name" or "reject". `contradicts`: the people who said something else, each with the name. `event_id`
    follows from the page and the answer, so that an answer counts once.
    """

    question: int
    kind: str
    name: str
    faces: tuple[str, ...]
    event_id: str
    contradicts: tuple[str, ...] = ()


@dataclass(frozen=True)
class SkippedAnswer:
    """An answer that is left out, and why. `name`: the one that was given, "" without one."""

    question: int
    name: str
    reason: str


@dataclass(frozen=True)
class AnswersPlan:
    """The answers of a file: those to record, and those left out. `unanswered`: questions that were left open."""

    page: str
    sender: str
    answers: tuple[SuggestedAnswer, ...]
    skipped: tuple[SkippedAnswer, ...]
    unanswered: int

    @property
    def source(self) -> str:
        """The source of the events."""
        return suggestion_source(self.sender)


def read_answers(path: str | os.PathLike[str]) -> AnswersFile | None:
    """Return the answers in a file; None if it is something else. The user typed the path, so it may be a symlink.

    Raises UsageError if the answers are damaged or too large, CacheError if the file cannot be read.
    """
    file = expand_user(path)
    try:
        with os.fdopen(open_own(Path(os.path.realpath(file))), "rb") as stream:
            content = stream.read(MAX_ANSWERS_SIZE + 1)
    except (FileNotFoundError, UnsafeFileError) as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except OSError as error:
        raise CacheError(f"{file} cannot be read: {error.strerror}") from error
    if not is_answers_file(content):
        return None
    try:
        return parse_answers(content)
    except ValueError as error:
        raise UsageError(
            f"{file} holds no answers that can be used: {error}", hint="ask for the file once more, as an attachment"
        ) from error


def plan_answers(library: Catalogue, answers: str | os.PathLike[str] | AnswersFile) -> AnswersPlan:
    """Plan to take in the answers of a file. Nothing is written; a new name that is nearly a known one is put to
    the library's `doubts`.

    Raises UsageError if the file holds no valid answers or the page was not made in this library, CacheError if a
    file cannot be read, and what the `doubts` raise.
    """
    given = answers if isinstance(answers, AnswersFile) else read_answers(answers)
    if given is None:
        raise UsageError(f"{answers} holds no answers to a page", hint="the file is called faceclust-answers-….json")
    page = read_sent_page(library, given.page)
    planner, planned = _AnswersPlanner(library, given), list[SuggestedAnswer | SkippedAnswer]()
    known = [answer for answer in given.answers if answer.question <= len(page.questions)]
    for answer in given.answers:
        question = page.questions[answer.question - 1] if answer in known else None
        if question is None:
            reason = FORGOTTEN if answer in known else NO_QUESTION
            planned.append(SkippedAnswer(answer.question, answer.name or "", reason))
        else:
            planned += planner.plan(answer, question)
    return AnswersPlan(
        given.page,
        given.sender,
        tuple(one for one in planned if isinstance(one, SuggestedAnswer)),
        tuple(one for one in planned if isinstance(one, SkippedAnswer)),
        unanswered=len(page.questions) - len(known),
    )


def import_answers(library: Catalogue, plan: AnswersPlan) -> list[Event]:
    """Record a plan's answers in the journal, one event each, as suggestions. Raises CacheError.

    Answers that were recorded since the plan was made are left out, and so are faces about which the user has
    given another answer since.
    """
    events = []
    with journal_transaction(library):
        library.invalidate_people()
        all_events = library.journal.events()
        known, suggestions = {event.id for event in all_events}, collect_suggestions(all_events)
        found = [
            (answer, faces)
            for answer in plan.answers
            if answer.event_id not in known and (faces := _list_faces(library, suggestions, answer))
        ]
        for answer, faces in found:
            events.append(
                library.journal.record(
                    answer.kind, faces, name=answer.name, source=plan.source, event_id=answer.event_id
                )
            )
    return events


def _list_faces(library: Catalogue, suggestions: Suggestions, answer: SuggestedAnswer) -> list[JournalFace]:
    """Return the faces of an answer that it may count for now."""
    return [
        JournalFace.from_occurrence(library.occurrences_of[face][0], confirmed=answer.kind == "reject")
        for face in answer.faces
        if face in library.occurrences_of and not _refuse(library, suggestions, face, answer.kind, answer.name)
    ]


def _refuse(library: Catalogue, suggestions: Suggestions, face: str, kind: str, name: str) -> str:
    """Return why an answer may not count for this face, "" if it may."""
    key, label, person = person_key(name), library.answers.labels.get(face), library.person_of.get(face)
    if label is not None and label.name is None:
        return "ignored since"
    if label is not None and label.confirmed and label.name is not None:
        return f"confirmed as {label.name} since"
    is_same = person is not None and person_key(person.label) == key
    if kind == "reject":
        return f"named {name} since" if is_same else ""
    rejected = {person_key(other) for other in library.answers.rejected.get(face, ())}
    if key in rejected and (face, key) not in suggestions.rejections:
        return f"rejected as {name} since"
    suggested, _ = suggestions.names.get(face, (None, ""))
    if person is not None and not is_same and suggested != person_key(person.label):
        return f"named {person.label} since"
    return ""


class _AnswersPlanner:
    """Decides about each answer by what the library holds now."""

    def __init__(self, library: Catalogue, given: AnswersFile) -> None:
        self._library, self._given = library, given
        events = library.journal.events()
        self._known_ids = {event.id for event in events}
        effective = effective_events(events)
        self._effective_ids = {event.id for event in effective}
        self._suggestions = collect_suggestions(events)
        self._renamed = trace_renames(events, {person_key(person.label) for person in library.people()})
        self._edits = replay_hand_edits(effective)
        self._finder = FaceFinder(library.occurrences, recorded_successors(effective, self._edits))
        self._settled: dict[str, str] = {}

    def plan(self, answer: GivenAnswer, question: SentQuestion) -> Iterator[SuggestedAnswer | SkippedAnswer]:
        """Decide about an answer: a "no" with the name of somebody else counts as two."""
        verdict = answer.is_person if question.name is not None else None
        if question.name is not None and verdict is not None:
            asked = self._renamed.get(person_key(question.name), question.name)
            yield self._plan_one(answer, question, "name" if verdict else "reject", asked)
        if answer.name is not None and not verdict:
            try:
                name = self._settle(answer.name)
            except UsageError:
                yield SkippedAnswer(answer.question, answer.name, NO_NAME)
            else:
                yield self._plan_one(answer, question, "name", name)
        elif verdict is None:
            yield SkippedAnswer(answer.question, "", UNKNOWN)

    def _settle(self, name: str) -> str:
        """Return the spelling to use of a name. Raises UsageError for what is no name, and what the `doubts` raise."""
        if name not in self._settled:
            if not any(character.isalnum() for character in name):
                raise UsageError(f"{name!r} is not a name")
            self._settled[name] = settle_name(self._library, validate_name(name))
        return self._settled[name]

    def _plan_one(
        self, answer: GivenAnswer, question: SentQuestion, kind: str, name: str
    ) -> SuggestedAnswer | SkippedAnswer:
        event_id = self._event_id(answer, kind, name)
        if event_id in self._effective_ids:
            return SkippedAnswer(answer.question, name, KNOWN)
        faces, reasons, contradicts = [], list[str](), dict[str, None]()
        for face in self._find_faces(question.faces):
            reason = _refuse(self._library, self._suggestions, face, kind, name)
            if reason:
                reasons.append(reason)
                continue
            faces.append(face)
            contradicts |= dict.fromkeys(self._find_contradictions(face, kind, person_key(name)))
        if not faces:
            return SkippedAnswer(answer.question, name, max(reasons, key=reasons.count, default=MISSING))
        return SuggestedAnswer(answer.question, kind, name, tuple(faces), event_id, tuple(contradicts))

    def _find_faces(self, faces: Sequence[JournalFace]) -> list[str]:
        """The current ids of the faces that are in the library."""
        found = (self._finder.find(face) for face in faces if not is_removed(face, self._finder, self._edits))
        return list(dict.fromkeys(one[0] for one in found if one is not None))

    def _find_contradictions(self, face: str, kind: str, key: str) -> Iterator[str]:
        """Yield what others have suggested that contradicts the name of a face."""
        suggestions = self._suggestions
        if kind == "name" and face in self._library.person_of and suggestions.names.get(face, (key, ""))[0] != key:
            yield f"{suggestions.names[face][1]}: {self._library.person_of[face].label}"
        elif kind == "name" and (face, key) in suggestions.rejections:
            yield f"{suggestions.rejections[face, key]}: somebody else"

    def _event_id(self, answer: GivenAnswer, kind: str, name: str) -> str:
        """The id of the event: the same whenever the same answer is taken in, unless it was undone meanwhile."""
        parts = (self._given.page, person_key(self._given.sender), str(answer.question), kind, person_key(name))
        for attempt in range(len(self._known_ids) + 1):
            digest = hashlib.blake2b("\n".join((*parts, str(attempt))).encode(), digest_size=6).hexdigest()
            if digest not in self._known_ids or digest in self._effective_ids:
                return digest
        raise AssertionError("more ids than events are known")
