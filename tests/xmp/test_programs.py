"""Sidecars read and rewritten by exiftool and exiv2."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.programs import find_program
from tests.support.sample_photos import COLLINS, HOPPER
from tests.support.xmp_round_trip import (
    ORIENTATIONS,
    RAW_ORIENTATIONS,
    SidecarErrors,
    make_named_library,
    make_oriented,
    read_exiftool_faces,
)

pytestmark = pytest.mark.slow

ALL = [(ending, orientation) for ending, orientations in ORIENTATIONS.items() for orientation in orientations]


@pytest.fixture(scope="module")
def oriented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Photos of every format and orientation, with sidecars beside them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        root = tmp_path_factory.mktemp("oriented")
        make_oriented(root, ORIENTATIONS | {"dng": RAW_ORIENTATIONS})
        library = make_named_library(root)
        done = library.write_xmp(library.plan_xmp())
        assert {one.action for one in done.sidecars} == {"make"} and len(done.sidecars) == len(ALL) + 4
        yield library


@pytest.fixture(scope="module")
def sidecar_errors(oriented: Library) -> SidecarErrors:
    return SidecarErrors(find_program("exiftool"), oriented)


@pytest.mark.parametrize(("ending", "orientation"), [*ALL, *(("dng", way) for way in RAW_ORIENTATIONS)])
def test_exiftool_reads_every_face_at_its_position(
    sidecar_errors: SidecarErrors, ending: str, orientation: int
) -> None:
    photo = f"{ending}-{orientation}.{ending}"
    for scheme in ("mwg", "mp"):
        errors = sidecar_errors.measure(photo, scheme)
        assert errors.keys() == {COLLINS, HOPPER}
        assert max(errors.values()) <= 1


@pytest.mark.parametrize(("ending", "orientation"), ALL)
def test_the_recorded_size_is_that_of_exiftool(oriented: Library, ending: str, orientation: int) -> None:
    photo = oriented.root / f"{ending}-{orientation}.{ending}"
    tags = ("-ImageSize", "-RegionInfo")
    read = json.loads(_run(find_program("exiftool"), "-j", "-n", "-struct", *tags, photo, _xmp(photo)))
    size = [int(side) for side in read[0]["ImageSize"].split()]
    if ending == "heic":  # coded with even sides and cropped later, which exiftool ignores
        size = [side - 1 for side in size]
    applied = read[1]["RegionInfo"]["AppliedToDimensions"]
    assert [applied["W"], applied["H"]] == size and applied["Unit"] == "pixel"


def test_exiftool_reads_the_keywords(oriented: Library) -> None:
    tags = ("-XMP-digiKam:TagsList", "-XMP-lr:HierarchicalSubject", "-XMP-dc:Subject", "-XMP-iptcExt:PersonInImage")
    (read,) = json.loads(_run(find_program("exiftool"), "-j", "-G1", *tags, oriented.root / "jpg-6.jpg.xmp"))
    people = [COLLINS, HOPPER]
    assert {name: sorted(texts) for name, texts in read.items() if name != "SourceFile"} == {
        "XMP-digiKam:TagsList": [f"People/{name}" for name in people],
        "XMP-lr:HierarchicalSubject": [f"People|{name}" for name in people],
        "XMP-dc:Subject": people,
        "XMP-iptcExt:PersonInImage": people,
    }


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_sidecar_copied_into_the_photo_reads_the_same(oriented: Library, tmp_path: Path, orientation: int) -> None:
    exiftool, photo = find_program("exiftool"), oriented.root / f"jpg-{orientation}.jpg"
    copy = shutil.copy(photo, tmp_path / "copy.jpg")
    _run(exiftool, "-q", "-overwrite_original", "-tagsFromFile", _xmp(photo), "-all:all", copy)
    read = read_exiftool_faces(exiftool, [copy, _xmp(photo)])
    assert read[copy] == read[_xmp(photo)] and len(read[copy]["mwg"]) == 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exiv2_reads_the_same(oriented: Library, orientation: int) -> None:
    sidecar = oriented.root / f"jpg-{orientation}.jpg.xmp"
    lines = _run(find_program("exiv2"), "-PXkt", sidecar).splitlines()
    read = {key: value.strip() for key, _, value in (line.partition(" ") for line in lines)}
    faces = read_exiftool_faces(find_program("exiftool"), [sidecar])[sidecar]
    width, height = (int(read[f"Xmp.mwg-rs.Regions/mwg-rs:AppliedToDimensions/stDim:{side}"]) for side in "wh")
    for number, face in enumerate(faces["mwg"], 1):
        region = f"Xmp.mwg-rs.Regions/mwg-rs:RegionList[{number}]/mwg-rs:"
        x, y, w, h = (float(read[f"{region}Area/stArea:{side}"]) for side in "xywh")
        box = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        assert box == pytest.approx(face.box) and read[f"{region}Name"] == face.name
        assert read[f"{region}Type"] == "Face"
        people = f"Xmp.MP.RegionInfo/MPRI:Regions[{number}]/MPReg:"
        assert read[f"{people}PersonDisplayName"] == face.name
        left, top, w, h = map(float, read[f"{people}Rectangle"].split(","))
        assert (left * width, top * height, (left + w) * width, (top + h) * height) == pytest.approx(face.box, abs=0.1)
    assert sorted(read["Xmp.dc.subject"].split(", ")) == [COLLINS, HOPPER]
    assert sorted(read["Xmp.digiKam.TagsList"].split(", ")) == [f"People/{name}" for name in (COLLINS, HOPPER)]


def test_our_data_are_recognised_after_other_programs_rewrite_the_packet(oriented: Library, tmp_path: Path) -> None:
    """exiftool and exiv2 rewrite the whole packet; then a name changes, and then all faces are removed."""
    library = make_named_library(Path(shutil.copytree(oriented.root, tmp_path / "photos", ignore=_only_orientation_6)))
    library.write_xmp(library.plan_xmp())
    one, other = library.root / "jpg-6.jpg.xmp", library.root / "webp-8.webp.xmp"
    _run(find_program("exiftool"), "-q", "-overwrite_original", "-XMP-dc:Title=At the sea", one)
    _run(find_program("exiv2"), "-M", "set Xmp.xmp.Rating 5", "modify", other)
    assert {sidecar.action for sidecar in library.plan_xmp().sidecars} == {"same"}
    _run(find_program("exiftool"), "-q", "-overwrite_original", "-XMP-dc:Subject+=holiday", one)
    library.rename(COLLINS, "Eileen")
    library.write_xmp(library.plan_xmp())
    read = read_exiftool_faces(find_program("exiftool"), [one, other])
    for faces in read.values():
        assert sorted(face.name or "" for face in faces["mwg"]) == ["Eileen", HOPPER]
        assert sorted(face.name or "" for face in faces["mp"]) == ["Eileen", HOPPER]
    assert sorted(_subjects(one)) == ["Eileen", HOPPER, "holiday"]
    library.ignore([place.face_id for place in library.occurrences])
    library.write_xmp(library.plan_xmp())
    assert _subjects(one) == ["holiday"] and b"xmp:Rating" in other.read_bytes()
    for path in (one, other):
        assert COLLINS.encode() not in path.read_bytes() and b"<mwg-rs:" not in path.read_bytes()


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp", "heic"])
def test_a_new_sidecar_repeats_the_photos_keywords(oriented: Library, tmp_path: Path, ending: str) -> None:
    exiftool, name = find_program("exiftool"), f"{ending}-1.{ending}"
    (tmp_path / "photos").mkdir()
    photo = Path(shutil.copy(oriented.root / name, tmp_path / "photos"))
    _run(exiftool, "-q", "-overwrite_original", "-XMP-dc:Subject=holiday", "-XMP-lr:HierarchicalSubject=A|B", photo)
    library = make_named_library(photo.parent)
    library.write_xmp(library.plan_xmp())
    assert sorted(_subjects(_xmp(photo))) == [COLLINS, HOPPER, "holiday"]
    assert b"A|B" in _xmp(photo).read_bytes()


def test_a_new_sidecar_repeats_iptc_keywords(oriented: Library, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    photo = Path(shutil.copy(oriented.root / "jpg-6.jpg", tmp_path / "photos"))
    _run(find_program("exiftool"), "-q", "-overwrite_original", "-IPTC:Keywords=ä", "-IPTC:Keywords=b", photo)
    library = make_named_library(photo.parent)
    library.write_xmp(library.plan_xmp())
    assert sorted(_subjects(_xmp(photo))) == sorted([COLLINS, HOPPER, "ä", "b"])


def _only_orientation_6(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name not in ("jpg-6.jpg", "webp-8.webp")}


def _subjects(path: Path) -> list[str]:
    subject = json.loads(_run(find_program("exiftool"), "-j", "-XMP-dc:Subject", path))[0].get("Subject", [])
    return subject if isinstance(subject, list) else [subject]


def _xmp(photo: Path) -> Path:
    return photo.with_name(f"{photo.name}.xmp")


def _run(*arguments: str | Path) -> str:
    return subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=True).stdout
