"""Run an interview, question by question.

The next question follows from the library and from the questions skipped so far. So an interview
goes on where the last one ended, even after a crash. An answer is one event of the journal: it is
recorded as a whole or not at all.
"""

from __future__ import annotations

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
from faceclust.people.suggestions import SuggestionReplay, find_unconfirmed
from faceclust.text.plural import format_count
from faceclust.types import Clustering, FaceTable, Person


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
        self._suggestions = SuggestionReplay()
        self.answer_count = 0

    @property
    def group_distances(self) -> GroupDistances:
        """The distances between the current faces and groups."""
        library, faces, clustering = self._library, self._library.faces, self._library.clustering
        if self._distances is None or self._distances[0] is not faces or self._distances[1] is not clustering:
            known = self._distances[2] if self._distances and self._distances[1] is clustering else None
            if known is None or not all(map(known.can_compare, faces.face_ids.tolist())):  # a removal was undone
                known = GroupDistances(faces, clustering, library.face_offsets)
            self._distances = faces, clustering, known
        return self._distances[2]

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
            self.group_distances,
            person,
            self._skipped_keys,
            max_candidates=self._pictures_per_row - 1,
            evidence=self._library.date_evidence,
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
            photo_of=library.picture_of,
            new_faces=library.new_faces,
            evidence=library.date_evidence,
            suggested_by=find_unconfirmed(self._suggestions.suggestions(library.journal.events()), answers),
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
        """Take back the last answer, or the event of this id; None if nothing can be undone.

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
        """Give the answer that was undone last once more. Return the new event, None if nothing was undone."""
        event = self._library.redo()
        if event is None:
            return None
        question = self._undone.pop(event.redoes or "", None)
        if question is not None:
            self._history.append((question, event))
            self.answer_count += 1
        self._repeated = None
        return event

    def forget_repeated(self) -> None:
        """Ask no question again as it was: the library has changed since."""
        self._repeated = None


def _describe_suggested_faces(person: Person) -> str:
    return f"{person.label}'s {format_count(len(person.face_ids) - len(person.confirmed), 'other face')}"


def _describe_undo(event: Event | None) -> str:
    return f"taken back: {describe_event(event)}" if event else "nothing to take back"
