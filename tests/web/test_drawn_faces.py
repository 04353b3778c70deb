"""Faces drawn, moved and removed on the page, and a photo looked at again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceclust import Library
from faceclust.library import drawn_faces
from faceclust.types import Box, DrawnFace, PhotoInfo, ScannedPhoto
from tests.support.page_client import Answer, PageClient, records

BOX: Box = (0.02, 0.02, 0.12, 0.12)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave drawn faces without an embedding: the models are not needed here."""

    def examine(library: Library, info: PhotoInfo, face: DrawnFace) -> ScannedPhoto:
        return drawn_faces.uncompared_face(library, info, face)

    monkeypatch.setattr(drawn_faces, "_examine", examine)


def photo_of(library: Library) -> str:
    return min(library.photos.values(), key=lambda info: info.photo).photo_hash


def first_face(library: Library) -> str:
    return library.faces_on[photo_of(library)][0].face_id


CASES: dict[str, tuple[Callable[[Library], Answer], Callable[[Library], Any]]] = {
    "a face with a name": (
        lambda one: {"kind": "add_face", "photo": photo_of(one), "box": list(BOX), "name": "Eileen"},
        lambda one: one.add_face(photo_of(one), BOX, "Eileen"),
    ),
    "a face without a name": (
        lambda one: {"kind": "add_face", "photo": photo_of(one), "box": list(BOX), "name": None},
        lambda one: one.add_face(photo_of(one), BOX),
    ),
    "a person without a face": (
        lambda one: {"kind": "add_whole", "photo": photo_of(one), "name": "Eileen"},
        lambda one: one.add_whole(photo_of(one), "Eileen"),
    ),
    "a face is moved": (
        lambda one: {"kind": "move_face", "face": first_face(one), "box": list(BOX)},
        lambda one: one.move_face(first_face(one), BOX),
    ),
    "not a face": (
        lambda one: {"kind": "not_a_face", "faces": [first_face(one)]},
        lambda one: one.remove_faces([first_face(one)]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_about_boxes_is_the_event_of_the_verb(library: Library, tmp_path: Path, case: str) -> None:
    shutil.copytree(library.root, tmp_path / "twin")
    twin = Library(tmp_path / "twin")
    build_answer, verb = CASES[case]
    answer, photo = build_answer(twin), photo_of(twin)
    verb(twin)
    with PageClient(library) as page:
        before = page.get(f"photo/{photo}")
        status, answered = page.answer(answer)
        assert status == 200, answered
        state, after = page.get("state"), page.get(f"photo/{photo}")
        assert answered["position"] == state["position"] == after["position"] != before["position"]
        assert state["undo"]["event"] == answered["event"]
        assert _without_random_ids(records(library)) == _without_random_ids(records(twin))
        wanted = [(list(face.box), face.by_hand) for face in Library(twin.root).faces_on.get(photo, ())]
        assert [(face["box"], face["by_hand"]) for face in after["faces"]] == wanted
        assert [face["whole"] for face in after["faces"]].count(True) == (answer["kind"] == "add_whole")
        page.get("question"), page.get("groups"), page.get("people"), page.get("review")
        assert page.post("undo", {"position": answered["position"]})[0] == 200
        assert page.get(f"photo/{photo}")["faces"] == before["faces"]


def _without_random_ids(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for line in lines:
        for face in line.get("faces", ()):
            if face["box"] == [0, 0, 1, 1]:
                face["face"] = ""
    return lines


def test_a_face_that_another_process_draws_is_seen(library: Library) -> None:
    photo = photo_of(library)
    with PageClient(library) as page:
        before = page.get(f"photo/{photo}")
        Library(library.root).add_face(photo, BOX, "Eileen")
        after = page.get(f"photo/{photo}")
        assert after["position"] != before["position"]
        assert [face["name"] for face in after["faces"] if face["by_hand"]] == ["Eileen"]
        assert [person["name"] for person in page.get("people")["people"]] == ["Eileen"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"kind": "add_face", "photo": "f" * 32, "box": list(BOX)}, "no photo"),
        ({"kind": "add_whole", "photo": "f" * 32, "name": "Anna"}, "no photo"),
        ({"kind": "move_face", "face": "0" * 16, "box": list(BOX)}, "there is no face"),
        ({"kind": "not_a_face", "faces": ["0" * 16]}, "there is no face"),
        ({"kind": "not_a_face", "faces": []}, "no face is chosen"),
    ],
)
def test_boxes_of_unknown_photos_and_faces_are_refused(page: PageClient, answer: Answer, words: str) -> None:
    status, answered = page.answer(answer)
    assert status == 422 and words in answered["error"] and records(page.session.library) == []


def test_looking_again_adds_the_faces_that_the_scan_missed(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is that of the faces that the photo has more than before; the options go to the scan."""
    photo, options = photo_of(library), []
    info = next(info for info in library.photos.values() if info.photo_hash == photo)

    def scan(other: Library, **given: Any) -> None:
        options.append(given)
        assert other is not library
        other.add_face(photo, BOX)

    monkeypatch.setattr(Library, "scan", scan)
    with PageClient(library) as page:
        position = page.get("state")["position"]
        status, answered = page.post("look", {"photo": photo, "min_face": 20})
        assert (status, answered["added"]) == (200, 1)
        assert answered["position"] == page.get("state")["position"] != position
        assert options == [{"again": [library.root / info.photo], "min_face": 20, "workers": 1}]
        assert page.post("look", {"photo": "f" * 32, "min_face": 20})[0] == 404


def test_looking_again_with_the_models_changes_the_position(library: Library) -> None:
    photo = min(library.photos.values(), key=lambda info: info.size[0] * info.size[1]).photo_hash
    with PageClient(library) as page:
        before = page.get(f"photo/{photo}")
        status, answered = page.post("look", {"photo": photo, "min_face": 60})
        after = page.get(f"photo/{photo}")
        assert status == 200 and answered["added"] == len(after["faces"]) - len(before["faces"])
        assert answered["position"] == after["position"] != before["position"]
