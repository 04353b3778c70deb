"""Which question to ask next: the one that settles most faces, by what is known so far."""

from __future__ import annotations

import difflib
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from faceclust.interview.candidates import LEAST_CHANCE, Likely, likely_people
from faceclust.interview.questions import Candidate, Kind, Question, Standing, question_key
from faceclust.people.names import person_key
from faceclust.people.similarity import Likeness, same_person
from faceclust.types import Person

#: From this chance on a group is shown beside the person it may be, instead of "who is this?".
LIKELY = 0.5
#: What is this likely to be one person is asked about, where nothing better is known.
_MAYBE_SAME = 0.3
#: Names this much alike (difflib's ratio) may be one name typed in two ways.
_NAMES_ALIKE = 0.75
#: Groups of more faces are asked about one at a time: one picture would not tell of all.
_SMALL = 3
#: As many answers as this the first guess of who is known counts.
_TRUST = 4
#: A name for somebody on one photo is worth this much: it finds nothing else.
_SINGLE = 0.25
#: Questions expected to settle less than this are not asked.
_LEAST_GAIN = 0.5
#: How many times less likely things a thorough interview asks about.
_FURTHER = 5


def plan_questions(
    likeness: Likeness,
    standing: Standing,
    passed: frozenset[str] = frozenset(),
    *,
    room: int = 6,
    thorough: bool = False,
) -> list[Question]:
    """All questions there are, the most helpful first.

    First come those about new faces of known people, then the others by the faces they are
    expected to settle: a group's faces as far as they belong together; the faces near a known
    person, each with the chance that it is that person; the wrong faces that a look at a person's
    suggested ones would find. At most `room` candidates a question. `passed`: keys of what was
    passed over; `thorough`: ask about the less likely as well, and who single faces are.
    """
    named = [person for person in standing.persons if person.name is not None]
    groups = [person for person in standing.persons if person.name is None and not person.ignored]
    units = [Candidate(group.face_ids, group.clusters) for group in groups]
    units += [Candidate((face,)) for face in standing.alone]
    near = likely_people(
        likeness, standing, units, named, passed, least=LEAST_CHANCE / _FURTHER if thorough else LEAST_CHANCE
    )
    least = _LEAST_GAIN / _FURTHER if thorough else _LEAST_GAIN
    large_enough = [unit for unit in units if thorough or len(unit.faces) > 1]
    asked = [
        *_who(likeness, _Acquaintance(standing), large_enough, near, passed),
        *_too(standing, near, room, least),
        *_odd(likeness, standing, named, passed, room, least),
        *_same(likeness, standing, units, named, passed),
    ]
    return sorted(asked, key=lambda question: (not question.fresh, -question.gain, sorted(question.keys)))


class _Acquaintance:
    """How likely the user can say who a group is, by its number of faces: learnt from the groups
    answered so far. Whoever is on few photos may be a passer-by."""

    def __init__(self, standing: Standing) -> None:
        self._named, self._ignored = Counter[int](), Counter[int]()
        size = Counter(standing.group_of.values())
        for person in standing.persons:
            answered = self._named if person.name is not None else self._ignored
            if person.name is not None or person.ignored:
                answered.update(_size_class(size[number]) for number in person.clusters if size[number] > 1)

    def chance(self, faces: int) -> float:
        known, unknown = self._named[_size_class(faces)], self._ignored[_size_class(faces)]
        return (known + _TRUST * faces / (faces + 1.5)) / (known + unknown + _TRUST)


def _size_class(faces: int) -> int:
    """1, 2, 3, then 4 and 5, 6 to 11, 12 and more."""
    return bisect([2, 3, 4, 6, 12], faces)


def _who(
    likeness: Likeness,
    acquaintance: _Acquaintance,
    units: Iterable[Candidate],
    near: Mapping[str, Likely],
    passed: frozenset[str],
) -> list[Question]:
    """Who is this? Of units that are not likely enough somebody known."""
    asked = [
        unit
        for unit in units
        if question_key(Kind.WHO, unit.key) not in passed
        and not (unit.key in near and near[unit.key].unit.chance >= LIKELY)
    ]
    return [
        Question(
            Kind.WHO,
            (unit,),
            gain=(1 if len(unit.faces) > 1 else _SINGLE)
            * acquaintance.chance(len(unit.faces))
            * (len(unit.faces) - likeness.expected_strays(unit.faces)),
        )
        for unit in asked
    ]


def _too(standing: Standing, near: Mapping[str, Likely], room: int, least: float) -> Iterator[Question]:
    """Is this Anna too? Small groups and single faces near one person are asked about at once."""
    small: dict[str, list[Candidate]] = defaultdict(list)
    for found in near.values():
        if len(found.unit.faces) <= _SMALL:
            small[found.name].append(found.unit)
        elif found.unit.chance >= LIKELY:  # who it is otherwise, the answer may say
            yield Question(Kind.TOO, (found.unit,), (found.name,), len(found.unit.faces), _fresh(found.unit, standing))
    for name, units in small.items():
        units.sort(key=lambda unit: (not _fresh(unit, standing), -unit.chance, unit.key))
        shown = tuple(units[:room])
        gain = sum(unit.chance * len(unit.faces) for unit in shown)
        if gain >= least:
            yield Question(Kind.TOO, shown, (name,), gain, _fresh(shown[0], standing))


def _fresh(unit: Candidate, standing: Standing) -> bool:
    return unit.chance >= _MAYBE_SAME and standing.fresh.issuperset(unit.faces)


def _odd(
    likeness: Likeness, standing: Standing, named: Iterable[Person], passed: frozenset[str], room: int, least: float
) -> Iterator[Question]:
    """Which of these do not belong? Of suggested faces: those that came since the person was named,
    else those that are likely enough somebody else."""
    for person in named:
        suggested = [
            face
            for face in person.face_ids
            if face not in person.confirmed and question_key(Kind.ODD, face, person.label) not in passed
        ]
        chance = likeness.strays(suggested)
        new = {face for face in suggested if face not in standing.resolved.said and face in standing.fresh}
        order = sorted(new or suggested, key=lambda face: (-chance.get(face, 0.0), face))
        candidates = tuple(Candidate((face,), chance=chance.get(face, 0.0)) for face in order[:room])
        gain = len(new) if new else sum(candidate.chance for candidate in candidates)
        if new or gain >= least:
            others = tuple(order[room:]) if new else ()
            yield Question(Kind.ODD, candidates, (person.label,), gain, bool(new), others)


def _same(
    likeness: Likeness,
    standing: Standing,
    units: Iterable[Candidate],
    named: Iterable[Person],
    passed: frozenset[str],
) -> Iterator[Question]:
    """Are these two the same? Of groups the user could not name, and of people with like names."""
    known = {person.clusters: person.label for person in named if person.clusters}
    pool = [Candidate(person.face_ids, person.clusters) for person in named if person.clusters]
    pool += [unit for unit in units if unit.groups and question_key(Kind.WHO, unit.key) in passed]
    unit_of = {number: unit for unit in pool for number in unit.groups}
    for small, *near in zip(pool, *likeness.near([unit.faces for unit in pool]), strict=True):
        distances: dict[tuple[int, ...], float] = {}
        for number, distance in zip(*(line.tolist() for line in near), strict=True):
            if number >= 0 and number not in small.groups:
                distances.setdefault(unit_of[number].groups if number in unit_of else (number,), distance)
        if not distances:
            continue
        (groups, distance), *others = distances.items()
        large = unit_of.get(groups[0])
        chance = float(same_person(np.array(distance), np.array(others[0][1] - distance if others else np.inf)))
        if large is None or chance < _MAYBE_SAME or _size(large) < _size(small) or _apart(standing, small, large):
            continue
        names = tuple(known[unit.groups] for unit in (small, large) if unit.groups in known)
        if len(names) == 1 or (names and not _names_alike(*names)):
            continue  # a person and a group are asked about as such; two names are two people
        candidates = (replace(small, distance=distance, chance=chance), large)
        question = Question(Kind.SAME, candidates, names, chance * len(small.faces))
        if not question.keys <= passed:
            yield question


def _size(unit: Candidate) -> tuple[int, str]:
    return len(unit.faces), unit.key


def _names_alike(a: str, b: str) -> bool:
    a, b = person_key(a), person_key(b)
    return a.startswith(b) or b.startswith(a) or difflib.SequenceMatcher(None, a, b).ratio() >= _NAMES_ALIKE


def _apart(standing: Standing, a: Candidate, b: Candidate) -> bool:
    """Whether the user said that these are two people, or a photo shows both."""
    some, others = set(a.faces), set(b.faces)
    if {standing.photo_of[face] for face in some} & {standing.photo_of[face] for face in others}:
        return True
    return any(
        (one & some and other & others) or (one & others and other & some) for one, other in standing.resolved.apart
    )
