"""Training data from photos: which faces become chips, what the cache saves, and poisoned folders."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from faceclust import Library
from faceclust.errors import CacheError, UsageError
from faceclust.evaluation.aligned_crops import decode_crop
from faceclust.files.user_folders import cache_folder
from faceclust.packs.registry import load_pack
from faceclust.photos.decode import decode_photo
from faceclust.photos.face_ids import content_hash
from faceclust.progress import SilentProgress
from faceclust.training.data import chip_store
from faceclust.training.data.face_set import TrainingData
from faceclust.training.data.row_file import KEY_SIZE
from faceclust.training.data.sources import load_training_data
from faceclust.types import LibraryFace, PhotoRef, UInt8
from faceclust.vision.pipeline import FacePipeline
from tests.support.deadly_photos import write_deadly_photo, write_patch
from tests.support.photo_files import encode_image
from tests.support.sample_photos import COLLINS, HOPPER, join_images, make_variant
from tests.support.scan_builders import make_face_photo, make_faceless_photo
from tests.test_architecture import PACKAGE, TORCH, list_imports

SIZE = (64, 64)


def make_people(folder: Path, people: int = 44) -> Path:
    """Write two photos of each person; all people have the same two photos."""
    for number in range(people):
        person = folder / f"person {number}"
        person.mkdir(parents=True)
        (person / "1.bmp").write_bytes(make_face_photo(COLLINS, 0))
        (person / "2.bmp").write_bytes(make_face_photo(HOPPER, 1))
    return folder


def load(folder: Path, size: tuple[int, int] = SIZE) -> TrainingData:
    return load_training_data(folder, size, workers=0)


def list_faces(data: TrainingData) -> dict[str, UInt8]:
    """Return the chip of each face by its source."""
    faces = {}
    for part in (data.train, data.held_out):
        for source, chip, label in zip(part.sources, part.read(np.arange(len(part))), part.labels, strict=True):
            assert source.startswith(f"{part.people[label]}/")
            faces[source] = chip
    return faces


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return make_people(tmp_path / "people")


@pytest.fixture
def detections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The pictures on which the detector ran in this process."""
    runs: list[object] = []

    def count(name: str) -> None:
        original = getattr(FacePipeline, name)

        def run(self: FacePipeline, *args: object) -> object:
            runs.append(args)
            return original(self, *args)

        monkeypatch.setattr(FacePipeline, name, run)

    count("detect")
    count("detect_in_box")
    return runs


def test_chips_are_those_of_our_own_alignment(people: Path) -> None:
    data = load(people, (112, 112))
    assert (data.origin, data.skipped) == ("folder", {})
    assert len(data.train.people) + len(data.held_out.people) == 44 and len(data.held_out.people) == 40
    pipeline = FacePipeline(load_pack("mobilefacenet"))
    faces = list_faces(data)
    for name, content in (("1.bmp", make_face_photo(COLLINS, 0)), ("2.bmp", make_face_photo(HOPPER, 1))):
        pixels = decode_photo(content, PhotoRef("", 0, 0)).pixels
        (expected,) = pipeline.align(pixels, pipeline.refine(pixels, pipeline.detect(pixels)))
        for person in range(44):
            np.testing.assert_array_equal(faces[f"person {person}/{name}"], expected)
    assert [Path(str(picture)).parent.name for picture in data.pictures.pictures] == data.pictures.persons.tolist()
    assert [data.held_out.people[label] for label in data.held_out.labels] == data.pictures.persons.tolist()


def test_the_digest_is_that_of_people_and_contents(people: Path) -> None:
    contents = [content_hash(make_face_photo(*photo)) for photo in ((COLLINS, 0), (HOPPER, 1))]
    lines = sorted(f"person {person}\t{content}\n" for person in range(44) for content in contents)
    # Names sort by whole names, as a tab sorts before the characters of any name.
    assert load(people).digest == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_face_nearest_to_the_centre_counts(people: Path) -> None:
    both = join_images(make_variant(COLLINS, 0), make_variant(HOPPER, 1))
    wide = Image.new("RGB", (both.width + 300, both.height))
    for name, left in (("hopper.png", 0), ("collins.png", 300)):
        wide.paste((0, 0, 0), (0, 0, *wide.size))
        wide.paste(both, (left, 0))
        wide.save(people / "person 0" / name)
    faces = list_faces(load(people))
    similar = {
        name: [
            np.corrcoef(faces[f"person 0/{name}.png"].ravel(), faces[f"person 1/{n}.bmp"].ravel())[0, 1] for n in "12"
        ]
        for name in ("collins", "hopper")
    }
    assert similar["collins"][0] > 0.8 > similar["collins"][1] and similar["hopper"][1] > 0.8 > similar["hopper"][0]


def test_a_second_run_and_a_moved_folder_detect_nothing(people: Path, detections: list[object]) -> None:
    first = list_faces(load(people))
    assert len(detections) == 2  # all people have the same two photos
    moved = people.rename(people.with_name("moved"))
    (moved / "person 0").rename(moved / "somebody else")
    again = list_faces(load(moved))
    np.testing.assert_array_equal(again["somebody else/1.bmp"], first["person 0/1.bmp"])
    larger = list_faces(load(moved, (96, 112)))
    assert larger["person 1/1.bmp"].shape == (112, 96, 3)
    assert len(detections) == 2
    (moved / "person 1" / "1.bmp").write_bytes(make_face_photo(COLLINS, 3))
    changed = list_faces(load(moved))
    assert len(detections) == 3 and (changed["person 1/1.bmp"] != first["person 1/1.bmp"]).any()


def test_an_interrupted_run_goes_on(people: Path, detections: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (people / "person 0" / f"{number}.bmp").write_bytes(make_face_photo(COLLINS, 2 + number))

    class Impatient(SilentProgress):
        def advance(self, steps: int = 1, **_: object) -> None:
            if len(detections) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_training_data(people, SIZE, workers=0, progress=Impatient())
    load(people)
    assert len(detections) == 6


@pytest.mark.parametrize("damage", ["chips/rows", "chips/keys", "faces/rows", "faces/keys"])
def test_half_written_rows_are_made_again(people: Path, detections: list[object], damage: str) -> None:
    first = list_faces(load(people))
    kind, name = damage.split("/")
    (path,) = (cache_folder() / "training").glob(f"{kind}-*/{name}")
    path.write_bytes(path.read_bytes()[:-1])
    again = list_faces(load(people))
    assert len(detections) == (2 if kind == "chips" else 3)
    for source, chip in first.items():
        np.testing.assert_array_equal(again[source], chip)
    assert path.stat().st_size % (KEY_SIZE if name == "keys" else 3) == 0


def test_what_is_left_behind_the_last_key_is_overwritten(people: Path) -> None:
    first = list_faces(load(people))
    for path in (cache_folder() / "training").glob("*/*"):
        if path.name == "keys":
            path.write_bytes(path.read_bytes()[:KEY_SIZE])
        elif path.name == "rows":
            path.write_bytes(path.read_bytes() + b"x" * 99)
    for source, chip in list_faces(load(people)).items():
        np.testing.assert_array_equal(first[source], chip)


def test_a_full_disk_is_one_clear_error(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(CacheError, match=r"training/chips-.*/rows cannot be written: No space left on device"):
            load(people)
    with monkeypatch.context() as patched:
        patched.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=9))
        with pytest.raises(CacheError, match=r"the chips need \d+\.\d MB in .*, where 0\.0 MB are free"):
            load(people)
    assert len(list_faces(load(people))) == 88


def test_two_runs_at_a_time_cut_each_chip_once(people: Path, detections: list[object]) -> None:
    """The second one waits until the first one is done."""
    with contextlib.ExitStack() as first_run:
        store = chip_store._ChipStore(SIZE)
        first_run.enter_context(store.faces.lock(SilentProgress()))

        class Waiting(SilentProgress):
            def note(self, message: str) -> None:
                assert message == "another run prepares the same kind of chips: waiting until it is done"
                store.cut(store.list_tasks(wanted), 0, SilentProgress())
                first_run.close()

        wanted = [
            chip_store.WantedFace(people / "person 0" / name, content_hash(make_face_photo(*photo)))
            for name, photo in (("1.bmp", (COLLINS, 0)), ("2.bmp", (HOPPER, 1)))
        ]
        data = load_training_data(people, SIZE, workers=0, progress=Waiting())
    assert len(list_faces(data)) == 88 and len(detections) == 2
    assert len(store.chips.rows()) == 2


def test_bad_photos_are_skipped_and_counted(people: Path, tmp_path: Path) -> None:
    bomb = bytearray(encode_image(Image.new("L", (256, 256)), "PNG"))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    person = people / "person 0"
    for name, content in {
        "faceless.bmp": make_faceless_photo(1),
        "truncated.bmp": make_face_photo(COLLINS, 1)[:5000],
        "empty.jpg": b"",
        "text.jpg": b"no photo",
        "small.png": encode_image(Image.new("RGB", (64, 64)), "PNG"),
        "bomb.png": bytes(bomb),
        "copy.bmp": make_face_photo(COLLINS, 0),
        ".hidden.bmp": make_face_photo(COLLINS, 2),
        "notes.txt": b"",
    }.items():
        (person / name).write_bytes(content)
    with (person / "gigabyte.bmp").open("wb") as stream:
        stream.write(make_face_photo(COLLINS, 0))
        stream.truncate(1 << 30)
    (people / "nobody").mkdir()
    (people / ".thumbnails").mkdir()
    (people / ".thumbnails" / "1.bmp").write_bytes(make_face_photo(COLLINS, 4))
    (people / "loose.bmp").write_bytes(make_face_photo(COLLINS, 5))
    data = load(people)
    assert data.skipped == {
        "no face found": 1,
        "truncated file": 1,
        "empty file": 1,
        "not a photo": 1,
        "too small": 1,
        "too large": 2,
        "the same picture of the same person again": 1,
    }
    assert len(list_faces(data)) == 88
    assert load(people).skipped == data.skipped


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf8_are_people_too(people: Path) -> None:
    (people / "person 0").rename(people / os.fsdecode(b"person \xff"))
    data = load(people)
    assert os.fsdecode(b"person \xff") in data.train.people + data.held_out.people
    assert load(people).digest == data.digest


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes, and symlinks for few")
def test_links_are_followed_and_pipes_left_alone(people: Path, tmp_path: Path, detections: list[object]) -> None:
    os.mkfifo(people / "person 0" / "pipe.jpg")
    (people / "person 0" / "loop.jpg").symlink_to("loop.jpg")
    (people / "person 0" / "passwords.jpg").symlink_to("/etc/passwd")
    (people / "person 0" / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "elsewhere.bmp").write_bytes(make_face_photo(HOPPER, 3))
    (people / "person 0" / "link.bmp").symlink_to(tmp_path / "elsewhere.bmp")
    (people / "person 0" / "up").symlink_to(people)
    (people / "linked").symlink_to(people / "person 1")
    faces = load(people)
    assert faces.skipped == {"not a photo": 1}
    assert {"person 0/link.bmp", "linked/1.bmp"} <= list_faces(faces).keys()


#: Poisoned folders: what writes one → part of the message.
POISONED: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda folder: None, "is not a folder"),
    "empty": (lambda folder: folder.mkdir(), "holds no labelled photos"),
    "empty people": (lambda folder: (folder / "person").mkdir(parents=True), "holds no labelled photos"),
    "a file": (lambda folder: folder.write_bytes(b""), "is not a folder"),
    "one person": (
        lambda folder: make_people(folder, 1),
        "1 person, 1 with several faces; at least 42 and 21 are needed",
    ),
    "too few people": (lambda folder: make_people(folder, 41), "41 people, 41 with several faces; at least 42"),
}


@pytest.mark.parametrize("name", POISONED)
def test_a_poisoned_folder_is_refused_before_faces_are_looked_for(
    name: str, tmp_path: Path, detections: list[object]
) -> None:
    write, message = POISONED[name]
    write(tmp_path / "data")
    with pytest.raises(UsageError) as raised:
        load(tmp_path / "data")
    assert message in str(raised.value) and "\n" not in str(raised.value)
    assert not detections


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="symlinks are for few on Windows")
def test_ten_thousand_people_with_one_photo_each_are_refused(tmp_path: Path, detections: list[object]) -> None:
    (tmp_path / "data" / "person").mkdir(parents=True)
    (tmp_path / "data" / "person" / "1.bmp").write_bytes(make_face_photo(COLLINS, 0))
    for number in range(9_999):
        (tmp_path / "data" / str(number)).symlink_to("person")
    with pytest.raises(UsageError, match="10,000 people, 0 with several faces; at least 42 and 21 are needed"):
        load(tmp_path / "data")
    assert not detections


def test_people_whose_faces_are_not_found_do_not_count(people: Path) -> None:
    for number in range(3):
        for photo in (people / f"person {number}").iterdir():
            photo.write_bytes(make_faceless_photo(number))
    with pytest.raises(UsageError, match="41 people, 41 with several faces"):
        load(people)


@pytest.mark.parametrize("share", [0, -0.1, 0.51, float("nan"), float("inf")])
def test_some_people_have_to_be_held_out_but_not_most(share: float, people: Path) -> None:
    with pytest.raises(UsageError, match=r"--held-out must be above 0 and at most 0\.5"):
        load_training_data(people, SIZE, held_out=share)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_a_photo_that_kills_or_hangs_its_process_is_skipped(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_patch(tmp_path / "patch")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "patch"), *sys.path]))
    monkeypatch.setattr(chip_store, "PHOTO_TIME_LIMIT", 5)
    for action in ("crashes", "is killed", "hangs", "takes memory"):
        write_deadly_photo(people / "person 0", action)
    notes: list[str] = []
    progress = SilentProgress()
    progress.note = notes.append  # type: ignore[method-assign]
    data = load_training_data(people, SIZE, workers=2, progress=progress)
    assert data.skipped == {"decoder crashed": 1, "not enough memory": 2, "took too long": 1}
    assert len(list_faces(data)) == 88
    assert sorted(note.rpartition("/")[2] for note in notes) == [
        "crashes.jpg: decoder crashed (signal SIGABRT)",
        "hangs.jpg: took too long (5 seconds)",
        "is killed.jpg: not enough memory (signal SIGKILL)",
    ]


def make_library_faces(folder: Path, people: int = 44) -> list[LibraryFace]:
    """Write photos with two people each; return both faces of each photo, by boxes from the detector."""
    pipeline = FacePipeline(load_pack("mobilefacenet"))
    faces = []
    folder.mkdir()
    for photo in range(2):
        image = join_images(make_variant(COLLINS, photo), make_variant(HOPPER, photo + 1))
        path = folder / f"{photo}.png"
        image.save(path)
        boxes = pipeline.detect(np.asarray(image)).boxes.tolist()
        for number in range(people):
            box, hash = tuple(boxes[number % 2]), content_hash(path.read_bytes())
            faces.append(
                LibraryFace(path, box, f"person {number}", f"{photo}{number:015}", hash, f"{photo}.png#{number}")
            )
    return faces


def test_library_faces_are_found_by_their_boxes(tmp_path: Path, detections: list[object]) -> None:
    faces = make_library_faces(tmp_path / "photos")
    before = len(detections)
    faces.append(LibraryFace(faces[0].path, (0.0, 0.0, 40.0, 40.0), "person 0", "nobody there"))
    faces.append(LibraryFace(faces[0].path, (0.0, 0.0, 50.0, 40.0), "person 0", "another photo now", "00" * 16))
    faces.append(LibraryFace(tmp_path / "gone.jpg", (0.0, 0.0, 50.0, 40.0), "person 0", "gone"))
    data = load_training_data(faces, SIZE, workers=0)
    assert len(detections) - before == 5  # two faces on each of two photos, and an empty corner
    assert data.origin == "library"
    assert data.skipped == {"no face found": 1, "photo changed since the scan": 1, "cannot be read": 1}
    assert len(data.train) + len(data.held_out) == 88
    assert {*data.train.sources, *data.held_out.sources} == {face.address for face in faces[:88]}
    # The crop of each held-out face has the same face in its centre.
    pipeline = FacePipeline(load_pack("mobilefacenet"))
    for row in range(0, len(data.held_out), 30):
        crop = data.pictures.pictures[row]
        assert isinstance(crop, bytes)
        pixels = decode_crop(crop)
        found = pipeline.detect(pixels)
        centre = np.array(pixels.shape[1::-1]) / 2
        main = int((((found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - centre) ** 2).sum(axis=1).argmin())
        (chip,) = pipeline.align(pixels, pipeline.refine(pixels, found.take(np.array([main]))))
        expected = Image.fromarray(data.held_out.read(np.array([row]))[0]).resize((112, 112))
        assert np.corrcoef(chip.ravel(), np.asarray(expected).ravel())[0, 1] > 0.9
        assert data.pictures.persons[row] == data.held_out.people[data.held_out.labels[row]]


def test_reading_data_does_not_import_torch() -> None:
    for path in (PACKAGE / "training" / "data").glob("*.py"):
        assert not {name.partition(".")[0] for name, _ in list_imports(path)} & TORCH, path
        modules = {name for name, _ in list_imports(path) if name.startswith("faceclust.training.")}
        assert all(name.startswith("faceclust.training.data.") for name in modules), path


def test_no_library_faces_are_an_error() -> None:
    with pytest.raises(UsageError, match="no confirmed faces"):
        load_training_data([], SIZE)


def test_confirmed_faces_of_a_library_once_each(collins: tuple[Library, int, set[str]]) -> None:
    library, _, faces = collins
    assert library.confirmed_faces() == ()
    named = sorted(faces)[:3]
    library.name(named, "Eileen")
    library.add_whole("together/nobody.jpg", "Eileen")
    found = library.confirmed_faces()
    assert [face.face_id for face in found] == named and {face.person for face in found} == {"Eileen"}
    for face in found:
        (occurrence, *_) = library.occurrences_of[face.face_id]
        assert face.path == library.root / occurrence.photo and face.path.is_file()
        assert face.box == occurrence.pixel_box and face.photo_hash == content_hash(face.path.read_bytes())
        assert library.find_face(face.address) == face.face_id
