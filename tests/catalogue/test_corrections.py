"""Groups follow the user's answers at once, with the result of a full clustering."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from faceclust import Library
from faceclust.cluster.local_scaling import Surroundings
from faceclust.errors import UsageError
from faceclust.store.clusters import write_clusters
from faceclust.types import scale_crowding
from tests.support.synthetic_library import write_caches

#: Squared L2 is 0.64 between two faces of one person, and 1.04 between the two people who are mixed up.
NOISE, SIMILARITY = 0.18, 0.2


def mixed_library(root: Path) -> tuple[Library, dict[str, str]]:
    """Make a group of two similar people (6 and 4 faces) and a group of a third person (5 faces).

    Returns the library, and face id → person.
    """
    rng = np.random.default_rng(3)
    base = np.linalg.qr(rng.normal(size=(128, 3)))[0].T
    twin = base[0] + SIMILARITY * base[1]
    centres = {"anna": base[0], "bea": twin / np.linalg.norm(twin), "carl": base[2]}
    people = ["anna"] * 6 + ["bea"] * 4 + ["carl"] * 5
    points = np.array([centres[name] + rng.normal(size=128) * NOISE / np.sqrt(128) for name in people])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    library = write_caches(root, points, np.arange(len(people)))
    library.cluster(1.1)
    by_photo = {occurrence.photo: occurrence.face_id for occurrence in library.occurrences}
    return library, {by_photo[f"photos/IMG_{n:07d}.jpg"]: name for n, name in enumerate(people)}


@pytest.fixture
def mixed(tmp_path: Path) -> tuple[Library, dict[str, str], int]:
    library, person_of = mixed_library(tmp_path / "photos")
    (number,) = {library.group_of[face] for face, name in person_of.items() if name != "carl"}
    return library, person_of, number


def list_faces(person_of: dict[str, str], name: str) -> list[str]:
    return sorted(face for face, person in person_of.items() if person == name)


def test_faces_similar_to_a_face_split_off_leave_with_it(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, person_of, number = mixed
    anna, bea = list_faces(person_of, "anna"), list_faces(person_of, "bea")
    before = library.group_members
    library.split(bea[:1], anna[:2])
    assert sorted(library.group_members[number]) == anna
    (new,) = set(library.group_members) - set(before)
    assert sorted(library.group_members[new]) == bea and new > max(before)
    assert library.faces_in_group(new) == tuple(bea)
    library.undo()
    assert library.group_members == before


def test_confirmed_and_rejected_faces_split_a_group_too(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, person_of, _ = mixed
    anna, bea = list_faces(person_of, "anna"), list_faces(person_of, "bea")
    library.name(anna[:2], "Anna")
    assert set(library.find_person("Anna").face_ids) == {*anna, *bea}
    library.reject(bea[:1], "Anna")
    assert sorted(library.find_person("Anna").face_ids) == anna
    library.undo()
    library.name(bea[:1], "Bea")
    assert sorted(library.find_person("Anna").face_ids) == anna and sorted(library.find_person("Bea").face_ids) == bea


def test_a_full_clustering_agrees(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, person_of, _ = mixed
    library.split(list_faces(person_of, "bea")[:1], list_faces(person_of, "anna")[:2])
    corrected = sorted(map(sorted, library.group_members.values()))
    library.cluster(1.1)
    assert sorted(map(sorted, library.group_members.values())) == corrected
    library.cluster(1.1, full=True)
    assert sorted(map(sorted, library.group_members.values())) == corrected


def test_faces_remaining_are_known_before_a_split(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, person_of, _ = mixed
    anna, bea = list_faces(person_of, "anna"), list_faces(person_of, "bea")
    assert sorted(library.faces_remaining(bea[:1], anna[:1])) == anna
    assert library.journal.events() == []


def test_answers_about_faces_of_different_groups_change_no_group(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, person_of, _ = mixed
    before = library.group_members
    library.split(list_faces(person_of, "carl")[:1], list_faces(person_of, "anna")[:1])
    library.name(list_faces(person_of, "carl")[:1], "Carl")
    assert library.group_members == before


def test_a_large_group_loses_only_the_faces_split_off(
    mixed: tuple[Library, dict[str, str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, person_of, number = mixed
    monkeypatch.setattr("faceclust.catalogue.corrections._MAX_REGROUPED_FACES", 5)
    library.split(list_faces(person_of, "bea")[:1], list_faces(person_of, "anna")[:1])
    assert len(library.group_members[number]) == 9 and list_faces(person_of, "bea")[0] not in library.group_of


def test_a_face_leaves_a_group_linked_to_one_it_was_split_from(
    mixed: tuple[Library, dict[str, str], int],
) -> None:
    library, person_of, number = mixed
    carl = list_faces(person_of, "carl")
    library.link([*library.group_members[number], *carl])
    library.split(carl[:1], list_faces(person_of, "anna")[:2])
    assert carl[0] not in library.group_of and set(carl[1:]) <= set(library.faces_in_group(number))


def test_a_later_name_reunites_a_split_group_and_its_number_stays(
    mixed: tuple[Library, dict[str, str], int],
) -> None:
    library, person_of, number = mixed
    anna = list_faces(person_of, "anna")
    library.split(anna[:1], anna[1:3])
    library.name(anna[:3], "Anna")
    assert set(anna) <= set(library.group_members[number]) and library.find_person("Anna").clusters == (number,)


def test_a_rejected_face_never_comes_back_through_links(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, person_of, _ = mixed
    anna, carl = list_faces(person_of, "anna"), list_faces(person_of, "carl")
    library.link([*anna, *carl])
    library.name([*anna, *carl], "Anna", confirmed=anna[:3])
    library.reject(carl[:1], "Anna")
    for _ in range(2):
        assert carl[0] not in library.find_person("Anna").face_ids
        assert library.group_of.get(carl[0]) not in library.find_person("Anna").clusters
        library.cluster(1.1)


def test_the_name_of_a_person_with_missing_photos_is_not_given_again(
    mixed: tuple[Library, dict[str, str], int],
) -> None:
    library, person_of, _ = mixed
    library.name(list_faces(person_of, "anna"), "Anna")
    library.name(list_faces(person_of, "carl"), "Carl")
    cache = library.home.cache_paths("photos", library.pack_name).write_path
    rows = pq.read_table(cache)
    removed = pc.is_in(rows["face_id"], value_set=pa.array(list_faces(person_of, "carl")))
    pq.write_table(rows.filter(pc.invert(removed)), cache, write_page_checksum=True)
    library = Library(library.root)
    with pytest.raises(UsageError, match="photos are missing"):
        library.rename("Anna", "carl")


def test_a_face_split_from_a_person_is_rejected_for_them(mixed: tuple[Library, dict[str, str], int]) -> None:
    library, person_of, _ = mixed
    anna = list_faces(person_of, "anna")
    library.name(anna[:3], "Anna")
    library.split(anna[:1], anna[1:3])
    assert anna[0] not in library.find_person("Anna").face_ids and library.answers.rejected == {anna[0]: {"Anna"}}
    library.confirm(anna[:1], "Anna")
    assert set(anna[:3]) <= library.find_person("Anna").confirmed and not library.answers.rejected


def test_offsets_are_kept_for_grouped_faces_and_measured_for_others(tmp_path: Path) -> None:
    library, _ = mixed_library(tmp_path)
    faces, clustering = library.faces, library.clustering
    assert clustering is not None and clustering.offsets.any()
    np.testing.assert_array_equal(library.face_offsets, clustering.offsets)
    strangers = faces.embeddings[::-1]
    surroundings = Surroundings(faces.embeddings, clustering.unscaled_groups)
    expected = scale_crowding(surroundings.crowding_of(strangers, 1.1), clustering.median_crowding, clustering.params)
    np.testing.assert_allclose(library.offsets_of(["?"] * len(strangers), strangers), expected, atol=1e-6)
    write_clusters(library.home.clusters, replace(clustering, models="another pack"))
    library.invalidate()
    assert not library.face_offsets.any()  # the crowding is that of other embeddings
