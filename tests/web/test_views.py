"""The endpoints that the page reads return the values of the library."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.interview.session import Interview
from faceclust.people.events import JournalFace
from faceclust.web.session import PICTURES
from tests.support.page_client import PageClient
from tests.support.people_builders import make_occurrence

ANNA, BEN, CARL, DORA = 1, 2, 3, 4


def test_every_address_answers_with_the_same_position(page: PageClient) -> None:
    library = page.session.library
    library.name(ANNA, "Anna")
    (anna,) = library.people()
    photo = library.photo_of[anna.face_ids[0]]
    paths = ["state", "people", "question", "question/more", "groups", "rows?groups=2,3", "group/2"]
    paths += [f"person/{anna.id}", f"photo/{photo}", f"photo/{photo}?of=person/{anna.id}", "review"]
    assert len({page.get(path)["position"] for path in paths}) == 1


def test_the_state_counts(page: PageClient) -> None:
    library = page.session.library
    page.answer({"kind": "name", "name": "Anna", "groups": [ANNA], "seen": library.group_members[ANNA][:4]})
    state = page.get("state")
    assert state["counts"] == {
        "photos": 24,
        "faces": 24,
        "people": 1,
        "groups": 3,
        "named_faces": 9,
        "confirmed_faces": 4,
    }
    assert (state["library"], state["name"]) == (str(library.root), "photos")
    assert state["undo"]["text"] == "Anna (9 faces, 4 of them confirmed)"


def test_people_are_listed_with_their_facts(
    library: Library, name_of_face: Callable[[Library], dict[str, str]]
) -> None:
    names = name_of_face(library)
    for name in sorted(set(names.values())):
        library.name([face for face in names if names[face] == name], name)
    with PageClient(library) as page:
        listed = page.get("people")["people"]
        overviews = library.overviews()
        assert [(p["person"], p["name"], p["faces"], p["confirmed"], p["photos"], p["face"]) for p in listed] == [
            (
                *(o.person.id, o.person.label, len(o.person.face_ids), len(o.confirmed)),
                *(o.photos, o.best and o.best.face_id),
            )
            for o in overviews
        ]
        for person in listed:
            shown = page.get(f"person/{person['person']}")
            assert {field: shown["person"][field] for field in person} == person
            pairs = {pair.names: pair.photos for pair in library.co_occurrences(person["name"])}
            companions = {(person["name"], other["name"]): other["photos"] for other in shown["person"]["companions"]}
            assert companions == pairs
            dates = [face["date"] or "9" for face in shown["confirmed"]]
            assert dates == sorted(dates) and len(dates) == person["confirmed"] and shown["suggested"] == []


def test_the_names_of_missing_photos_are_completed_too(page: PageClient) -> None:
    library = page.session.library
    gone = make_occurrence("f" * 16, photo="gone.jpg", hash="e" * 32)
    page.session.library.name(ANNA, "Anna")
    with library.home.lock_journal():
        library.journal.record("name", [JournalFace.from_occurrence(gone, confirmed=True)], name="Zoé")
    assert page.get("people")["other_names"] == ["Zoé"]


def test_the_question_is_the_interviews(page: PageClient) -> None:
    question = Interview(Library(page.session.library.root), pictures_per_row=PICTURES).next_question()
    assert question is not None
    shown = page.get("question")["question"]
    assert [(p["face"], p["number"], p["caption"]) for p in shown["pictures"]] == [
        (picture.occurrence.face_id, picture.number, picture.caption) for picture in question.pictures
    ]
    assert (shown["kind"], shown["accepts_name"], shown["total"], shown["names"]) == ("who", True, 9, [])


def test_more_pictures_are_numbered_on_and_count_as_seen(library: Library) -> None:
    library.cluster(1.9)
    with PageClient(library) as page:
        first = page.get("question")["question"]
        more = page.get("question/more")["question"]
        assert more["pictures"][: len(first["pictures"])] == first["pictures"] and more["total"] == first["total"]
        if len(more["pictures"]) > len(first["pictures"]):
            assert more["id"] != first["id"]
        assert len(more["pictures"]) == min(more["total"], len(first["pictures"]) + PICTURES - 1)
        status, _ = page.answer({"kind": "question", "question": first["id"], "name": "Anna"})
        assert status == 200  # the question as it was shown first is still open
        event = library.journal.events()[-1]
        assert sum(face.confirmed for face in event.faces) == len(first["pictures"])


def test_the_nearest_people_are_candidates(page: PageClient) -> None:
    library = page.session.library
    for group, name in ((BEN, "Ben"), (CARL, "Carl"), (DORA, "Dora")):
        library.name(group, name)
    question = page.get("question")["question"]
    assert [c["name"] for c in question["candidates"]] != [] and question["kind"] == "who"
    by_name = {candidate["name"]: candidate for candidate in question["candidates"]}
    assert by_name.keys() == {"Ben", "Carl", "Dora"}
    for name, candidate in by_name.items():
        person = library.find_person(name)
        assert (candidate["person"], candidate["faces"]) == (person.id, len(person.face_ids))
        assert candidate["face"] in person.face_ids and candidate["similarity"] == "a little alike"
    page.answer({"kind": "reject", "faces": library.group_members[ANNA][:1], "name": "Carl"})
    left = page.get("question")["question"]["candidates"]
    assert [candidate["name"] for candidate in left] == [n for n in by_name if n != "Carl"]


def test_the_likeliest_candidate_comes_first(page: PageClient, person_of: dict[str, str]) -> None:
    """The two faces of Anna outside her group are nearest to her."""
    library = page.session.library
    alone = [face for face, name in person_of.items() if name == "anna" and face not in library.group_of]
    library.link(alone)
    for group, name in ((ANNA, "Anna"), (BEN, "Ben"), (CARL, "Carl"), (DORA, "Dora")):
        library.name(group, name)
    question = page.get("question")["question"]
    assert question["kind"] == "also" and question["names"] == ["Anna"]
    answered = {"kind": "question", "question": question["id"], "verdict": "no"}
    assert page.answer(answered)[0] == 200


def test_groups_are_listed_largest_first_in_one_line_each(page: PageClient) -> None:
    library = page.session.library
    library.ignore(CARL)
    assert page.get("groups")["groups"] == [
        [number, len(library.group_members[number]), len(library.group_members[number]), None, None]
        for number in (ANNA, BEN, DORA)
    ]


def test_rows_show_eight_faces_and_the_likely_person(page: PageClient) -> None:
    library = page.session.library
    rows = page.get("rows?groups=4,1,99,1")["rows"]
    assert [(row["group"], row["faces"], row["photos"], len(row["pictures"])) for row in rows] == [
        (4, 3, 3, 3),
        (1, 9, 9, 8),
    ]
    assert {picture["face"] for picture in rows[0]["pictures"]} == set(library.group_members[4])
    assert [row["likely"] for row in rows] == [None, None]


def test_a_group_has_all_its_faces(page: PageClient) -> None:
    library = page.session.library
    shown = page.get("group/2")
    assert {face["face"] for face in shown["faces"]} == set(library.group_members[2]) and shown["group"] == 2
    assert all(library.photo_of[face["face"]] == face["photo"] for face in shown["faces"])
    library.name(2, "Ben")
    assert page.request("GET", "group/2").status_code == 404


def test_suggested_faces_come_least_likely_first(page: PageClient) -> None:
    library = page.session.library
    page.answer({"kind": "name", "name": "Anna", "groups": [ANNA], "seen": library.group_members[ANNA][:2]})
    (anna,) = library.people()
    shown = page.get(f"person/{anna.id}")
    doubts = [face["doubt"] for face in shown["suggested"]]
    assert len(doubts) == 7 and doubts == sorted(doubts, reverse=True) and all(0 <= doubt <= 1 for doubt in doubts)
    assert {face["face"] for face in shown["confirmed"]} == anna.confirmed


def test_a_photo_shows_who_is_who(library: Library) -> None:
    photo, faces = next((photo, faces) for photo, faces in library.faces_on.items() if len(faces) > 1)
    library.name(faces[0].face_id, "Anna")
    library.ignore(faces[1].face_id)
    info = next(info for info in library.photos.values() if info.photo_hash == photo)
    with PageClient(library) as page:
        shown = page.get(f"photo/{photo}")
        assert shown["photo"] | {"previous": None, "next": None} == {
            "photo": photo,
            "path": info.photo,
            "width": info.size[0],
            "height": info.size[1],
            "camera": info.camera,
            "taken_at": info.taken_at and info.taken_at.isoformat(),
            "previous": None,
            "next": None,
        }
        assert [face["face"] for face in shown["faces"]] == [face.face_id for face in faces]
        assert [face["box"] for face in shown["faces"]] == [list(face.box) for face in faces]
        one, other = shown["faces"][:2]
        assert (one["name"], one["confirmed"], one["ignored"], one["person"]) == (
            *("Anna", True, False),
            library.people()[0].id,
        )
        assert (other["name"], other["confirmed"], other["ignored"]) == (None, False, True)
        assert not any(face["by_hand"] or face["whole"] for face in shown["faces"])


@pytest.mark.parametrize("of", ["", "person", "group"])
def test_photos_are_paged_through_by_date_and_path(library: Library, of: str) -> None:
    members = library.group_members[1]
    if of == "person":
        library.name(1, "Anna")
    with PageClient(library) as page:
        query = {
            "": "",
            "person": f"?of=person/{library.people()[0].id if of == 'person' else ''}",
            "group": "?of=group/1",
        }
        infos = {info.photo_hash: info for info in reversed(library.photos.values())}
        wanted = infos.keys() if not of else {library.photo_of[face] for face in members}
        order = sorted(wanted, key=lambda photo: (infos[photo].taken_at or datetime.max, infos[photo].photo))
        shown = [page.get(f"photo/{photo}{query[of]}")["photo"] for photo in order]
        assert [photo["previous"] for photo in shown] == [None, *order[:-1]]
        assert [photo["next"] for photo in shown] == [*order[1:], None]


def test_a_photo_outside_of_what_is_paged_through_has_no_neighbours(library: Library) -> None:
    inside = {library.photo_of[face] for face in library.group_members[1]}
    outside = next(photo for photo in library.faces_on if photo not in inside)
    with PageClient(library) as page:
        shown = page.get(f"photo/{outside}?of=group/1")["photo"]
        assert shown["previous"] is None and shown["next"] is None


def test_findings_are_those_of_the_review(library: Library) -> None:
    library.cluster(1.9)
    review = library.review()
    with PageClient(library) as page:
        findings = page.get("review")["findings"]
    by_kind = {kind: [found for found in findings if found["kind"] == kind] for kind in ("outlier", "merge", "split")}
    assert [found["face"] for found in by_kind["outlier"]] == [outlier.face_id for outlier in review.outliers]
    assert [(found["one"]["person"], found["other"]["person"]) for found in by_kind["merge"]] == [
        candidate.persons for candidate in review.merge_candidates
    ]
    assert len(by_kind["split"]) == len(review.split_candidates)
    for found in by_kind["outlier"]:
        assert found["photo"] == library.photo_of[found["face"]] and len(found["person"]["pictures"]) <= 4


def test_file_names_that_are_not_unicode_are_shown_as_escapes(page: PageClient) -> None:
    page.session.notes.append("caf\udce9.jpg: skipped")
    assert page.get("state")["notes"] == ["caf\\xe9.jpg: skipped"]


def test_an_empty_library_has_no_question(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    library = Library(tmp_path / "photos")
    with PageClient(library) as page:
        response = page.request("GET", "state")
        assert response.status_code == 422 and "no photos" in response.json()["error"]


def test_the_numbers_of_groups_are_valid_until_the_next_clustering(page: PageClient, person_of: dict[str, str]) -> None:
    before = page.get("groups")
    assert page.answer({"kind": "ignore", "groups": [before["groups"][0][0]], "faces": []})[0] == 200
    assert page.get("groups")["grouping"] == before["grouping"]
    Library(page.session.library.root).cluster(threshold=0.9)
    assert page.get("groups")["grouping"] != before["grouping"]
