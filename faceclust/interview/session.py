"""Run an interview, question by question.

The next question follows from the library and from the questions skipped so far. So an interview
goes on where the last one ended, even after a crash. An answer is one event of the journal: it is
recorded as a whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from faceclust.errors import UsageError
from faceclust.interview.planner import plan_questions, plan_suggested_question, suggested_faces
from faceclust.interview.presenter import PresentedQuestion, Presenter
from faceclust.interview.questions import InterviewState, Question
from faceclust.interview.replies import Reply, faces_also_removed, parse_reply, record_reply
from faceclust.library.library import Library
from faceclust.people.event_text import describe_event
from faceclust.people.events import Event
from faceclust.people.groups import Groups
from faceclust.people.similarity import GroupDistances
from faceclust.text.plural import format_count
from faceclust.types import FaceTable, Person

YES_WORDS, NO_WORDS = ("y", "yes"), ("n", "no", "none")
#: Words that are hardly anybody's name. In quotes they are accepted as names.
_RESERVED_WORDS = frozenset(
    [*YES_WORDS, *NO_WORDS, "nobody", "unknown", "skip", "later", "all", "help", "undo", "redo", "back", "open"]
)
#: Another answer and something else: "n Anna", "?x", "-x". In quotes, they are names, too.
_MIXED_ANSWER = re.compile(
    r"(?:[ynbufoqsYNU]|(?i:yes|no|none|undo|redo|back|open|skip))\s.*|[-?!/+*=<>|~#,;:%$\\\[\]{}].*"
)


class Interview:
    """Asks about the faces of a library.

    `pictures_per_row`: number of pictures side by side, at least 2. `thorough`: ask about single
    faces and improbable matches as well.
    """

    def __init__(self, library: Library, *, pictures_per_row: int, thorough: bool = False) -> None:
        self._library, self._pictures_per_row, self._thorough = library, pictures_per_row, thorough
        self._skipped_keys: frozenset[str] = frozenset()
        self._history: list[tuple[PresentedQuestion, Event | None]] = []  # None: skipped
        self._repeated: PresentedQuestion | None = None
        self._undone: dict[str, PresentedQuestion] = {}  # by the id of the answer
        self._open_count = 0
        self._last_name: str | None = None
        #: With the faces that they are known to cover.
        self._distances: tuple[FaceTable, Clustering | None, GroupDistances] | None = None
        self._ungrouped: tuple[FaceTable, Groups | None, list[str]] | None = None
        self.answer_count = 0

    @property
    def _group_distances(self) -> GroupDistances:
        library, faces = self._library, self._library.faces
        if self._distances is None or self._distances[0] is not faces:
            known = self._distances[1] if self._distances else None
            if known is None or not all(map(known.can_compare, faces.face_ids.tolist())):  # a removal was undone
                known = GroupDistances(faces, library.clustering, library.face_offsets)
            self._distances = faces, known
        return self._distances[1]

    # -- ask ------------------------------------------------------------------

    def next_question(self) -> PresentedQuestion | None:
        """Return the next question, or None if there are no more. It stays the same until it is answered."""
        if self._repeated is not None:
            return self._repeated
        questions = plan_questions(
            self.group_distances,
            self.state(),
            self._skipped_keys,
            max_candidates=self._pictures_per_row - 1,
            thorough=self._thorough,
        )
        self._open_count = len(questions)
        return self._present(questions[0], len(questions)) if questions else None

    def _present(self, question: Question, remaining: int) -> PresentedQuestion:
        return Presenter(self._library, self.group_distances, self._pictures_per_row).present(question, remaining)

    def show_suggested(self) -> None:
        """Ask about the suggested faces of the person named last, as many as fit; the current question follows.

        Raises UsageError if there are none.
        """
        person = self._person_with_suggested()
        if person is None:
            raise UsageError("the person named last has no suggested faces", hint="? shows what to type")
        question = plan_suggested_question(
            self.group_distances, person, self._skipped_keys, max_candidates=self._pictures_per_row - 1
        )
        self._repeated = self._present(question, self._open_count + 1)

    @property
    def offer(self) -> str:
        """The question whether to see the suggested faces of the person named last; "" without any."""
        person = self._person_with_suggested()
        return f"See {_describe_suggested_faces(person)}?" if person else ""

    def _person_with_suggested(self) -> Person | None:
        """The person named last, if there are suggested faces of that person that were not skipped."""
        people = (person for person in self._library.people() if person.label == self._last_name)
        return next((person for person in people if suggested_faces(person, self._skipped_keys)), None)

    def state(self) -> InterviewState:
        """Return what questions are planned from."""
        library = self._library
        answers, person_of = library.answers, library.person_of
        return InterviewState(
            persons=library.persons,
            answers=answers,
            ungrouped=[
                face for face in self._faces_without_group() if face not in person_of and face not in answers.labels
            ],
            group_of=library.group_of,
            photo_of=library.photo_of,
            new_faces=library.new_faces,
        )

    def _faces_without_group(self) -> list[str]:
        """The faces in no group that can be compared. Few answers change the groups."""
        faces, groups, group_of = self._library.faces, self._library.groups, self._library.group_of
        if self._ungrouped is None or self._ungrouped[0] is not faces or self._ungrouped[1] is not groups:
            self._ungrouped = faces, groups, [face for face in faces.face_ids.tolist() if face not in group_of]
        return self._ungrouped[2]

    @property
    def skipped_count(self) -> int:
        """The number of questions skipped and not answered since."""
        return sum(event is None for _, event in self._history)

    # -- answer ---------------------------------------------------------------

    def answer(self, question: PresentedQuestion, text: str) -> str:
        """Record what was typed. Return a description of what was saved, "" if the question was skipped.

        Raises UsageError if `text` is not an answer to this question, which then stays open.
        """
        if not text.strip():
            self.skip(question)
            return ""
        event = self.reply(question, parse_reply(question, text.strip()))
        also = len(faces_also_removed(question, event))
        also_removed = f"; {also} more went with those" if also else ""
        return f"saved: {describe_event(event)}{also_removed}{self._describe_suggested(event)}"

    def reply(self, question: PresentedQuestion, reply: Reply) -> Event:
        """Record a reply and return its event. Raises UsageError as `answer` does."""
        event = record_reply(self._library, question, reply)
        self._repeated = None
        self._history.append((question, event))
        self.answer_count += 1
        self.note_answer(event)
        return event

    def skip(self, question: PresentedQuestion) -> None:
        """Leave a question for the next interview."""
        self._repeated = None
        self._history.append((question, None))
        self._skipped_keys |= question.question.keys

    def note_answer(self, event: Event) -> None:
        """Offer the suggested faces of the person whom this answer named, see `offer`."""
        if event.kind in ("name", "confirm") and event.name is not None:
            self._last_name = event.name

    def _describe_suggested(self, event: Event) -> str:
        """Offer to show the suggested faces of a person who was named or confirmed."""
        if event.kind not in ("name", "confirm"):
            return ""
        person = next((person for person in self._library.people() if person.label == event.name), None)
        if person is None or len(person.face_ids) == len(person.confirmed):
            return ""
        return f"; s shows {_describe_suggested_faces(person)}"

    def _describe_also_removed(self, question: PresentedQuestion, event: Event) -> str:
        """Mention the faces that left with those declared not to belong."""
        if event.name is None or not event.rest or not question.accepts_name:
            return ""
        count = len(question.question.candidates[0].faces) - len(event.faces) - len(event.rest)
        return f"; {count} more went with those" if count > 0 else ""

    def _apply_answer(self, question: PresentedQuestion, text: str) -> Event:
        if (marked := _parse_not_a_face(text, len(question.numbered_faces))) is not None:
            return self._library.remove_faces([question.numbered_faces[number - 1] for number in marked])
        numbers, name = parse_answer(text, len(question.numbered_faces))
        word, kind = name.casefold(), question.question.kind
        if kind is QuestionKind.WHO or (question.accepts_name and name and word not in (*YES_WORDS, *NO_WORDS)):
            return self._apply_name(question, numbers, name)
        if word not in (*YES_WORDS, *NO_WORDS, "") or bool(numbers) == bool(name):
            raise UsageError(f"{text!r} does not answer this question", hint="type y, n or numbers; ? shows help")
        if kind is QuestionKind.SAME:
            return self._apply_same_person(question, word)
        shown = question.numbered_faces
        no = set(shown) if word in NO_WORDS else {shown[number - 1] for number in numbers}
        return (
            self._apply_single_candidate(question, no) if question.accepts_name else self._apply_selection(question, no)
        )

    def _apply_name(self, question: PresentedQuestion, numbers: Sequence[int], text: str) -> Event:
        """Name a group, ignore it, or split off the faces of these numbers, with or without naming the rest."""
        library, candidate = self._library, question.question.candidates[0]
        leaving = [question.numbered_faces[number - 1] for number in numbers]
        seen = [face for face in question.numbered_faces if face not in leaving]
        if not numbers and text in ("n", "N"):
            return library.ignore(candidate.faces)
        name = _unquote_name(text)
        if not seen:
            raise UsageError("at least one face has to stay", hint="type n if you know nobody here")
        if not text:
            return library.split(leaving, seen)
        return library.name(
            self._faces_remaining(candidate.faces, leaving, seen), name, confirmed=seen, rejected=leaving
        )

    def _apply_same_person(self, question: PresentedQuestion, word: str) -> Event:
        (small, large), names = question.question.candidates, question.question.names
        if not word:
            raise UsageError("are they the same person? type y or n")
        if word in YES_WORDS:
            return self._library.merge(*names) if names else self._library.link([*small.faces, *large.faces])
        shown = set(question.numbered_faces)
        return self._library.split(sorted(shown.intersection(small.faces)), sorted(shown.intersection(large.faces)))

    def _apply_single_candidate(self, question: PresentedQuestion, no: set[str]) -> Event:
        """Confirm or reject one group or face as a person. `no`: the shown faces that are not."""
        name, candidate = question.question.names[0], question.question.candidates[0]
        seen = [face for face in question.numbered_faces if face not in no]
        if not seen:
            return self._library.reject(sorted(no), name)
        faces = self._faces_remaining(candidate.faces, sorted(no), seen)
        return self._library.name(faces, name, confirmed=seen, rejected=sorted(no))

    def _apply_selection(self, question: PresentedQuestion, no: set[str]) -> Event:
        """Confirm the candidates that are a person; each picture stands for its candidate."""
        name = question.question.names[0]
        pairs = zip(question.question.candidates, question.numbered_faces, strict=True)
        yes = [(candidate, face) for candidate, face in pairs if face not in no]
        if not yes:
            return self._library.reject(sorted(no), name)
        faces, shown = [face for candidate, _ in yes for face in candidate.faces], [face for _, face in yes]
        faces += self._faces_remaining(question.question.unshown_faces, sorted(no), shown)
        return self._library.name(faces, name, confirmed=shown, rejected=sorted(no))

    def _faces_remaining(self, faces: Sequence[str], leaving: Sequence[str], seen: Sequence[str]) -> list[str]:
        """The faces that stay with the `seen` ones after `leaving` are split off."""
        if not leaving:
            return list(faces)
        staying = set(self._library.faces_remaining(leaving, seen))
        return [face for face in faces if face in staying]

    # -- undo -----------------------------------------------------------------

    def go_back(self) -> str:
        """Ask the previous question again and take back its answer. Return a message for the user."""
        if not self._history:
            return "this is the first question"
        question, event = self._history.pop()
        self._repeated = question
        if event is None:
            self._skipped_keys -= question.question.keys
            return ""
        self.answer_count -= 1
        self._undone[event.id] = question
        return _describe_undo(self._library.undo(event.id))

    def undo(self) -> str:
        """Take back the last answer, of this interview or an earlier one. Return a message for the user."""
        return _describe_undo(self.undo_answer())

    def undo_answer(self, event_id: str | None = None) -> Event | None:
        """Take back the last answer, or the event of this id; None if there is none.

        A question of this interview is asked again if its answer was the last one.
        """
        event = self._library.undo(event_id)
        self._repeated = None
        if event is None:
            return None
        answered = [step for step in self._history if step[1] is not None]
        for step in [step for step in answered if step[1] and step[1].id == event.id]:
            if step is answered[-1]:
                self._repeated = step[0]
            self._history.remove(step)
            self.answer_count -= 1
            self._undone[event.id] = step[0]
        return event

    def redo(self) -> str:
        """Give the answer that was undone last once more. Return a message for the user."""
        event = self.redo_answer()
        return f"saved: {describe_event(event)}" if event else "nothing to redo"

    def redo_answer(self) -> Event | None:
        """Give the answer that was undone last once more. Return the new event, None if there is none."""
        event = self._library.redo()
        if event is None:
            return None
        question = self._undone.pop(event.redoes or "", None)
        if question is not None:
            self._history.append((question, event))
            self.answer_count += 1
        self._repeated = None
        return event


def parse_answer(text: str, count: int) -> tuple[list[int], str]:
    """Split an answer into the picture numbers it begins with and the rest.

    Numbers are given as "2 4", "2,4", "1-3" or "2 and 4". Raises UsageError for numbers above `count`.
    """
    numbers: list[int] = []
    rest = text.strip()
    while match := re.match(r"(?:(?:and|&)\s+)?(\d{1,9})(?:-(\d{1,9}))?(?:[\s,;]+|$)", rest):
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= count:
            raise UsageError(
                f"there is no face {match[0].strip(' ,;')}",
                hint='put a name that begins with a number in "quotes"',
            )
        numbers += range(first, last + 1)
        rest = rest[match.end() :]
    return list(dict.fromkeys(numbers)), rest


def _parse_not_a_face(text: str, count: int) -> list[int] | None:
    """Return the numbers of the pictures that show no face; None for another answer.

    Raises UsageError if numbers are missing and several faces are shown.
    """
    word, _, selection = text.partition(" ")
    if word != "f":
        return None
    numbers, rest = parse_answer(selection, count)
    if rest:
        return None
    if not numbers and count > 1:
        raise UsageError("which of them is not a face? type its number, too", hint="f 2, or f 2 3")
    return numbers or [1]


def _unquote_name(text: str) -> str:
    """Return the name without quotes, or "". Raises UsageError for an unquoted text that is hardly a name."""
    if quoted := re.fullmatch('"(.*)"', text):
        return quoted[1]
    if text.isascii() and (len(text) == 1 or text.casefold() in _RESERVED_WORDS):
        raise UsageError(f"{text!r} is not a name", hint=f'? shows what to type; "{text}" in quotes is a name')
    if text and re.fullmatch(r"[\d\s,;&-]+", text):
        raise UsageError(f"{text!r} is not a name", hint="? shows how to type numbers of faces")
    if _MIXED_ANSWER.fullmatch(text):
        raise UsageError(f"{text!r} is not a name", hint=f'type one of the two; "{text}" in quotes is a name')
    return text


def _describe_suggested_faces(person: Person) -> str:
    return f"{person.label}'s {format_count(len(person.face_ids) - len(person.confirmed), 'other face')}"


def _describe_undo(event: Event | None) -> str:
    return f"taken back: {describe_event(event)}" if event else "nothing to take back"
