"""Groups follow the user's words at once, as a grouping of everything would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from faceclust import Library
from faceclust.errors import UsageError
from tests.support.synthetic_library import write_caches

#: Two faces of one person are 0.64 apart (squared L2), of the two who are mixed up 1.04.
NOISE, LIKE = 0.18, 0.2


def mixed_library(root: Path) -> tuple[Library, dict[str, str]]:
    """A group of two people who look alike (6 and 4 faces), another of a third person (5); gives
    face id → person."""
    rng = np.random.default_rng(3)
    base = np.linalg.qr(rng.normal(size=(128, 3)))[0].T
    twin = base[0] + LIKE * base[1]
    centres = {"anna": base[0], "bea": twin / np.linalg.norm(twin), "carl": base[2]}
    people = ["anna"] * 6 + ["bea"] * 4 + ["carl"] * 5
    points = np.array([centres[who] + rng.normal(size=128) * NOISE / np.sqrt(128) for who in people])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    library = write_caches(root, points, np.arange(len(people)))
    library.cluster(1.1)
    by_photo = {place.photo: place.face_id for place in library.occurrences}
    return library, {by_photo[f"photos/IMG_{n:07d}.jpg"]: who for n, who in enumerate(people)}


@pytest.fixture
def mixed(tmp_path: Path) -> tuple[Library, dict[str, str], int]:
    library, who = mixed_library(tmp_path / "photos")
    (number,) = {library.group_of[face] for face, name in who.items() if name != "carl"}
    return library, who, number


def of(who: dict[str, str], name: str) -> list[str]:
    return sorted(face for face, person in who.items() if person == name)


def test_what_is_like_a_face_taken_out_goes_with_it(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, who, number = mixed
    anna, bea = of(who, "anna"), of(who, "bea")
    before = library.group_members
    library.split(bea[:1], anna[:2])
    assert sorted(library.group_members[number]) == anna
    (new,) = set(library.group_members) - set(before)
    assert sorted(library.group_members[new]) == bea and new > max(before)
    assert library.faces_in_group(new) == tuple(bea)
    library.undo()
    assert library.group_members == before


def test_confirmed_and_rejected_faces_take_a_group_apart_too(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, who, _ = mixed
    anna, bea = of(who, "anna"), of(who, "bea")
    library.name(anna[:2], "Anna")
    assert set(library.find_person("Anna").face_ids) == {*anna, *bea}
    library.reject(bea[:1], "Anna")
    assert sorted(library.find_person("Anna").face_ids) == anna
    library.undo()
    library.name(bea[:1], "Bea")
    assert sorted(library.find_person("Anna").face_ids) == anna and sorted(library.find_person("Bea").face_ids) == bea


def test_a_grouping_of_everything_agrees(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, who, _ = mixed
    library.split(of(who, "bea")[:1], of(who, "anna")[:2])
    at_once = sorted(map(sorted, library.group_members.values()))
    library.cluster(1.1)
    assert sorted(map(sorted, library.group_members.values())) == at_once
    library.cluster(1.1, full=True)
    assert sorted(map(sorted, library.group_members.values())) == at_once


def test_what_would_stay_is_told_beforehand(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, who, _ = mixed
    anna, bea = of(who, "anna"), of(who, "bea")
    assert sorted(library.faces_remaining(bea[:1], anna[:1])) == anna
    assert library.journal.events() == []


def test_words_about_faces_of_different_groups_change_none(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, who, _ = mixed
    before = library.group_members
    library.split(of(who, "carl")[:1], of(who, "anna")[:1])
    library.name(of(who, "carl")[:1], "Carl")
    assert library.group_members == before


def test_a_large_group_loses_what_was_said_alone(
    mixed: tuple[Library, dict[str, str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, who, number = mixed
    monkeypatch.setattr("faceclust.catalogue.corrections._MAX_REGROUPED_FACES", 5)
    library.split(of(who, "bea")[:1], of(who, "anna")[:1])
    assert len(library.group_members[number]) == 9 and of(who, "bea")[0] not in library.group_of


def test_a_face_leaves_groups_that_were_linked_to_those_it_does_not_belong_to(
    mixed: tuple[Library, dict[str, str], int],
) -> None:
    library, who, number = mixed
    carl = of(who, "carl")
    library.link([*library.group_members[number], *carl])
    library.split(carl[:1], of(who, "anna")[:2])
    assert carl[0] not in library.group_of and set(carl[1:]) <= set(library.faces_in_group(number))


def test_a_later_name_makes_one_of_what_was_split_and_the_group_keeps_its_number(
    mixed: tuple[Library, dict[str, str], int],
) -> None:
    library, who, number = mixed
    anna = of(who, "anna")
    library.split(anna[:1], anna[1:3])
    library.name(anna[:3], "Anna")
    assert set(anna) <= set(library.group_members[number]) and library.find_person("Anna").clusters == (number,)


def test_a_rejected_face_never_comes_back_through_links(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, who, _ = mixed
    anna, carl = of(who, "anna"), of(who, "carl")
    library.link([*anna, *carl])
    library.name([*anna, *carl], "Anna", confirmed=anna[:3])
    library.reject(carl[:1], "Anna")
    for _ in range(2):
        assert carl[0] not in library.find_person("Anna").face_ids
        assert library.group_of.get(carl[0]) not in library.find_person("Anna").clusters
        library.cluster(1.1)


def test_a_name_of_somebody_who_is_away_is_not_taken(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, who, _ = mixed
    library.name(of(who, "anna"), "Anna")
    library.name(of(who, "carl"), "Carl")
    cache = library.home.cache_paths("photos").write_path
    rows = pq.read_table(cache)
    gone = pc.is_in(rows["face_id"], value_set=pa.array(of(who, "carl")))
    pq.write_table(rows.filter(pc.invert(gone)), cache, write_page_checksum=True)
    library = Library(library.root)
    with pytest.raises(UsageError, match="not here now"):
        library.rename("Anna", "carl")


def test_what_is_split_from_somebody_is_not_them_any_more(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, who, _ = mixed
    anna = of(who, "anna")
    library.name(anna[:3], "Anna")
    library.split(anna[:1], anna[1:3])
    assert anna[0] not in library.find_person("Anna").face_ids and library.answers.rejected == {anna[0]: {"Anna"}}
    library.confirm(anna[:1], "Anna")
    assert set(anna[:3]) <= library.find_person("Anna").confirmed and not library.answers.rejected
