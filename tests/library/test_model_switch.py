"""Other models for a library, and back: names stay, both caches stay, nothing is mixed up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from faceclust import Library
from faceclust.errors import NothingScannedError, PackError, UsageError
from faceclust.files.names import cache_file_name
from faceclust.library.maintenance import check_caches, clear_caches, plan_clear
from faceclust.library.model_switch import plan_switch, with_time_estimate
from faceclust.scan.unchanged import count_unchanged_photos
from faceclust.store.config import read_config
from faceclust.store.settings import pack_in_use, precision_in_use, set_pack, user_config_enabled, user_config_file
from tests.support.pack_scenarios import install_other_boxes, install_tiny_embedder
from tests.support.photo_changes import names_on_photos, surviving
from tests.support.sample_photos import COLLINS, HOPPER

NameOfFace = Callable[[Library], dict[str, str]]


@pytest.fixture
def named(library: Library, name_of_face: NameOfFace) -> Library:
    for person in (COLLINS, HOPPER):
        library.name([face for face, who in name_of_face(library).items() if who == person], person)
    return library


def switched(library: Library, pack: str) -> Library:
    set_pack(pack, library.home)
    return Library(library.root)


def caches(library: Library, pack: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(library.root.rglob(cache_file_name(pack)))}


# -- which models ------------------------------------------------------------


def test_the_librarys_file_goes_before_the_users_and_that_before_the_default(library: Library) -> None:
    root = library.root
    assert (pack_in_use(root).value, pack_in_use(root).file) == ("dlib", None) == (pack_in_use().value, None)
    own = set_pack("sface", None)
    assert own == user_config_file() and pack_in_use(root).value == pack_in_use().value == "sface"
    theirs = set_pack("second", library.home)
    assert pack_in_use(root).value == "second" and pack_in_use(root).file == theirs == library.home.home / "config.toml"
    assert pack_in_use().value == "sface" and Library(root).pack_name == "second"
    assert Library(root, pack="dlib").pack_name == Library(root, pack="dlib").pack.name == "dlib"


def test_the_choice_goes_to_the_top_and_leaves_the_rest_of_the_file(library: Library) -> None:
    file = library.home.home / "config.toml"
    file.write_text("# mine\n[cluster]\nthreshold = 1.2  # looser\n")
    set_pack("second", library.home)
    assert read_config(file) == {"pack": "second", "cluster": {"threshold": 1.2}}
    text = file.read_text()
    assert "# mine" in text and "# looser" in text and text.index("pack") < text.index("[cluster]")


def test_a_choice_in_a_place_that_cannot_be_written_comes_along(library: Library, tmp_path: Path) -> None:
    (library.home.home / "config.toml").write_text("[cluster]\nthreshold = 1.2\n")
    elsewhere = Library(library.root, cache_dir=tmp_path / "faces")
    file = set_pack("second", elsewhere.home)
    assert file.is_relative_to(tmp_path / "faces")
    assert read_config(file) == {"pack": "second", "cluster": {"threshold": 1.2}}
    assert pack_in_use(library.root).file == file


@pytest.mark.parametrize("text", ["pack = 3", "pack = '../x'", "pack = ['dlib']", "pack = ''", "pack = "])
def test_what_is_no_name_of_models_is_said_with_its_file(library: Library, text: str) -> None:
    file = library.home.home / "config.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"config\.toml"):
        _ = Library(library.root).pack


def test_the_precision_stands_with_the_options_of_a_scan_or_with_those_of_all(library: Library) -> None:
    file = library.home.home / "config.toml"
    user_config_file().parent.mkdir(parents=True, exist_ok=True)
    user_config_file().write_text("precision = 'float32'")
    assert precision_in_use(library.root).value == "float32"
    file.write_text("precision = 'int8'")
    assert precision_in_use(library.root).value == "int8" and precision_in_use(library.root).file == file
    file.write_text("precision = 'int8'\n[scan]\nprecision = 'float16'")
    assert precision_in_use(library.root).value == "float16"
    file.write_text("[scan]\nprecision = 16")
    with pytest.raises(UsageError, match=r"precision must be one of int8, float16, float32, not 16"):
        precision_in_use(library.root)


def test_without_configuration_only_the_librarys_own_choice_counts(library: Library) -> None:
    set_pack("sface", None)
    token = user_config_enabled.set(False)
    try:
        assert pack_in_use(library.root).value == "dlib"
        (library.home.home / "config.toml").write_text("pack = 'second'")
        assert pack_in_use(library.root).value == "second"
        (library.home.home / "config.toml").write_text("pack = ")
        assert pack_in_use(library.root).value == "dlib" and precision_in_use(library.root).value == "float16"
    finally:
        user_config_enabled.reset(token)


def test_models_that_are_gone_stop_a_scan_but_not_what_reads_caches(named: Library) -> None:
    folder = install_other_boxes()
    other = switched(named, "second")
    other.scan(workers=0)
    other.cluster()
    people = {person.name: person.face_ids for person in other.people()}
    (folder / "mtcnn_onet.onnx").unlink()
    (named.root / "2019/new.jpg").write_bytes((named.root / "2019/collins-0.jpg").read_bytes() + b" ")
    with pytest.raises(PackError, match=r"mtcnn_onet\.onnx is missing") as told:
        Library(named.root).scan(workers=0)
    assert "faceclust models add --pack second" in str(told.value.hint)
    shutil.rmtree(folder)
    from faceclust.packs.registry import clear_pack_cache

    clear_pack_cache()
    bare = Library(named.root)
    assert {person.name: person.face_ids for person in bare.people()} == people
    assert len(list(bare.export())) == len(bare.occurrences)
    assert bare.cluster().full_reason == ""  # the grouping knows its models still
    with pytest.raises(PackError, match=r"config\.toml: pack = 'second': no model pack called 'second'") as told:
        bare.scan([named.root / "2019"], workers=0)
    assert "faceclust models use" in str(told.value.hint)


# -- there and back ----------------------------------------------------------


def test_names_survive_another_detector_and_back(named: Library) -> None:
    install_other_boxes()
    before, grouped = names_on_photos(named), dict(named.group_of)
    journal = named.home.journal.read_bytes()
    mine = caches(named, "dlib")
    other = switched(named, "second")
    with pytest.raises(NothingScannedError, match="with the models second yet") as told:
        other.people()
    assert "faceclust models use dlib" in str(told.value.hint)
    result = other.scan(workers=0)
    assert result.scanned == result.photos
    assert len(result.notes) == 1 and "scanned with dlib" in result.notes[0]
    assert len(set(named.occurrences_of).intersection(other.occurrences_of)) < len(named.occurrences_of) / 3
    assert surviving(before, other) == (12, 12, 12)
    # Before they are grouped anew, the groups are those there were, with their numbers.
    assert other.clustering_pack == "dlib" and sorted(other.group_members) == sorted(named.group_members)
    assert {number: len(faces) for number, faces in other.group_members.items()} == {
        number: len(faces) for number, faces in named.group_members.items()
    }
    grouping = other.cluster()
    assert grouping.full_reason == "the models have changed" and other.clustering_pack == "second"
    assert {person.name: person.clusters for person in other.people()} == {
        person.name: person.clusters for person in named.people()
    }
    assert grouping.changes is not None and not grouping.changes.removed
    assert surviving(before, other) == (12, 12, 12)
    assert caches(named, "dlib") == mine
    theirs = caches(named, "second")
    back = switched(named, "dlib")
    result = back.scan(workers=0)
    assert (result.scanned, result.unchanged, result.notes) == (0, result.photos, [])
    assert surviving(before, back) == (12, 12, 12) and dict(back.group_of) == grouped
    assert caches(named, "second") == theirs and caches(named, "dlib") == mine
    assert named.home.journal.read_bytes() == journal  # nothing has to be noted: the photos are the same
    assert switched(named, "second").scan(workers=0).scanned == 0
    for pack in ("dlib", "second"):  # and no cache has to be opened to tell
        assert count_unchanged_photos(named.home, [""], pack) == result.photos


def test_a_scan_stopped_before_its_first_photo_is_no_failure(named: Library) -> None:
    install_other_boxes()
    other = switched(named, "second")
    result = other.scan(workers=0, should_stop=lambda: True)
    assert result.interrupted and result.remaining == 11


def test_names_survive_another_embedder(named: Library) -> None:
    install_tiny_embedder()
    before = names_on_photos(named)
    other = switched(named, "tiny")
    other.scan(workers=0)
    assert set(other.occurrences_of) == set(named.occurrences_of) and other.faces.embeddings.shape[1] == 108
    assert other.clustering_pack == "dlib" and dict(other.group_of) == dict(named.group_of)
    other.cluster()
    assert surviving(before, other) == (12, 12, 12)
    assert surviving(before, switched(named, "dlib")) == (12, 12, 12)


def test_faces_that_models_have_no_numbers_for_are_left_out_and_told(named: Library) -> None:
    install_tiny_embedder(blind_to_light=True)
    other = switched(named, "tiny")
    plan = with_time_estimate(other.home, other.pack, plan_switch(other.home, other.pack))
    assert plan.sample_size == 6
    result = other.scan(workers=0)
    assert result.scanned == result.photos and not result.skipped
    assert 0 < len(other.faces) < len(named.faces) and set(other.occurrences_of) < set(named.occurrences_of)
    (told,) = [note for note in result.notes if "left out" in note]
    left_out = len(named.occurrences) - len(other.occurrences)
    assert f"faces left out because tiny returns no usable vectors for them: {left_out}, on " in told
    assert other.scan(workers=0).scanned == 0


def test_undoing_a_grouping_brings_back_that_of_other_models(named: Library) -> None:
    install_other_boxes()
    numbers = dict(named.group_of)
    other = switched(named, "second")
    other.scan(workers=0)
    other.cluster(0.2)
    changes = other.undo_cluster()
    assert other.clustering_pack == "dlib" and changes is not None
    assert sorted(other.group_members) == sorted(named.group_members)
    assert dict(switched(named, "dlib").group_of) == numbers  # in its own faces' ids still


def test_what_happens_to_photos_under_other_models_costs_these_alone(named: Library) -> None:
    """A photo moved, copied or removed while other models were in use."""
    install_other_boxes()
    before = names_on_photos(named)
    switched(named, "second").scan(workers=0)
    (named.root / "2019").rename(named.root / "2018")
    shutil.copy(named.root / "together/both 0.jpg", named.root / "copy.jpg")
    for pack in ("second", "dlib"):
        library = switched(named, pack)
        result = library.scan(workers=0)
        assert (result.scanned, result.removed) == (0, 0), pack
        assert surviving(before, library)[1:] == (12, 12), pack
        assert library.scan(workers=0).unchanged == result.photos


def test_forgetting_takes_the_faces_out_of_the_caches_of_all_models(named: Library) -> None:
    install_other_boxes()
    install_tiny_embedder()
    for pack in ("second", "tiny"):
        switched(named, pack).scan(workers=0)
    counts = {pack: len(switched(named, pack).occurrences) for pack in ("dlib", "second", "tiny")}
    library = switched(named, "second")
    library.forget(library.plan_forget(COLLINS))
    for pack, count in counts.items():
        rows = [row for path in caches(named, pack) for row in pq.read_table(path).to_pylist()]
        assert sum(row["embedding"] is not None for row in rows) == count - 6, pack
        assert switched(named, pack).scan(workers=0).faces == 0
        assert {person.name for person in switched(named, pack).people()} == {HOPPER}
    assert check_caches(library)["problems"] == []


def test_clearing_what_one_pack_made_leaves_the_other(named: Library) -> None:
    install_other_boxes()
    mine = caches(named, "dlib")
    other = switched(named, "second")
    other.scan(workers=0)
    clear_caches(other, plan_clear(other, "second"))
    assert not caches(named, "second") and caches(named, "dlib") == mine
    assert switched(named, "dlib").scan(workers=0).scanned == 0
    assert switched(named, "second").scan(workers=0).scanned == 11
    clear_caches(other, plan_clear(other))
    assert not list(named.home.home.glob("seen*.json"))


def test_another_radius_of_the_same_models_is_taken_without_looking_again(named: Library) -> None:
    folder = install_other_boxes()
    switched(named, "second").scan(workers=0)
    manifest = folder / "pack.toml"
    manifest.write_text(manifest.read_text().replace("radius = 3.0", "radius = 2.5"))
    from faceclust.packs.registry import clear_pack_cache

    clear_pack_cache()
    (named.root / "2019/new.bmp").write_bytes(b"no photo")  # so that one cache is written
    again = Library(named.root)
    assert again.scan(workers=0).scanned == 0
    norms = np.linalg.norm(again.faces.embeddings, axis=1)
    assert np.allclose(norms, 2.5, rtol=1e-6)
    assert check_caches(again)["problems"] == []
    assert again.cluster().full_reason == "the models have changed"  # distances are


# -- what it costs -----------------------------------------------------------


def test_a_plan_says_which_photos_are_to_be_looked_at(named: Library) -> None:
    install_other_boxes()
    pack = Library(named.root, pack="second").pack
    plan = plan_switch(named.home, pack)
    assert plan.photos == len(plan.unscanned) == 11 and "together/nobody.jpg" in plan.unscanned
    Library(named.root, pack="second").scan([named.root / "together"], workers=0)
    plan = with_time_estimate(named.home, pack, plan_switch(named.home, pack))
    assert (
        len(plan.unscanned) == 8
        and plan.sample_size == 6
        and plan.estimated_seconds is not None
        and 0 < plan.estimated_seconds < 60
    )
    assert not any(photo.startswith("together/") for photo in plan.unscanned)


def test_a_large_change_says_how_long_it_takes_after_its_first_photos(
    named: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_tiny_embedder()
    monkeypatch.setattr("faceclust.scan.model_change.ESTIMATE_AFTER_PHOTOS", 4)
    result = switched(named, "tiny").scan(workers=0)
    assert [note.split(", at the pace")[0][:12] for note in result.notes] == ["11 photos sc", "all 11 take "]
    assert "at the pace of the first 4" in result.notes[1]
