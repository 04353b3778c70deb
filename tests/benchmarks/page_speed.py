"""The time that answers on the page for naming people take in a large library.

    python -m tests.benchmarks.page_speed FOLDER [--faces 100000] [--named 300] [--answers 300]

FOLDER is a library, scanned and grouped, or is made: synthetic faces with drawn pictures (see `report`).
Answers of all kinds are recorded in it. Each is confirmed once its line is on disk. After that, its state is
brought up to date: answers, groups, persons and the next question. The lists of the page are timed, too. Times
are elapsed milliseconds, in brackets those of the processor.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from faceclust import Library
from faceclust.interview.session import Interview
from faceclust.outputs.overview import format_year_range
from faceclust.outputs.report.timeline import select_faces_across_years
from tests.benchmarks.report import make_library

T = TypeVar("T")
ROWS, PICTURES = 100, 8


def timed(action: Callable[[], T]) -> tuple[T, tuple[float, float]]:
    """Return the result of an action, and the milliseconds it took: elapsed, and of the processor."""
    began, busy = time.perf_counter(), time.process_time()
    result = action()
    return result, (1000 * (time.perf_counter() - began), 1000 * (time.process_time() - busy))


def give_answers(library: Library) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield answers without end, each with its kind, to be given before the next is asked for."""

    def faces_of_group(place: int) -> tuple[str, ...]:
        groups = library.unnamed_groups()
        return groups[place % len(groups)].face_ids

    for number in itertools.count():
        faces = faces_of_group(number % 7)
        yield "new name", partial(library.name, faces, f"Person {number}", confirmed=faces[:3])
        faces, person = faces_of_group(8), library.people()[number % 5 % len(library.people())]
        yield "known name", partial(library.name, faces, person.label, confirmed=faces[:2])
        yield "ignore", partial(library.ignore, faces_of_group(20))
        with_suggested = (person for person in library.people() if len(person.face_ids) > len(person.confirmed))
        if person := next(with_suggested, None):
            yield "confirm", partial(library.confirm, min(set(person.face_ids) - person.confirmed), person.label)
        yield "reject", partial(library.reject, min(library.people()[0].face_ids), library.people()[0].label)
        faces = faces_of_group(30)
        yield "split", partial(library.split, faces[:1], faces[1:])
        yield "undo", library.undo
        yield "redo", library.redo
        yield "not a face", partial(library.remove_faces, faces_of_group(40)[:1])


def bring_up_to_date(library: Library, interview: Interview) -> None:
    """Work out everything that the page shows and that an answer may have changed."""
    _ = library.persons, library.person_of, library.group_of, library.unnamed_groups()
    interview.next_question()


def list_groups(library: Library) -> list[tuple[int, int, int, int | None, int | None]]:
    """Return number, faces, photos, first and last year of each group without a name."""
    rows = []
    for group in library.unnamed_groups():
        occurrences = [library.occurrences_of[face][0] for face in group.face_ids]
        years = [occurrence.taken_at.year for occurrence in occurrences if occurrence.taken_at]
        photos = len({occurrence.photo_hash for occurrence in occurrences})
        rows.append(
            (group.clusters[0], len(group.face_ids), photos, min(years, default=None), max(years, default=None))
        )
    return rows


def make_rows(library: Library) -> list[tuple[list[str], str]]:
    """Return the pictures and years of the first rows."""
    rows = []
    for group in library.unnamed_groups()[:ROWS]:
        occurrences = [library.occurrences_of[face][0] for face in group.face_ids]
        best = select_faces_across_years(occurrences, PICTURES)
        years = format_year_range(occurrence.taken_at for occurrence in occurrences)
        rows.append(([occurrence.face_id for occurrence in best], years))
    return rows


def describe(times: Iterable[tuple[float, float]]) -> str:
    """Return the median, the 95th percentile and the maximum of times; in brackets those of the processor."""
    (middle, busy), (high, busy_high), (most, busy_most) = np.percentile(list(times), [50, 95, 100], axis=0)
    return f"{middle:.0f} ms ({busy:.0f}), 95 % {high:.0f} ({busy_high:.0f}), at most {most:.0f} ({busy_most:.0f})"


def main() -> None:
    """Make the library if it is missing, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--named", type=int, default=300)
    parser.add_argument("--answers", type=int, default=300)
    arguments = parser.parse_args()
    if not arguments.folder.exists():
        make_library(arguments.folder.resolve(), arguments.faces, arguments.named, pool=300)
    library = Library(arguments.folder)
    interview = Interview(library, pictures_per_row=12)
    (faces, people), opening = timed(lambda: (len(library.occurrences_of), len(library.people())))
    _, first = timed(lambda: bring_up_to_date(library, interview))
    print(f"{faces:,} faces, {people} people, {len(library.unnamed_groups()):,} groups")
    print(f"counts after opening: {describe([opening])}")
    print(f"first question after that: {describe([first])}")
    confirmed, updated = (defaultdict[str, list[tuple[float, float]]](list) for _ in range(2))
    for kind, answer in itertools.islice(give_answers(library), arguments.answers):
        confirmed[kind].append(timed(answer)[1])
        updated[kind].append(timed(lambda: bring_up_to_date(library, interview))[1])
    print(f"answer confirmed: {describe(itertools.chain(*confirmed.values()))}")
    print(f"state after it: {describe(itertools.chain(*updated.values()))}")
    for kind in confirmed:
        print(f"  {kind}: confirmed {describe(confirmed[kind])}; state {describe(updated[kind])}")
    groups, listing = timed(lambda: list_groups(library))
    rows, making = timed(lambda: make_rows(library))
    print(f"list of {len(groups):,} groups: {describe([listing])}")
    print(f"{len(rows)} rows of {PICTURES} pictures: {describe([making])}")


if __name__ == "__main__":
    main()
