"""People among hierarchical keywords."""

from __future__ import annotations

import unicodedata

import pytest

from faceclust.importers.keywords import USUAL_TAGS, PeopleTags
from faceclust.xmp.values import XmpFaces

ROOTS = (
    "People PEOPLE Personen Mensen Ludzie Osoby Personer Люди 人物 人 人々 Persone Folk Henkilöt Ihmiset Emberek Lidé "
    "Ľudia Oameni Άνθρωποι İnsanlar Kişiler אנשים الأشخاص 사람 사람들 Faces"
)


@pytest.mark.parametrize("root", ROOTS.split())
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_people_are_found_below_the_root_of_any_language(root: str, form: str) -> None:
    root = unicodedata.normalize(form, root)  # type: ignore[arg-type]
    faces = XmpFaces(keywords=((root, "Family"), (root, "Family", "Anna"), (root, "Ben"), (root,), ("Places", "Rome")))
    assert USUAL_TAGS.find_people(faces) == ("Anna", "Ben")
    assert list(USUAL_TAGS.find_others(faces)) == [("Places", "Rome")]


@pytest.mark.parametrize(
    ("tags", "people"),
    [
        ((), ("Carl",)),
        (("family",), ("Anna", "Carl")),
        (("Photos/Friends",), ("Ben", "Carl")),
        (("Photos|Friends", "FAMILY", ""), ("Anna", "Ben", "Carl")),
        (("Anna", "Photos/Friends/Ben"), ("Carl",)),  # the tags themselves are not people
    ],
)
def test_a_root_can_be_named(tags: tuple[str, ...], people: tuple[str, ...]) -> None:
    keywords = (("Family", "Anna"), ("Photos", "Friends", "Ben"), ("Photos", "Places", "Rome"))
    assert PeopleTags(tags).find_people(XmpFaces(keywords=keywords, people=("Carl",))) == people


def test_hostile_keywords_cost_little() -> None:
    deep = ("People", *["a"] * 1_000_000)
    many = tuple(("People", "a" * 9, str(number)) for number in range(20_000))
    faces = XmpFaces(keywords=(deep, *many, ("e\u0301" * 100_000, "a")))
    assert len(USUAL_TAGS.find_people(faces)) == 20_000
    assert list(USUAL_TAGS.find_others(faces)) == []
