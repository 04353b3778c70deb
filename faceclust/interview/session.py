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
from faceclust.interview.presenter import Asked, Presenter
from faceclust.interview.questions import Kind, Standing
from faceclust.library.library import Library
from faceclust.people.event_text import describe
from faceclust.people.events import Event
from faceclust.people.similarity import Likeness

YES, NO = ("y", "yes"), ("n", "no", "none")
#: Words that are hardly somebody's name; in quotes they may be.
_NO_NAMES = frozenset([*YES, *NO, "nobody", "unknown", "skip", "later", "all", "help", "undo", "back", "open"])


class Interview:
    """Asks about the faces of a library. `row`: how many pictures go side by side, at least 2;
    `thorough`: ask about single faces and unlikely matches as well."""

    def __init__(self, library: Library, *, row: int, thorough: bool = False) -> None:
        self._library, self._row, self._thorough = library, row, thorough
        self._passed: frozenset[str] = frozenset()
        self._steps: list[tuple[Asked, Event | None]] = []  # None: passed over
        self._again: Asked | None = None
        self.answered = 0

    @cached_property
    def _likeness(self) -> Likeness:
        return Likeness(self._library.faces, self._library.clustering)

    def ask(self) -> Asked | None:
        """The next question; None when there is none. The same until it is answered."""
        if self._again is not None:
            return self._again
        found = plan_questions(
            self._likeness, self._standing(), self._passed, room=self._row - 1, thorough=self._thorough
        )
        return Presenter(self._library, self._likeness, self._row).present(found[0], len(found)) if found else None

    def _standing(self) -> Standing:
        library = self._library
        persons, resolved = library.persons, library.resolved
        theirs = library.person_of.keys() | resolved.said.keys()
        grouped = library.cluster_of
        return Standing(
            persons=persons,
            resolved=resolved,
            alone=[face for face in library.places_of if face not in grouped and face not in theirs],
            group_of=grouped,
            photo_of=library.photo_of,
            fresh=library.newcomers,
        )

    def answer(self, asked: Asked, text: str) -> str:
        """Take an answer; gives what was saved, in words, "" for nothing. Raises UsageError for
        what is no answer to this question: it is then still asked."""
        event = self._take(asked, text.strip()) if text.strip() else None
        self._again = None
        self._steps.append((asked, event))
        if event is None:
            self._passed |= asked.question.keys
            return ""
        self.answered += 1
        return f"saved: {describe(event)}{self._gone_along(asked, event)}"

    def _gone_along(self, asked: Asked, event: Event) -> str:
        """What went with faces that were said not to belong, in words."""
        if event.name is None or not event.rest or not asked.takes_a_name:
            return ""
        more = len(asked.question.candidates[0].faces) - len(event.faces) - len(event.rest)
        return f"; {more} more went with those" if more > 0 else ""

    @property
    def put_off(self) -> int:
        """How many questions were passed over and are still to be answered."""
        return sum(event is None for _, event in self._steps)

    def back(self) -> str:
        """Ask the question before this one again; an answer to it is taken back."""
        if not self._steps:
            return "this is the first question"
        asked, event = self._steps.pop()
        self._again = asked
        if event is None:
            self._passed -= asked.question.keys
            return ""
        self.answered -= 1
        return _taken_back(self._library.undo(event.id))

    def undo(self) -> str:
        """Take back the last answer, of whenever. One of this interview is asked for again."""
        event = self._library.undo()
        mine = [step for step in self._steps if step[1] and event and step[1].id == event.id]
        self._again = None
        for step in mine:
            self._steps.remove(step)
            self._again = step[0]
            self.answered -= 1
        return _taken_back(event)

    def _take(self, asked: Asked, text: str) -> Event:
        numbers, name = parse_answer(text, len(asked.numbered))
        word, kind = name.casefold(), asked.question.kind
        if kind is Kind.WHO or (asked.takes_a_name and name and word not in (*YES, *NO)):
            return self._take_name(asked, numbers, name)
        if word not in (*YES, *NO, "") or bool(numbers) == bool(name):
            raise UsageError(f"{text!r} is no answer to this", hint="y, n or numbers; ? tells more")
        if kind is Kind.SAME:
            return self._take_same(asked, word)
        no = set(asked.numbered) if word in NO else {asked.numbered[number - 1] for number in numbers}
        return self._take_whether(asked, no) if asked.takes_a_name else self._take_which(asked, no)

    def _take_name(self, asked: Asked, numbers: Sequence[int], name: str) -> Event:
        """A group's name, or that nobody knows it, or which faces do not belong to it, or which do
        not and the others' name."""
        library, unit = self._library, asked.question.candidates[0]
        leaving = [asked.numbered[number - 1] for number in numbers]
        seen = [face for face in asked.numbered if face not in leaving]
        if not numbers and name in ("n", "N"):
            return library.ignore(unit.faces)
        quoted = re.fullmatch('"(.*)"', name)
        if not quoted and name and (len(name) == 1 or name.casefold() in _NO_NAMES) and name.isascii():
            raise UsageError(f"{name!r} is no name", hint=f'? tells what can be typed; "{name}" in quotes is a name')
        if not quoted and name and re.fullmatch(r"[\d\s,;&-]+", name):
            raise UsageError(f"{name!r} is no name", hint="? tells how to type numbers of faces")
        if not seen:
            raise UsageError("one face at least has to stay", hint="n, if you know nobody here")
        if not name:
            return library.split(leaving, seen)
        called = quoted[1] if quoted else name
        return library.name(self._with(unit.faces, leaving, seen), called, shown=seen, rest=leaving)

    def _take_same(self, asked: Asked, word: str) -> Event:
        (small, large), names = asked.question.candidates, asked.question.names
        if not word:
            raise UsageError("are they the same? y or n")
        if word in YES:
            return self._library.merge(*names) if names else self._library.link([*small.faces, *large.faces])
        shown = set(asked.numbered)
        return self._library.split(sorted(shown.intersection(small.faces)), sorted(shown.intersection(large.faces)))

    def _take_whether(self, asked: Asked, no: set[str]) -> Event:
        """Whether one group or face is a person; `no`: the faces shown that are not."""
        name, unit = asked.question.names[0], asked.question.candidates[0]
        seen = [face for face in asked.numbered if face not in no]
        if not seen:
            return self._library.reject(sorted(no), name)
        return self._library.name(self._with(unit.faces, sorted(no), seen), name, shown=seen, rest=sorted(no))

    def _take_which(self, asked: Asked, no: set[str]) -> Event:
        """Which of several are a person: each picture stands for its candidate."""
        name = asked.question.names[0]
        pairs = zip(asked.question.candidates, asked.numbered, strict=True)
        yes = [(unit, face) for unit, face in pairs if face not in no]
        if not yes:
            return self._library.reject(sorted(no), name)
        faces, shown = [face for unit, _ in yes for face in unit.faces], [face for _, face in yes]
        faces += self._with(asked.question.others, sorted(no), shown)
        return self._library.name(faces, name, shown=shown, rest=sorted(no))

    def _with(self, faces: Sequence[str], leaving: Sequence[str], seen: Sequence[str]) -> list[str]:
        """Those of the faces that stay with the ones seen when some are said not to belong."""
        if not leaving:
            return list(faces)
        stay = set(self._library.staying(leaving, seen))
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


def _taken_back(event: Event | None) -> str:
    return f"taken back: {describe(event)}" if event else "nothing to take back"
