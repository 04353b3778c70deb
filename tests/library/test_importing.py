"""Names from other programs reach the right faces, with regions written by exiftool."""

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
from faceclust.photos.exif_orientation import apply_orientation
from faceclust.photos.orientation import read_orientation
from faceclust.types import Box, FaceOccurrence
from faceclust.xmp.values import stored_box, stored_size
from tests.support.catalogue_builders import NamedFace, write_digikam, write_lightroom
from tests.support.picasa_files import format_rect64
from tests.support.programs import find_program
from tests.support.sample_photos import COLLINS, HOPPER, join_images, make_variant, save_photo
from tests.support.xmp_round_trip import ORIENTATIONS, RAW_ORIENTATIONS, make_named_library, make_oriented
from tests.support.xmp_samples import build_packet

_INVERSE = {6: 8, 8: 6}


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same two people on one photo for each of the eight orientations, in several formats."""
    root = tmp_path_factory.mktemp("rotated") / "photos"
    upright = np.asarray(join_images(make_variant(COLLINS, 1), make_variant(HOPPER, 2)))
    for orientation in range(1, 9):
        stored = apply_orientation(upright, _INVERSE.get(orientation, orientation))
        picture = Image.fromarray(np.ascontiguousarray(stored))
        for number, ending in enumerate(("jpg", "png", "tif", "webp")):
            picture.putpixel((0, 0), (orientation, number, 0))  # gives each file its own content
            save_photo(picture, root / f"{orientation}.{ending}", orientation=orientation)
    for orientation in (1, 6):  # whose decoder rotates the picture itself
        stored = apply_orientation(upright, _INVERSE.get(orientation, orientation))
        save_photo(Image.fromarray(np.ascontiguousarray(stored)), root / f"{orientation}.heic", orientation=orientation)
    library = Library(root)
    library.scan(workers=0)
    return root


@pytest.fixture
def photos(rotated: Path, tmp_path: Path) -> Library:
    shutil.copytree(rotated, tmp_path / "photos")
    return Library(tmp_path / "photos")


def people_on(library: Library) -> dict[str, list[tuple[FaceOccurrence, str]]]:
    """Map each photo to its faces, each with its true name: Collins is on the left."""
    by_photo: dict[str, list[FaceOccurrence]] = {}
    for occurrence in sorted(library.occurrences, key=lambda occurrence: occurrence.box):
        by_photo.setdefault(occurrence.photo, []).append(occurrence)
    return {photo: list(zip(occurrences, (COLLINS, HOPPER), strict=True)) for photo, occurrences in by_photo.items()}


def orientation_of(library: Library, photo: str) -> int:
    found = read_orientation(library.root / photo)
    assert found
    return found.orientation


def enlarge(box: Box) -> Box:
    """Enlarge a box by half and shift it by a tenth, as other programs draw it."""
    left, top, right, bottom = box
    x, y, width, height = (left + right) / 2, (top + bottom) / 2, (right - left) * 1.5, (bottom - top) * 1.5
    return x - 0.4 * width, y - 0.5 * height, x + 0.6 * width, y + 0.5 * height


def exiftool_options(regions: list[tuple[Box, str]], scheme: str, size: tuple[int, int] | None = None) -> list[str]:
    """Return options that make exiftool write these regions, with boxes on the stored picture."""
    if scheme == "mp":
        rows = [
            f"{{Rectangle={b[0]:.6f}|, {b[1]:.6f}|, {b[2] - b[0]:.6f}|, {b[3] - b[1]:.6f},PersonDisplayName={name}}}"
            for b, name in regions
        ]
        return [f"-RegionInfoMP={{Regions=[{','.join(rows)}]}}"]
    if scheme == "iptc":
        rows = [
            f"{{PersonInImage=[{name}],RegionBoundary={{RbShape=rectangle,RbUnit=relative,RbX={b[0]:.6f},RbY={b[1]:.6f},"
            f"RbW={b[2] - b[0]:.6f},RbH={b[3] - b[1]:.6f}}}}}"
            for b, name in regions
        ]
        return [f"-XMP-iptcExt:ImageRegion=[{','.join(rows)}]"]
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
    """Write regions for all faces into the photos or into sidecars.

    Boxes are on the stored picture, or wrongly on the `upright` one. `size`: the dimensions they
    apply to are "right", "swapped" or "missing".
    """
    arguments: list[str] = []
    for photo, faces in people_on(library).items():
        facts = library.photos[photo]
        orientation = 1 if upright else orientation_of(library, photo)
        boxes = [(stored_box(enlarge(occurrence.box), orientation), name) for occurrence, name in faces]
        applied = stored_size(facts.size, orientation)
        chosen = {"right": applied, "swapped": applied[::-1], "missing": None}[size]
        target = library.root / (f"{photo}.xmp" if sidecars else photo)
        arguments += [*exiftool_options(boxes, scheme, chosen), str(target), "-execute"]
    listed = library.root.parent / "arguments"
    listed.write_text("\n".join(arguments) + "\n", encoding="utf-8")
    subprocess.run(
        [find_program("exiftool"), "-q", "-q", "-@", listed, "-common_args", "-overwrite_original"], check=True
    )


def has_true_names(library: Library) -> bool:
    """Return whether every face has its true name, confirmed."""
    labels = Library(library.root).answers.labels
    return all(
        occurrence.face_id in labels
        and (labels[occurrence.face_id].name, labels[occurrence.face_id].confirmed) == (name, True)
        for faces in people_on(library).values()
        for occurrence, name in faces
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "sidecars", "upright", "size"),
    [
        ("mwg", False, False, "right"),
        ("mwg", False, True, "right"),
        ("mwg", False, True, "swapped"),
        ("mwg", True, False, "swapped"),
        ("mwg", False, False, "missing"),
        ("mwg", True, True, "missing"),
        ("mp", False, True, "right"),  # the other schemes have no dimensions
        ("mp", True, False, "right"),
        ("iptc", False, False, "right"),
        ("iptc", True, True, "right"),
    ],
)
def test_names_in_regions_written_by_exiftool_are_imported(
    photos: Library, scheme: str, sidecars: bool, upright: bool, size: str
) -> None:
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
    assert has_true_names(photos)


def test_a_repeated_import_adds_nothing_and_undo_reverts_it(photos: Library) -> None:
    write_by_exiftool(photos, "mwg", sidecars=True)
    write_by_exiftool(photos, "mp", sidecars=True)
    events = photos.import_names(photos.plan_import())
    before = photos.journal.path.read_bytes()
    repeated = photos.plan_import()
    assert (repeated.namings, repeated.known, repeated.conflicts) == ((), 68, ())
    assert photos.import_names(repeated) == [] and photos.journal.path.read_bytes() == before
    for _ in events:
        photos.undo()
    assert not photos.answers.labels
    assert len(photos.import_names(photos.plan_import())) == len(events) and has_true_names(photos)


@pytest.fixture
def one_photo(photos: Library) -> Iterator[tuple[Library, str, FaceOccurrence, FaceOccurrence]]:
    """The library, a photo that is not rotated, and its two faces."""
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
    (library.root / f"{photo}.xmp").write_bytes(build_packet(body))


@pytest.fixture
def similar_names(tmp_path: Path) -> Library:
    """Photos whose names differ in case or extension only: Collins on one, Hopper on the other."""
    root = tmp_path / "photos"
    save_photo(make_variant(COLLINS, 0), root / "IMG_1.JPG")
    if (root / "img_1.jpg").exists():
        pytest.skip("this file system ignores case")
    save_photo(make_variant(HOPPER, 0), root / "img_1.jpg")
    save_photo(make_variant(COLLINS, 2), root / "IMG_2.JPG")
    save_photo(make_variant(HOPPER, 2), root / "IMG_2.png")
    library = Library(root)
    library.scan(workers=0)
    return library


def test_a_sidecar_names_no_faces_of_another_photo(similar_names: Library) -> None:
    boxes = {occurrence.photo: occurrence.box for occurrence in similar_names.occurrences}
    write_sidecar(similar_names, "IMG_1.JPG", [(boxes["IMG_1.JPG"], COLLINS)])
    write_sidecar(similar_names, "img_1.jpg", [(boxes["img_1.jpg"], HOPPER)])
    write_sidecar(similar_names, "IMG_2", [(boxes["IMG_2.JPG"], COLLINS), ((0.0, 0.0, 0.1, 0.1), "")])
    plan = similar_names.plan_import()
    assert [(naming.photo, naming.name) for naming in plan.namings] == [("IMG_1.JPG", COLLINS), ("img_1.jpg", HOPPER)]
    (conflict,) = plan.conflicts
    assert (conflict.photo, conflict.faces, conflict.names) == ("IMG_2.JPG", (), (COLLINS,))
    assert conflict.why == "it may be the sidecar of this photo, or of IMG_2.png"
    assert similar_names.plan_import(
        [similar_names.root / "IMG_2.png", similar_names.root / "IMG_2.JPG"]
    ).conflicts == (conflict,)
    write_sidecar(similar_names, "IMG_2", [])  # without people it does not matter which photo it belongs to
    assert not similar_names.plan_import([similar_names.root / "IMG_2.xmp"]).conflicts


def test_picasa_names_no_faces_of_another_photo(similar_names: Library) -> None:
    boxes = {
        occurrence.photo: tuple(min(max(side, 0.0), 1.0) for side in occurrence.box)
        for occurrence in similar_names.occurrences
    }
    boxes_by_file = {"IMG_1.JPG": boxes["IMG_1.JPG"], "img_1.jpg": boxes["img_1.jpg"], "Img_1.jpg": boxes["img_1.jpg"]}
    lines = [
        f"[{file}]\nfaces=rect64({format_rect64(box)}),{'2a' if file[0] == 'i' else '1'}"
        for file, box in boxes_by_file.items()
    ]
    lines += ["[Contacts2]", f"1={COLLINS};;", f"2a={HOPPER};;", ""]
    (similar_names.root / ".picasa.ini").write_text("\n".join(lines))
    plan = similar_names.plan_import()
    assert [(naming.photo, naming.name) for naming in plan.namings] == [("IMG_1.JPG", COLLINS), ("img_1.jpg", HOPPER)]
    (conflict,) = plan.conflicts
    assert conflict.names == (COLLINS,)
    assert conflict.why == "[Img_1.jpg] may be the faces of this photo, or of img_1.jpg"


def test_the_users_answers_take_precedence(one_photo: tuple[Library, str, FaceOccurrence, FaceOccurrence]) -> None:
    library, photo, collins, hopper = one_photo
    write_sidecar(library, photo, [(collins.box, "anna"), (hopper.box, "Ben")])
    library.name([collins.face_id], "Eileen")
    plan = library.plan_import()
    assert [(naming.face_id, naming.name) for naming in plan.namings] == [(hopper.face_id, "Ben")]
    (conflict,) = plan.conflicts
    assert (conflict.photo, conflict.names, conflict.why) == (photo, ("anna",), "you said it is Eileen")
    library.undo()
    library.name([collins.face_id], "Anna", confirmed=[])  # only suggested: the import overrides it, the spelling stays
    plan = library.plan_import()
    assert {naming.face_id: naming.name for naming in plan.namings} == {collins.face_id: "Anna", hopper.face_id: "Ben"}
    library.undo()
    for answer, why in (
        (lambda: library.ignore([collins.face_id]), "you ignored this face"),
        (lambda: library.reject([collins.face_id], "Anna"), "you said it is not anna"),
        (lambda: library.name([hopper.face_id], "Anna"), "you said that another face of this photo is Anna"),
    ):
        answer()
        conflicts = library.plan_import().conflicts
        assert why in [conflict.why for conflict in conflicts]
        assert collins.face_id not in {naming.face_id for naming in library.plan_import().namings}
        library.undo()


def test_contradicting_names_are_listed_as_conflicts(
    one_photo: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    library, photo, collins, hopper = one_photo
    write_sidecar(library, photo, [(collins.box, "Anna"), (enlarge(collins.box), "Ben"), (hopper.box, "Carl")])
    plan = library.plan_import()
    assert [naming.name for naming in plan.namings] == ["Carl"]
    assert [(c.names, c.faces, c.why) for c in plan.conflicts] == [
        (("Anna", "Ben"), (collins.face_id,), "one face, several names")
    ]
    write_sidecar(library, photo, [(collins.box, "Anna"), (hopper.box, "ANNA")])
    plan = library.plan_import()
    assert plan.namings == () and plan.conflicts[0].why == "one name, several faces"
    write_sidecar(library, photo, [(collins.box, "Anna"), (enlarge(collins.box), "Anna "), (hopper.box, "123")])
    plan = library.plan_import()  # the same name twice is no contradiction
    assert [naming.name for naming in plan.namings] == ["Anna"]
    assert plan.conflicts == () and plan.placeholders == {"123": 1}


def test_placeholder_names_are_skipped_and_regions_without_a_face_listed(
    one_photo: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    library, photo, collins, hopper = one_photo
    nowhere = (0.0, 0.9, 0.05, 1.0)
    write_sidecar(
        library, photo, [(collins.box, "Unknown"), (hopper.box, " "), (nowhere, "Carl"), (hopper.box, "x" * 999)]
    )
    plan = library.plan_import()
    assert plan.namings == plan.conflicts == () and plan.passed_by == 3
    assert [(unplaced.name, unplaced.box) for unplaced in plan.unmatched] == [("Carl", pytest.approx(nowhere))]


def test_a_person_renamed_since_keeps_the_new_name(
    one_photo: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    library, photo, collins, _ = one_photo
    write_sidecar(library, photo, [(collins.box, "Anna")])
    library.import_names(library.plan_import())
    library.rename("Anna", "Anne")
    plan = library.plan_import()
    assert (plan.namings, plan.known, plan.conflicts) == ((), 1, ())


def test_a_name_without_a_region_is_suggested_on_request_only(
    one_photo: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    library, photo, collins, hopper = one_photo
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
    write_sidecar(library, photo, [], people)  # two faces and two names are ambiguous
    library.undo()
    library.undo()
    plan = library.plan_import(keywords=True)
    assert plan.namings == () and len(plan.placeless) == 2


def test_names_from_picasa_are_imported(photos: Library) -> None:
    lines = ["[Contacts2]", "1111111111111111=Eileen Collins;;"]
    for photo, faces in people_on(photos).items():
        boxes = [stored_box(enlarge(occurrence.box), orientation_of(photos, photo)) for occurrence, _ in faces]
        (left, right) = (tuple(min(max(side, 0.0), 1.0) for side in box) for box in boxes)
        lines += [
            f"[{photo.upper()}]",
            f"faces=rect64({format_rect64(left)}),1111111111111111;rect64({format_rect64(right)}),2a",
        ]
    (photos.root / ".picasa.ini").write_text("\n".join([*lines, "[gone.jpg]", "faces=rect64(1000),2a"]))
    plan = photos.plan_import()
    assert plan.upright == plan.turned == ()  # Picasa's boxes are on the stored picture of a JPEG, too
    assert (
        plan.faces_per_person == {COLLINS: 34}
        and plan.nameless == ("000000000000002a",)
        and plan.elsewhere == ("gone.jpg",)
    )
    contacts = photos.root.parent / "contacts.xml"
    contacts.write_text('<contacts><contact id="2a" name="Grace Hopper"/></contacts>')
    events = photos.import_names(photos.plan_import(contacts=contacts))
    assert [event.source for event in events] == [PICASA, PICASA] and has_true_names(photos)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pixels", "fractions", "absolute", "beside"])
def test_names_from_a_table_are_imported(photos: Library, kind: str) -> None:
    table = (photos.root if kind == "beside" else photos.root.parent) / "faces.csv"
    lines = ["photo,left,top,right,bottom,name"]
    for photo, faces in people_on(photos).items():
        for occurrence, name in faces:
            box = occurrence.box if kind == "fractions" else occurrence.pixel_box
            path = photos.root / photo if kind == "absolute" else f"./{photo}" if kind == "beside" else photo
            lines.append(",".join(map(str, [path, *box, name])))
    table.write_text("\n".join([*lines, "gone.jpg,1,2,3,4,Carl"]) + "\n")
    plan = photos.plan_import([table])
    assert (plan.elsewhere == ("gone.jpg",) and plan.read == {TABLE: 1, "photos": 0}) or plan.read[TABLE] == 1
    assert [event.source for event in photos.import_names(plan)] == [TABLE, TABLE] and has_true_names(photos)


@pytest.mark.parametrize("box", ["0,0,1e308,1e308", "-1e308,0,1e308,1", "0,0,40,51600"])
def test_a_box_far_outside_its_photo_is_refused_with_its_line(photos: Library, tmp_path: Path, box: str) -> None:
    table = tmp_path / "faces.csv"
    table.write_text(f"photo,left,top,right,bottom,name\n1.jpg,1,2,3,4,Anna\n1.jpg,{box},Anna\n")
    with pytest.raises(UsageError, match=r"faces\.csv:3: .* is not a box in 1\.jpg") as refused:
        photos.plan_import([table])
    assert "pixels wide" in (refused.value.hint or "")
    table.write_text(table.read_text().replace(box, "-20,-10.5,900,600"))  # slightly outside
    assert photos.plan_import([table]).unmatched


def test_an_exported_table_is_imported_on_another_machine(photos: Library, tmp_path: Path) -> None:
    faces = [face for pairs in people_on(photos).values() for face in pairs]
    for name in (COLLINS, HOPPER):
        photos.name([occurrence.face_id for occurrence, who in faces if who == name], name)
    rows = list(photos.export())
    columns = list(rows[0])
    (tmp_path / "faces.csv").write_text(
        "\n".join([",".join(columns), *(",".join(str(row[column] or "") for column in columns) for row in rows)])
    )
    photos.journal.path.unlink()
    fresh = Library(photos.root)
    fresh.import_names(fresh.plan_import([tmp_path / "faces.csv"]))
    assert has_true_names(fresh)


def test_only_the_given_sources_are_read(photos: Library, tmp_path: Path) -> None:
    write_by_exiftool(photos, "mwg", sidecars=True)
    assert len(photos.plan_import([photos.root / "3.jpg"]).namings) == 2
    assert len(photos.plan_import([photos.root / "3.jpg.xmp", photos.root / "4.jpg.xmp"]).namings) == 4
    sidecars = tmp_path / "sidecars"
    sidecars.mkdir()
    for sidecar in photos.root.glob("*.png.xmp"):
        sidecar.rename(sidecars / sidecar.name.replace(".xmp", ".XMP" if "5" in sidecar.name else ".xmp"))
    assert len(photos.plan_import([sidecars]).namings) == 16
    for wrong, why in (
        ("gone", "does not exist"),
        (tmp_path / "arguments", "cannot read names from"),
        (sidecars / "1.png.xmp", "is not in the library"),
    ):
        with pytest.raises(UsageError, match=why):
            photos.plan_import([wrong])


def test_a_photo_rotated_after_its_faces_were_marked_is_recognised(
    one_photo: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    library, photo, collins, hopper = one_photo
    boxes = [(stored_box(occurrence.box, 6), name) for occurrence, name in ((collins, COLLINS), (hopper, HOPPER))]
    subprocess.run(
        [find_program("exiftool"), "-q", *exiftool_options(boxes, "mwg", (516, 840)), library.root / f"{photo}.xmp"],
        check=True,
    )
    plan = library.plan_import()
    assert plan.turned == (photo,)
    assert {naming.face_id: naming.name for naming in plan.namings} == {
        collins.face_id: COLLINS,
        hopper.face_id: HOPPER,
    }
    subprocess.run(  # regions that do not fit a cropped picture are not imported
        [
            find_program("exiftool"),
            "-q",
            *exiftool_options([((0.2, 0.2, 0.5, 0.6), "Carl")], "mwg", (1000, 300)),
            library.root / "1.png.xmp",
        ],
        check=True,
    )
    (unplaced,) = library.plan_import([library.root / "1.png"]).unmatched
    assert "another aspect ratio" in unplaced.why


def test_regions_of_a_picture_rotated_by_its_decoder_are_imported(photos: Library) -> None:
    """The regions of a HEIC are on the coded picture; EXIF does not tell its orientation."""
    (occurrence, name), _ = people_on(photos)["6.heic"]
    write_sidecar(photos, "6.heic", [(stored_box(occurrence.box, 6), name)])
    plan = photos.plan_import()
    assert [(naming.face_id, naming.name) for naming in plan.namings] == [(occurrence.face_id, name)]


def test_broken_files_are_reported_and_stop_nothing(
    one_photo: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    library, photo, collins, _ = one_photo
    write_sidecar(library, photo, [(collins.box, "Anna")])
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x xmlns="adobe:ns:meta/">&b;</x>'
    (library.root / "2.jpg.xmp").write_bytes(bomb)
    (library.root / "3.jpg.xmp").write_bytes(b"")
    (library.root / "4.jpg.xmp").symlink_to(library.root / f"{photo}.xmp")
    (library.root / "5.jpg.xmp").mkdir()
    plan = library.plan_import()
    assert [naming.name for naming in plan.namings] == ["Anna"]
    assert [unread.where.rpartition("/")[2] for unread in plan.unread] == ["2.jpg.xmp", "3.jpg.xmp", "4.jpg.xmp"]


def test_a_face_named_since_the_plan_is_left_alone(
    one_photo: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    library, photo, collins, hopper = one_photo
    write_sidecar(library, photo, [(collins.box, "Anna"), (hopper.box, "Ben")])
    plan = library.plan_import()
    Library(library.root).name([collins.face_id], "Eileen")
    assert [event.name for event in library.import_names(plan)] == ["Ben"]
    unknown_face = replace(plan, namings=(replace(plan.namings[0], face_id="0" * 16),))
    assert library.import_names(unknown_face) == []


@pytest.mark.slow
def test_a_plan_can_be_written_as_json(one_photo: tuple[Library, str, FaceOccurrence, FaceOccurrence]) -> None:
    from dataclasses import asdict

    library, photo, collins, _ = one_photo
    write_sidecar(library, photo, [(collins.box, "Anna")])
    assert json.loads(json.dumps(asdict(library.plan_import())))["namings"][0]["name"] == "Anna"


@pytest.mark.slow
def test_exported_sidecars_are_imported_in_every_orientation_and_format(tmp_path: Path) -> None:
    """Without the journal, as on another computer that has only the photos and their sidecars."""
    make_oriented(tmp_path / "photos", ORIENTATIONS | {"dng": RAW_ORIENTATIONS})
    exporting = make_named_library(tmp_path / "photos")
    before = {face: person.label for person in exporting.people() for face in person.face_ids}
    exporting.write_xmp(exporting.plan_xmp())
    exporting.journal.path.unlink()
    library = Library(tmp_path / "photos")
    plan = library.plan_import()
    assert not plan.conflicts and not plan.unmatched and not plan.upright and not plan.turned
    library.import_names(plan)
    assert {face: person.label for person in library.people() for face in person.face_ids} == before
    assert len(before) >= 2 * sum(map(len, ORIENTATIONS.values()))


def test_exported_suggestions_are_imported_as_suggestions(
    one_photo: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    photos, _, collins, _ = one_photo
    faces = [
        occurrence.face_id for people in people_on(photos).values() for occurrence, name in people if name == COLLINS
    ]
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
    (imported,) = library.people()
    assert (set(imported.face_ids), imported.confirmed) == (set(anna.face_ids), anna.confirmed)
    assert not library.plan_import().namings


def test_suggestions_in_exported_tables_and_sidecars_stay_suggestions(photos: Library, tmp_path: Path) -> None:
    """A name that keywords cannot hold unchanged does not become a second person."""
    faces = [
        occurrence.face_id
        for on_photo in people_on(photos).values()
        for occurrence, name in on_photo
        if name == COLLINS
    ]
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


def test_names_reach_photos_whose_file_name_is_decomposed(tmp_path: Path) -> None:
    """macOS writes an accent as a character of its own; sidecars and tables may not."""
    root = tmp_path / "photos"
    photo = "Zoe\u0308.jpg"
    save_photo(make_variant(COLLINS, 0), root / photo)
    if (root / "Zo\u00eb.jpg").exists():
        pytest.skip("this file system ignores the Unicode form")
    library = Library(root)
    library.scan(workers=0)
    (face,) = library.occurrences
    left, top, right, bottom = (min(max(side, 0.0), 1.0) for side in face.box)
    (tmp_path / "faces.csv").write_text(f"Zo\u00eb.JPG,{left},{top},{right},{bottom},Zoe", encoding="utf-8")
    assert [naming.face_id for naming in library.plan_import([tmp_path / "faces.csv"]).namings] == [face.face_id]
    ini = root / ".picasa.ini"
    rect = format_rect64((left, top, right, bottom))
    ini.write_text(f"[Zo\u00eb.jpg]\nfaces=rect64({rect}),1\n[Contacts2]\n1=Zoe;;", encoding="utf-8")
    assert [naming.face_id for naming in library.plan_import().namings] == [face.face_id]
    ini.unlink()
    write_sidecar(library, "Zo\u00eb.jpg", [(face.box, "Zoe")])
    for sources in ([], [root / photo], [root / "Zo\u00eb.jpg"]):
        assert [naming.face_id for naming in library.plan_import(sources).namings] == [face.face_id]
    library.import_names(library.plan_import())
    (identified,) = library.identify([root / "Zo\u00eb.jpg"])
    assert [one.name for one in identified.faces] == ["Zoe"]


def test_words_for_nobody_and_branches_of_a_name_are_listed(
    one_photo: tuple[Library, str, FaceOccurrence, FaceOccurrence],
) -> None:
    library, photo, collins, hopper = one_photo

    def keywords(*paths: str) -> str:
        items = "".join(f"<rdf:li>{path}</rdf:li>" for path in paths)
        return f'<k:TagsList xmlns:k="http://www.digikam.org/ns/1.0/"><rdf:Seq>{items}</rdf:Seq></k:TagsList>'

    write_sidecar(
        library, photo, [(collins.box, "Unbekannt"), (hopper.box, "???")], keywords("People/Family/Anna", "People/?")
    )
    write_sidecar(library, "2.jpg", [], keywords("People/Work/anna", "People/Work/Ben", "People/Ben", "People/12"))
    plan = library.plan_import()
    assert not plan.namings and not plan.conflicts
    assert plan.placeholders == {"Unbekannt": 1, "???": 1, "?": 1, "12": 1} and plan.passed_by == 4
    assert plan.branches == {"Anna": ("Family", "Work")}


@pytest.mark.parametrize("program", ["digikam", "digikam, size before turning", "lightroom"])
def test_catalogues_are_imported_in_every_orientation_and_format(photos: Library, program: str, tmp_path: Path) -> None:
    """Their boxes are on the upright photo, whichever way round the size is."""
    width, height = photos.photos["1.jpg"].size
    scale = np.tile((1, 1) if program == "lightroom" else (width, height), 2)
    faces = [
        NamedFace(photo, name, tuple((np.array(enlarge(face.box)) * scale).tolist()))
        for photo, people in people_on(photos).items()
        for face, name in people
    ]
    if program == "lightroom":
        path = write_lightroom(tmp_path / "catalogue.lrcat", faces, root=f"/mnt/{photos.root.name}/")
    else:
        path = write_digikam(
            tmp_path / "digikam4.db", faces, size=(width, height) if program == "digikam" else (height, width)
        )
    plan = photos.plan_import([path])
    assert (plan.conflicts, plan.unmatched, plan.elsewhere, plan.upright, plan.turned) == ((), (), (), (), ())
    photos.import_names(plan)
    assert has_true_names(photos)
