"""Find people among hierarchical keywords, by the branch that the keywords are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from faceclust.people.names import MAX_NAME_LENGTH
from faceclust.text.caseless import caseless_key
from faceclust.xmp.keywords import split_path
from faceclust.xmp.values import XmpFaces

#: The longest path that is searched for people.
_MAX_DEPTH = 50
#: Roots below which digiKam, Lightroom, Picasa and their plug-ins put people, in the languages of these
#: programs. Both "people" and "persons" are in use, in the singular as well.
_PEOPLE_BRANCHES = (
    "people persons person faces who "  # English
    "personen menschen leute gesichter mensen gezichten personer folk mennesker människor ansikten fólk "  # Germanic
    "personnes gens visages personas gente persone pessoas persoas persones oameni persoane "  # Romance
    "люди лица персоны хора особи люде људи луѓе ludzie osoby lidé ľudia ljudje ljudi osobe "  # Slavic
    "žmonės asmenys cilvēki personas henkilöt ihmiset inimesed isikud emberek személyek "  # Baltic and Uralic
    "άνθρωποι πρόσωπα njerëz persona jendeak pertsonak pobl daoine duine insanlar i̇nsanlar kişiler "  # other European
    "אנשים الأشخاص أشخاص الناس اشخاص افراد مردم लोग व्यक्ति মানুষ மக்கள் ผู้คน บุคคล "  # Asian
    "orang người 人物 人 人々 人们 人們 사람 사람들 인물"
)


def _normalise(text: str) -> str:
    # Normalising a long text of combining characters takes quadratic time.
    return caseless_key(text[:MAX_NAME_LENGTH])


PEOPLE_BRANCHES = frozenset((_normalise(word),) for word in _PEOPLE_BRANCHES.split())


@dataclass(frozen=True)
class PeopleTags:
    """The tags below which a keyword is a person: the usual ones, and those that the user names.

    `named` are paths in the notation of digiKam or Lightroom, such as "Family" or "Tags/Family".
    """

    named: tuple[str, ...] = ()

    @cached_property
    def _branches(self) -> frozenset[tuple[str, ...]]:
        named = (tuple(map(_normalise, split_path(tag, "/"))) for tag in self.named)
        return PEOPLE_BRANCHES.union(branch for branch in named if branch)

    def _tag_depth(self, path: tuple[str, ...]) -> int:
        """Return the length of the tag that this path of a keyword is below; 0 without one."""
        normalised = tuple(map(_normalise, path[:_MAX_DEPTH]))
        return next((depth for depth in range(1, len(normalised)) if normalised[:depth] in self._branches), 0)

    def find_people(self, faces: XmpFaces) -> tuple[str, ...]:
        """Return the people that a packet names without a region, without duplicates."""
        leaves = (path[-1] for path in _find_leaves(faces.keywords) if self._tag_depth(path))
        return tuple(dict.fromkeys([*leaves, *faces.people]))

    def find_branches(self, faces: XmpFaces) -> Iterator[tuple[str, str]]:
        """Yield each person among the keywords with the branch below the tag that it is in: ("Anna", "Family")."""
        for path in _find_leaves(faces.keywords):
            depth = self._tag_depth(path)
            if depth and len(path) > depth + 1 and len(path[-1]) <= MAX_NAME_LENGTH:
                yield path[-1], "/".join(path[depth:-1])

    def find_others(self, faces: XmpFaces) -> Iterator[tuple[str, str]]:
        """Yield (path of the parent, keyword) of the hierarchical keywords that are not read."""
        for path in _find_leaves(faces.keywords):
            if len(path) > 1 and max(map(len, path)) <= MAX_NAME_LENGTH and not self._tag_depth(path):
                yield "/".join(path[:-1]), path[-1]


USUAL_TAGS = PeopleTags()


def _find_leaves(paths: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the paths that are no part of another one."""
    short = [path for path in paths if len(path) <= _MAX_DEPTH]
    parents = {path[:depth] for path in short for depth in range(1, len(path))}
    return [path for path in short if path not in parents]
