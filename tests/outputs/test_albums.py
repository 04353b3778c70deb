from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.conventions import ALBUMS_NOTES as NOTES
from faceclust.errors import FaceclustError, UsageError
from faceclust.outputs.albums import folder_name, make_albums, plan_albums
from faceclust.types import Person


def person(name: str | None, *faces: str, id: str = "") -> Person:
    return Person(id or f"id {name}", name, faces, frozenset(), (7,))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for path in ("2019/a.jpg", "2020/a.jpg", "2020/A.JPG", "b.jpg"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


PHOTOS_OF = {"1": ["2019/a.jpg"], "2": ["2020/a.jpg", "2020/A.JPG"], "3": ["b.jpg"], "4": ["gone.jpg"]}


def made(out: Path) -> dict[str, str]:
    """Link → the photo it shows, by what it holds."""
    return {
        path.relative_to(out).as_posix(): path.read_text()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != NOTES
    }


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "copy"])
def test_albums_hold_the_photos_and_can_be_made_again(photos: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "People"
    persons = [person("Anna", "1", "2", "4"), person("Ben", "3")]
    make_albums(plan_albums(persons, PHOTOS_OF, photos, [photos / "2019"], out, kind))
    links = made(out)
    assert sorted(links.values()) == ["2019/a.jpg", "2020/A.JPG", "2020/a.jpg", "b.jpg"]
    assert len({link.casefold() for link in links}) == 4  # told apart also where case does not count
    assert links["Ben/b.jpg"] == "b.jpg"
    assert (out / "Ben/b.jpg").is_symlink() == (kind == "symlink")
    again = plan_albums(persons, PHOTOS_OF, photos, [photos / "2019"], out, kind)
    assert not again.make and not again.remove and len(again.keep) == 4


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "copy"])
def test_only_own_links_are_ever_removed(photos: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "People"
    (out / "Anna").mkdir(parents=True)
    (out / "Anna/mine.txt").write_text("mine")
    (out / "Ben").mkdir()
    (out / "Ben/b.jpg").write_text("not made by faceclust")
    plan = plan_albums([person("Anna", "1", "2"), person("Ben", "3")], PHOTOS_OF, photos, [photos / "2019"], out, kind)
    assert plan.in_the_way == ("Ben/b.jpg",)
    make_albums(plan)
    changed = next(path for path in sorted(out.glob("Anna/*")) if path.name != "mine.txt")
    changed.unlink()
    changed.write_text("edited by the user")
    nobody = plan_albums([], PHOTOS_OF, photos, [photos / "2019"], out, kind)
    make_albums(nobody)
    assert sorted(made(out).values()) == ["edited by the user", "mine", "not made by faceclust"]
    assert all((photos / photo).exists() for photo in ("2019/a.jpg", "2020/a.jpg", "2020/A.JPG", "b.jpg"))


def test_a_rename_moves_the_folder_and_a_changed_photo_its_copy(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "People"
    make_albums(plan_albums([person("Anna", "3")], PHOTOS_OF, photos, [photos / "2019"], out, "copy"))
    (photos / "b.jpg").write_text("edited and longer")
    make_albums(plan_albums([person("Anne", "3")], PHOTOS_OF, photos, [photos / "2019"], out, "copy"))
    assert made(out) == {"Anne/b.jpg": "edited and longer"}
    assert not (out / "Anna").exists()


def test_another_kind_of_link_replaces_the_old(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "People"
    make_albums(plan_albums([person("Anna", "3")], PHOTOS_OF, photos, [photos / "2019"], out, "symlink"))
    make_albums(plan_albums([person("Anna", "3")], PHOTOS_OF, photos, [photos / "2019"], out, "copy"))
    assert not (out / "Anna/b.jpg").is_symlink()


def test_cut_short_it_knows_its_own_links(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "People"
    plan = plan_albums([person("Anna", "1", "2", "3")], PHOTOS_OF, photos, [photos / "2019"], out)
    real, count = Path.symlink_to, 0

    def dies_at_the_third(self: Path, target: Path) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise OSError(28, "No space left on device", str(self))
        real(self, target)

    monkeypatch.setattr(Path, "symlink_to", dies_at_the_third)
    with pytest.raises(FaceclustError, match="No space left"):
        make_albums(plan)
    monkeypatch.undo()
    again = plan_albums([person("Anna", "1", "2", "3")], PHOTOS_OF, photos, [photos / "2019"], out)
    assert len(again.keep) == 2 and len(again.make) == 2 and not again.in_the_way


def test_a_kind_that_fails_leaves_the_links_there_were(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, anna = tmp_path / "People", [person("Anna", "1", "3")]
    make_albums(plan_albums(anna, PHOTOS_OF, photos, [], out))

    def other_disk(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_disk)
    with pytest.raises(FaceclustError, match="cross-device"):
        make_albums(plan_albums(anna, PHOTOS_OF, photos, [], out, "hardlink"))
    again = plan_albums(anna, PHOTOS_OF, photos, [], out)
    assert len(again.keep) == 2 and not again.make and not again.in_the_way


def test_copies_on_a_disk_with_coarse_times_stay_ours(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real = tmp_path / "People", shutil.copy2

    def coarse(source: Path, target: Path) -> None:
        real(source, target)
        os.utime(target, ns=(0, target.stat().st_mtime_ns // (2 * 10**9) * 2 * 10**9))

    monkeypatch.setattr(shutil, "copy2", coarse)
    make_albums(plan_albums([person("Anna", "3")], PHOTOS_OF, photos, [], out, "copy"))
    assert len(plan_albums([person("Anna", "3")], PHOTOS_OF, photos, [], out, "copy").keep) == 1
    assert len(plan_albums([], PHOTOS_OF, photos, [], out, "copy").remove) == 1


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "copy"])
def test_a_folder_swapped_for_a_link_to_the_photos_costs_no_photo(photos: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "People"
    make_albums(plan_albums([person("Anna", "1")], PHOTOS_OF, photos, [photos / "2019"], out, kind))
    shutil.rmtree(out / "Anna")
    (out / "Anna").symlink_to(photos / "2019")
    make_albums(plan_albums([person("Anna", "1", "3")], PHOTOS_OF, photos, [photos / "2019"], out, kind))
    make_albums(plan_albums([], PHOTOS_OF, photos, [photos / "2019"], out, kind))
    assert (photos / "2019/a.jpg").read_text() == "2019/a.jpg" and not (photos / "2019/b.jpg").exists()


@pytest.mark.parametrize("kind", ["hardlink", "copy"])
def test_the_last_copy_of_a_photo_is_not_removed(photos: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "People"
    make_albums(plan_albums([person("Anna", "3")], PHOTOS_OF, photos, [photos / "2019"], out, kind))
    (photos / "b.jpg").unlink()
    make_albums(plan_albums([person("Anna", "3")], PHOTOS_OF, photos, [photos / "2019"], out, kind))
    assert made(out) == {"Anna/b.jpg": "b.jpg"}


def test_two_photos_of_one_very_long_name(tmp_path: Path) -> None:
    root, name = tmp_path / "photos", "x" * 246 + ".jpg"
    for folder in ("1", "2"):
        (root / folder).mkdir(parents=True)
        (root / folder / name).write_text(folder)
    make_albums(plan_albums([person("A", "1")], {"1": [f"1/{name}", f"2/{name}"]}, root, [], tmp_path / "out"))
    assert sorted(made(tmp_path / "out").values()) == ["1", "2"]


def test_places_that_cannot_hold_albums(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out in (photos, tmp_path, photos / "2019", photos / "deep", photos / "deep/er", tmp_path / "file"):
        with pytest.raises(UsageError):
            plan_albums([], {}, photos, [photos / "deep/er/folder"], out)
    (tmp_path / "out").mkdir()
    for broken in ("{broken", '{"links": []}', '{"links": {"a": "b"}}', '{"links": {"a": {}}}', "[]"):
        (tmp_path / "out" / NOTES).write_text(broken)
        with pytest.raises(FaceclustError, match="cannot be read"):
            plan_albums([], {}, photos, [], tmp_path / "out")


def test_two_people_whose_names_make_one_folder(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "People"
    make_albums(
        plan_albums([person("A/B", "1", id="x"), person("a:b", "3", id="y")], PHOTOS_OF, photos, [photos / "2019"], out)
    )
    assert len(list(out.iterdir())) == 3  # two people and the notes


@given(st.text(min_size=1, max_size=300))
def test_any_name_makes_a_safe_folder_name(name: str) -> None:
    folder = folder_name(name.encode("utf-8", "replace").decode())
    assert folder and len(folder.encode()) <= 151
    assert not set(folder) & set('<>:"/\\|?*\0\n') and folder not in (".", "..")
    assert folder == folder.strip(" ") and not folder.endswith(".")


def test_reserved_names() -> None:
    assert folder_name("CON") == "CON_" and folder_name("..") == "_" and folder_name("Anna") == "Anna"


def test_notes_are_plain_json(photos: Path, tmp_path: Path) -> None:
    make_albums(plan_albums([person(None, "3")], PHOTOS_OF, photos, [], tmp_path / "out"))
    notes = json.loads((tmp_path / "out" / NOTES).read_text())
    assert notes["links"]["group 7/b.jpg"]["photo"] == str(photos / "b.jpg")
    assert (tmp_path / "out" / "group 7/b.jpg").readlink() == photos / "b.jpg"
