"""The number of answers that `faceclust label` needs until everybody has a name.

    python tests/benchmarks/interview.py LIBRARY TRUTH.csv [--knows N] [--thorough] [--by-size]

TRUTH.csv has a row for each face: photo (below LIBRARY), left, top, right, bottom (pixels of the
upright photo), person. LIBRARY must be scanned, grouped and without names; it has names afterwards. A user
who knows the truth answers in a pseudo-terminal from what is shown. They type names, mark faces that do
not belong, and do not know people with fewer than N photos. --by-size first simulates a tool that only
asks for the names of groups, the largest first. Progress counts the faces of people with at least three
photos whose name is right, confirmed or suggested.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from faceclust import Library
from faceclust.interview.presenter import PresentedQuestion
from faceclust.interview.questions import QuestionKind
from faceclust.interview.replies import Reply
from faceclust.interview.session import Interview
from faceclust.outputs.report.timeline import select_faces_across_years
from faceclust.people.journal import Journal
from faceclust.types import intersection_over_union

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support.terminal import LabelTerminal

OFTEN = 3  # faces that a person needs to count
ROW = 4  # pictures side by side in 80 columns
MARKS = (0.90, 0.95, 0.98, 0.99)


def read_true_names(library: Library, table: Path) -> dict[str, str]:
    """Map face ids to their true persons, by the overlap of boxes."""
    rows = defaultdict(list)
    with table.open(newline="") as stream:
        for row in csv.DictReader(stream):
            box = tuple(float(row[side]) for side in ("left", "top", "right", "bottom"))
            rows[row["photo"]].append((box, row["person"].replace("_", " ")))
    by_photo = defaultdict(list)
    for place in library.occurrences:
        by_photo[place.photo].append(place)
    found: dict[str, str] = {}
    for photo, places in by_photo.items():
        pairs = [
            (intersection_over_union(box, place.pixel_box), i, place)
            for i, (box, _) in enumerate(rows[photo])
            for place in places
        ]
        matched = set()
        for shared, i, place in sorted(pairs, key=lambda pair: -pair[0]):
            if shared >= 0.3 and i not in matched and place.face_id not in found:
                found[place.face_id] = rows[photo][i][1]
                matched.add(i)
    return found


class User:
    """A simulated user who knows people with at least `knows` faces, and sees only what is shown."""

    def __init__(self, truth: dict[str, str], knows: int) -> None:
        self.truth = truth
        self._times = Counter(truth.values())
        self._knows = knows

    def recognise(self, face: str) -> str | None:
        """Return the person the user recognises on a face, if any."""
        name = self.truth.get(face)
        return name if name is not None and self._times[name] >= self._knows else None

    def answer(self, presented: PresentedQuestion) -> str:
        """Return the answer the user types."""
        shown, question = presented.numbered_faces, presented.question
        reply = self.reply(shown, question.kind, question.names, accepts_name=presented.accepts_name)
        numbers = [str(shown.index(face) + 1) for face in reply.left_out]
        verdict = [] if reply.verdict is None else ["y" if reply.verdict else "n"]
        return " ".join([*numbers, *verdict, *([reply.name] if reply.name is not None else [])])

    def reply(self, shown: Sequence[str], kind: QuestionKind, names: Sequence[str], *, accepts_name: bool) -> Reply:
        """Return the reply to a question that shows these faces with numbers."""
        true_names = [self.recognise(face) for face in shown]
        if kind is QuestionKind.SAME:
            return Reply(verdict=len(set(true_names)) == 1 and true_names[0] is not None)
        if kind is QuestionKind.WHO:
            most_frequent = Counter(true_names).most_common(1)[0][0]
            others = tuple(face for face, name in zip(shown, true_names, strict=True) if name != most_frequent)
            return Reply(others, most_frequent, None if others or most_frequent is not None else False)
        wrong = tuple(face for face, name in zip(shown, true_names, strict=True) if name != names[0])
        if not wrong:
            return Reply(verdict=True)
        if len(wrong) < len(shown):
            return Reply(wrong)
        is_known = accepts_name and true_names[0] is not None and len(set(true_names)) == 1
        return Reply(name=true_names[0]) if is_known else Reply(verdict=False)


class Score:
    """The progress of naming."""

    def __init__(self, truth: dict[str, str]) -> None:
        self._truth = truth
        times = Counter(truth.values())
        self.people = sum(count >= OFTEN for count in times.values())
        self._faces = [face for face, name in truth.items() if times[name] >= OFTEN]
        self.at: dict[float, float] = {}  # mark → answers or seconds
        self.now, self.wrong = 0.0, 0

    def update(self, library: Library, answers: float) -> None:
        """Measure the progress after this many answers, or seconds."""
        name_of = {face: person.label for person in library.people() for face in person.face_ids}
        self.now = sum(name_of.get(face) == self._truth[face] for face in self._faces) / len(self._faces)
        for mark in MARKS:
            if self.now >= mark:
                self.at.setdefault(mark, answers)
        confirmed = {face: person.label for person in library.people() for face in person.confirmed}
        self.wrong = sum(self._truth.get(face) != name for face, name in confirmed.items())

    def print_marks(self, title: str, answers: int) -> None:
        """Print the answers needed for each mark."""
        marks = "  ".join(
            f"{mark:.0%}: {self.at[mark]} ({self.at[mark] / self.people:.2f} a person)"
            if mark in self.at
            else f"{mark:.0%}: –"
            for mark in MARKS
        )
        print(f"{title}: {self.people} people; {marks}; in the end {self.now:.1%} with {answers} answers")
        print(f"  wrong names among the confirmed: {self.wrong}", flush=True)


def ask_by_size(root: Path, user: User) -> None:
    """Simulate a tool that asks for groups by size, with a journal of its own."""
    library, score, answers = Library(root), Score(user.truth), 0
    with tempfile.TemporaryDirectory() as folder:
        library._journal = Journal(Path(folder) / "people.jsonl")
        while groups := [group for group in library.unnamed_groups() if len(group.face_ids) > 1]:
            group = groups[0]
            shown_faces = [
                place.face_id
                for place in select_faces_across_years(
                    [library.occurrences_of[face][0] for face in group.face_ids], ROW
                )
            ]
            most_frequent = Counter(user.recognise(face) for face in shown_faces).most_common(1)[0][0]
            if most_frequent is None:
                library.ignore(group.face_ids)
            else:
                library.name(
                    group.face_ids,
                    most_frequent,
                    confirmed=[face for face in shown_faces if user.recognise(face) == most_frequent],
                )
            answers += 1
            score.update(library, answers)
    score.print_marks("by size only", answers)


def answer_in_terminal(root: Path, user: User, thorough: bool) -> None:
    """Answer `faceclust label` in a pseudo-terminal."""
    library, score, answers, kinds = Library(root), Score(user.truth), 0, Counter[str]()
    interview = Interview(library, pictures_per_row=ROW, thorough=thorough)
    terminal = LabelTerminal(root, *(["--thorough"] if thorough else []))
    while (presented := interview.next_question()) and score.now < MARKS[-1]:
        terminal.wait_for_question(presented.text)
        saved = len(library.journal.events())
        terminal.type(user.answer(presented) + "\r")
        answers += 1
        kinds[presented.question.kind.value] += 1
        end = time.monotonic() + 60
        while len(library.journal.events()) == saved:
            terminal.read(0.02)
            if time.monotonic() > end:
                raise TimeoutError(f"no answer to {presented.text!r} was saved:\n{terminal.text}")
        library.invalidate_people()
        score.update(library, answers)
        if answers % 50 == 0:
            print(f"  {answers} answers: {score.now:.1%}", flush=True)
    terminal.type("q\r")
    score.print_marks("faceclust label" + (" --thorough" if thorough else ""), answers)
    print(f"  questions: {dict(kinds)}")


def main() -> None:
    """Answer all questions and print the progress."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--knows", type=int, default=1, metavar="N")
    parser.add_argument("--thorough", action="store_true")
    parser.add_argument("--by-size", action="store_true")
    options = parser.parse_args()
    library = Library(options.library)
    if library.journal.events():
        sys.exit(f"{options.library} has names already")
    user = User(read_true_names(library, options.truth), options.knows)
    if options.by_size:
        ask_by_size(options.library, user)
    answer_in_terminal(options.library, user, options.thorough)


if __name__ == "__main__":
    main()
