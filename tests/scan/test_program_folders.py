"""Folders in which other programs keep copies of photos are skipped, unless the user includes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.scan.listing import list_folders
from faceclust.store.settings import included_folders
from tests.support.command import run, run_checked
from tests.support.sample_photos import COLLINS
from tests.support.scan_builders import make_face_photo, write_photo

#: The program, photos that are scanned, and copies that are not.
LAYOUTS = {
    "Apple Photos": (
        ["P.photoslibrary/originals/0/1.jpg"],
        ["P.photoslibrary/resources/derivatives/0/1.jpg", "P.photoslibrary/resources/renders/0/1.jpg"]
        + [f"P.photoslibrary/{name}/1.jpg" for name in ("scopes/cloudsharing", "private/x", "Thumbnails", "database")],
    ),
    "iPhoto": (
        ["iPhoto Library/Masters/1.jpg", "L.migratedphotolibrary/Masters/1.jpg", "Old.photolibrary/Originals/1.jpg"],
        ["iPhoto Library/Previews/1.jpg", "L.migratedphotolibrary/Thumbnails/1.jpg", "Old.photolibrary/Data/1.jpg"],
    ),
    "Aperture": (
        ["A.aplibrary/Masters/1.jpg", "B.migratedaplibrary/Masters/1.jpg"],
        ["A.aplibrary/Previews/1.jpg", "B.migratedaplibrary/Thumbnails/1.jpg"],
    ),
    "iPhone": (["phone/DCIM/1.jpg"], ["phone/PhotoData/Thumbnails/1.jpg"]),
    "Lightroom": (["LR/1.jpg"], ["LR/My Previews.lrdata/1.jpg", "LR/Smart.LRDATA/1.dng"]),
    "Immich": (
        ["immich/upload/1.jpg", "docker/library/1.jpg", "docker/profile/1.jpg"],
        ["immich/thumbs/1.jpg", "immich/encoded-video/1.jpg", "docker/thumbs/u/1.jpg"],
    ),
    "Nextcloud": (
        ["nc/anna/files/1.jpg"],
        ["nc/appdata_oc1a2b3c/preview/1.jpg", "nc/anna/files_versions/1.jpg", "nc/anna/files_trashbin/1.jpg"],
    ),
    "PhotoPrism": (["pp/originals/1.jpg"], ["pp/storage/cache/1.jpg", "pp/storage/sidecar/1.jpg"]),
    "LibrePhotos": (["lp/data/1.jpg"], ["lp/protected_media/thumbnails_big/1.jpg"]),
    "Lychee": (
        ["ly/uploads/original/1.jpg", "ly/uploads/big/1.jpg"],
        [f"ly/uploads/{name}/1.jpg" for name in ("small", "small2x", "medium", "medium2x", "thumb", "thumb2x")],
    ),
    "Piwigo": (
        ["pw/galleries/a/1.jpg", "pw/upload/2019/1.jpg"],
        ["pw/_data/i/upload/1.jpg", "pw/galleries/a/pwg_representative/1.jpg"],
    ),
    "NAS systems and others": (
        ["nas/1.jpg"],
        [
            *("nas/@eaDir/1.jpg", "nas/.@__thumb/1.jpg", "nas/.thumbnails/1.jpg", "nas/.picasaoriginals/1.jpg"),
            *("nas/$RECYCLE.BIN/1.jpg", "nas/.Trashes/1.jpg", "nas/.stversions/1.jpg", "nas/$Recycle.Bin/1.jpg"),
        ],
    ),
    "nobody": (
        [
            *("thumbs/1.jpg", "uploads/small/1.jpg", "storage/cache/1.jpg", "Previews/1.jpg", "resources/1.jpg"),
            *("my.photos/1.jpg", "private/1.jpg", "PhotoData/1.jpg", "i/1.jpg", "Masters/1.jpg", "lrdata/1.jpg"),
        ],
        [],
    ),
}  # fmt: skip


def write_files(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


def list_photos(root: Path, included: tuple[str, ...] = (), start: str = "") -> set[str]:
    listed = list(list_folders(root, start, included))
    assert len({folder.rel_path for folder in listed}) == len(listed)  # each once
    return {f"{folder.rel_path}/{name}".removeprefix("/") for folder in listed for name, *_ in folder.files}


@pytest.mark.parametrize("program", LAYOUTS)
def test_copies_of_each_program_are_skipped(tmp_path: Path, program: str) -> None:
    photos, copies = LAYOUTS[program]
    write_files(tmp_path, *photos, *copies)
    assert list_photos(tmp_path) == set(photos)
    for copy in copies:  # also if the scan begins at a folder on the way
        top, _, below = copy.partition("/")
        assert below not in list_photos(tmp_path / top)


def test_a_folder_is_included_at_any_depth(tmp_path: Path) -> None:
    write_files(tmp_path, *(path for photos, copies in LAYOUTS.values() for path in (*photos, *copies)))
    before = list_photos(tmp_path)
    for included, more in {
        ("immich/thumbs",): {"immich/thumbs/1.jpg"},
        ("immich/thumbs", "immich/encoded-video"): {"immich/thumbs/1.jpg", "immich/encoded-video/1.jpg"},
        ("P.photoslibrary/resources/renders",): {"P.photoslibrary/resources/renders/0/1.jpg"},
        ("P.photoslibrary/resources", "P.photoslibrary/resources/renders"): {
            "P.photoslibrary/resources/derivatives/0/1.jpg",
            "P.photoslibrary/resources/renders/0/1.jpg",
        },
        ("immich/upload", "2019"): set(),
    }.items():
        assert list_photos(tmp_path, included) - before == more, included


@pytest.fixture
def immich(tmp_path: Path) -> Path:
    """A photo and the two smaller copies that Immich keeps of it, with other bytes."""
    root = tmp_path / "photos"
    for number, folder in enumerate(("upload", "thumbs", "encoded-video")):
        write_photo(root / folder / "1.bmp", make_face_photo(COLLINS, number))
    return root


def test_a_scan_names_the_folders_it_skips_and_remembers_those_to_include(immich: Path) -> None:
    done = run("scan", immich, "-j", "1")
    assert "1 photo: 1 scanned" in done.stdout
    note = "skipped, because other programs keep copies of photos there: encoded-video (Immich), thumbs (Immich)"
    assert note in done.stderr and "faceclust scan --include FOLDER" in done.stderr
    assert "skipped, because" not in run("scan", immich).stderr  # nothing is new
    done = run("scan", "--include", immich / "thumbs", "-j", "1")
    assert "2 photos: 1 scanned" in done.stdout and "encoded-video (Immich) (to" in done.stderr
    assert included_folders(immich) == ("thumbs",)
    assert "2 photos: 0 scanned, 2 unchanged" in run_checked("scan", immich)
    assert Library(immich).photos.keys() == {"upload/1.bmp", "thumbs/1.bmp"}


def test_names_on_copies_that_are_no_longer_scanned_are_kept(immich: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:  # as earlier versions scanned
        patch.setattr("faceclust.scan.listing.program_of_folder", lambda path: None)
        patch.setattr("faceclust.files.program_folders.program_of_folder", lambda path: None)
        library = Library(immich)
        library.scan(workers=0)
        assert len(library.photos) == 3
        (face,) = [one.face_id for one in library.occurrences if one.photo == "thumbs/1.bmp"]
        library.name([face], "Anna")
    library = Library(immich)
    assert library.photos.keys() == {"upload/1.bmp"} and not library.people()
    assert library.scan(workers=0).photos == 1
    library.scan(workers=0, include=immich / "thumbs")
    assert [person.name for person in library.people()] == ["Anna"]


def test_folders_that_cannot_be_scanned_or_included(immich: Path) -> None:
    library = Library(immich)
    with pytest.raises(UsageError, match=r"thumbs is skipped, because another program") as error:
        library.scan(immich / "thumbs", workers=0)
    assert f"faceclust scan --include {immich / 'thumbs'}" in str(error.value.hint)
    with pytest.raises(UsageError, match="is not a folder of another program"):
        library.scan(include=immich / "upload", workers=0)
    assert not library.home.exists()


@pytest.mark.parametrize("value", ['"thumbs"', '["../x"]', '["/x/../y"]', "[1]", "{}"])
def test_an_invalid_setting_is_an_error(immich: Path, value: str) -> None:
    library = Library(immich)
    library.home.create()
    library.home.config_file.write_text(f"[scan]\ninclude = {value}\n")
    with pytest.raises(UsageError, match="include must be a list of folders of the library"):
        library.scan(workers=0)
