"""A library moves to an outer or inner folder, or ends; no name is ever lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust import Library
from faceclust.errors import CacheError, UsageError
from faceclust.library import relocation
from faceclust.library.relocation import end_library, move_library, plan_end, relocate
from faceclust.people.events import JournalFace
from faceclust.people.journal import Journal
from faceclust.store.config import change_config
from faceclust.store.find_library import known_libraries
from faceclust.store.home import LibraryHome
from faceclust.store.settings import included_folders
from tests.support.command import run, run_checked
from tests.support.question_pages import merge_answers, send_page
from tests.support.sample_photos import COLLINS, HOPPER
from tests.support.scan_builders import make_face_photo, make_faceless_photo, touch, write_photo

_NAMES = st.sampled_from(["a", "b", "..c", "d e"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)


@given(st.lists(_NAMES, max_size=3), st.lists(_NAMES, min_size=1, max_size=3), _PATHS)
def test_a_path_comes_back_from_an_outer_and_an_inner_folder(base: list[str], steps: list[str], photo: str) -> None:
    root = Path("/", *base)
    inner = root.joinpath(*steps)
    for first, second in ((root, inner), (inner, root)):
        moved = relocate(photo, first, second)
        assert (second / moved).resolve() == first / photo  # the same file
        assert relocate(moved, second, first) == photo


def make_library(root: Path) -> Library:
    """Two people with a name each, in two folders."""
    for folder, person in (("a", COLLINS), ("b/c", HOPPER)):
        write_photo(root / folder / "1.bmp", make_face_photo(person, 0))
        write_photo(root / folder / "2.bmp", make_faceless_photo(len(folder)))
    library = Library(root)
    library.scan(workers=0)
    library.cluster(min_size=1)
    for occurrence in library.occurrences:
        library.name([occurrence.face_id], COLLINS if occurrence.photo.startswith("a") else HOPPER)
    return library


def list_names(root: Path) -> dict[str, str | None]:
    library = Library(root)
    return {
        one.photo: library.person_of[one.face_id].name
        for one in library.occurrences
        if one.face_id in library.person_of
    }


def list_own_files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob(".faceclust*"))


def test_a_library_moves_out_and_in_again_with_everything(tmp_path: Path) -> None:
    root = make_library(tmp_path / "photos").root
    numbers = dict(Library(root).group_of)
    change_config(Library(root).home.config_file, {("cluster", "threshold"): 0.9, ("scan", "include"): ["a/thumbs"]})
    journal = Library(root).home.journal.read_text()
    assert move_library(root, tmp_path) == 2
    assert list_names(tmp_path) == {"photos/a/1.bmp": COLLINS, "photos/b/c/1.bmp": HOPPER}
    assert Library(tmp_path).group_of == numbers and included_folders(tmp_path) == ("photos/a/thumbs",)
    assert "threshold = 0.9" in Library(tmp_path).home.config_file.read_text()
    assert not (root / ".faceclust").exists() and known_libraries() == [tmp_path]
    assert Library(tmp_path).scan(workers=0).unchanged == 4  # no photo is examined again
    assert move_library(tmp_path, root) == 2
    assert list_names(root) == {"a/1.bmp": COLLINS, "b/c/1.bmp": HOPPER}
    assert list(map(json.loads, Library(root).home.journal.read_text().splitlines())) == list(
        map(json.loads, journal.splitlines())
    )
    assert included_folders(root) == ("a/thumbs",) and not (tmp_path / ".faceclust").exists()


def test_a_library_moves_into_one_of_its_folders(tmp_path: Path) -> None:
    root = make_library(tmp_path).root
    write_photo(root / "b/a/1.bmp", make_face_photo(COLLINS, 3))  # must not be taken for the named a/1.bmp
    assert move_library(root, root / "b") == 2
    library = Library(root / "b")
    library.scan(workers=0)
    assert list_names(library.root) == {"c/1.bmp": HOPPER}
    assert set(library.answers.missing_names) == {COLLINS}
    assert {
        face["photo"] for line in library.home.journal.read_text().splitlines() for face in json.loads(line)["faces"]
    } == {
        "../a/1.bmp",
        "c/1.bmp",
    }
    # Nothing of faceclust is left outside of the new library.
    assert {path.split("/")[0] for path in list_own_files(root)} == {"b"}
    move_library(root / "b", root)
    assert Library(root).scan(workers=0).scanned == 2
    assert list_names(root) == {"a/1.bmp": COLLINS, "b/c/1.bmp": HOPPER}


@pytest.mark.parametrize("folder", ["around", "around/album/b"])
def test_answers_to_a_page_sent_before_a_move_find_their_faces(tmp_path: Path, folder: str) -> None:
    """The photo was edited since, so that only its path leads to the face."""
    root = tmp_path / "around" / "album"
    make_library(root).home.journal.unlink()
    library = Library(root)
    (face,) = [one.face_id for one in library.occurrences if one.photo == "b/c/1.bmp"]
    page = send_page(library, ([face], None))
    move_library(root, target := tmp_path / folder)
    photo = root / "b" / "c" / "1.bmp"
    photo.write_bytes(photo.read_bytes() + b" ")
    touch(photo)
    moved = Library(target)
    moved.scan(workers=0)
    assert face not in moved.occurrences_of
    assert merge_answers(moved, tmp_path / "answers.json", page, {"question": 1, "name": HOPPER}) == 1
    assert not (root / ".faceclust").exists()


def test_two_libraries_become_one(tmp_path: Path) -> None:
    for part, person in (("x", COLLINS), ("y", HOPPER)):
        write_photo(tmp_path / part / "1.bmp", make_face_photo(person, 0))
        library = Library(tmp_path / part)
        library.scan(workers=0)
        library.name([library.occurrences[0].face_id], person)
    with (tmp_path / "x/.faceclust/people.jsonl").open("a") as stream:
        stream.write('{"event": "later", "id": "n", "x": 1}\nbroken\n')
    move_library(tmp_path / "x", tmp_path)
    move_library(tmp_path / "y", tmp_path)
    assert list_names(tmp_path) == {"x/1.bmp": COLLINS, "y/1.bmp": HOPPER}
    lines = (tmp_path / ".faceclust/people.jsonl").read_text().splitlines()
    assert len(lines) == 4 and '{"event": "later", "id": "n", "x": 1}' in lines and "broken" in lines
    assert list_own_files(tmp_path / "x") == list_own_files(tmp_path / "y") == [".faceclust.mobilefacenet.parquet"]


def test_caches_kept_elsewhere_move_too(tmp_path: Path) -> None:
    photos, caches = tmp_path / "all/photos", tmp_path / "caches"
    write_photo(photos / "a/1.bmp", make_face_photo(COLLINS, 0))
    library = Library(photos, cache_dir=caches)
    library.scan(workers=0)
    library.name([library.occurrences[0].face_id], COLLINS)
    move_library(photos, tmp_path / "all")
    assert list_own_files(tmp_path / "all") == []
    assert Library(tmp_path / "all").scan(workers=0).unchanged == 1
    assert list_names(tmp_path / "all") == {"photos/a/1.bmp": COLLINS}
    with pytest.raises(UsageError, match="lies in the library"):
        move_library(tmp_path / "all", tmp_path)


@pytest.mark.parametrize("target", ["photos", "other", "photos/../other"])
def test_other_folders_are_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "other").mkdir()
    Library(tmp_path / "photos").home.create()
    with pytest.raises(UsageError, match="is not a folder around the library"):
        move_library(tmp_path / "photos", tmp_path / target)


def test_a_library_ends_and_its_answers_come_back(tmp_path: Path) -> None:
    root = make_library(tmp_path / "photos").root
    photos = {path: path.read_bytes() for path in root.rglob("*.bmp")}
    done = run("library", "dissolve", root)
    assert done.returncode == 2 and "add --yes" in done.stderr and "2 answers about people" in done.stdout
    assert list_names(root)
    answer = json.loads(run_checked("library", "dissolve", root, "--yes", "--json"))
    assert answer["answers"] == 2 and list_own_files(root) == []
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == photos
    assert known_libraries() == []
    run_checked("scan", root, "-j", "1")
    assert run_checked("journal", "--merge", answer["kept_in"], "-l", root).startswith("2 answers added")
    assert list_names(root) == {"a/1.bmp": COLLINS, "b/c/1.bmp": HOPPER}


def test_other_libraries_in_and_around_it_stay(tmp_path: Path) -> None:
    outer = make_library(tmp_path)
    (outer.root / "b/c/.faceclust").mkdir()
    middle = Library(tmp_path / "b")
    middle.scan(workers=0)
    before = list_own_files(tmp_path)
    assert end_library(plan_end(middle.root)) is None  # it has no answers of its own
    assert list_own_files(tmp_path) == [
        path for path in before if not path.startswith("b/.faceclust/") and path != "b/.faceclust"
    ]
    end_library(plan_end(outer.root))
    assert list_own_files(tmp_path) == ["b/c/.faceclust", "b/c/.faceclust.mobilefacenet.parquet"]


def test_a_library_whose_answers_another_one_uses_does_not_end(tmp_path: Path) -> None:
    outer = make_library(tmp_path)
    inner = Library(tmp_path / "b")
    inner.scan(workers=0)
    inner.name(next(iter(inner.occurrences_of)), HOPPER)
    names, files = list_names(outer.root), list_own_files(tmp_path)
    with pytest.raises(UsageError, match="is a part of the library") as error:
        plan_end(inner.root)
    assert str(error.value.hint).startswith("faceclust library move ") and list_own_files(tmp_path) == files
    move_library(inner.root, outer.root)
    assert list_names(outer.root) == names


def make_answer(root: Path, photo: str = "x.jpg") -> Path:
    """Make a library with one answer and no cache; return its journal."""
    root.mkdir(parents=True, exist_ok=True)
    home = LibraryHome(root)
    home.create()
    face = JournalFace("0" * 16, "1" * 32, photo, (0.1, 0.1, 0.2, 0.2), True)
    Journal(home.journal).record("name", [face], name=COLLINS)
    return home.journal


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode")
def test_a_library_moves_out_of_a_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"caf\xe9")
    make_answer(root)
    assert move_library(root, tmp_path) == 1
    [event] = Journal(LibraryHome(tmp_path).journal).events()
    assert [face.photo for face in event.faces] == [r"caf\xe9/x.jpg"]


def test_a_library_stays_if_an_answer_would_become_invalid(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    journal = make_answer(root, "x" * 32_768)
    before = journal.read_bytes()
    with pytest.raises(UsageError, match="its photo paths would be too long"):
        move_library(root, tmp_path)
    assert journal.read_bytes() == before and not LibraryHome(tmp_path).exists()


@pytest.mark.parametrize("path", ["mine.txt", "backup/x.jpg", "thumbs/x.jpg", "folders/a/x.jpg", "people (copy).jsonl"])
def test_files_of_the_user_in_the_home_stay(tmp_path: Path, path: str) -> None:
    journal = make_answer(tmp_path / "photos")
    mine = journal.parent / path
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    before = {file: file.read_bytes() for file in (mine, journal)}
    for action in (move_library, lambda root, _: end_library(plan_end(root))):
        with pytest.raises(UsageError, match="is not a file of faceclust") as raised:
            action(tmp_path / "photos", tmp_path)
        assert str(mine) in str(raised.value)
    assert {file: file.read_bytes() for file in before} == before
    assert not LibraryHome(tmp_path).exists()


def test_every_kind_of_file_in_the_home_is_deleted(tmp_path: Path) -> None:
    home = make_answer(tmp_path).parent
    for path in (
        *("lock.owner..tmp", "lock.owner.0a.tmp.12345678.tmp", "people.jsonl.12345678.tmp", "seen.dlib-2.json"),
        *("thumbs/0a/0a1b.jpg", "thumbs/0a/0a1b.jpg.12345678.tmp", "folders/.faceclust.parquet"),
        *("folders/b/c/.faceclust.dlib.parquet.12345678.tmp", "set-aside/b/faceclust.dlib.parquet"),
    ):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).touch()
    end_library(plan_end(tmp_path))
    assert not home.exists()


def test_torn_lines_of_both_libraries_are_kept(tmp_path: Path) -> None:
    for part, torn in (("photos", b'{"time": "1\n'), ("", b'{"time": "2\n')):
        make_answer(tmp_path / part).with_suffix(".torn").write_bytes(torn)
    assert move_library(tmp_path / "photos", tmp_path) == 2
    kept = LibraryHome(tmp_path).journal.with_suffix(".torn").read_text().splitlines()
    assert sorted(kept) == ['{"time": "1', '{"time": "2']


def test_included_folders_are_right_whenever_a_move_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for nth in range(1, 30):
        root, replaced = tmp_path / str(nth) / "photos", 0
        change_config(make_answer(root).with_name("config.toml"), {("scan", "include"): ["a/thumbs"]})

        def stop(*arguments: Any, failing: int = nth, replace: Any = os.replace, **options: Any) -> None:
            nonlocal replaced
            replaced += 1
            if replaced == failing:
                raise KeyboardInterrupt
            replace(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", stop)
            with contextlib.suppress(KeyboardInterrupt):
                move_library(root, root.parent)
        if root.joinpath(".faceclust").exists():
            assert move_library(root, root.parent) == 1
        assert included_folders(root.parent) == ("photos/a/thumbs",), nth
        if replaced < nth:
            break
    assert 3 < nth < 29


@pytest.mark.skipif(sys.platform == "win32", reason="shorter paths")
def test_a_library_with_a_long_name_ends(tmp_path: Path) -> None:
    root = tmp_path / ("x" + "é" * 124)  # 249 bytes; the cut falls within a character
    make_answer(root)
    kept = end_library(plan_end(root))
    assert kept and kept.name == "x" + "é" * 99 + "-1.jsonl"
    assert len(Journal(kept).events()) == 1 and not (root / ".faceclust").exists()


Action = Callable[[Path], object]
#: What may be interrupted, and the folders that the names may be in after that.
ACTIONS: dict[str, Action] = {
    "out": lambda root: move_library(root, root.parent),
    "in": lambda root: move_library(root, root / "b"),
    "end": lambda root: end_library(plan_end(root)),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("step", ["write_private_atomically", "remove_file", "remove_own_folder"])
def test_no_name_is_lost_if_a_step_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str, step: str
) -> None:
    made = make_library(tmp_path / "made").root
    original: Any = getattr(relocation, step)
    for nth in range(1, 30):
        world = tmp_path / str(nth)
        shutil.copytree(made, world / "all/photos")
        root, calls = world / "all/photos", 0

        def fail(*arguments: Any, failing: int = nth, **options: Any) -> object:
            nonlocal calls
            calls += 1
            if calls == failing:
                raise CacheError("no space")
            return original(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setenv("XDG_DATA_HOME", str(world / "data"))
            patch.setattr(relocation, step, fail)
            with contextlib.suppress(CacheError):
                ACTIONS[action](root)
            journals = [path.read_text() for path in world.rglob("*.jsonl")]
            assert all(any(name in text for text in journals) for name in (COLLINS, HOPPER)), nth
            if calls < nth:
                break
            patch.setattr(relocation, step, original)
            if (root / ".faceclust/.faceclust-home").exists():
                ACTIONS[action](root)  # the same command completes the work
            journals = [path.read_text() for path in world.rglob("*.jsonl")]
            assert all(any(name in text for text in journals) for name in (COLLINS, HOPPER)), nth
    assert nth > 1
