"""Names that other programs gave come to the right faces: with regions that exiftool wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.importers.collect import EMBEDDED, PICASA, SIDECARS, TABLE
from faceclust.outputs.face_table import write_rows
from faceclust.photos.decoders import apply_orientation
from faceclust.photos.orientation import read_orientation
from faceclust.types import FaceOccurrence
from faceclust.xmp.values import Box, stored_box, stored_size
from tests.support.picasa_files import format_rect64
from tests.support.programs import program
from tests.support.sample_photos import COLLINS, HOPPER, save, together, variant
from tests.support.xmp_round_trip import KINDS, RAW_ORIENTATIONS, make_oriented, named_library
from tests.support.xmp_samples import packet

_BACK = {6: 8, 8: 6}


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same two people on a photo for each of the eight orientations, in several formats."""
    root = tmp_path_factory.mktemp("turned") / "photos"
    upright = np.asarray(together(variant(COLLINS, 1), variant(HOPPER, 2)))
    for orientation in range(1, 9):
        stored = apply_orientation(upright, _BACK.get(orientation, orientation))
        picture = Image.fromarray(np.ascontiguousarray(stored))
        for number, ending in enumerate(("jpg", "png", "tif", "webp")):
            picture.putpixel((0, 0), (orientation, number, 0))  # no two of one content
            save(picture, root / f"{orientation}.{ending}", orientation=orientation)
    for orientation in (1, 6):  # of these the decoder turns the picture itself
        stored = apply_orientation(upright, _BACK.get(orientation, orientation))
        save(Image.fromarray(np.ascontiguousarray(stored)), root / f"{orientation}.heic", orientation=orientation)
    library = Library(root)
    library.scan(workers=0)
    return root


@pytest.fixture
def photos(turned: Path, tmp_path: Path) -> Library:
    shutil.copytree(turned, tmp_path / "photos")
    return Library(tmp_path / "photos")


def people_on(library: Library) -> dict[str, list[tuple[FaceOccurrence, str]]]:
    """Photo → its faces with who they really are: Collins is on the left."""
    by_photo: dict[str, list[FaceOccurrence]] = {}
    for place in sorted(library.occurrences, key=lambda place: place.box):
        by_photo.setdefault(place.photo, []).append(place)
    return {photo: list(zip(places, (COLLINS, HOPPER), strict=True)) for photo, places in by_photo.items()}


def orientation_of(library: Library, photo: str) -> int:
    laid = read_orientation(library.root / photo)
    assert laid
    return laid.orientation


def larger(box: Box) -> Box:
    """As other programs draw it: half as large again, a tenth to the side."""
    left, top, right, bottom = box
    x, y, width, height = (left + right) / 2, (top + bottom) / 2, (right - left) * 1.5, (bottom - top) * 1.5
    return x - 0.4 * width, y - 0.5 * height, x + 0.6 * width, y + 0.5 * height


def options(regions: list[tuple[Box, str]], scheme: str, size: tuple[int, int] | None = None) -> list[str]:
    """What makes exiftool write these regions, boxes of the picture as it is stored."""
    if scheme == "mp":
        rows = [
            f"{{Rectangle={b[0]:.6f}|, {b[1]:.6f}|, {b[2] - b[0]:.6f}|, {b[3] - b[1]:.6f},PersonDisplayName={name}}}"
            for b, name in regions
        ]
        return [f"-RegionInfoMP={{Regions=[{','.join(rows)}]}}"]
    rows = [
        f"{{Area={{X={(b[0] + b[2]) / 2:.6f},Y={(b[1] + b[3]) / 2:.6f},W={b[2] - b[0]:.6f},H={b[3] - b[1]:.6f},"
        f"Unit=normalized}},Name={name},Type=Face}}"
        for b, name in regions
    ]
    applied = f"AppliedToDimensions={{W={size[0]},H={size[1]},Unit=pixel}}," if size else ""
    return [f"-RegionInfo={{{applied}RegionList=[{','.join(rows)}]}}"]


def write_by_exiftool(
    library: Library, scheme: str, *, sidecars: bool, upright: bool = False, size: str = "right"
) -> None:
    """Regions for all faces: inside the photos or beside them, of the stored picture or (wrongly) of
    the upright one; the size they apply to "right", "swapped" or "missing"."""
    arguments: list[str] = []
    for photo, faces in people_on(library).items():
        facts = library.photos[photo]
        orientation = 1 if upright else orientation_of(library, photo)
        boxes = [(stored_box(larger(place.box), orientation), name) for place, name in faces]
        applied = stored_size(facts.size, orientation)
        chosen = {"right": applied, "swapped": applied[::-1], "missing": None}[size]
        target = library.root / (f"{photo}.xmp" if sidecars else photo)
        arguments += [*options(boxes, scheme, chosen), str(target), "-execute"]
    listed = library.root.parent / "arguments"
    listed.write_text("\n".join(arguments) + "\n", encoding="utf-8")
    subprocess.run([program("exiftool"), "-q", "-q", "-@", listed, "-common_args", "-overwrite_original"], check=True)


def names_right(library: Library) -> bool:
    """Whether every face has the name of who it is, confirmed."""
    said = Library(library.root).answers.labels
    return all(
        place.face_id in said and (said[place.face_id].name, said[place.face_id].confirmed) == (name, True)
        for faces in people_on(library).values()
        for place, name in faces
    )


@pytest.mark.parametrize("size", ["right", "swapped", "missing"])
@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("sidecars", [False, True], ids=["inside", "sidecar"])
@pytest.mark.parametrize("scheme", ["mwg", "mp"])
def test_names_of_regions_written_by_exiftool_come_out_right(
    photos: Library, scheme: str, sidecars: bool, upright: bool, size: str
) -> None:
    if scheme == "mp" and size != "right":
        return  # it has no such size
    write_by_exiftool(photos, scheme, sidecars=sidecars, upright=upright, size=size)
    plan = photos.plan_import()
    assert (plan.conflicts, plan.unmatched, plan.unread) == ((), (), ())
    assert plan.read[SIDECARS if sidecars else EMBEDDED] == len(people_on(photos)) == 34
    turned = {photo for photo in photos.photos if orientation_of(photos, photo) != 1}
    assert set(plan.upright) == (turned if upright else set())
    events = photos.import_names(plan)
    assert [(event.name, event.source) for event in events] == [
        (name, SIDECARS if sidecars else EMBEDDED) for name in (COLLINS, HOPPER)
    ]
    assert names_right(photos)


def test_an_import_again_enters_nothing_and_undo_takes_all_of_it_back(photos: Library) -> None:
    write_by_exiftool(photos, "mwg", sidecars=True)
    write_by_exiftool(photos, "mp", sidecars=True)
    events = photos.import_names(photos.plan_import())
    before = photos.journal.path.read_bytes()
    again = photos.plan_import()
    assert (again.namings, again.known, again.conflicts) == ((), 68, ())
    assert photos.import_names(again) == [] and photos.journal.path.read_bytes() == before
    for _ in events:
        photos.undo()
    assert not photos.answers.labels
    assert len(photos.import_names(photos.plan_import())) == len(events) and names_right(photos)


@pytest.fixture
def one(photos: Library) -> Iterator[tuple[Library, str, FaceOccurrence, FaceOccurrence]]:
    """The library, a photo that is not turned, and its two faces."""
    (collins, _), (hopper, _) = people_on(photos)["1.jpg"]
    yield photos, "1.jpg", collins, hopper


def write_sidecar(library: Library, photo: str, regions: list[tuple[Box, str]], extra: str = "") -> None:
    items = "".join(
        f'<rdf:li rdf:parseType="Resource"><MPReg:Rectangle>{b[0]}, {b[1]}, {b[2] - b[0]}, {b[3] - b[1]}'
        f"</MPReg:Rectangle><MPReg:PersonDisplayName>{name}</MPReg:PersonDisplayName></rdf:li>"
        for b, name in regions
    )
    body = (
        '<rdf:Description rdf:about="" xmlns:MP="http://ns.microsoft.com/photo/1.2/" '
        'xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#" '
        'xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#" '
        'xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f'<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag>{items}</rdf:Bag></MPRI:Regions>'
        f"</MP:RegionInfo>{extra}</rdf:Description>"
    )
    (library.root / f"{photo}.xmp").write_bytes(packet(body))


@pytest.fixture
def alike(tmp_path: Path) -> Library:
    """Photos that differ in case alone, or in the ending alone: Collins on one, Hopper on the other."""
    root = tmp_path / "photos"
    save(variant(COLLINS, 0), root / "IMG_1.JPG")
    if (root / "img_1.jpg").exists():
        pytest.skip("on this disk such names are one")
    save(variant(HOPPER, 0), root / "img_1.jpg")
    save(variant(COLLINS, 2), root / "IMG_2.JPG")
    save(variant(HOPPER, 2), root / "IMG_2.png")
    library = Library(root)
    library.scan(workers=0)
    return library


def test_a_sidecar_names_no_face_of_another_photo(alike: Library) -> None:
    boxes = {place.photo: place.box for place in alike.occurrences}
    write_sidecar(alike, "IMG_1.JPG", [(boxes["IMG_1.JPG"], COLLINS)])
    write_sidecar(alike, "img_1.jpg", [(boxes["img_1.jpg"], HOPPER)])
    write_sidecar(alike, "IMG_2", [(boxes["IMG_2.JPG"], COLLINS), ((0.0, 0.0, 0.1, 0.1), "")])
    plan = alike.plan_import()
    assert [(naming.photo, naming.name) for naming in plan.namings] == [("IMG_1.JPG", COLLINS), ("img_1.jpg", HOPPER)]
    (conflict,) = plan.conflicts
    assert (conflict.photo, conflict.faces, conflict.names) == ("IMG_2.JPG", (), (COLLINS,))
    assert conflict.why == "it may be the sidecar of this photo, or of IMG_2.png"
    assert alike.plan_import([alike.root / "IMG_2.png", alike.root / "IMG_2.JPG"]).conflicts == (conflict,)
    write_sidecar(alike, "IMG_2", [])  # it says nothing of people: no matter whose it is
    assert not alike.plan_import([alike.root / "IMG_2.xmp"]).conflicts


def test_picasa_names_no_face_of_another_photo(alike: Library) -> None:
    boxes = {place.photo: tuple(min(max(side, 0.0), 1.0) for side in place.box) for place in alike.occurrences}
    told = {"IMG_1.JPG": boxes["IMG_1.JPG"], "img_1.jpg": boxes["img_1.jpg"], "Img_1.jpg": boxes["img_1.jpg"]}
    lines = [
        f"[{file}]\nfaces=rect64({format_rect64(box)}),{'2a' if file[0] == 'i' else '1'}" for file, box in told.items()
    ]
    lines += ["[Contacts2]", f"1={COLLINS};;", f"2a={HOPPER};;", ""]
    (alike.root / ".picasa.ini").write_text("\n".join(lines))
    plan = alike.plan_import()
    assert [(naming.photo, naming.name) for naming in plan.namings] == [("IMG_1.JPG", COLLINS), ("img_1.jpg", HOPPER)]
    (conflict,) = plan.conflicts
    assert conflict.names == (COLLINS,)
    assert conflict.why == "[Img_1.jpg] may be the faces of this photo, or of img_1.jpg"


def test_what_the_user_said_stands(one: tuple[Library, str, FaceOccurrence, FaceOccurrence]) -> None:
    library, photo, collins, hopper = one
    write_sidecar(library, photo, [(collins.box, "anna"), (hopper.box, "Ben")])
    library.name([collins.face_id], "Eileen")
    plan = library.plan_import()
    assert [(naming.face_id, naming.name) for naming in plan.namings] == [(hopper.face_id, "Ben")]
    (conflict,) = plan.conflicts
    assert (conflict.photo, conflict.names, conflict.why) == (photo, ("anna",), "you said it is Eileen")
    library.undo()
    library.name([collins.face_id], "Anna", confirmed=[])  # only suggested: it gives way, the spelling stays
    plan = library.plan_import()
    assert {naming.face_id: naming.name for naming in plan.namings} == {collins.face_id: "Anna", hopper.face_id: "Ben"}
    library.undo()
    for say, why in (
        (lambda: library.ignore([collins.face_id]), "you ignored this face"),
        (lambda: library.reject([collins.face_id], "Anna"), "you said it is not anna"),
        (lambda: library.name([hopper.face_id], "Anna"), "you said that another face of this photo is Anna"),
    ):
        say()
        conflicts = library.plan_import().conflicts
        assert why in [conflict.why for conflict in conflicts]
        assert collins.face_id not in {naming.face_id for naming in library.plan_import().namings}
        library.undo()


def test_names_that_contradict_each_other_are_listed_and_not_guessed(
    one: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    library, photo, collins, hopper = one
    write_sidecar(library, photo, [(collins.box, "Anna"), (larger(collins.box), "Ben"), (hopper.box, "Carl")])
    plan = library.plan_import()
    assert [naming.name for naming in plan.namings] == ["Carl"]
    assert [(c.names, c.faces, c.why) for c in plan.conflicts] == [
        (("Anna", "Ben"), (collins.face_id,), "one face, several names")
    ]
    write_sidecar(library, photo, [(collins.box, "Anna"), (hopper.box, "ANNA")])
    plan = library.plan_import()
    assert plan.namings == () and plan.conflicts[0].why == "one name, several faces"
    write_sidecar(library, photo, [(collins.box, "Anna"), (larger(collins.box), "Anna "), (hopper.box, "123")])
    plan = library.plan_import()  # twice the same is no contradiction
    assert [naming.name for naming in plan.namings] == ["Anna"]
    assert [conflict.names for conflict in plan.conflicts] == [("123",)]


def test_no_names_and_no_faces(one: tuple[Library, str, FaceOccurrence, FaceOccurrence]) -> None:
    library, photo, collins, hopper = one
    nowhere = (0.0, 0.9, 0.05, 1.0)
    write_sidecar(
        library, photo, [(collins.box, "Unknown"), (hopper.box, " "), (nowhere, "Carl"), (hopper.box, "x" * 999)]
    )
    plan = library.plan_import()
    assert plan.namings == plan.conflicts == () and plan.passed_by == 3
    assert [(unplaced.name, unplaced.box) for unplaced in plan.unmatched] == [("Carl", pytest.approx(nowhere))]


def test_a_person_renamed_here_stays_so(one: tuple[Library, str, FaceOccurrence, FaceOccurrence]) -> None:
    library, photo, collins, _ = one
    write_sidecar(library, photo, [(collins.box, "Anna")])
    library.import_names(library.plan_import())
    library.rename("Anna", "Anne")
    plan = library.plan_import()
    assert (plan.namings, plan.known, plan.conflicts) == ((), 1, ())


def test_a_name_without_a_place_is_suggested_only_where_asked(
    one: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    library, photo, collins, hopper = one
    people = "<e:PersonInImage><rdf:Bag><rdf:li>Anna</rdf:li><rdf:li>Ben</rdf:li></rdf:Bag></e:PersonInImage>"
    write_sidecar(library, photo, [(collins.box, "Anna")], people)
    plan = library.plan_import()
    assert [naming.name for naming in plan.namings] == ["Anna"]
    assert [unplaced.name for unplaced in plan.placeless] == ["Ben"]
    events = library.import_names(library.plan_import(keywords=True))
    assert [(event.name, event.faces[0].face_id, event.faces[0].confirmed) for event in events] == [
        ("Anna", collins.face_id, True),
        ("Ben", hopper.face_id, False),
    ]
    assert library.import_names(library.plan_import(keywords=True)) == []
    write_sidecar(library, photo, [], people)  # two faces, two names: nothing says which
    library.undo()
    library.undo()
    plan = library.plan_import(keywords=True)
    assert plan.namings == () and len(plan.placeless) == 2


def test_picasa(photos: Library) -> None:
    lines = ["[Contacts2]", "1111111111111111=Eileen Collins;;"]
    for photo, faces in people_on(photos).items():
        boxes = [stored_box(larger(place.box), orientation_of(photos, photo)) for place, _ in faces]
        (left, right) = (tuple(min(max(side, 0.0), 1.0) for side in box) for box in boxes)
        lines += [
            f"[{photo.upper()}]",
            f"faces=rect64({format_rect64(left)}),1111111111111111;rect64({format_rect64(right)}),2a",
        ]
    (photos.root / ".picasa.ini").write_text("\n".join([*lines, "[gone.jpg]", "faces=rect64(1000),2a"]))
    plan = photos.plan_import()
    assert plan.upright == plan.turned == ()  # Picasa's boxes, too, relate to the stored picture of a JPEG
    assert (
        plan.faces_per_person == {COLLINS: 34}
        and plan.nameless == ("000000000000002a",)
        and plan.elsewhere == ("gone.jpg",)
    )
    contacts = photos.root.parent / "contacts.xml"
    contacts.write_text('<contacts><contact id="2a" name="Grace Hopper"/></contacts>')
    events = photos.import_names(photos.plan_import(contacts=contacts))
    assert [event.source for event in events] == [PICASA, PICASA] and names_right(photos)


@pytest.mark.parametrize("kind", ["pixels", "fractions", "absolute", "beside"])
def test_a_table(photos: Library, kind: str) -> None:
    table = (photos.root if kind == "beside" else photos.root.parent) / "faces.csv"
    lines = ["photo,left,top,right,bottom,name"]
    for photo, faces in people_on(photos).items():
        for place, name in faces:
            box = place.box if kind == "fractions" else place.pixel_box
            path = photos.root / photo if kind == "absolute" else f"./{photo}" if kind == "beside" else photo
            lines.append(",".join(map(str, [path, *box, name])))
    table.write_text("\n".join([*lines, "gone.jpg,1,2,3,4,Carl"]) + "\n")
    plan = photos.plan_import([table])
    assert (plan.elsewhere == ("gone.jpg",) and plan.read == {TABLE: 1, "photos": 0}) or plan.read[TABLE] == 1
    assert [event.source for event in photos.import_names(plan)] == [TABLE, TABLE] and names_right(photos)


@pytest.mark.parametrize("box", ["0,0,1e308,1e308", "-1e308,0,1e308,1", "0,0,40,51600"])
def test_a_box_far_outside_of_its_photo_is_refused_with_its_line(photos: Library, tmp_path: Path, box: str) -> None:
    table = tmp_path / "faces.csv"
    table.write_text(f"photo,left,top,right,bottom,name\n1.jpg,1,2,3,4,Anna\n1.jpg,{box},Anna\n")
    with pytest.raises(UsageError, match=r"faces\.csv:3: .* is not a box in 1\.jpg") as refused:
        photos.plan_import([table])
    assert "pixels wide" in (refused.value.hint or "")
    table.write_text(table.read_text().replace(box, "-20,-10.5,900,600"))  # a little outside
    assert photos.plan_import([table]).unmatched


def test_the_own_table_of_another_machine_comes_in(photos: Library, tmp_path: Path) -> None:
    faces = [face for pairs in people_on(photos).values() for face in pairs]
    for name in (COLLINS, HOPPER):
        photos.name([place.face_id for place, who in faces if who == name], name)
    rows = photos.export()
    columns = list(rows[0])
    (tmp_path / "faces.csv").write_text(
        "\n".join([",".join(columns), *(",".join(str(row[column] or "") for column in columns) for row in rows)])
    )
    photos.journal.path.unlink()
    fresh = Library(photos.root)
    fresh.import_names(fresh.plan_import([tmp_path / "faces.csv"]))
    assert names_right(fresh)


def test_what_is_named_is_what_is_read(photos: Library, tmp_path: Path) -> None:
    write_by_exiftool(photos, "mwg", sidecars=True)
    assert len(photos.plan_import([photos.root / "3.jpg"]).namings) == 2
    assert len(photos.plan_import([photos.root / "3.jpg.xmp", photos.root / "4.jpg.xmp"]).namings) == 4
    mirror = tmp_path / "sidecars"
    mirror.mkdir()
    for sidecar in photos.root.glob("*.png.xmp"):
        sidecar.rename(mirror / sidecar.name.replace(".xmp", ".XMP" if "5" in sidecar.name else ".xmp"))
    assert len(photos.plan_import([mirror]).namings) == 16
    for wrong, why in (
        ("gone", "does not exist"),
        (tmp_path / "arguments", "cannot read names from"),
        (mirror / "1.png.xmp", "is not in the library"),
    ):
        with pytest.raises(UsageError, match=why):
            photos.plan_import([wrong])


def test_a_photo_turned_after_its_faces_were_marked(one: tuple[Library, str, FaceOccurrence, FaceOccurrence]) -> None:
    library, photo, collins, hopper = one
    boxes = [(stored_box(place.box, 6), name) for place, name in ((collins, COLLINS), (hopper, HOPPER))]
    subprocess.run(
        [program("exiftool"), "-q", *options(boxes, "mwg", (516, 840)), library.root / f"{photo}.xmp"], check=True
    )
    plan = library.plan_import()
    assert plan.turned == (photo,)
    assert {naming.face_id: naming.name for naming in plan.namings} == {
        collins.face_id: COLLINS,
        hopper.face_id: HOPPER,
    }
    subprocess.run(  # of a picture that was cut since, what does not fit is not taken
        [
            program("exiftool"),
            "-q",
            *options([((0.2, 0.2, 0.5, 0.6), "Carl")], "mwg", (1000, 300)),
            library.root / "1.png.xmp",
        ],
        check=True,
    )
    (unplaced,) = library.plan_import([library.root / "1.png"]).unmatched
    assert "another aspect ratio" in unplaced.why


def test_a_picture_whose_decoder_turns_it(photos: Library) -> None:
    """The regions of a HEIC relate to the picture as it is coded, which EXIF does not tell."""
    (place, name), _ = people_on(photos)["6.heic"]
    write_sidecar(photos, "6.heic", [(stored_box(place.box, 6), name)])
    plan = photos.plan_import()
    assert [(naming.face_id, naming.name) for naming in plan.namings] == [(place.face_id, name)]


def test_broken_files_are_told_and_stop_nothing(one: tuple[Library, str, FaceOccurrence, FaceOccurrence]) -> None:
    library, photo, collins, _ = one
    write_sidecar(library, photo, [(collins.box, "Anna")])
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x xmlns="adobe:ns:meta/">&b;</x>'
    (library.root / "2.jpg.xmp").write_bytes(bomb)
    (library.root / "3.jpg.xmp").write_bytes(b"")
    (library.root / "4.jpg.xmp").symlink_to(library.root / f"{photo}.xmp")
    (library.root / "5.jpg.xmp").mkdir()
    plan = library.plan_import()
    assert [naming.name for naming in plan.namings] == ["Anna"]
    assert [unread.where.rpartition("/")[2] for unread in plan.unread] == ["2.jpg.xmp", "3.jpg.xmp"]


def test_a_face_named_meanwhile_is_left_alone(one: tuple[Library, str, FaceOccurrence, FaceOccurrence]) -> None:
    library, photo, collins, hopper = one
    write_sidecar(library, photo, [(collins.box, "Anna"), (hopper.box, "Ben")])
    plan = library.plan_import()
    Library(library.root).name([collins.face_id], "Eileen")
    assert [event.name for event in library.import_names(plan)] == ["Ben"]
    gone = replace(plan, namings=(replace(plan.namings[0], face_id="0" * 16),))
    assert library.import_names(gone) == []


def test_a_plan_is_a_value_that_json_takes(one: tuple[Library, str, FaceOccurrence, FaceOccurrence]) -> None:
    from dataclasses import asdict

    library, photo, collins, _ = one
    write_sidecar(library, photo, [(collins.box, "Anna")])
    assert json.loads(json.dumps(asdict(library.plan_import())))["namings"][0]["name"] == "Anna"


def test_what_was_exported_comes_back_in_every_orientation_and_format(tmp_path: Path) -> None:
    """As on another computer, where nothing is known but the photos and their sidecars."""
    make_oriented(tmp_path / "photos", KINDS | {"dng": RAW_ORIENTATIONS})
    exporting = named_library(tmp_path / "photos")
    before = {face: person.label for person in exporting.people() for face in person.face_ids}
    exporting.write_xmp(exporting.plan_xmp())
    exporting.journal.path.unlink()
    library = Library(tmp_path / "photos")
    plan = library.plan_import()
    assert not plan.conflicts and not plan.unmatched and not plan.upright and not plan.turned
    library.import_names(plan)
    assert {face: person.label for person in library.people() for face in person.face_ids} == before
    assert len(before) >= 2 * sum(map(len, KINDS.values()))


def test_suggestions_that_were_exported_come_back_as_suggestions(
    one: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    photos, _, collins, _ = one
    faces = [place.face_id for people in people_on(photos).values() for place, name in people if name == COLLINS]
    photos.name(faces, "Anna", confirmed=[collins.face_id])
    (anna,) = photos.people()
    assert anna.confirmed == {collins.face_id} and len(anna.face_ids) > 1
    photos.write_xmp(photos.plan_xmp())
    plan = photos.plan_import()
    assert not plan.namings and not plan.conflicts and plan.known == len(anna.face_ids)
    photos.journal.path.unlink()  # as on another computer
    library = Library(photos.root)
    plan = library.plan_import()
    assert {naming.face_id: naming.confirmed for naming in plan.namings} == {
        face: face in anna.confirmed for face in anna.face_ids
    }
    library.import_names(plan)
    (back,) = library.people()
    assert (set(back.face_ids), back.confirmed) == (set(anna.face_ids), anna.confirmed)
    assert not library.plan_import().namings


def test_what_was_only_suggested_comes_back_so_in_the_own_table_and_sidecars(photos: Library, tmp_path: Path) -> None:
    """And a name that keywords cannot hold as it is makes no second person."""
    faces = [place.face_id for on_photo in people_on(photos).values() for place, name in on_photo if name == COLLINS]
    photos.name(faces, "Jean / Collins", confirmed=faces[:3])
    with (tmp_path / "faces.csv").open("wb") as stream:
        write_rows(photos.export(), "csv", stream)
    photos.write_xmp(photos.plan_xmp())
    photos.journal.path.unlink()
    for sources in ([tmp_path / "faces.csv"], []):
        library = Library(photos.root)
        plan = library.plan_import(sources, keywords=True)
        assert plan.faces_per_person == {"Jean / Collins": len(faces)}
        library.import_names(plan)
        (person,) = library.people()
        assert person.confirmed == set(faces[:3]) and set(person.face_ids) >= set(faces)
        library.journal.path.unlink()
