"""Which question to ask next: the one that settles most faces, by what is known so far."""

from __future__ import annotations

import difflib
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from faceclust.interview.candidates import MIN_PROBABILITY, LikelyMatch, find_likely_people
from faceclust.interview.questions import Candidate, InterviewState, Question, QuestionKind, question_key
from faceclust.people.names import person_key
from faceclust.people.similarity import GroupDistances, match_probability
from faceclust.types import Person

#: From this chance on a group is shown beside the person it may be, instead of "who is this?".
PROPOSAL_PROBABILITY = 0.5
#: What is this likely to be one person is asked about, where nothing better is known.
_MIN_SAME_PROBABILITY = 0.3
#: Names this much alike (difflib's ratio) may be one name typed in two ways.
_MIN_NAME_SIMILARITY = 0.75
#: Groups of more faces are asked about one at a time: one picture would not tell of all.
_MAX_BATCHED_FACES = 3
#: As many answers as this the first guess of who is known counts.
_PRIOR_WEIGHT = 4
#: A name for somebody on one photo is worth this much: it finds nothing else.
_SINGLE_PHOTO_WEIGHT = 0.25
#: Questions expected to settle less than this are not asked.
_MIN_GAIN = 0.5
#: How many times less likely things a thorough interview asks about.
_THOROUGH_FACTOR = 5


def plan_questions(
    group_distances: GroupDistances,
    state: InterviewState,
    skipped: frozenset[str] = frozenset(),
    *,
    max_candidates: int = 6,
    thorough: bool = False,
) -> list[Question]:
    """All questions there are, the most helpful first.

    First come those about new faces of known people, then the others by the faces they are
    expected to settle: a group's faces as far as they belong together; the faces near a known
    person, each with the chance that it is that person; the wrong faces that a look at a person's
    suggested ones would find. At most `room` candidates a question. `passed`: keys of what was
    passed over; `thorough`: ask about the less likely as well, and who single faces are.
    """
    named = [person for person in state.persons if person.name is not None]
    groups = [person for person in state.persons if person.name is None and not person.ignored]
    units = [Candidate(group.face_ids, group.clusters) for group in groups]
    units += [Candidate((face,)) for face in state.ungrouped]
    near = find_likely_people(
        group_distances,
        state,
        units,
        named,
        skipped,
        min_probability=MIN_PROBABILITY / _THOROUGH_FACTOR if thorough else MIN_PROBABILITY,
    )
    least = _MIN_GAIN / _THOROUGH_FACTOR if thorough else _MIN_GAIN
    large_enough = [unit for unit in units if thorough or len(unit.faces) > 1]
    asked = [
        *_plan_who_questions(group_distances, NamingPrior(state), large_enough, near, skipped),
        *_plan_also_questions(state, near, max_candidates, least),
        *_plan_outlier_questions(group_distances, state, named, skipped, max_candidates, least),
        *_plan_same_questions(group_distances, state, units, named, skipped),
    ]
    return sorted(asked, key=lambda question: (not question.is_new, -question.expected_gain, sorted(question.keys)))


class NamingPrior:
    """How likely the user can say who a group is, by its number of faces: learnt from the groups
    answered so far. Whoever is on few photos may be a passer-by."""

    def __init__(self, standing: InterviewState) -> None:
        self._named, self._ignored = Counter[int](), Counter[int]()
        size = Counter(standing.group_of.values())
        for person in standing.persons:
            answered = self._named if person.name is not None else self._ignored
            if person.name is not None or person.ignored:
                answered.update(_size_class(size[number]) for number in person.clusters if size[number] > 1)

    def probability(self, face_count: int) -> float:
        known, unknown = self._named[_size_class(face_count)], self._ignored[_size_class(face_count)]
        return (known + _PRIOR_WEIGHT * face_count / (face_count + 1.5)) / (known + unknown + _PRIOR_WEIGHT)


def _size_class(faces: int) -> int:
    """1, 2, 3, then 4 and 5, 6 to 11, 12 and more."""
    return bisect([2, 3, 4, 6, 12], faces)


def _plan_who_questions(
    likeness: GroupDistances,
    acquaintance: NamingPrior,
    units: Iterable[Candidate],
    near: Mapping[str, LikelyMatch],
    passed: frozenset[str],
) -> list[Question]:
    """Who is this? Of units that are not likely enough somebody known."""
    asked = [
        unit
        for unit in units
        if question_key(QuestionKind.WHO, unit.key) not in passed
        and not (unit.key in near and near[unit.key].candidate.probability >= PROPOSAL_PROBABILITY)
    ]
    return [
        Question(
            QuestionKind.WHO,
            (unit,),
            expected_gain=(1 if len(unit.faces) > 1 else _SINGLE_PHOTO_WEIGHT)
            * acquaintance.probability(len(unit.faces))
            * (len(unit.faces) - likeness.expected_outliers(unit.faces)),
        )
        for unit in asked
    ]


def _plan_also_questions(
    standing: InterviewState, near: Mapping[str, LikelyMatch], room: int, least: float
) -> Iterator[Question]:
    """Is this Anna too? Small groups and single faces near one person are asked about at once."""
    small: dict[str, list[Candidate]] = defaultdict(list)
    for found in near.values():
        if len(found.candidate.faces) <= _MAX_BATCHED_FACES:
            small[found.name].append(found.candidate)
        elif found.candidate.probability >= PROPOSAL_PROBABILITY:  # who it is otherwise, the answer may say
            yield Question(
                QuestionKind.ALSO,
                (found.candidate,),
                (found.name,),
                len(found.candidate.faces),
                _is_new(found.candidate, standing),
            )
    for name, units in small.items():
        units.sort(key=lambda unit: (not _is_new(unit, standing), -unit.probability, unit.key))
        shown = tuple(units[:room])
        gain = sum(unit.probability * len(unit.faces) for unit in shown)
        if gain >= least:
            yield Question(QuestionKind.ALSO, shown, (name,), gain, _is_new(shown[0], standing))


def _is_new(unit: Candidate, standing: InterviewState) -> bool:
    return unit.probability >= _MIN_SAME_PROBABILITY and standing.new_faces.issuperset(unit.faces)


def _plan_outlier_questions(
    likeness: GroupDistances,
    standing: InterviewState,
    named: Iterable[Person],
    passed: frozenset[str],
    room: int,
    least: float,
) -> Iterator[Question]:
    """Which of these do not belong? Of suggested faces: those that came since the person was named,
    else those that are likely enough somebody else."""
    for person in named:
        suggested = [
            face
            for face in person.face_ids
            if face not in person.confirmed and question_key(QuestionKind.OUTLIER, face, person.label) not in passed
        ]
        chance = likeness.outlier_probabilities(suggested)
        new = {face for face in suggested if face not in standing.answers.labels and face in standing.new_faces}
        order = sorted(new or suggested, key=lambda face: (-chance.get(face, 0.0), face))
        candidates = tuple(Candidate((face,), probability=chance.get(face, 0.0)) for face in order[:room])
        gain = len(new) if new else sum(candidate.probability for candidate in candidates)
        if new or gain >= least:
            others = tuple(order[room:]) if new else ()
            yield Question(QuestionKind.OUTLIER, candidates, (person.label,), gain, bool(new), others)


def _plan_same_questions(
    likeness: GroupDistances,
    standing: InterviewState,
    units: Iterable[Candidate],
    named: Iterable[Person],
    passed: frozenset[str],
) -> Iterator[Question]:
    """Are these two the same? Of groups the user could not name, and of people with like names."""
    known = {person.clusters: person.label for person in named if person.clusters}
    pool = [Candidate(person.face_ids, person.clusters) for person in named if person.clusters]
    pool += [unit for unit in units if unit.groups and question_key(QuestionKind.WHO, unit.key) in passed]
    unit_of = {number: unit for unit in pool for number in unit.groups}
    for small, *near in zip(pool, *likeness.nearest_groups([unit.faces for unit in pool]), strict=True):
        distances: dict[tuple[int, ...], float] = {}
        for number, distance in zip(*(line.tolist() for line in near), strict=True):
            if number >= 0 and number not in small.groups:
                distances.setdefault(unit_of[number].groups if number in unit_of else (number,), distance)
        if not distances:
            continue
        (groups, distance), *others = distances.items()
        large = unit_of.get(groups[0])
        chance = float(match_probability(np.array(distance), np.array(others[0][1] - distance if others else np.inf)))
        if (
            large is None
            or chance < _MIN_SAME_PROBABILITY
            or _size_order(large) < _size_order(small)
            or _are_different_people(standing, small, large)
        ):
            continue
        names = tuple(known[unit.groups] for unit in (small, large) if unit.groups in known)
        if len(names) == 1 or (names and not _are_names_similar(*names)):
            continue  # a person and a group are asked about as such; two names are two people
        candidates = (replace(small, distance=distance, probability=chance), large)
        question = Question(QuestionKind.SAME, candidates, names, chance * len(small.faces))
        if not question.keys <= passed:
            yield question


def _size_order(unit: Candidate) -> tuple[int, str]:
    return len(unit.faces), unit.key


def _are_names_similar(a: str, b: str) -> bool:
    a, b = person_key(a), person_key(b)
    return a.startswith(b) or b.startswith(a) or difflib.SequenceMatcher(None, a, b).ratio() >= _MIN_NAME_SIMILARITY


def _are_different_people(standing: InterviewState, a: Candidate, b: Candidate) -> bool:
    """Whether the user said that these are two people, or a photo shows both."""
    some, others = set(a.faces), set(b.faces)
    if {standing.photo_of[face] for face in some} & {standing.photo_of[face] for face in others}:
        return True
    return any(
        (one & some and other & others) or (one & others and other & some) for one, other in standing.answers.splits
    )
