"""The time that a person needs to name a library: on the page, and in the terminal.

    python tests/benchmarks/naming_time.py LIBRARY TRUTH.csv [--knows N] [--look SECONDS] [--key SECONDS] [--rows N]

LIBRARY must be scanned, grouped and without names; its caches are copied, and it stays as it is. TRUTH.csv: see
interview.py. A simulated user who knows the people with at least N faces takes --look seconds for each question,
row or dialog, and --key seconds for each key. The page is answered through its JSON endpoints, by the keys
that it documents; the terminal through the interview, in 80 columns. --rows: on the page, the user starts with
the wall of groups, down to groups of this size, and goes on with the questions; 0 asks questions only.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from faceclust import Library
from faceclust.interview.questions import QuestionKind
from faceclust.interview.session import Interview
from faceclust.people.names import person_key

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.interview import ROW, Score, User, read_true_names
from tests.support.page_client import PageClient

_GOALS = (0.95, 0.99)


class Clock:
    """The seconds that looks and keys take, and their numbers."""

    def __init__(self, look: float, key: float) -> None:
        self._look, self._key = look, key
        self.looks = self.keys = self.letters = 0

    def count(self, *, looks: int = 0, keys: int = 0) -> None:
        """Add looks and keys."""
        self.looks += looks
        self.keys += keys

    def count_name(self, keys: int, name: str) -> None:
        """Note the keys of a name, which are counted already, if all of its letters were typed."""
        self.letters += len(name) if keys >= len(name) else 0

    @property
    def seconds(self) -> float:
        return self.looks * self._look + self.keys * self._key


def completion_keys(name: str, listed: Sequence[str], *, is_match: Callable[[str, str], bool]) -> int:
    """Return the keys to type a name: all letters, or some of them and a choice among the names that match.

    The first match takes one more key, the second two. Enter is not counted.
    """
    best = len(name)
    if name in listed:
        for letters in range(1, len(name)):
            matches = [other for other in listed if is_match(other, name[:letters])]
            best = min(best, letters + matches.index(name) + 1)
    return best


def _contains(name: str, text: str) -> bool:
    return text.casefold() in name.casefold()


def _begins_a_word(name: str, text: str) -> bool:
    return f" {person_key(text)}" in f" {person_key(name)}"


# -- in the terminal ----------------------------------------------------------------


class TerminalDoubts:
    """The user answers doubts as they know the truth: one look, a letter and Enter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def choose_name(self, name: str, near: str) -> str:
        """The user means what they typed."""
        self._clock.count(looks=1, keys=2)
        return name

    def accept_same_photo(self, message: str) -> None:
        """The user saw the faces."""
        self._clock.count(looks=1, keys=2)


def name_in_terminal(root: Path, user: User, clock: Clock) -> Score:
    """Answer the questions of the terminal until the last goal is reached."""
    library, score = Library(root), Score(user.truth)
    library.doubts = TerminalDoubts(clock)
    interview = Interview(library, pictures_per_row=ROW)
    while (question := interview.next_question()) and score.now < _GOALS[-1]:
        text = user.answer(question)
        name = text.lstrip("0123456789 ") if question.accepts_name else ""
        keys = len(text) + 1
        if name not in ("", "y", "n"):
            listed = [person.label for person in library.people()]
            name_keys = completion_keys(name, listed, is_match=_contains)
            keys += name_keys - len(name)
            clock.count_name(name_keys, name)
        clock.count(looks=1, keys=keys)
        interview.answer(question, text)
        score.update(library, clock.seconds)
    return score


# -- on the page --------------------------------------------------------------------


class PageUser:
    """Answers on the page, by its keys."""

    def __init__(self, root: Path, page: PageClient, user: User, clock: Clock) -> None:
        self._page, self._user, self._clock = page, user, clock
        self._library = Library(root)
        self.score = Score(user.truth)

    def name_rows(self, least_faces: int) -> None:
        """Name the rows of the wall of groups, down to those of this size. Rows of strangers are ignored."""
        is_in_field = True
        groups = [line[0] for line in self._page.get("groups")["groups"] if line[1] >= least_faces]
        for group in groups:
            (row,) = self._page.get(f"rows?groups={group}")["rows"] or [None]
            if row is None:
                continue
            faces = [picture["face"] for picture in row["pictures"]]
            reply = self._user.reply(faces, QuestionKind.WHO, (), accepts_name=True)
            self._clock.count(looks=1)
            if reply.name is None:
                self._clock.count(keys=1 + is_in_field)  # Escape, i; or s
                is_in_field = False
                if not reply.left_out:
                    self._send({"kind": "ignore", "groups": [group]})
                continue
            keys = self._mark_keys(faces, reply.left_out, is_in_field=is_in_field)
            in_field = is_in_field and not keys
            if row["likely"] and row["likely"]["name"] == reply.name:
                keys, is_in_field = keys + 1, in_field
            else:
                keys, is_in_field = keys + (not in_field) + self._name_keys(reply.name), True
            self._clock.count(keys=keys)
            seen = [face for face in faces if face not in reply.left_out]
            self._send(
                {"kind": "name", "name": reply.name, "groups": [group], "seen": seen, "left_out": list(reply.left_out)}
            )

    def answer_questions(self) -> None:
        """Answer the questions of the page until the last goal is reached."""
        while (question := self._page.get("question")["question"]) and self.score.now < _GOALS[-1]:
            shown = [picture["face"] for picture in question["pictures"] if picture["number"] is not None]
            kind = QuestionKind[question["kind"].upper()]
            reply = self._user.reply(shown, kind, question["names"], accepts_name=question["accepts_name"])
            self._clock.count(looks=1, keys=self._reply_keys(question, shown, reply))
            verdict = None if reply.verdict is None else "yes" if reply.verdict else "no"
            answer = {"kind": "question", "question": question["id"], "left_out": list(reply.left_out)}
            self._send({**answer, "name": reply.name, "verdict": verdict})

    def _reply_keys(self, question: dict[str, Any], shown: Sequence[str], reply: Any) -> int:
        is_who = question["kind"] == "who"
        marks = self._mark_keys(shown, reply.left_out, is_in_field=is_who)
        if reply.name is None:
            return marks + 1 + (is_who and not marks)  # y, n, i or Enter; Escape leaves the name field first
        names = [candidate["name"] for candidate in question["candidates"]]
        if reply.name in names:
            return marks + 1  # its digit
        back = 2 if marks else 0 if is_who else 1  # to the name field
        return marks + back + self._name_keys(reply.name)

    @staticmethod
    def _mark_keys(shown: Sequence[str], left_out: Sequence[str], *, is_in_field: bool) -> int:
        """The keys to take faces out: arrows from the first face on, and x for each."""
        if not left_out:
            return 0
        last = max(shown.index(face) for face in left_out)
        return is_in_field + 1 + last + len(left_out)

    def _name_keys(self, name: str) -> int:
        listed = [person["name"] for person in self._page.get("people")["people"]]
        keys = completion_keys(name, listed, is_match=_begins_a_word)
        self._clock.count_name(keys, name)
        return keys + 1

    def _send(self, answer: dict[str, Any]) -> None:
        accepted: dict[str, Any] = {}
        while True:
            status, answered = self._page.answer(answer, accept=accepted)
            if status == 200:
                break
            doubt = answered["doubt"]  # a look, and a key for the button
            self._clock.count(looks=1, keys=1)
            accepted |= {"name": doubt["name"]} if doubt["kind"] == "near_name" else {"same_photo": True}
        self._library.invalidate_people()
        self.score.update(self._library, self._clock.seconds)


def name_on_page(root: Path, user: User, clock: Clock, rows: int) -> Score:
    """Name the people on the page until the last goal is reached."""
    with PageClient(Library(root)) as page:
        person = PageUser(root, page, user, clock)
        if rows:
            person.name_rows(rows)
        person.answer_questions()
    return person.score


# -- measure ------------------------------------------------------------------------


def measure(library: Path, truth: Path, knows: int, run: Callable[[Path, User], Score]) -> Score:
    """Run on a copy of the library's caches."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "library"
        caches = shutil.ignore_patterns("*.jpg", "*.jpeg", "*.png", "*.heic", "*.webp", "*.tif")
        shutil.copytree(library, root, ignore=caches)
        return run(root, User(read_true_names(Library(root), truth), knows))


def print_line(title: str, score: Score, clock: Clock) -> None:
    """Print the time to each goal."""
    goals = "  ".join(
        f"{goal:.0%}: {score.at[goal] / 60:.1f} min" if goal in score.at else f"{goal:.0%}: –" for goal in _GOALS
    )
    work = f"{clock.looks} looks, {clock.keys} keys, {clock.letters} of them letters of new names"
    end = f"in the end {score.now:.1%}, {score.wrong} wrong names among the confirmed"
    print(f"{title:28} {goals}  ({work}; {end})", flush=True)


def main() -> None:
    """Name a library on the page and in the terminal, and print the time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--knows", type=int, default=3, metavar="N")
    parser.add_argument("--look", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--key", type=float, default=0.3, metavar="SECONDS")
    parser.add_argument("--rows", type=int, nargs="*", default=[0, 4, 3], metavar="N")
    options = parser.parse_args()
    if Library(options.library).journal.events():
        sys.exit(f"{options.library} has names already")

    def run(title: str, name_people: Callable[[Path, User, Clock], Score]) -> None:
        clock = Clock(options.look, options.key)
        score = measure(
            *(options.library, options.truth, options.knows), lambda root, user: name_people(root, user, clock)
        )
        print_line(title, score, clock)

    truth = read_true_names(Library(options.library), options.truth)
    often = sum(count >= 3 for count in Counter(truth.values()).values())
    print(f"{len(truth):,} faces with a true name; {often} people are seen three times or more")
    run("terminal", name_in_terminal)
    for rows in options.rows:
        title = f"page, groups of {rows} first" if rows else "page, questions only"
        run(title, partial(name_on_page, rows=rows))


if __name__ == "__main__":
    main()
