"""Creating albums, updating them, and leaving foreign files alone."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from faceclust.errors import FaceclustError, UsageError
from faceclust.files.names import ALBUMS_MARKER
from faceclust.files.safe_paths import FOLDER_IS_FILE, FOLDER_IS_LINK
from faceclust.outputs.albums import SkippedPath, apply_album_plan
from faceclust.outputs.albums.existing import CHANGED, LAST_COPY, NOT_OURS, UNKNOWN_CONTENT
from tests.support.album_builders import (
    ALBUMS,
    PHOTOS,
    make_albums,
    make_photo_info,
    plan_albums,
    read_albums,
    read_tree,
    write_photos,
)

KINDS = ["symlink", "hardlink", "copy"]


@pytest.fixture(autouse=True)
def _photos_stay(root: Path):  # type: ignore[no-untyped-def]
    """Check after each test that no photo was written to."""
    before = {photo: (root / photo).stat().st_ino for photo in PHOTOS}
    yield
    for photo, inode in before.items():
        path = root / photo
        if path.exists() and path.stat().st_ino == inode and "edited" not in path.read_text():
            assert path.read_text() == photo


@pytest.mark.parametrize("kind", KINDS)
def test_albums_link_the_photos_and_a_rerun_changes_nothing(root: Path, out: Path, kind: str) -> None:
    make_albums(root, out, ALBUMS, kind)
    links = read_albums(out)
    assert sorted(links.values()) == sorted(photo for photos in ALBUMS.values() for photo in photos)
    assert len({link.casefold() for link in links}) == 5  # distinct also on case-insensitive disks
    assert links["Ben/b.jpg"] == "b.jpg" and links["Anna + Ben/a.jpg"] == "2019/a.jpg"
    assert (out / "Ben/b.jpg").is_symlink() == (kind == "symlink")
    assert (out / "Ben/b.jpg").samefile(root / "b.jpg") == (kind != "copy")
    before = read_tree(out)
    stamp = (out / ALBUMS_MARKER).stat().st_mtime_ns
    again = make_albums(root, out, ALBUMS, kind)
    assert not again.make and not again.remove and len(again.keep) == 5 and not again.skipped
    assert read_tree(out) == before and (out / ALBUMS_MARKER).stat().st_mtime_ns == stamp  # the manifest as well


def test_links_are_relative_and_survive_a_move_of_both(root: Path, out: Path, tmp_path: Path) -> None:
    make_albums(root, out, ALBUMS, layout="{person}/{folder}/{name}")
    assert (out / "Anna/2019/a.jpg").readlink() == Path("../../../photos/2019/a.jpg")
    links = read_albums(out)
    moved = tmp_path / "else/where"
    moved.mkdir(parents=True)
    root.rename(moved / "photos")
    out.rename(moved / "People")
    assert read_albums(moved / "People") == links
    again = plan_albums(moved / "photos", moved / "People", ALBUMS, layout="{person}/{folder}/{name}")
    assert len(again.keep) == 5 and not again.make and not again.remove
    write_photos(root)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_repairs_albums_moved_away_from_their_photos(root: Path, out: Path, tmp_path: Path, kind: str) -> None:
    make_albums(root, out, ALBUMS, kind)
    links = read_albums(out)
    (tmp_path / "deep/er").mkdir(parents=True)
    out.rename(tmp_path / "deep/er/People")
    root.rename(tmp_path / "pictures")
    done = make_albums(tmp_path / "pictures", tmp_path / "deep/er/People", ALBUMS, kind)
    assert read_albums(tmp_path / "deep/er/People") == links
    assert len(done.replace) == (5 if kind == "symlink" else 0)
    write_photos(root)


@pytest.mark.parametrize("kind", ["hardlink", "copy"])
def test_copied_albums_are_recognised_by_content(root: Path, out: Path, tmp_path: Path, kind: str) -> None:
    make_albums(root, out, ALBUMS, kind)
    shutil.copytree(out, tmp_path / "copied", copy_function=shutil.copyfile)
    (tmp_path / "copied/Anna/A.JPG").write_text("EDITED/a.j")  # same length
    done = make_albums(root, tmp_path / "copied", {"Ben": ("b.jpg",)}, kind)
    assert done.skipped == (SkippedPath("Anna/A.JPG", CHANGED),)
    assert sorted(read_albums(tmp_path / "copied").values()) == ["EDITED/a.j", "b.jpg"]


def test_links_switch_between_absolute_and_relative(root: Path, out: Path) -> None:
    make_albums(root, out, ALBUMS, absolute=True)
    assert (out / "Ben/b.jpg").readlink() == root / "b.jpg"
    assert len(plan_albums(root, out, ALBUMS, absolute=True).keep) == 5
    assert len(make_albums(root, out, ALBUMS).replace) == 5
    assert (out / "Ben/b.jpg").readlink() == Path("../../photos/b.jpg")


def test_relative_links_work_in_a_folder_reached_through_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "disk/deep").mkdir(parents=True)
    (tmp_path / "short").symlink_to(tmp_path / "disk/deep")
    (tmp_path / "library").symlink_to(root)
    make_albums(tmp_path / "library", tmp_path / "short/People", ALBUMS)
    assert read_albums(tmp_path / "disk/deep/People")["Ben/b.jpg"] == "b.jpg"
    assert len(plan_albums(root, tmp_path / "disk/deep/People", ALBUMS).keep) == 5


def test_albums_inside_the_library(root: Path) -> None:
    make_albums(root, root / "People", ALBUMS)
    assert (root / "People/Ben/b.jpg").readlink() == Path("../../b.jpg")


@pytest.mark.parametrize("kind", KINDS)
def test_only_own_links_are_ever_removed(root: Path, out: Path, kind: str) -> None:
    (out / "Anna").mkdir(parents=True)
    (out / "Anna/mine.txt").write_text("mine")
    (out / "Ben").mkdir()
    (out / "Ben/b.jpg").write_text("not made by faceclust")
    (out / "empty").mkdir()
    (out / "Carl").write_text("a file")
    done = make_albums(root, out, ALBUMS | {"Carl": ("b.jpg",)}, kind)
    assert done.skipped == (SkippedPath("Ben/b.jpg", NOT_OURS), SkippedPath("Carl/b.jpg", FOLDER_IS_FILE))
    changed = next(path for path in sorted(out.glob("Anna/*")) if path.name != "mine.txt")
    changed.unlink()
    changed.write_text("edited by the user")
    done = make_albums(root, out, {}, kind)
    assert done.skipped == (SkippedPath(changed.relative_to(out).as_posix(), CHANGED),)
    assert sorted(read_albums(out).values()) == ["a file", "edited by the user", "mine", "not made by faceclust"]
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["Anna", "Ben", "empty"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_edited_copy_is_neither_replaced_nor_removed(root: Path, out: Path, kind: str) -> None:
    make_albums(root, out, ALBUMS, "copy")
    (out / "Ben/b.jpg").write_text("retouched")
    for _ in range(2):
        assert make_albums(root, out, ALBUMS, kind).skipped[0].path == "Ben/b.jpg"
        assert (out / "Ben/b.jpg").read_text() == "retouched"
    make_albums(root, out, {"Anna": PHOTOS[:3]}, kind)
    assert (out / "Ben/b.jpg").read_text() == "retouched"


@pytest.mark.parametrize("kind", KINDS)
def test_renaming_a_person_leaves_no_empty_folder(root: Path, out: Path, kind: str) -> None:
    make_albums(root, out, {"Anna": ("b.jpg",)}, kind, layout="{person}/{year}/{name}")
    make_albums(root, out, {"Anne": ("b.jpg",)}, kind, layout="{person}/{year}/{name}")
    assert read_albums(out) == {"Anne/undated/b.jpg": "b.jpg"} and not (out / "Anna").exists()


def test_the_copy_of_an_earlier_version_of_a_photo_is_kept(root: Path, out: Path) -> None:
    """It may be the last copy of that version."""
    make_albums(root, out, ALBUMS, "copy")
    (root / "b.jpg").write_text("edited and longer")
    for _ in range(2):
        assert make_albums(root, out, ALBUMS, "copy").skipped == (SkippedPath("Ben/b.jpg", UNKNOWN_CONTENT),)
        assert read_albums(out)["Ben/b.jpg"] == "b.jpg"
    (out / "Ben/b.jpg").unlink()
    assert not make_albums(root, out, ALBUMS, "copy").skipped and read_albums(out)["Ben/b.jpg"] == "edited and longer"


@pytest.mark.parametrize("kind", ["copy", "reflink", "hardlink"])
@pytest.mark.parametrize("photo", ["b.jpg", "new/mine.webp", "../outside.jpg", "gone.jpg"])
@pytest.mark.parametrize("requested", ["nothing", "another"])
def test_a_forged_manifest_deletes_no_photo(root: Path, kind: str, photo: str, requested: str) -> None:
    """The manifest lists an unscanned photo as a link: to another photo, to itself, or to no photo."""
    out = root / "new"
    out.mkdir()
    (out / "mine.webp").write_text("the only one")
    (root.parent / "outside.jpg").write_text("the only one")
    status = (out / "mine.webp").stat()
    note = {"kind": kind, "photo": photo, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "hash": "x"}
    note |= {"inode": status.st_ino} if kind == "hardlink" else {}
    (out / ALBUMS_MARKER).write_text(json.dumps({"format": 2, "folders": [], "links": {"mine.webp": note}}))
    (root / "mine.webp").write_text("of the same name")
    albums = {"Ben": ("mine.webp",)} if requested == "another" else {}
    for _ in range(2):
        done = plan_albums(root, out, albums, "copy", layout="{name}")
        apply_album_plan(done)
        assert [left.path for left in done.skipped] == ["mine.webp"] and not done.remove and not done.replace
        assert (out / "mine.webp").read_text() == "the only one"


@pytest.mark.parametrize("kind", ["hardlink", "copy"])
def test_a_photo_changed_since_the_plan_keeps_its_copy(root: Path, out: Path, kind: str) -> None:
    make_albums(root, out, {"Ben": ("b.jpg",)}, kind)
    done = plan_albums(root, out, {}, kind)
    assert list(done.remove) == ["Ben/b.jpg"]
    times = (root / "b.jpg").stat()
    (root / "new.jpg").write_text("B.JPG")  # same size and time
    os.utime(root / "new.jpg", ns=(times.st_atime_ns, times.st_mtime_ns))
    (root / "new.jpg").replace(root / "b.jpg")
    assert apply_album_plan(done) == (SkippedPath("Ben/b.jpg", CHANGED),) and read_albums(out) == {"Ben/b.jpg": "b.jpg"}


def test_every_kind_replaces_every_other(root: Path, out: Path) -> None:
    for kind in (*KINDS, "hardlink", "symlink", "copy", "symlink"):
        done = make_albums(root, out, ALBUMS, kind)
        assert not done.skipped and len(read_albums(out)) == 5
        assert (out / "Ben/b.jpg").is_symlink() == (kind == "symlink")
        assert (out / "Ben/b.jpg").samefile(root / "b.jpg") == (kind != "copy")


def test_other_options_update_the_same_folder(root: Path, out: Path) -> None:
    first = make_albums(root, out, ALBUMS)
    photos = {photo: make_photo_info(photo, datetime(2020, 1, 2) if "/" in photo else None) for photo in PHOTOS}
    make_albums(root, out, ALBUMS, "hardlink", photos=photos, layout="{date:%Y/%m}/{person} {name}")
    assert sorted({path.rpartition("/")[0] for path in read_albums(out)}) == ["2020/01", "undated"]
    make_albums(root, out, {"Ben": ("b.jpg",)}, layout="{name}")
    assert read_albums(out) == {"b.jpg": "b.jpg"} and not [path for path in out.iterdir() if path.is_dir()]
    make_albums(root, out, ALBUMS)
    assert len(plan_albums(root, out, ALBUMS).keep) == len(first.make)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_replaced_by_a_link_to_the_photos_deletes_no_photo(root: Path, out: Path, kind: str) -> None:
    make_albums(root, out, ALBUMS, kind, layout="{person}/{folder}/{name}")
    shutil.rmtree(out / "Anna")
    (out / "Anna").symlink_to(root)
    done = make_albums(root, out, ALBUMS, kind, layout="{person}/{folder}/{name}")
    assert {left.reason for left in done.skipped} == {FOLDER_IS_LINK}
    make_albums(root, out, {}, kind)
    assert all((root / photo).read_text() == photo for photo in PHOTOS)
    assert (out / "Anna").is_symlink()


@pytest.mark.parametrize("kind", ["hardlink", "copy"])
def test_the_last_copy_of_a_photo_is_neither_removed_nor_replaced(root: Path, out: Path, kind: str) -> None:
    make_albums(root, out, {"Anna": ("2019/a.jpg", "b.jpg")}, kind)
    (root / "2019/a.jpg").unlink()
    other = {"Anna": ("2020/a.jpg", "b.jpg")}  # would get the name of the deleted one
    for _ in range(2):
        assert make_albums(root, out, other, kind).skipped == (SkippedPath("Anna/a.jpg", LAST_COPY),)
    assert read_albums(out) == {"Anna/a.jpg": "2019/a.jpg", "Anna/b.jpg": "b.jpg"}
    assert make_albums(root, out, {}, kind).skipped == (SkippedPath("Anna/a.jpg", LAST_COPY),)


@pytest.mark.parametrize("kind", ["hardlink", "copy"])
def test_the_copy_of_a_moved_photo_is_replaced(root: Path, out: Path, kind: str) -> None:
    make_albums(root, out, {"Anna": ("2019/a.jpg",)}, kind)
    (root / "2019/a.jpg").rename(root / "2020/moved.jpg")
    moved = make_photo_info("2019/a.jpg").photo_hash
    infos = {"2020/moved.jpg": make_photo_info("2020/moved.jpg")}
    infos["2020/moved.jpg"] = type(infos["2020/moved.jpg"])(**{**vars(infos["2020/moved.jpg"]), "photo_hash": moved})
    assert not make_albums(root, out, {"Anna": ("2020/moved.jpg",)}, kind, photos=infos).skipped
    assert read_albums(out) == {"Anna/moved.jpg": "2019/a.jpg"}


def test_an_unmounted_disk_empties_no_album(root: Path, out: Path, tmp_path: Path) -> None:
    make_albums(root, out, ALBUMS)
    root.rename(tmp_path / "away")
    root.mkdir()
    with pytest.raises(FaceclustError, match="none of the photos") as caught:
        plan_albums(root, out, ALBUMS)
    assert "mounted" in str(caught.value.hint)
    root.rmdir()
    (tmp_path / "away").rename(root)


def test_photos_deleted_since_the_scan_are_skipped(root: Path, out: Path) -> None:
    (root / "b.jpg").unlink()
    assert "Ben" not in make_albums(root, out, ALBUMS).albums
    assert not (out / "Ben").exists()


def test_unsuitable_folders_are_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    (root / ".faceclust").mkdir()
    places = [root, tmp_path, root / "2019", root / "deep", root / "deep/er", root / ".faceclust/x"]
    for out in (*places, tmp_path / "file", tmp_path / "file/x", tmp_path / "ring", tmp_path / "a\0b"):
        with pytest.raises(UsageError, match="cannot hold albums"):
            plan_albums(root, out, {}, folders=[root / "deep/er/folder"])


@pytest.mark.parametrize(
    "broken",
    [
        "{broken",
        "[]",
        '{"links": []}',
        '{"links": {"a": "b"}}',
        '{"links": {"a": {}}}',
        '{"links": {"a": {"kind": "copy", "photo": 3}}}',
        '{"links": {"../a": {"kind": "copy", "photo": "a"}}}',
        '{"links": {"/etc/passwd": {"kind": "copy", "photo": "a"}}}',
        '{"links": {"a/./b": {"kind": "copy", "photo": "a"}}}',
        '{"links": {}, "folders": [".."], "format": 2}',
        '{"links": {}, "format": 3}',
    ],
)
def test_an_unreadable_manifest_is_an_error(root: Path, out: Path, broken: str) -> None:
    out.mkdir()
    (out / ALBUMS_MARKER).write_text(broken)
    with pytest.raises(FaceclustError, match=r"cannot read|newer"):
        plan_albums(root, out, ALBUMS)
    assert [path.name for path in out.iterdir()] == [ALBUMS_MARKER]


def test_the_manifest_has_one_line_per_link(root: Path, out: Path) -> None:
    make_albums(root, out, {"Änne \u202e": ("b.jpg",)}, "copy")
    text = (out / ALBUMS_MARKER).read_text()
    assert json.loads(text)["folders"] == ["Änne"]
    (line,) = [line for line in text.splitlines() if "b.jpg" in line]
    assert json.loads(f"{{{line}}}")["Änne/b.jpg"]["photo"] == "b.jpg"


@pytest.mark.parametrize("kind", KINDS)
def test_a_manifest_of_format_1_is_read(root: Path, out: Path, kind: str) -> None:
    """Format 1 has absolute paths, all fields for every kind, and no folders."""
    links = {"Ben/b.jpg": "b.jpg", "Anna/a.jpg": "2019/a.jpg", "Carl/gone.jpg": "2020/a.jpg"}
    notes = {}
    for link, photo in links.items():
        (out / link).parent.mkdir(parents=True)
        if kind == "symlink":
            (out / link).symlink_to(root / photo)
        elif kind == "hardlink":
            os.link(root / photo, out / link)
        else:
            shutil.copy2(root / photo, out / link)
        status = (root / photo).stat()
        notes[link] = {"photo": str(root / photo), "kind": kind, "inode": status.st_ino, "size": status.st_size}
        notes[link] |= {"mtime_ns": status.st_mtime_ns, "made_mtime_ns": status.st_mtime_ns}
    (out / ALBUMS_MARKER).write_text(json.dumps({"about": "…", "links": notes}))
    done = make_albums(root, out, {"Anna": ("2019/a.jpg",), "Ben": ("b.jpg",)}, kind)
    assert list(done.remove) == ["Carl/gone.jpg"] and not (out / "Carl").exists() and not done.skipped
    assert len(done.replace) == (2 if kind == "symlink" else 0)
    assert read_albums(out) == {"Anna/a.jpg": "2019/a.jpg", "Ben/b.jpg": "b.jpg"}
    assert json.loads((out / ALBUMS_MARKER).read_text())["format"] == 2
    if kind == "symlink":
        assert (out / "Ben/b.jpg").readlink() == Path("../../photos/b.jpg")


def test_an_unknown_kind_of_link_is_an_error_with_the_known_kinds(root: Path, out: Path) -> None:
    with pytest.raises(UsageError, match="junction") as caught:
        plan_albums(root, out, ALBUMS, "junction")
    assert "reflink" in str(caught.value.hint)


def test_planning_writes_nothing(root: Path, out: Path) -> None:
    assert plan_albums(root, out, ALBUMS).make and not out.exists()
    assert apply_album_plan(plan_albums(root, out, {})) == () and not out.exists()
