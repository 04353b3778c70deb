"""Plan the questions of an interview: the one expected to settle the most faces comes first."""

from __future__ import annotations

import difflib
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from faceclust.interview.candidates import MIN_PROBABILITY, LikelyMatch, find_likely_people
from faceclust.interview.nearby_age import order_by_nearby_age
from faceclust.interview.questions import Candidate, InterviewState, Question, QuestionKind, question_key
from faceclust.interview.suggestions import plan_questions_about_suggestions
from faceclust.people.date_evidence import NO_DATE_EVIDENCE, DateEvidence
from faceclust.people.names import person_key
from faceclust.people.similarity import GroupDistances, match_probability
from faceclust.types import Person

#: From this probability on, a group is shown beside the person it may be instead of asking who it is.
PROPOSAL_PROBABILITY = 0.5
#: Two groups less probably one person are not asked about.
_MIN_SAME_PROBABILITY = 0.3
#: Names at least this similar (difflib's ratio) may be two spellings of one name.
_MIN_NAME_SIMILARITY = 0.75
#: Larger groups are asked about one at a time: one picture does not represent them.
_MAX_BATCHED_FACES = 3
#: Weight of the prior that the user knows somebody, in answers.
_PRIOR_WEIGHT = 4
#: Value of naming a single face, compared with a face of a group: it leads to no others.
_SINGLE_FACE_WEIGHT = 0.25
#: Questions expected to settle fewer faces than this are not asked.
_MIN_GAIN = 0.5
#: A thorough interview lowers the limits by this factor.
_THOROUGH_FACTOR = 5


def plan_questions(
    group_distances: GroupDistances,
    state: InterviewState,
    skipped: frozenset[str] = frozenset(),
    *,
    max_candidates: int = 6,
    thorough: bool = False,
) -> list[Question]:
    """Return all open questions, the most useful first.

    Names that somebody else suggested come first, then questions about new faces of named persons. The
    others are sorted by the faces they are expected to settle: for WHO, the faces of a group that belong
    together; for ALSO, the candidates weighted by probability; for OUTLIER, the wrong faces likely to be
    found. A question has at most `max_candidates` candidates. `skipped`: keys of skipped questions.
    `thorough`: ask about less probable matches and about single faces as well.
    """
    named = [person for person in state.persons if person.name is not None]
    groups = [person for person in state.persons if person.name is None and not person.ignored]
    candidates = [Candidate(group.face_ids, group.clusters) for group in groups]
    candidates += [Candidate((face,)) for face in state.ungrouped]
    factor = _THOROUGH_FACTOR if thorough else 1
    min_gain = _MIN_GAIN / factor
    matches = find_likely_people(
        group_distances, state, candidates, named, skipped, min_probability=MIN_PROBABILITY / factor
    )
    nameable = [candidate for candidate in candidates if thorough or len(candidate.faces) > 1]
    questions = [
        *plan_questions_about_suggestions(group_distances, state, named, skipped, max_candidates),
        *_plan_who_questions(group_distances, NamingPrior(state), nameable, matches, skipped),
        *_plan_also_questions(group_distances, state, named, matches, max_candidates, min_gain),
        *_plan_outlier_questions(group_distances, state, named, skipped, max_candidates, min_gain),
        *_plan_same_questions(group_distances, state, candidates, named, skipped),
    ]
    return sorted(questions, key=_precedence)


def _precedence(question: Question) -> tuple[bool, bool, float, list[str]]:
    return not question.suggested_by, not question.is_new, -question.expected_gain, sorted(question.keys)


# -- who is this? -------------------------------------------------------------


class NamingPrior:
    """The probability that the user can name a group, by its size, learnt from the answers so far.

    People on few photos may be passers-by.
    """

    def __init__(self, state: InterviewState) -> None:
        self._named, self._ignored = Counter[int](), Counter[int]()
        size = Counter(state.group_of.values())
        for person in state.persons:
            answered = self._named if person.name is not None else self._ignored
            if person.name is not None or person.ignored:
                answered.update(_size_class(size[number]) for number in person.clusters if size[number] > 1)

    def probability(self, face_count: int) -> float:
        size = _size_class(face_count)
        named, ignored = self._named[size], self._ignored[size]
        return (named + _PRIOR_WEIGHT * face_count / (face_count + 1.5)) / (named + ignored + _PRIOR_WEIGHT)


def _size_class(face_count: int) -> int:
    """Class 0 to 5: 1, 2, 3, 4 to 5, 6 to 11, 12 or more faces."""
    return bisect([2, 3, 4, 6, 12], face_count)


def _plan_who_questions(
    group_distances: GroupDistances,
    prior: NamingPrior,
    candidates: Iterable[Candidate],
    matches: Mapping[str, LikelyMatch],
    skipped: frozenset[str],
) -> Iterator[Question]:
    """Ask who the candidates are that no named person is proposed for."""
    asked = []
    for candidate in candidates:
        match = matches.get(candidate.key)
        if match and match.candidate.probability >= PROPOSAL_PROBABILITY:
            continue
        if not skipped or question_key(QuestionKind.WHO, candidate.key) not in skipped:
            asked.append(candidate)
    expected_outliers = group_distances.expected_outliers([candidate.faces for candidate in asked])
    for candidate, outliers in zip(asked, expected_outliers, strict=True):
        count = len(candidate.faces)
        weight = 1 if count > 1 else _SINGLE_FACE_WEIGHT
        settled = count - outliers
        yield Question(QuestionKind.WHO, (candidate,), expected_gain=weight * prior.probability(count) * settled)


# -- is this Anna too? --------------------------------------------------------


def _plan_also_questions(
    group_distances: GroupDistances,
    state: InterviewState,
    named: Iterable[Person],
    matches: Mapping[str, LikelyMatch],
    max_candidates: int,
    min_gain: float,
) -> Iterator[Question]:
    """Ask whether candidates are a named person. Small groups near one person are asked about together.

    Of a child, those that probably are the person are in the order of their distances from faces of nearby ages.
    """
    people = {person.label: person for person in named}
    small: dict[str, list[Candidate]] = defaultdict(list)
    for match in matches.values():
        candidate = match.candidate
        if len(candidate.faces) <= _MAX_BATCHED_FACES:
            small[match.name].append(candidate)
        elif candidate.probability >= PROPOSAL_PROBABILITY:
            # The full gain: if it is somebody else, the answer may name that person.
            gain = len(candidate.faces)
            yield Question(QuestionKind.ALSO, (candidate,), (match.name,), gain, _is_new(candidate, state))
    for name, candidates in small.items():
        candidates.sort(key=lambda candidate: (not _is_new(candidate, state), -candidate.probability, candidate.key))
        shown = tuple(_order_likely(group_distances, state, people[name], candidates)[:max_candidates])
        expected_gain = sum(candidate.probability * len(candidate.faces) for candidate in shown)
        if expected_gain >= min_gain:
            yield Question(QuestionKind.ALSO, shown, (name,), expected_gain, _is_new(shown[0], state))


def _order_likely(
    group_distances: GroupDistances, state: InterviewState, person: Person, candidates: Sequence[Candidate]
) -> list[Candidate]:
    """Order the likely candidates of a child by nearby ages: the new ones among themselves, and the others."""
    if state.evidence.birth_of(person.label) is None:
        return list(candidates)
    found: list[Candidate] = []
    for key, some in groupby(candidates, lambda one: (_is_new(one, state), one.probability >= PROPOSAL_PROBABILITY)):
        is_likely, part = key[1], list(some)
        if is_likely:
            part = order_by_nearby_age(part, lambda one: one.faces, person, state.evidence, group_distances)
        found += part
    return found


def _is_new(candidate: Candidate, state: InterviewState) -> bool:
    return candidate.probability >= _MIN_SAME_PROBABILITY and state.new_faces.issuperset(candidate.faces)


# -- which of these do not belong? --------------------------------------------


def _plan_outlier_questions(
    group_distances: GroupDistances,
    state: InterviewState,
    named: Iterable[Person],
    skipped: frozenset[str],
    max_candidates: int,
    min_gain: float,
) -> Iterator[Question]:
    """Ask about a person's suggested faces: new ones, or else the ones most probably wrong."""
    for person in named:
        suggested = suggested_faces(person, skipped)
        probability = group_distances.outlier_probabilities(suggested)
        new = {face for face in suggested if face in state.new_faces and face not in state.answers.labels}
        order = sorted(new or suggested, key=lambda face: (-probability.get(face, 0.0), face))
        if new:
            order = _order_suggested(group_distances, state.evidence, person, order, probability)
        shown = tuple(Candidate((face,), probability=probability.get(face, 0.0)) for face in order[:max_candidates])
        expected_gain = len(new) if new else sum(candidate.probability for candidate in shown)
        if new or expected_gain >= min_gain:
            unshown = tuple(order[max_candidates:]) if new else ()
            yield Question(QuestionKind.OUTLIER, shown, (person.label,), expected_gain, bool(new), unshown)


def _order_suggested(
    group_distances: GroupDistances,
    evidence: DateEvidence,
    person: Person,
    faces: Sequence[str],
    probability: Mapping[str, float],
) -> list[str]:
    """Order suggested faces of a child that probably are the person by nearby ages, the least alike first.

    `faces`: those that are most probably wrong come first, by their `probability`.
    """
    wrong = bisect([-probability.get(face, 0.0) for face in faces], -PROPOSAL_PROBABILITY)
    likely = order_by_nearby_age(
        faces[wrong:], lambda face: (face,), person, evidence, group_distances, farthest_first=True
    )
    return [*faces[:wrong], *likely]


def plan_suggested_question(
    group_distances: GroupDistances,
    person: Person,
    skipped: frozenset[str] = frozenset(),
    *,
    max_candidates: int,
    evidence: DateEvidence = NO_DATE_EVIDENCE,
) -> Question:
    """Return a question about a person's suggested faces, of which there must be some, the most doubtful first."""
    suggested = suggested_faces(person, skipped)
    probability = group_distances.outlier_probabilities(suggested)
    by_doubt = sorted(suggested, key=lambda face: (-probability.get(face, 0.0), face))
    order = _order_suggested(group_distances, evidence, person, by_doubt, probability)[:max_candidates]
    shown = tuple(Candidate((face,), probability=probability.get(face, 0.0)) for face in order)
    return Question(QuestionKind.OUTLIER, shown, (person.label,), len(shown))


def suggested_faces(person: Person, skipped: frozenset[str]) -> list[str]:
    """Return the suggested faces of a person that were not skipped."""
    suggested = [face for face in person.face_ids if face not in person.confirmed]
    if not skipped:
        return suggested
    return [face for face in suggested if question_key(QuestionKind.OUTLIER, face, person.label) not in skipped]


# -- are these two the same? --------------------------------------------------


def _plan_same_questions(
    group_distances: GroupDistances,
    state: InterviewState,
    candidates: Iterable[Candidate],
    named: Iterable[Person],
    skipped: frozenset[str],
) -> Iterator[Question]:
    """Ask whether two groups are one person: groups the user could not name, or persons with similar names."""
    name_of = {person.clusters: person.label for person in named if person.clusters}
    pool = [Candidate(person.face_ids, person.clusters) for person in named if person.clusters]
    pool += [
        candidate
        for candidate in candidates
        if skipped and candidate.groups and question_key(QuestionKind.WHO, candidate.key) in skipped
    ]
    for small, large, distance, probability in _nearest_pairs(group_distances, pool):
        if probability < _MIN_SAME_PROBABILITY or _are_different_people(state, small, large):
            continue
        names = tuple(name_of[candidate.groups] for candidate in (small, large) if candidate.groups in name_of)
        if not _may_be_one_person(names):
            continue
        question = Question(
            QuestionKind.SAME,
            (replace(small, distance=distance, probability=probability), large),
            names,
            probability * len(small.faces),
        )
        if not question.keys <= skipped:
            yield question


def _nearest_pairs(
    group_distances: GroupDistances, pool: list[Candidate]
) -> Iterator[tuple[Candidate, Candidate, float, float]]:
    """Each candidate whose nearest other group is a larger one of the pool, with that one.

    The distance is squared L2; the match probability follows from it and from the margin to the
    second nearest group, in the pool or not.
    """
    candidate_of = {number: candidate for candidate in pool for number in candidate.groups}
    nearest = group_distances.nearest_groups([candidate.faces for candidate in pool])
    for small, *row in zip(pool, *nearest, strict=True):
        distances: dict[tuple[int, ...], float] = {}  # of other groups, ascending
        for number, distance in zip(*(values.tolist() for values in row), strict=True):
            if number >= 0 and number not in small.groups:
                groups = candidate_of[number].groups if number in candidate_of else (number,)
                distances.setdefault(groups, distance)
        if not distances:
            continue
        (groups, distance), *others = distances.items()
        large = candidate_of.get(groups[0])
        if large is not None and _size_order(large) >= _size_order(small):
            margin = others[0][1] - distance if others else np.inf
            yield small, large, distance, float(match_probability(np.array(distance), np.array(margin)))


def _may_be_one_person(names: tuple[str, ...]) -> bool:
    """Two groups without a name may be, and two persons with similar names.

    An ALSO question covers a person and a group.
    """
    return not names or (len(names) == 2 and _are_names_similar(*names))


def _size_order(candidate: Candidate) -> tuple[int, str]:
    return len(candidate.faces), candidate.key


def _are_names_similar(a: str, b: str) -> bool:
    a, b = person_key(a), person_key(b)
    return a.startswith(b) or b.startswith(a) or difflib.SequenceMatcher(None, a, b).ratio() >= _MIN_NAME_SIMILARITY


def _are_different_people(state: InterviewState, a: Candidate, b: Candidate) -> bool:
    """True if the user declared them different people, or a photo shows both."""
    faces, others = set(a.faces), set(b.faces)
    if {state.photo_of[face] for face in faces} & {state.photo_of[face] for face in others}:
        return True
    return any(
        (left & faces and right & others) or (left & others and right & faces) for left, right in state.answers.splits
    )
