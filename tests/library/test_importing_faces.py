"""Faces drawn by hand through import and export: what one library writes, another one reads back."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from faceclust import Library
from faceclust.outputs.face_table import write_rows
from faceclust.people.events import Event
from faceclust.photos.exif_orientation import apply_orientation
from faceclust.photos.face_ids import face_id
from faceclust.store.folder_cache import FolderCache
from faceclust.types import WHOLE_PHOTO, Box
from tests.support.catalogue_builders import NamedFace, build_takeout, write_digikam, write_lightroom
from tests.support.picasa_files import format_rect64
from tests.support.sample_photos import make_scenery, save_photo
from tests.support.xmp_packets import build_array, build_mwg_regions, build_region, build_sidecar

SIZE = (320, 240)
BOX: Box = (0.61234, 0.5, 0.79, 0.83456)
HAND_MADE = Callable[[Library], Any]


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scanned library without a face: one photo for each EXIF orientation, all of the same upright size."""
    root = tmp_path_factory.mktemp("turned") / "photos"
    for orientation in range(1, 9):
        inverse = {6: 8, 8: 6}.get(orientation, orientation)
        upright = np.asarray(make_scenery(orientation).resize(SIZE))
        stored = Image.fromarray(np.ascontiguousarray(apply_orientation(upright, inverse)))
        save_photo(stored, root / f"{orientation}.jpg", orientation=orientation)
    Library(root).scan(workers=0)
    assert not Library(root).occurrences
    return root


@pytest.fixture
def library(turned: Path, tmp_path: Path) -> Library:
    shutil.copytree(turned, tmp_path / "photos")
    return Library(tmp_path / "photos")


@pytest.fixture
def other(turned: Path, tmp_path: Path) -> Library:
    """The same photos on another computer, with a journal of its own."""
    shutil.copytree(turned, tmp_path / "other")
    return Library(tmp_path / "other")


@pytest.fixture(scope="module")
def two_copies(turned: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Library, Library]:
    folder = tmp_path_factory.mktemp("copies")
    for name in ("photos", "copy"):
        shutil.copytree(turned, folder / name)
    return Library(folder / "photos"), Library(folder / "copy")


def enter(library: Library, sources: Sequence[Path] = (), **options: Any) -> list[Event]:
    return library.import_names(library.plan_import(sources, add_faces=True, **options), workers=0)


def drawn(library: Library) -> Counter[tuple[str, Box, str, str | None]]:
    """What the user drew: photo, box, id unless of a whole photo, and name."""
    return Counter(
        (face.photo, face.box, "" if face.is_whole_photo else face.face_id, person.name if person else None)
        for face in library.occurrences
        if face.by_hand
        for person in [library.person_of.get(face.face_id)]
    )


def write_table(library: Library, path: Path) -> Path:
    with path.open("wb") as stream:
        write_rows(library.export(), "csv", stream)
    return path


def write_sidecar(library: Library, photo: str, *blocks: str) -> None:
    (library.root / f"{photo}.xmp").write_text(build_sidecar(*blocks), encoding="utf-8")


def region(box: Box, name: str = "Anna", kind: str = "Face", size: tuple[int, int] = SIZE) -> str:
    left, top, right, bottom = box
    area = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    return build_mwg_regions(build_region(name, *area, kind), size=size)


@pytest.fixture
def drawn_by_hand(library: Library) -> Library:
    """On each photo, Anna's face is drawn, and Mia is there without a face."""
    photos = sorted(library.photos)
    boxes = [(photo, BOX, f"Anna {photo[0]}") for photo in photos]
    enter(library, [write_rows_of(library, *boxes, *((photo, (0, 0, *SIZE), "Mia") for photo in photos))])
    assert Counter(person.name for person in library.people())["Mia"] == 1
    return library


def write_rows_of(library: Library, *rows: tuple[str, tuple[float, ...], str]) -> Path:
    """Write a table with these photos, boxes and names, which were drawn by hand."""
    table = library.root.parent / "drawn.csv"
    lines = [",".join([photo, *map(str, box), name, "true"]) for photo, box, name in rows]
    table.write_text("\n".join(["photo,left,top,right,bottom,name,by_hand", *lines]))
    return table


@pytest.mark.slow
def test_sidecars_bring_drawn_faces_and_people_without_a_face_to_a_turned_copy(
    drawn_by_hand: Library, other: Library
) -> None:
    drawn_by_hand.write_xmp(drawn_by_hand.plan_xmp(other.root.parent / "sidecars"))
    for sidecar in (other.root.parent / "sidecars").iterdir():
        shutil.copy(sidecar, other.root)
    assert not other.plan_import().namings and other.plan_import().addable == 16
    events = enter(other)
    assert {event.kind for event in events} == {"add"} and {event.source for event in events} == {"XMP sidecars"}
    assert drawn(other) == drawn(drawn_by_hand) and drawn(other).total() == 16
    journal = other.journal.path.read_bytes()
    again = other.plan_import(add_faces=True)
    assert not (again.additions or again.unmatched or again.placeless or again.conflicts)
    assert other.import_names(again) == [] and other.journal.path.read_bytes() == journal
    other.scan(workers=0)
    assert drawn(Library(other.root)) == drawn(drawn_by_hand)
    for path in other.root.glob(".faceclust*.parquet"):
        path.unlink()
    other.invalidate()
    other.scan(workers=0)
    assert drawn(Library(other.root)) == drawn(drawn_by_hand)
    assert {sidecar.action for sidecar in other.plan_xmp().sidecars} == {"same"}
    for _ in events:
        other.undo()
    assert not drawn(Library(other.root))
    other.write_xmp(other.plan_xmp())
    assert not any(b"Mia" in path.read_bytes() or b"Anna" in path.read_bytes() for path in other.root.glob("*.xmp"))


def test_a_table_brings_drawn_faces_back_to_the_pixel(drawn_by_hand: Library, other: Library) -> None:
    table = write_table(drawn_by_hand, other.root.parent / "faces.csv")
    enter(other, [table])
    strip = [{**row, "face_id": ""} for row in other.export()]
    assert strip == [{**row, "face_id": ""} for row in drawn_by_hand.export()] and len(strip) == 16
    assert sum(row["by_hand"] and row["right"] - row["left"] == row["width"] for row in strip) == 8
    assert not other.plan_import([table], add_faces=True).additions


_SIDES = st.tuples(st.integers(0, 10**5), st.integers(0, 10**5)).map(sorted)
_SIDES = _SIDES.filter(lambda side: 2000 < side[1] - side[0] < 10**5)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(horizontal=_SIDES, vertical=_SIDES, photo=st.integers(1, 8).map("{}.jpg".format))
def test_any_box_comes_back_exactly_through_xmp(
    two_copies: tuple[Library, Library], horizontal: list[int], vertical: list[int], photo: str
) -> None:
    library, copy = two_copies
    left, right, top, bottom = (side / 10**5 for side in (*horizontal, *vertical))
    box = (left, top, right, bottom)
    (event,) = enter(library, [write_rows_of(library, (photo, box, "Anna"))])
    library.write_xmp(library.plan_xmp())
    shutil.copy(library.root / f"{photo}.xmp", copy.root)
    enter(copy)
    assert drawn(copy) == drawn(library) and copy.occurrences[0].face_id == event.faces[0].face_id
    assert event.faces[0].face_id == face_id(copy.photos[photo].photo_hash, box) or box == WHOLE_PHOTO
    for each in (library, copy):
        each.undo()
        (each.root / f"{photo}.xmp").unlink()


def test_what_the_user_took_away_is_not_entered_again(library: Library) -> None:
    write_sidecar(library, "1.jpg", region(BOX), build_array("Iptc4xmpExt:PersonInImage", "Anna", "Mia"))
    assert len(enter(library)) == 2 and len(drawn(library)) == 2
    whole, anna = sorted(library.occurrences, key=lambda face: face.box)
    for take_away in (
        lambda: library.reject([whole.face_id], "Mia"),
        lambda: library.ignore([whole.face_id]),
        lambda: library.rename("Mia", "Maria") and library.remove_faces([whole.face_id]),
        lambda: library.remove_faces([whole.face_id]),
    ):
        take_away()
        assert not library.plan_import(add_faces=True).additions
        library.undo()
    library.undo()  # the other name
    library.remove_faces([whole.face_id])
    library.remove_faces([anna.face_id])
    refused = library.plan_import(add_faces=True)
    assert not refused.additions and [one.why for one in refused.unmatched] == ["you said that no face is there"]
    library.undo()
    assert drawn(library).total() == 1 and not library.plan_import(add_faces=True).additions
    library.forget(library.plan_forget("Anna"))
    refused = library.plan_import(add_faces=True)
    assert not refused.additions and [one.why for one in refused.unmatched] == ["the face there was forgotten"]


def test_a_box_that_was_moved_is_not_drawn_at_its_old_place(library: Library) -> None:
    write_sidecar(library, "1.jpg", region(BOX))
    (event,) = enter(library)
    library.move_face(event.faces[0].face_id, (0.1, 0.1, 0.3, 0.5))
    moved = drawn(library)
    refused = library.plan_import(add_faces=True)
    assert not refused.additions and [one.why for one in refused.unmatched] == ["you moved the face away from there"]
    library.write_xmp(library.plan_xmp(library.root.parent / "out"))
    shutil.copy(library.root.parent / "out/1.jpg.xmp", library.root / "1.jpg.xmp")
    again = library.plan_import(add_faces=True)
    assert again.known == 1 and not again.additions and drawn(library) == moved


SOURCES: dict[str, Callable[[Library], Sequence[Path]]] = {}


def source(function: Callable[[Library], Sequence[Path]]) -> Callable[[Library], Sequence[Path]]:
    SOURCES[function.__name__] = function
    return function


@source
def sidecar(library: Library) -> Sequence[Path]:
    write_sidecar(library, "1.jpg", region(BOX), build_array("lr:hierarchicalSubject", "People|Mia", "Places|Rome"))
    write_sidecar(library, "2.jpg", build_array("dc:subject", "Beach"), region(BOX, "Rex", "Pet"))
    return ()


@source
def digikam(library: Library) -> Sequence[Path]:
    box = tuple(side * scale for side, scale in zip(BOX, SIZE * 2, strict=True))
    faces, people = [NamedFace("1.jpg", "Anna", box)], [("1.jpg", "Mia")]
    path = library.root.parent / "digikam4.db"
    return [write_digikam(path, faces, root=str(library.root), size=SIZE, people=people)]


@source
def lightroom(library: Library) -> Sequence[Path]:
    path = library.root.parent / "catalogue.lrcat"
    return [
        write_lightroom(path, [NamedFace("1.jpg", "Anna", BOX)], root=f"{library.root}/", people=[("1.jpg", "Mia")])
    ]


@source
def picasa_and_takeout(library: Library) -> Sequence[Path]:
    ini = f"[Contacts2]\n2a=Anna;;\n[1.jpg]\nfaces=rect64({format_rect64(BOX)}),2a\n"
    (library.root / ".picasa.ini").write_text(ini)
    (library.root / "1.jpg.json").write_text(build_takeout("1.jpg", "Mia"))
    return ()


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_adds_faces(library: Library, kind: str) -> None:
    sources = SOURCES[kind](library)
    offered = library.plan_import(sources)
    assert offered.addable == 2 and not offered.namings and library.import_names(offered) == []
    events = enter(library, sources)
    assert [(event.kind, event.name) for event in events] == [("add", "Anna"), ("add", "Mia")]
    (whole, _), (anna, _) = sorted((face.box, face) for face in library.occurrences)
    assert whole == WHOLE_PHOTO and anna == pytest.approx(BOX, abs=0.004)
    assert not library.plan_import(sources, add_faces=True).additions
    assert {person.name: len(person.face_ids) for person in library.people()} == {"Anna": 1, "Mia": 1}


def test_a_name_that_the_other_program_only_proposes_is_only_suggested(library: Library) -> None:
    box = tuple(side * scale for side, scale in zip(BOX, SIZE * 2, strict=True))
    faces = [NamedFace("1.jpg", "Anna", box, confirmed=False)]
    path = write_digikam(library.root.parent / "digikam4.db", faces, root=str(library.root), size=SIZE)
    assert len(enter(library, [path])) == 1
    (person,) = library.people()
    assert (person.name, len(person.face_ids), person.confirmed) == ("Anna", 1, frozenset())
    assert not library.plan_import([path], add_faces=True).additions


def test_each_photo_is_examined_once_and_each_cache_written_once(library: Library, monkeypatch: Any) -> None:
    boxes = [(0.1, 0.1, 0.3, 0.3), (0.1, 0.6, 0.3, 0.9), (0.6, 0.1, 0.9, 0.3)]
    rows = [(photo, box, f"Zoe {number}") for photo in library.photos for number, box in enumerate(boxes)]
    table = write_rows_of(library, *rows)
    plan = library.plan_import([table], add_faces=True)
    assert len(plan.additions) == len(rows) == 24
    writes: list[int] = []
    add_faces = FolderCache.add_faces
    monkeypatch.setattr(FolderCache, "add_faces", lambda self, photos: (writes.append(1), add_faces(self, photos)))
    began = iter([False] * 3 + [True] * 99)
    assert len(library.import_names(plan, workers=0, should_stop=lambda: next(began))) == 3  # one a person
    stopped = drawn(library).total()
    assert 0 < stopped < len(rows) and stopped % 3 == 0 and len(writes) == 1
    rest = library.plan_import([table], add_faces=True)
    assert (len(rest.additions), rest.known) == (len(rows) - stopped, stopped)
    library.import_names(rest, workers=0)
    assert drawn(library).total() == len(rows) and len(writes) == 2
    assert not library.plan_import([table], add_faces=True).additions


def test_copies_of_a_photo_share_a_face_and_changed_photos_are_left_out(library: Library) -> None:
    shutil.copy(library.root / "1.jpg", library.root / "copy.jpg")
    library.scan(workers=0)
    for photo in ("1.jpg", "2.jpg", "copy.jpg"):
        write_sidecar(library, photo, region(BOX), build_array("Iptc4xmpExt:PersonInImage", "Mia"))
    plan = library.plan_import(add_faces=True)
    (library.root / "2.jpg").write_bytes(b"")
    library.import_names(plan, workers=0)
    on_photos = Counter(face.photo for face in library.occurrences)
    assert on_photos == {"1.jpg": 2, "copy.jpg": 2, "2.jpg": 1}  # Mia needs no look at the photo
    assert not library.plan_import([library.root / "copy.jpg"], add_faces=True).additions


def test_the_journal_of_another_computer_brings_the_faces_at_the_next_scan(
    drawn_by_hand: Library, other: Library
) -> None:
    other.import_journal(drawn_by_hand.journal.path)
    other.scan(workers=0)
    assert drawn(Library(other.root)) == drawn(drawn_by_hand)
