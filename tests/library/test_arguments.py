"""What a script passes to `Library`: group numbers in place of faces, and values of the wrong type."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceclust import FaceAnalyser, Library
from faceclust.errors import UsageError
from tests.support.sample_photos import COLLINS

Collins = tuple[Library, int, set[str]]


def test_a_group_is_named_by_its_number(collins: Collins) -> None:
    library, group, faces = collins
    for number in (group, str(group), np.int64(group), [group], [min(faces), group]):
        assert {face.face_id for face in library.name(number, COLLINS).faces} == faces
        library.undo()
    assert {face.face_id for face in library.link(group).faces} == faces


def test_confirm_without_a_name_confirms_what_was_suggested(collins: Collins) -> None:
    library, group, faces = collins
    seen = min(faces)
    library.name(group, COLLINS, confirmed=[seen])
    for who in (COLLINS, group, [group]):
        event = library.confirm(who)
        assert event.name == COLLINS and {face.face_id for face in event.faces} == faces - {seen}
        library.undo()
    assert library.confirm(group, group).name == COLLINS
    with pytest.raises(UsageError, match=f"group {3 - group} has no name yet"):
        library.confirm(3 - group)
    with pytest.raises(UsageError, match=r"all faces of .* are already confirmed"):
        library.confirm(COLLINS)


def test_people_and_groups_are_merged_split_rejected_and_ignored_by_number(collins: Collins) -> None:
    library, group, faces = collins
    other = 3 - group
    library.merge(group, other)
    assert len(library.unnamed_groups()) == 1
    library.undo()
    library.name(group, COLLINS)
    library.merge(other, COLLINS)
    assert len(library.find_person(COLLINS).face_ids) == len(library.occurrences_of)
    library.undo()
    assert {face.face_id for face in library.reject(group, COLLINS.upper()).faces} == faces
    library.undo()
    leaving = min(faces)
    assert {face.face_id for face in library.split(leaving, COLLINS).faces} == {leaving}
    library.undo()
    library.ignore(other)
    assert library.unnamed_groups() == ()
    library.unignore(other)
    assert len(library.unnamed_groups()) == 1


def test_photos_are_found_by_group_number(collins: Collins) -> None:
    library, group, faces = collins
    found = library.search(group, without=3 - group)
    assert found == library.search(str(group), without=[3 - group]) != []
    assert {face.occurrence.face_id for photo in found for face in photo.faces} < faces
    assert len(library.plan_albums(library.root / "out", people=group).make) == len(library.search(group))


def test_the_report_is_written_and_no_photo_overwritten(library: Library, tmp_path: Path) -> None:
    assert library.report(tmp_path / "people.html") == tmp_path / "people.html"
    assert (tmp_path / "people.html").read_text().startswith("<!doctype html>")
    index = library.report(tmp_path / "people", split=True)
    assert index == tmp_path / "people/index.html" and index.is_file()
    photo = library.root / library.occurrences[0].photo
    content = photo.read_bytes()
    for write in (library.report, library.map):
        for path, words in ((photo, "a photo"), (tmp_path / "no/a.html", "there is no folder"), (tmp_path, "a folder")):
            with pytest.raises(UsageError, match=words):
                write(path)
    assert photo.read_bytes() == content


Call = Callable[[Library], Any]


@pytest.fixture(scope="module")
def scanned(truth_and_scanned_root: tuple[object, Path], tmp_path_factory: pytest.TempPathFactory) -> Library:
    root = tmp_path_factory.mktemp("arguments") / "photos"
    shutil.copytree(truth_and_scanned_root[1], root)
    return Library(root)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda library: Library(5), "5 is not a path"),  # type: ignore[arg-type]
        (lambda library: Library(library.root, cache_dir=5), "cache_dir must be a path, not 5"),  # type: ignore[arg-type]
        (lambda library: Library(library.root, pack=5), "pack must be the name of a model pack, not 5"),  # type: ignore[arg-type]
        (lambda library: FaceAnalyser(5), "pack must be the name of a model pack, not 5"),  # type: ignore[arg-type]
        (lambda library: FaceAnalyser(min_face="50"), "min_face must be a number, not '50'"),  # type: ignore[arg-type]
        (lambda library: library.faces_in_group("one"), "not by str"),
        (lambda library: Library.find(5.5), "5.5 is not a path"),  # type: ignore[arg-type]
        (lambda library: Library.for_scan(5), "5 is not a path"),  # type: ignore[arg-type]
        (lambda library: library.scan(5), "5 is not a path"),
        (lambda library: library.scan("nosuch"), "nosuch does not exist"),
        (lambda library: library.scan(workers="2"), "workers must be a number, not '2'"),
        (lambda library: library.scan(min_face="50"), "min_face must be a number, not '50'"),
        (lambda library: library.cluster(None), "threshold must be a number, not None"),
        (lambda library: library.cluster(min_size="3"), "min_size must be a number, not '3'"),
        (lambda library: library.name(1, 5), "a name must be text, not 5"),
        (lambda library: library.name(None, "Anna"), "not by NoneType"),
        (lambda library: library.name(1.5, "Anna"), "not by float"),
        (lambda library: library.name(True, "Anna"), "not by bool"),
        (lambda library: library.name([1, None], "Anna"), "not by NoneType"),
        (lambda library: library.name(library.unnamed_groups(), "Anna"), "not by Person"),
        (lambda library: library.name("0123456789abcdef", "Anna"), "there is no face 0123456789abcdef"),
        (lambda library: library.name(99, "Anna"), "there is no group 99"),
        (lambda library: library.reject(1, None), "a name must be text, not None"),
        (lambda library: library.rename(1, "Anna"), "a person is given by name, not by 1"),
        (lambda library: library.merge(1), "merge needs at least two"),
        (lambda library: library.plan_forget(1), "the name must be text, not 1"),
        (lambda library: library.import_journal(5), "5 is not a path"),
        (lambda library: library.plan_import(5), "5 is not a path"),
        (lambda library: library.plan_import(people_tags=5), "a tag must be text, not 5"),
        (lambda library: library.search(1.5), "not by float"),
        (lambda library: library.search(since=2019), "a date must be text, not 2019"),
        (lambda library: library.search(until=date(2019, 5, 1)), "a date must be text"),
        (lambda library: library.search(min_quality="high"), "min_quality must be a number, not 'high'"),
        (lambda library: library.search(folder=5), "5 is not a path"),
        (lambda library: library.co_occurrences(min_photos="2"), "min_photos must be a number"),
        (lambda library: library.plan_albums(5), "5 is not a path"),
        (lambda library: library.plan_albums("out", layout=5), "layout must be text, not 5"),
        (lambda library: library.plan_albums("out", people=1.5), "not by float"),
        (lambda library: library.plan_xmp(5), "5 is not a path"),
        (lambda library: library.report(5), "path must be a path, not 5"),
        (lambda library: library.report("a.html", faces="all"), "faces must be a number, not 'all'"),
        (lambda library: library.map(None), "path must be a path, not None"),
        (lambda library: library.map("a.html", method="pca"), "unknown"),
        (lambda library: library.calibrate("low"), "far must be a number, not 'low'"),
    ],
)
def test_a_value_of_the_wrong_type_is_one_clear_error(scanned: Library, call: Call, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call(scanned)
