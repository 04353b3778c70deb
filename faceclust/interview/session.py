"""An interview from question to question.

What is asked follows from the library alone and from what was passed over since the interview
began: so an interview goes on where the last one was left, in whatever way it ended. An answer
is one event of the journal: it is there whole, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from faceclust.errors import UsageError
from faceclust.interview.planner import plan_questions
from faceclust.interview.presenter import PresentedQuestion, Presenter
from faceclust.interview.questions import InterviewState, QuestionKind
from faceclust.library.library import Library
from faceclust.people.event_text import describe_event
from faceclust.people.events import Event
from faceclust.people.similarity import GroupDistances

YES_WORDS, NO_WORDS = ("y", "yes"), ("n", "no", "none")
#: Words that are hardly somebody's name; in quotes they may be.
_RESERVED_WORDS = frozenset(
    [*YES_WORDS, *NO_WORDS, "nobody", "unknown", "skip", "later", "all", "help", "undo", "back", "open"]
)


class Interview:
    """Asks about the faces of a library. `row`: how many pictures go side by side, at least 2;
    `thorough`: ask about single faces and unlikely matches as well."""

    def __init__(self, library: Library, *, pictures_per_row: int, thorough: bool = False) -> None:
        self._library, self._pictures_per_row, self._thorough = library, pictures_per_row, thorough
        self._skipped_keys: frozenset[str] = frozenset()
        self._history: list[tuple[PresentedQuestion, Event | None]] = []  # None: passed over
        self._repeated: PresentedQuestion | None = None
        self.answer_count = 0

    @cached_property
    def _group_distances(self) -> GroupDistances:
        return GroupDistances(self._library.faces, self._library.clustering)

    def next_question(self) -> PresentedQuestion | None:
        """The next question; None when there is none. The same until it is answered."""
        if self._repeated is not None:
            return self._repeated
        found = plan_questions(
            self._group_distances,
            self._current_state(),
            self._skipped_keys,
            max_candidates=self._pictures_per_row - 1,
            thorough=self._thorough,
        )
        return (
            Presenter(self._library, self._group_distances, self._pictures_per_row).present(found[0], len(found))
            if found
            else None
        )

    def _current_state(self) -> InterviewState:
        library = self._library
        persons, resolved = library.persons, library.answers
        theirs = library.person_of.keys() | resolved.labels.keys()
        grouped = library.group_of
        return InterviewState(
            persons=persons,
            answers=resolved,
            ungrouped=[face for face in library.occurrences_of if face not in grouped and face not in theirs],
            group_of=grouped,
            photo_of=library.photo_of,
            new_faces=library.new_faces,
        )

    def answer(self, question: PresentedQuestion, text: str) -> str:
        """Take an answer; gives what was saved, in words, "" for nothing. Raises UsageError for
        what is no answer to this question: it is then still asked."""
        event = self._apply_answer(question, text.strip()) if text.strip() else None
        self._repeated = None
        self._history.append((question, event))
        if event is None:
            self._skipped_keys |= question.question.keys
            return ""
        self.answer_count += 1
        return f"saved: {describe_event(event)}{self._describe_also_removed(question, event)}"

    def _describe_also_removed(self, asked: PresentedQuestion, event: Event) -> str:
        """What went with faces that were said not to belong, in words."""
        if event.name is None or not event.rest or not asked.accepts_name:
            return ""
        more = len(asked.question.candidates[0].faces) - len(event.faces) - len(event.rest)
        return f"; {more} more went with those" if more > 0 else ""

    @property
    def skipped_count(self) -> int:
        """How many questions were passed over and are still to be answered."""
        return sum(event is None for _, event in self._history)

    def go_back(self) -> str:
        """Ask the question before this one again; an answer to it is taken back."""
        if not self._history:
            return "this is the first question"
        asked, event = self._history.pop()
        self._repeated = asked
        if event is None:
            self._skipped_keys -= asked.question.keys
            return ""
        self.answer_count -= 1
        return _describe_undo(self._library.undo(event.id))

    def undo(self) -> str:
        """Take back the last answer, of whenever. One of this interview is asked for again."""
        event = self._library.undo()
        mine = [step for step in self._history if step[1] and event and step[1].id == event.id]
        self._repeated = None
        for step in mine:
            self._history.remove(step)
            self._repeated = step[0]
            self.answer_count -= 1
        return _describe_undo(event)

    def _apply_answer(self, asked: PresentedQuestion, text: str) -> Event:
        numbers, name = parse_answer(text, len(asked.numbered_faces))
        word, kind = name.casefold(), asked.question.kind
        if kind is QuestionKind.WHO or (asked.accepts_name and name and word not in (*YES_WORDS, *NO_WORDS)):
            return self._apply_name(asked, numbers, name)
        if word not in (*YES_WORDS, *NO_WORDS, "") or bool(numbers) == bool(name):
            raise UsageError(f"{text!r} is no answer to this", hint="y, n or numbers; ? tells more")
        if kind is QuestionKind.SAME:
            return self._apply_same_person(asked, word)
        no = set(asked.numbered_faces) if word in NO_WORDS else {asked.numbered_faces[number - 1] for number in numbers}
        return self._apply_single_candidate(asked, no) if asked.accepts_name else self._apply_selection(asked, no)

    def _apply_name(self, asked: PresentedQuestion, numbers: Sequence[int], name: str) -> Event:
        """A group's name, or that nobody knows it, or which faces do not belong to it, or which do
        not and the others' name."""
        library, unit = self._library, asked.question.candidates[0]
        leaving = [asked.numbered_faces[number - 1] for number in numbers]
        seen = [face for face in asked.numbered_faces if face not in leaving]
        if not numbers and name in ("n", "N"):
            return library.ignore(unit.faces)
        quoted = re.fullmatch('"(.*)"', name)
        if not quoted and name and (len(name) == 1 or name.casefold() in _RESERVED_WORDS) and name.isascii():
            raise UsageError(f"{name!r} is no name", hint=f'? tells what can be typed; "{name}" in quotes is a name')
        if not quoted and name and re.fullmatch(r"[\d\s,;&-]+", name):
            raise UsageError(f"{name!r} is no name", hint="? tells how to type numbers of faces")
        if not seen:
            raise UsageError("one face at least has to stay", hint="n, if you know nobody here")
        if not name:
            return library.split(leaving, seen)
        called = quoted[1] if quoted else name
        return library.name(self._faces_remaining(unit.faces, leaving, seen), called, confirmed=seen, rejected=leaving)

    def _apply_same_person(self, asked: PresentedQuestion, word: str) -> Event:
        (small, large), names = asked.question.candidates, asked.question.names
        if not word:
            raise UsageError("are they the same? y or n")
        if word in YES_WORDS:
            return self._library.merge(*names) if names else self._library.link([*small.faces, *large.faces])
        shown = set(asked.numbered_faces)
        return self._library.split(sorted(shown.intersection(small.faces)), sorted(shown.intersection(large.faces)))

    def _apply_single_candidate(self, asked: PresentedQuestion, no: set[str]) -> Event:
        """Whether one group or face is a person; `no`: the faces shown that are not."""
        name, unit = asked.question.names[0], asked.question.candidates[0]
        seen = [face for face in asked.numbered_faces if face not in no]
        if not seen:
            return self._library.reject(sorted(no), name)
        return self._library.name(
            self._faces_remaining(unit.faces, sorted(no), seen), name, confirmed=seen, rejected=sorted(no)
        )

    def _apply_selection(self, asked: PresentedQuestion, no: set[str]) -> Event:
        """Which of several are a person: each picture stands for its candidate."""
        name = asked.question.names[0]
        pairs = zip(asked.question.candidates, asked.numbered_faces, strict=True)
        yes = [(unit, face) for unit, face in pairs if face not in no]
        if not yes:
            return self._library.reject(sorted(no), name)
        faces, shown = [face for unit, _ in yes for face in unit.faces], [face for _, face in yes]
        faces += self._faces_remaining(asked.question.unshown_faces, sorted(no), shown)
        return self._library.name(faces, name, confirmed=shown, rejected=sorted(no))

    def _faces_remaining(self, faces: Sequence[str], leaving: Sequence[str], seen: Sequence[str]) -> list[str]:
        """Those of the faces that stay with the ones seen when some are said not to belong."""
        if not leaving:
            return list(faces)
        stay = set(self._library.faces_remaining(leaving, seen))
        return [face for face in faces if face in stay]


def parse_answer(text: str, count: int) -> tuple[list[int], str]:
    """The numbers of pictures that an answer begins with ("2 4", "2,4", "1-3", "2 and 4"), and what
    follows. Raises UsageError for a number there is no picture of."""
    numbers: list[int] = []
    rest = text.strip()
    while match := re.match(r"(?:(?:and|&)\s+)?(\d{1,9})(?:-(\d{1,9}))?(?:[\s,;]+|$)", rest):
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= count:
            raise UsageError(
                f"there is no face {match[0].strip(' ,;')}", hint='a name that begins with a number goes in "quotes"'
            )
        numbers += range(first, last + 1)
        rest = rest[match.end() :]
    return list(dict.fromkeys(numbers)), rest


def _describe_undo(event: Event | None) -> str:
    return f"taken back: {describe_event(event)}" if event else "nothing to take back"
