"""Faces drawn, moved and removed by hand in a library: the caches, the journal, rescans."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceclust import Library
from faceclust.errors import CacheError, FaceclustError, LibraryBusyError, UsageError
from faceclust.interview.session import Interview
from faceclust.library import drawn_faces
from faceclust.people.doubts import NoDoubts
from faceclust.types import WHOLE_PHOTO, Box, DrawnFace, PhotoInfo, ScannedPhoto

PHOTO, OTHER = "2019/collins-0.jpg", "2020/hopper-1.png"
CORNER: Box = (0.02, 0.02, 0.12, 0.12)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let drawn faces have an embedding without a look at the photo; those below the middle have none."""

    def examine(library: Library, info: PhotoInfo, face: DrawnFace) -> ScannedPhoto:
        found = drawn_faces.uncompared_face(library, info, face)
        if face.box[1] > 0.5:
            return found
        vector = np.random.default_rng(int(face.face_id[:8], 16)).normal(size=found.embeddings.shape)
        vector *= library.cache_info.radius / np.linalg.norm(vector)
        return replace(
            found, embeddings=vector.astype(np.float32), quality=np.ones(1, np.float32), uncompared=frozenset()
        )

    monkeypatch.setattr(drawn_faces, "_examine", examine)


def reopen(library: Library) -> Library:
    return Library(library.root)


def faces_on(library: Library, photo: str = PHOTO) -> list[tuple[Box, str | None]]:
    found = library.faces_on.get(library.photos[photo].photo_hash, ())
    names = {face: person.name for face, person in library.person_of.items()}
    return [(face.box, names.get(face.face_id)) for face in found]


def boxes_on(library: Library, photo: str = PHOTO) -> list[Box]:
    return [tuple(round(side, 3) for side in box) for box, _ in faces_on(library, photo)]  # type: ignore[misc]


def state_of(library: Library) -> tuple[Any, ...]:
    return (
        [(one.face_id, one.photo) for one in library.occurrences],
        library.persons,
        library.answers,
        library.faces.face_ids.tolist(),
        dict(library.group_of),
    )


@pytest.mark.usefixtures("quick")
def test_what_is_drawn_counts_at_once_and_in_every_other_program(library: Library) -> None:
    (detected, _), *_ = faces_on(library)
    event = library.add_face(PHOTO, CORNER, "Anna")
    library.add_whole(PHOTO, "Ben")
    assert (event.kind, event.name, event.faces[0].box) == ("add", "Anna", CORNER)
    for opened in (library, reopen(library)):
        assert [name for _, name in faces_on(opened)] == ["Anna", None, "Ben"]
        drawn = opened.occurrences_of[event.faces[0].face_id][0]
        assert drawn.by_hand and drawn.has_embedding and opened.address_of(drawn.face_id) == f"{PHOTO}#1"
        assert [photo.photo for photo in opened.search("Ben")] == [PHOTO]
        rows = [row for row in opened.export(embeddings=True) if row["photo"] == PHOTO]
        assert {row["person"]: row["embedding"] is None for row in rows} == {"Anna": False, None: False, "Ben": True}
        assert len(opened.faces) == len({one.face_id for one in opened.occurrences}) - 1
    assert (detected, None) in faces_on(library)


@pytest.mark.usefixtures("quick")
def test_undo_and_redo_of_each_answer_restore_the_exact_state(library: Library) -> None:
    steps: list[Callable[[], object]] = [
        lambda: library.add_face(PHOTO, CORNER, "Anna"),
        lambda: library.add_whole(PHOTO, "Ben"),
        lambda: library.move_face(f"{PHOTO}#1", (0.3, 0.02, 0.4, 0.12)),
        lambda: library.move_face(f"{PHOTO}#2", (0.02, 0.6, 0.12, 0.7)),
        lambda: library.remove_faces([f"{PHOTO}#1", f"{OTHER}#1"]),
        lambda: library.move_face(f"{PHOTO}#2", (0.3, 0.02, 0.42, 0.12)),
    ]
    states = [state_of(library)]
    for step in steps:
        step()
        states.append(state_of(library))
        assert states[-1] == state_of(reopen(library))
    for before in reversed(states[:-1]):
        library.undo()
        assert state_of(library) == before
    for after in states[1:]:
        library.redo()
        assert state_of(library) == after


@pytest.mark.usefixtures("quick")
def test_a_face_takes_its_place_in_the_group_along(library: Library) -> None:
    face = library.faces_on[library.photos[PHOTO].photo_hash][0]
    group = library.group_of[face.face_id]
    members = library.group_members[group]
    event = library.move_face(face.face_id, (0.3, 0.02, 0.4, 0.12))
    moved = event.faces[0].face_id
    assert set(library.group_members[group]) == {*members, moved} - {face.face_id}
    library.remove_faces(moved)
    assert set(library.group_members[group]) == {*members} - {face.face_id}
    library.cluster()
    assert face.face_id not in library.group_of and moved not in library.group_of


@pytest.mark.usefixtures("quick")
def test_faces_that_cannot_be_compared_are_in_no_group_and_no_question(library: Library) -> None:
    library.add_face(PHOTO, (0.02, 0.6, 0.12, 0.7))
    library.add_face(OTHER, (0.02, 0.6, 0.12, 0.7), "Zoe")
    library.add_whole(OTHER, "Ben")
    assert (library.groups is not None) and len(library.faces) < len(library.occurrences_of)
    uncompared = {face for face, (one, *_) in library.occurrences_of.items() if not one.has_embedding}
    assert len(uncompared) == 3
    library.cluster(full=True)
    library.name(1, "Anna")
    interview = Interview(library, pictures_per_row=4, thorough=True)
    asked: set[str] = set()
    while question := interview.next_question():
        asked.update(picture.occurrence.face_id for picture in question.pictures)
        interview.answer(question, "")
    assert asked and asked.isdisjoint(uncompared)
    (found,) = library.identify(library.root / OTHER)
    known = [(face.name, face.distance) for face in found.faces if face.face_id in uncompared]
    assert known == [("Zoe", None), ("Ben", None)]
    assert library.review().outliers == () and library.report_page("x.html").content
    assert library.map_page("x.html")
    assert library.thumbnails([library.occurrences_of[face][0] for face in uncompared]).keys() == uncompared


BAD = [
    ((0.5, 0.1, 0.4, 0.2), "empty"),
    ((-0.1, 0.1, 0.4, 0.2), "not within"),
    ((0.1, 0.1, 1.4, 0.2), "not within"),
    ((float("nan"), 0.1, 0.4, 0.2), "finite"),
    ((0.1, 0.1, float("inf"), 0.2), "finite"),
    ((0.1, 0.1, 0.1001, 0.2), "too small"),
    ((0.1, 0.1, 0.4), "four numbers"),
    ("abcd", "four numbers"),
    (WHOLE_PHOTO, "--whole"),
]


@pytest.mark.parametrize(("box", "message"), BAD)
def test_boxes_are_checked(library: Library, box: Any, message: str) -> None:
    for draw in (lambda: library.add_face(PHOTO, box), lambda: library.move_face(f"{PHOTO}#1", box)):
        with pytest.raises(UsageError) as raised:
            draw()
        assert message in f"{raised.value} {raised.value.hint}"
    assert not library.journal.events()


@pytest.mark.usefixtures("quick")
def test_answers_that_cannot_be_recorded(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.name(library.faces_on[library.photos[OTHER].photo_hash][0].face_id, "Grace")
    count = len(library.journal.events())
    box = library.faces_on[library.photos[PHOTO].photo_hash][0].box

    def change_photo() -> None:
        monkeypatch.undo()
        (library.root / PHOTO).write_bytes(b"no photo")
        library.add_face(PHOTO, CORNER)

    attempts: list[tuple[Callable[[], object], str]] = [
        (lambda: library.add_face("nowhere.jpg", CORNER), "no photo nowhere.jpg"),
        (lambda: library.add_face("0" * 32, CORNER), "no photo 0000"),
        (lambda: library.add_face(5, CORNER), "given by its path"),  # type: ignore[arg-type]
        (lambda: library.add_face(PHOTO, box), "already"),
        (lambda: library.move_face(f"{PHOTO}#1", box), "there already"),
        (lambda: library.move_face(1, CORNER), "not one face"),
        (lambda: library.move_face("Grace", CORNER), "not one face"),
        (lambda: library.remove_faces("Grace"), "a person, not a face"),
        (lambda: library.remove_faces([]), "no face is given"),
        (lambda: library.add_face(PHOTO, CORNER, " "), "at least one letter"),
        (change_photo, "no face can be drawn on"),
    ]
    for attempt, message in attempts:
        with pytest.raises(FaceclustError) as raised:
            attempt()
        assert message in str(raised.value)
    assert len(library.journal.events()) == count


class _Refusing(NoDoubts):
    def accept_same_photo(self, message: str) -> None:
        raise UsageError(message)

    def choose_name(self, name: str, near: str) -> str:
        return near


@pytest.mark.usefixtures("quick")
def test_doubts_about_drawn_faces_are_asked(library: Library) -> None:
    library.name(f"{PHOTO}#1", "Eileen")
    library.doubts = _Refusing()
    for draw in (lambda: library.add_face(PHOTO, CORNER, "Eileen"), lambda: library.add_whole(PHOTO, "eileen")):
        with pytest.raises(UsageError, match=f"Eileen is on 1 photo: {PHOTO}#1 already"):
            draw()
    assert library.add_face(OTHER, CORNER, "Eilleen").name == "Eileen"


@pytest.mark.usefixtures("quick")
def test_copies_of_a_photo_have_the_same_faces(library: Library) -> None:
    (library.root / "copies").mkdir()
    for copy in ("copies/one.jpg", "2019/two.jpg"):
        shutil.copy2(library.root / PHOTO, library.root / copy)
    library.scan(workers=0)
    event = library.add_face(PHOTO, CORNER, "Anna")
    places = reopen(library).occurrences_of[event.faces[0].face_id]
    assert {place.photo for place in places} == {PHOTO, "copies/one.jpg", "2019/two.jpg"}


@pytest.mark.usefixtures("quick")
def test_no_face_is_drawn_during_a_scan(library: Library) -> None:
    with library.home.lock("scanning"), pytest.raises(LibraryBusyError):
        reopen(library).add_whole(PHOTO, "Anna")
    assert not library.journal.events()


@pytest.mark.usefixtures("quick")
def test_a_face_whose_answer_was_not_recorded_is_not_shown(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state_of(library)

    def refuse(*_: object, **__: object) -> None:
        raise CacheError("the disk is full")

    monkeypatch.setattr("faceclust.people.journal.Journal.record", refuse)
    with pytest.raises(CacheError):
        library.add_face(PHOTO, CORNER, "Anna")
    monkeypatch.undo()
    assert state_of(library) == before == state_of(reopen(library))
    reopen(library).add_face(PHOTO, CORNER, "Anna")  # the row is there already
    assert ("Anna") in [name for _, name in faces_on(reopen(library))]


def clear_caches(root: Path) -> None:
    for cache in root.rglob(".faceclust*.parquet"):
        cache.unlink()


def edit_photo(root: Path) -> None:
    with (root / PHOTO).open("ab") as stream:
        stream.write(b"\0")  # another content, the same picture


@pytest.mark.slow
@pytest.mark.parametrize("change", ["clear", "edit", "rename", "other machine", "nothing"])
def test_what_was_drawn_and_removed_survives_a_rescan(library: Library, tmp_path: Path, change: str) -> None:
    library.remove_faces(f"{OTHER}#1")
    drawn = library.add_face(PHOTO, (0.36, 0.1, 0.58, 0.35), "Anna")
    library.add_whole(PHOTO, "Ben")
    library.undo(library.add_face(PHOTO, CORNER, "Nobody").id)
    photo, root = PHOTO, library.root
    match change:
        case "clear":
            clear_caches(root)
        case "edit":
            edit_photo(root)
        case "rename":
            photo = "2019/renamed.jpg"
            (root / PHOTO).rename(root / photo)
        case "other machine":
            root = tmp_path / "copy"
            shutil.copytree(library.root, root, ignore=shutil.ignore_patterns(".faceclust*"))
    after = Library(root)
    after.scan(workers=0)
    if change == "other machine":
        after.import_journal(library.home.journal)
        after.scan(workers=0)
    for opened in (after, Library(root)):
        assert [name for _, name in faces_on(opened, photo)][-2:] == ["Anna", "Ben"], faces_on(opened, photo)
        assert "Nobody" not in {person.name for person in opened.people()} and boxes_on(opened, OTHER) == []
        faces = opened.faces_on[opened.photos[photo].photo_hash]
        assert all(face.by_hand for face in faces) and [face.has_embedding for face in faces] == [True, False]
    if change != "edit":
        assert faces[0].face_id == drawn.faces[0].face_id


@pytest.mark.usefixtures("quick")
def test_forgetting_a_person_erases_what_was_drawn(library: Library) -> None:
    detected = library.faces_on[library.photos[PHOTO].photo_hash][0]
    left, top, right, bottom = detected.box
    over: Box = (left, top, right, bottom - 0.03)
    library.undo(library.add_face(OTHER, CORNER, "Anna").id)  # its embedding is stored
    library.add_face(PHOTO, over, "Anna")
    library.add_whole(OTHER, "Anna")
    bens = (
        library.undo(library.add_face(OTHER, (0.02, 0.6, 0.12, 0.7), "Anna").id).faces[0].face_id
    )  # Ben's, drawn again below
    kept = library.add_face(OTHER, (0.02, 0.6, 0.13, 0.7), "Anna")
    library.name(kept.faces[0].face_id, "Ben")  # it was not Anna
    library.forget(library.plan_forget("Anna", confirmed_only=True))
    after = reopen(library)
    stored = after._face_snapshot.stored
    assert {one.face_id for one in stored.occurrences if one.by_hand} == {kept.faces[0].face_id, bens}
    assert detected.face_id not in after.stored_occurrences_of  # the face behind the box is hers, too
    assert [one.face_id for one in after.table.forgotten_occurrences()] == [detected.face_id]
    assert after.person_of[kept.faces[0].face_id].name == "Ben"
    assert "Anna" not in after.home.journal.read_text()
    with pytest.raises(UsageError, match="forgotten"):
        after.add_face(PHOTO, over)


@pytest.mark.usefixtures("quick")
def test_a_face_drawn_over_a_forgotten_one_is_left_to_no_scan(library: Library) -> None:
    detected = library.faces_on[library.photos[PHOTO].photo_hash][0]
    left, top, right, bottom = detected.box
    library.name(detected.face_id, "Anna")
    drawn = library.add_face(PHOTO, CORNER, "Ben").faces[0]
    over = replace(drawn, face_id="0" * 16, box=(left, top, right, bottom - 0.03))
    library.forget(library.plan_forget("Anna"))
    library.journal.record("add", [over], name="Clara")  # on another machine, which had not forgotten yet
    assert [face.face_id for face in drawn_faces.drawn_faces_in_effect(reopen(library))] == [drawn.face_id]


@pytest.mark.usefixtures("quick")
def test_a_name_stays_with_its_moved_face_when_another_is_drawn_or_moved_to_its_former_box(library: Library) -> None:
    first = library.add_face(PHOTO, CORNER, "Anna").faces[0]
    moved = library.move_face(first.face_id, (0.02, 0.2, 0.12, 0.3)).faces[0]
    other = library.add_face(PHOTO, (0.02, 0.32, 0.12, 0.42), "Ben").faces[0]
    with pytest.raises(UsageError, match="is now"):
        library.add_face(PHOTO, CORNER, "Clara")
    with pytest.raises(UsageError, match="is now"):
        library.move_face(other.face_id, CORNER)
    detected = next(face for face in library.faces_on[first.photo_hash] if not face.by_hand)
    left, top, right, bottom = detected.box
    over = library.add_face(PHOTO, (left, top, right, bottom - 0.03)).faces[0]
    with pytest.raises(UsageError, match="is now"):
        library.move_face(other.face_id, detected.box)
    library.move_face(over.face_id, detected.box)
    library.move_face(moved.face_id, CORNER)
    assert library.person_of[first.face_id].name == "Anna"
    library.remove_faces(first.face_id)
    library.add_face(PHOTO, CORNER, "Clara")
    assert library.person_of[first.face_id].name == "Clara"


@pytest.mark.usefixtures("quick")
def test_a_moved_box_does_not_cover_somebody_else(library: Library) -> None:
    drawn = library.add_face(PHOTO, CORNER, "Anna").faces[0]
    detected = next(face for face in library.faces_on[drawn.photo_hash] if not face.by_hand)
    left, top, right, bottom = detected.box
    library.name(detected.face_id, "Ben")
    with pytest.raises(UsageError, match=r"would cover .*, who is Ben"):
        library.move_face(drawn.face_id, (left, top, right, bottom - 0.03))
    library.undo()
    moved = library.move_face(drawn.face_id, (left, top, right, bottom - 0.03)).faces[0]
    assert library.person_of[moved.face_id].name == "Anna"


@pytest.mark.usefixtures("quick")
def test_a_person_on_a_whole_photo_is_written_to_sidecars_without_a_region(library: Library, tmp_path: Path) -> None:
    library.add_whole(PHOTO, "Ben")
    library.add_face(PHOTO, CORNER, "Anna")
    written = library.write_xmp(library.plan_xmp(tmp_path / "out"))
    assert [sidecar.people for sidecar in written.sidecars] == [["Anna", "Ben"]]
    text = (tmp_path / "out" / f"{PHOTO}.xmp").read_text()
    regions, people = text.count("<mwg-rs:Name>") + text.count("mwg-rs:Name="), text.count("People/Ben")
    assert regions == 1 and people
    again = library.plan_xmp(tmp_path / "out")
    assert [sidecar.action for sidecar in again.sidecars] == ["same"]
    shutil.copytree(tmp_path / "out", library.root, dirs_exist_ok=True)
    library.undo(library.add_face(OTHER, CORNER, "Carl").id)
    plan = library.plan_import()
    assert plan.namings == () and not [one for one in plan.placeless if one.name == "Ben"]


@pytest.mark.slow
def test_what_was_drawn_and_removed_holds_for_other_models(library: Library) -> None:
    removed = library.faces_on[library.photos[OTHER].photo_hash][0]
    library.remove_faces(removed.face_id)
    library.add_face(PHOTO, (0.36, 0.1, 0.58, 0.35), "Anna")
    library.add_whole(PHOTO, "Ben")
    other = Library(library.root, pack="dlib")
    other.scan(workers=0)
    assert [name for _, name in faces_on(other)] == ["Anna", "Ben"] and faces_on(other, OTHER) == []
    assert other.cache_info.pack == "dlib" and other.faces_on[other.photos[PHOTO].photo_hash][0].has_embedding
    other.undo()
    assert len(faces_on(other)) == 1


@pytest.mark.usefixtures("quick")
def test_the_caches_are_not_read_again_after_an_answer(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.name(1, "Carl")
    before = state_of(library)

    def refuse(*_: object) -> None:
        raise AssertionError("the caches are read")

    with monkeypatch.context() as patch:
        patch.setattr("faceclust.catalogue.stored_faces.StoredFaces._read_table", refuse)
        library.add_face(PHOTO, CORNER, "Anna")
        library.add_whole(OTHER, "Ben")
        library.move_face(f"{PHOTO}#1", (0.02, 0.6, 0.12, 0.7))
        library.remove_faces([f"{PHOTO}#2", f"{OTHER}#1"])
        after = state_of(library)
        rows = library.table.photo_count
        for _ in range(4):
            library.undo()
        assert state_of(library) == before
        for _ in range(4):
            library.redo()
        assert state_of(library) == after
    assert state_of(reopen(library)) == after and reopen(library).table.photo_count == rows
