"""The command `faceclust crops`, on real faces."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import faceclust
from faceclust import Library
from faceclust.errors import FaceclustError, UsageError
from faceclust.files.names import CROPS_MARKER
from faceclust.library import crops as module
from tests.support.command import run, run_checked
from tests.support.sample_photos import COLLINS, HOPPER

NAMES = [
    "2019-05-01 12.00.00 both 0.jpg",
    "2019-05-01 12.00.00 both 1.jpg",
    "2019-05-01 12.00.00 collins-0.jpg",
    "2019-05-04 12.00.00 collins-3.jpg",
    "2020-05-02 12.00.00 collins-1.jpg",
    "2021-05-04 12.00.00 collins-2.jpg",
]


@pytest.fixture
def named(library: Library, name_of_face: Callable[[Library], dict[str, str]]) -> Library:
    """Both people are named; Collins is confirmed on the photos of 2019."""
    faces = name_of_face(library)
    for person in (COLLINS, HOPPER):
        own = [face for face, name in faces.items() if name == person]
        confirmed = [face for face in own if "2019/" in library.occurrences_of[face][0].photo]
        library.name(own, person, confirmed=confirmed)
    return library


def crops(library: Library, out: Path, *options: str, name: str = COLLINS) -> str:
    return run_checked("crops", name, out, "-l", library.root, *options)


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if not path.name.startswith(".")}


def test_each_face_is_written_by_date_with_level_eyes(named: Library, tmp_path: Path) -> None:
    out = tmp_path / "collins"
    assert f"{out}: 6 faces of {COLLINS}; 6 new or changed, 0 removed" in crops(named, out)
    assert list(files(out)) == NAMES and out.stat().st_mode & 0o777 == 0o700
    analyser = faceclust.FaceAnalyser()
    for path in (out / name for name in NAMES):
        with Image.open(path) as image:
            assert image.format == "JPEG" and image.width == image.height <= 256 and not image.getexif()
            face = max(analyser.faces(image.convert("RGB")), key=lambda face: face.box[2] - face.box[0])
            side = image.width
        (left, level), (right, other) = face.landmarks[:2].tolist()
        assert abs(level - other) <= 1.5 + side / 100  # the detector's own tolerance on another picture
        assert ((left + right) / 2 / side, (level + other) / 2 / side) == pytest.approx((0.5, 0.475), abs=0.04)


def test_the_folder_may_be_given_by_way_of_another(named: Library, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    crops(named, tmp_path / "here" / ".." / "collins")
    assert files(tmp_path / "collins")


def test_json_lists_each_picture(named: Library, tmp_path: Path) -> None:
    out = tmp_path / "collins"
    record = json.loads(crops(named, out, "--json", "--sheet", "--format", "png"))
    assert [crop["path"] for crop in record["crops"]] == [name.replace(".jpg", ".png") for name in NAMES]
    first = record["crops"][2]
    (face,) = [one for one in named.occurrences if one.photo == "2019/collins-0.jpg"]
    assert first["photo"] == face.photo and first["face_id"] == face.face_id
    assert tuple(first["box"].values()) == face.pixel_box and first["taken_at"] == "2019-05-01T12:00:00"
    assert first["age"] is None and record["sheets"] == ["sheet.png"] and record["out"] == str(out)
    assert record["failed"] == record["left_alone"] == record["removed"] == [] and record["copies"] == 0
    assert set(files(out)) == {crop["path"] for crop in record["crops"]} | {"sheet.png"}


def test_options_choose_faces_and_sizes(named: Library, tmp_path: Path) -> None:
    crops(named, tmp_path / "a", "--confirmed")
    assert list(files(tmp_path / "a")) == [NAMES[2], NAMES[3]]
    crops(named, tmp_path / "b", "--since", "2020", "--until", "2020", "--size", "64")
    (picture,) = (tmp_path / "b").glob("*.jpg")
    assert picture.name == NAMES[4] and Image.open(picture).size == (64, 64)
    crops(named, tmp_path / "c", "--folder", str(named.root / "together"), "--margin", "0.1")
    assert list(files(tmp_path / "c")) == NAMES[:2]
    number = str(named.group_of[named.find_person(HOPPER).face_ids[0]])
    assert f"6 faces of {HOPPER}" in crops(named, tmp_path / "d", name="grace hopper")
    assert "6 faces of group " in crops(named, tmp_path / "e", name=number)


def test_a_dry_run_writes_nothing(named: Library, tmp_path: Path) -> None:
    out = tmp_path / "collins"
    output = crops(named, out, "--dry-run", "--sheet")
    assert f"write  {NAMES[2]} <- 2019/collins-0.jpg\n" in output and "write  sheet.jpg\n" in output
    assert "6 faces and 1 contact sheet of Eileen Collins would be written" in output and not out.exists()
    crops(named, out)
    before = files(out)
    assert f"remove {NAMES[0]}\n" in crops(named, out, "-n", "--confirmed") and files(out) == before


def test_a_later_run_updates_its_own_files_only(named: Library, tmp_path: Path) -> None:
    out = tmp_path / "collins"
    crops(named, out, "--sheet")
    assert "0 new or changed, 0 removed" in crops(named, out, "--sheet")
    (out / "mine.txt").write_text("mine")
    (out / NAMES[2]).write_bytes(b"edited")
    (out / NAMES[0]).write_bytes(b"edited as well")
    done = run("crops", COLLINS, out, "-l", named.root, "--confirmed")
    assert done.returncode == 0 and f"left alone: {out / NAMES[2]}" in done.stderr
    assert f"1 face of {COLLINS}; 0 new or changed, 4 removed" in done.stdout
    kept = files(out)
    assert list(kept) == [NAMES[0], NAMES[2], NAMES[3], "mine.txt"]
    assert kept[NAMES[2]] == b"edited" and kept[NAMES[0]] == b"edited as well"


def test_what_somebody_put_in_place_of_a_picture_is_left_alone(named: Library, tmp_path: Path) -> None:
    out, other = tmp_path / "collins", tmp_path / "other"
    crops(named, out)
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    (tmp_path / "mine.jpg").write_bytes(b"mine")
    for name in NAMES[:4]:
        (out / name).unlink()
    (out / NAMES[0]).symlink_to(tmp_path / "mine.jpg")
    (out / NAMES[1]).symlink_to(other)
    (out / NAMES[2]).mkdir()
    (out / NAMES[2] / "mine.txt").write_text("mine")
    (out / NAMES[3]).symlink_to(tmp_path / "nothing")
    # To be written again; then, some of them are to be removed.
    for options, left in (((), NAMES[:4]), (("--confirmed",), NAMES[2:4])):
        done = run("crops", COLLINS, out, "-l", named.root, *options)
        assert all(f"left alone: {out / name}: " in done.stderr for name in left)
        assert all((out / name).is_symlink() for name in (NAMES[0], NAMES[1], NAMES[3]))
        assert (out / NAMES[2] / "mine.txt").read_text() == (other / "mine.txt").read_text() == "mine"
        assert (tmp_path / "mine.jpg").read_bytes() == b"mine" and not (tmp_path / "nothing").exists()
        assert list(other.iterdir()) == [other / "mine.txt"]


def test_a_copy_of_a_photo_counts_once(named: Library, tmp_path: Path) -> None:
    with Image.open(named.root / "2020/collins-1.jpg") as image:
        exif = image.getexif().tobytes()
        small = image.resize((image.width * 3 // 4, image.height * 3 // 4))
    small.save(named.root / "2020/small.jpg", exif=exif, quality=90)
    shutil.copy2(named.root / "2019/collins-0.jpg", named.root / "2021/same.jpg")
    named.scan(workers=0)
    named.cluster()
    done = run("crops", COLLINS, tmp_path / "collins", "-l", named.root)
    assert f"6 faces of {COLLINS}" in done.stdout and "left out: 1 face on a copy of a photo" in done.stderr
    assert list(files(tmp_path / "collins")) == NAMES


def test_photos_that_are_gone_are_named_and_their_pictures_stay(named: Library, tmp_path: Path) -> None:
    out = tmp_path / "collins"
    crops(named, out)
    before = files(out)
    (named.root / "2019/collins-0.jpg").unlink()
    (named.root / "2020/collins-1.jpg").write_bytes(b"broken")
    done = run("crops", COLLINS, out, "-l", named.root, "--sheet")
    assert done.returncode == 0 and "no picture of a face: 2019/collins-0.jpg: No such file" in done.stderr
    assert "no picture of a face: 2020/collins-1.jpg: " in done.stderr
    after = files(out)
    assert after.pop("sheet.jpg") and after == before
    fresh = run("crops", COLLINS, tmp_path / "fresh", "-l", named.root, "--json")
    record = json.loads(fresh.stdout)
    assert len(record["crops"]) == 4 and len(record["failed"]) == 2 and len(files(tmp_path / "fresh")) == 4
    for photo in named.root.rglob("*"):
        if photo.suffix in (".jpg", ".png", ".webp"):
            photo.unlink()
    done = run("crops", COLLINS, out, "-l", named.root)
    assert (
        done.returncode == 1
        and "none of the photos of" in done.stderr
        and files(out) == after | {"sheet.jpg": (out / "sheet.jpg").read_bytes()}
    )


def test_people_without_a_face_and_drawn_faces(named: Library, tmp_path: Path) -> None:
    named.add_whole("together/nobody.jpg", COLLINS)
    named.add_face("together/nobody.jpg", (100 / 640, 100 / 480, 200 / 640, 220 / 480), COLLINS)
    done = run("crops", COLLINS, tmp_path / "out", "-l", named.root)
    assert done.returncode == 0, done.stderr
    assert "left out: 1 photo without a face to be seen" in done.stderr
    assert list(files(tmp_path / "out")) == [*NAMES, "undated nobody.jpg"]
    with Image.open(tmp_path / "out/undated nobody.jpg") as image:
        assert image.size == (192, 192)  # 120 pixels, and the margin twice
        with Image.open(named.root / "together/nobody.jpg") as photo:
            expected = photo.convert("RGB").crop((54, 64, 246, 256))
        assert np.abs(np.asarray(image).astype(int) - np.asarray(expected)).mean() < 4


def test_folders_of_others_are_refused(named: Library, tmp_path: Path) -> None:
    out = tmp_path / "collins"
    crops(named, out)
    for folder, message in (
        (named.root, "contains other files"),
        (named.root / "2019", "contains other files"),
        (out, f"holds the faces of {COLLINS}"),
        (tmp_path / "no/such", "does not exist"),
        (out / NAMES[0], "is not a folder"),
    ):
        done = run("crops", HOPPER, folder, "-l", named.root)
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert list(files(out)) == NAMES
    named.rename(COLLINS, "Eileen")
    assert "0 new or changed, 0 removed" in crops(named, out, name="Eileen")


def test_scans_and_other_outputs_skip_the_folder(named: Library, tmp_path: Path) -> None:
    out = named.root / "faces"
    crops(named, out)
    assert (out / CROPS_MARKER).exists()
    before = len(named.photos)
    named.scan(workers=0)
    assert len(named.photos) == before
    with pytest.raises(UsageError, match="cannot hold albums"):
        named.plan_albums(out)


def test_an_interrupt_or_a_full_disk_leaves_the_folder_as_it_was(
    named: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "collins"
    crops(named, out, "--confirmed")
    before = files(out)
    plan = named.plan_crops(COLLINS, out, sheet=True)
    for error, raised in ((KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left"), FaceclustError)):

        def fail(*arguments: object, error: BaseException = error) -> bytes:
            raise error

        with monkeypatch.context() as patch, pytest.raises(raised):
            patch.setattr(module, "draw_sheet", fail)
            named.write_crops(plan)
        assert files(out) == before and not list(out.glob(".faceclust-crops-*"))
    assert len(named.write_crops(plan).crops) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "5"], "the size must be 32 to 4096"),
        (["--margin", "-1"], "the margin must be between 0 and 3"),
        (["--margin", "nan"], "margin"),
        (["--min-quality", "2"], "quality"),
        (["--since", "maybe"], "maybe"),
    ],
)
def test_invalid_options(named: Library, tmp_path: Path, options: list[str], message: str) -> None:
    done = run("crops", COLLINS, tmp_path / "out", "-l", named.root, *options)
    assert done.returncode == 2 and message in done.stderr and not (tmp_path / "out").exists()


def test_nobody_to_write(named: Library, tmp_path: Path) -> None:
    assert run("crops", "Nobody", tmp_path / "out", "-l", named.root).returncode == 2
    done = run("crops", COLLINS, tmp_path / "out", "-l", named.root, "--since", "2030")
    assert done.returncode == 1 and f"no faces of {COLLINS} match" in done.stderr and not (tmp_path / "out").exists()
