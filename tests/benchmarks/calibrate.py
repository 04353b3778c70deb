"""The gain from a threshold calibrated on a few named people, compared with the default 1.1.

    python tests/benchmarks/calibrate.py LIBRARY TRUTH.csv [--people N] [--confirm] [--far F]

TRUTH.csv has a row for each face: photo (below LIBRARY), left, top, right, bottom (pixels of the
upright photo), person. LIBRARY must be scanned and without names; it is copied first, without its
photos. A user who knows the truth answers the questions of `label` in its order, but names only N people.
With --confirm they also confirm everything suggested that is right. All faces are then grouped without the
answers, at 1.1 and at the calibrated threshold. Both are scored against the truth: over all faces, and
over those of people without a name.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from faceclust import Library
from faceclust.errors import FaceclustError
from faceclust.evaluation.metrics.clustering import bcubed, pairwise
from faceclust.evaluation.thresholds import cluster_unconstrained
from faceclust.interview.questions import QuestionKind
from faceclust.interview.session import Interview
from faceclust.types import ClusterParams

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.interview import ROW, User, read_true_names

DEFAULT = 1.1


def copy_library(root: Path, to: Path) -> Library:
    """Copy a library without its photos, and group it at the default threshold."""
    for cache in root.rglob(".faceclust*.parquet"):
        (to / cache.parent.relative_to(root)).mkdir(parents=True, exist_ok=True)
        shutil.copy(cache, to / cache.relative_to(root))
    library = Library(to, pack=Library(root).pack)
    library.home.create()
    library.home.record_scan()
    library.cluster(threshold=DEFAULT)
    return library


def name_people(library: Library, user: User, people: int) -> int:
    """Answer until `people` have names and no question about them is left; return the number of answers."""
    interview, answers = Interview(library, pictures_per_row=ROW), 0
    while presented := interview.next_question():
        named = {person.label for person in library.people()}
        answer = user.answer(presented)
        new = presented.question.kind is QuestionKind.WHO and answer.split(" ")[-1] not in (
            "n",
            *(n.split(" ")[-1] for n in named),
        )
        if presented.question.kind is QuestionKind.SAME and not presented.question.names:
            answer = ""  # two groups without a name: a user who names a few people skips them
        elif len(named) >= people and (new or answer == "n") and presented.question.kind is QuestionKind.WHO:
            answer = ""
        interview.answer(presented, answer)
        answers += bool(answer)
    return answers


def confirm_correct_faces(library: Library, user: User) -> None:
    """Confirm every suggested face that is right, and reject the others."""
    for person in library.people():
        right = [face for face in person.face_ids if user.recognise(face) == person.label]
        library.confirm(
            right, person.label, rejected=[face for face in person.face_ids if user.recognise(face) != person.label]
        )


def main() -> None:
    """Calibrate and print a table of scores."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--confirm", action="store_true")
    parser.add_argument("--far", type=float, default=0.001)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = copy_library(arguments.library, Path(folder))
        truth = read_true_names(library, arguments.truth)
        user = User(truth, knows=2)
        answers = name_people(library, user, arguments.people)
        if arguments.confirm:
            confirm_correct_faces(library, user)
        confirmed = sum(len(person.confirmed) for person in library.people())
        print(f"{arguments.library.name}: {len(library.people())} people named, {answers} answers, {confirmed} faces")
        try:
            found = library.calibrate(arguments.far, dry_run=True).calibrated
        except FaceclustError as error:
            sys.exit(str(error))
        print(
            f"calibrated: {found.threshold:g}, supported {found.lowest:g} to {found.highest:g}; held out: "
            f"{found.held_out:.5f} wrong, {found.held_out_recall:.3f} joined; bound {found.bound:.5f}"
        )
        names = {person.label for person in library.people()}
        persons = np.array([truth.get(face, "") for face in library.faces.face_ids.tolist()])
        of_all = persons != ""
        groups = {"all": of_all, "of people without a name": of_all & ~np.isin(persons, sorted(names))}
        print("| faces | threshold | BCubed P / R / F | pairwise P / R / F |\n|---|---|---|---|")
        thresholds = sorted({DEFAULT, found.threshold, found.highest, *np.arange(1.0, 1.61, 0.02).round(2).tolist()})
        for title, among in groups.items():
            scores = {}
            for threshold, clusters in cluster_unconstrained(library.faces, ClusterParams(), thresholds):
                scores[threshold] = bcubed(clusters[among], persons[among]), pairwise(clusters[among], persons[among])
            best = max(scores, key=lambda threshold: scores[threshold][0].f)
            for name, threshold in (
                ("default", DEFAULT),
                ("calibrated", found.threshold),
                ("highest", found.highest),
                ("best", best),
            ):
                cells = (f"{one.precision:.3f} / {one.recall:.3f} / {one.f:.3f}" for one in scores[threshold])
                print(f"| {title} | {threshold:g} ({name}) | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
