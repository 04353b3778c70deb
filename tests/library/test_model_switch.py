"""Switching a library to another pack and back: the names and the caches of both packs stay."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from faceclust import Library
from faceclust.errors import NothingScannedError, PackError, UsageError
from faceclust.files import bundled
from faceclust.files.names import cache_file_name
from faceclust.library.maintenance import check_caches, clear_caches, plan_clear
from faceclust.library.model_switch import SwitchPlan, plan_switch, with_time_estimate
from faceclust.library.photo_faces import FaceReader
from faceclust.packs.registry import load_pack
from faceclust.scan.unchanged import count_unchanged_photos
from faceclust.store.config import read_config
from faceclust.store.roots_file import new_root
from faceclust.store.settings import pack_in_use, precision_in_use, set_pack, user_config_enabled, user_config_file
from tests.support.pack_scenarios import install_other_detector, install_tiny_embedder
from tests.support.photo_changes import count_surviving_names, list_names_on_photos
from tests.support.sample_photos import COLLINS, HOPPER, make_variant

NameOfFace = Callable[[Library], dict[str, str]]


@pytest.fixture
def named(library: Library, name_of_face: NameOfFace) -> Library:
    for person in (COLLINS, HOPPER):
        library.name([face for face, who in name_of_face(library).items() if who == person], person)
    return library


def switch_to(library: Library, pack: str) -> Library:
    set_pack(pack, library.home)
    return Library(library.root)


def caches(library: Library, pack: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(library.root.rglob(cache_file_name(pack)))}


# -- the pack in use ---------------------------------------------------------


def test_precedence_of_the_pack_is_library_file_user_file_default(library: Library) -> None:
    root = library.root
    assert (pack_in_use(root).value, pack_in_use(root).file) == ("mobilefacenet", None) == (pack_in_use().value, None)
    user_file = set_pack("sface", None)
    assert user_file == user_config_file() and pack_in_use(root).value == pack_in_use().value == "sface"
    library_file = set_pack("second", library.home)
    assert (
        pack_in_use(root).value == "second"
        and pack_in_use(root).file == library_file == library.home.home / "config.toml"
    )
    assert pack_in_use().value == "sface" and Library(root).pack_name == "second"
    assert (
        Library(root, pack="mobilefacenet").pack_name
        == Library(root, pack="mobilefacenet").pack.name
        == "mobilefacenet"
    )


def test_the_pack_is_written_at_the_top_and_the_rest_of_the_file_stays(library: Library) -> None:
    file = library.home.home / "config.toml"
    file.write_text("# mine\n[cluster]\nthreshold = 1.2  # looser\n")
    set_pack("second", library.home)
    assert read_config(file) == {"pack": "second", "cluster": {"threshold": 1.2}}
    text = file.read_text()
    assert "# mine" in text and "# looser" in text and text.index("pack") < text.index("[cluster]")


def test_the_configuration_moves_along_to_a_cache_folder(library: Library, tmp_path: Path) -> None:
    (library.home.home / "config.toml").write_text("[cluster]\nthreshold = 1.2\n")
    elsewhere = Library(library.root, cache_dir=tmp_path / "faces")
    file = set_pack("second", elsewhere.home)
    assert file.is_relative_to(tmp_path / "faces")
    assert read_config(file) == {"pack": "second", "cluster": {"threshold": 1.2}}
    assert pack_in_use(library.root).file == file


@pytest.mark.parametrize("text", ["pack = 3", "pack = '../x'", "pack = ['mobilefacenet']", "pack = ''", "pack = "])
def test_an_invalid_pack_name_is_reported_with_its_file(library: Library, text: str) -> None:
    file = library.home.home / "config.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"config\.toml"):
        _ = Library(library.root).pack


def test_the_precision_is_read_from_the_scan_table_or_the_top_level(library: Library) -> None:
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


def test_no_config_ignores_the_users_file_but_not_the_librarys(library: Library) -> None:
    set_pack("sface", None)
    token = user_config_enabled.set(False)
    try:
        assert pack_in_use(library.root).value == "mobilefacenet"
        (library.home.home / "config.toml").write_text("pack = 'second'")
        assert pack_in_use(library.root).value == "second"
        (library.home.home / "config.toml").write_text("pack = ")
        assert pack_in_use(library.root).value == "mobilefacenet" and precision_in_use(library.root).value == "float16"
    finally:
        user_config_enabled.reset(token)


def test_a_missing_pack_stops_scans_but_not_reading_caches(named: Library) -> None:
    folder = install_other_detector()
    other = switch_to(named, "second")
    other.scan(workers=0)
    other.cluster()
    people = {person.name: person.face_ids for person in other.people()}
    (folder / "dlib_resnet.onnx").unlink()
    (named.root / "2019/new.jpg").write_bytes((named.root / "2019/collins-0.jpg").read_bytes() + b" ")
    with pytest.raises(PackError, match=r"dlib_resnet\.onnx is missing") as refusal:
        Library(named.root).scan(workers=0)
    assert "faceclust models add --pack second" in str(refusal.value.hint)
    shutil.rmtree(folder)
    from faceclust.packs.registry import clear_pack_cache

    clear_pack_cache()
    without_pack = Library(named.root)
    assert {person.name: person.face_ids for person in without_pack.people()} == people
    assert len(list(without_pack.export())) == len(without_pack.occurrences)
    assert without_pack.cluster().full_reason == ""  # the clustering records its embedding space
    with pytest.raises(PackError, match=r"config\.toml: pack = 'second': no model pack called 'second'") as refusal:
        without_pack.scan([named.root / "2019"], workers=0)
    assert "faceclust models use" in str(refusal.value.hint)


# -- the default of earlier versions ------------------------------------------


def test_a_library_of_an_earlier_version_stays_with_its_pack_until_the_user_changes_it(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(2):
        make_variant(COLLINS, i).save(root / f"{i}.jpg")
    old = Library(root, pack="dlib")
    old.scan(workers=0)
    old.cluster()
    old.name(next(iter(old.group_members.values())), COLLINS)
    before = list_names_on_photos(old)
    assert not old.home.config_file.exists() and len(caches(old, "dlib")) == 1
    assert (pack_in_use(root).value, pack_in_use(root).file) == ("dlib", None)
    assert list_names_on_photos(Library(root)) == before
    (root / "new.jpg").write_bytes((root / "0.jpg").read_bytes() + b" ")
    result = Library(root).scan(workers=0)
    assert result.scanned == 1 and result.unchanged == result.photos - 1  # its caches are still valid
    (note,) = result.notes
    assert "faceclust models use mobilefacenet" in note
    assert pack_in_use(root).file == old.home.config_file  # said once: now it is the library's own choice
    (root / "new.jpg").unlink()
    assert Library(root).scan(workers=0).notes == []
    new = switch_to(old, "mobilefacenet")
    new.scan(workers=0)
    assert list_names_on_photos(new) == before and new.clustering_pack == "dlib"
    assert len(caches(new, "dlib")) == len(caches(new, "mobilefacenet")) == 1


def test_a_build_without_the_default_pack_uses_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dlib.toml", "mobilefacenet.toml", "dlib_resnet.onnx"):
        shutil.copy(load_pack("dlib").folder / name, tmp_path)
    monkeypatch.setattr(bundled, "bundled_folders", lambda: [tmp_path])
    assert pack_in_use().value == "dlib"


# -- switch and return -------------------------------------------------------


def test_names_survive_another_detector_and_back(named: Library) -> None:
    install_other_detector()
    before, grouped = list_names_on_photos(named), dict(named.group_of)
    journal = named.home.journal.read_bytes()
    first_caches = caches(named, "mobilefacenet")
    other = switch_to(named, "second")
    with pytest.raises(NothingScannedError, match="with the pack second yet") as refusal:
        other.people()
    assert "faceclust models use mobilefacenet" in str(refusal.value.hint)
    result = other.scan(workers=0)
    assert result.scanned == result.photos
    assert len(result.notes) == 1 and "scanned with mobilefacenet" in result.notes[0]
    assert len(set(named.occurrences_of).intersection(other.occurrences_of)) < len(named.occurrences_of) / 3
    assert count_surviving_names(before, other) == (12, 12, 12)
    # Until the next clustering, the groups keep their faces and numbers.
    assert other.clustering_pack == "mobilefacenet" and sorted(other.group_members) == sorted(named.group_members)
    assert {number: len(faces) for number, faces in other.group_members.items()} == {
        number: len(faces) for number, faces in named.group_members.items()
    }
    grouping = other.cluster()
    assert grouping.full_reason == "the models have changed" and other.clustering_pack == "second"
    assert {person.name: person.clusters for person in other.people()} == {
        person.name: person.clusters for person in named.people()
    }
    assert grouping.changes is not None and not grouping.changes.removed
    assert count_surviving_names(before, other) == (12, 12, 12)
    assert caches(named, "mobilefacenet") == first_caches
    library_file = caches(named, "second")
    back = switch_to(named, "mobilefacenet")
    result = back.scan(workers=0)
    assert (result.scanned, result.unchanged, result.notes) == (0, result.photos, [])
    assert count_surviving_names(before, back) == (12, 12, 12) and dict(back.group_of) == grouped
    assert caches(named, "second") == library_file and caches(named, "mobilefacenet") == first_caches
    assert named.home.journal.read_bytes() == journal  # nothing to record: the photos are the same
    assert switch_to(named, "second").scan(workers=0).scanned == 0
    for pack in ("mobilefacenet", "second"):  # without opening a cache
        assert count_unchanged_photos(named.home, [""], pack) == result.photos


def test_a_scan_interrupted_before_its_first_photo_succeeds(named: Library) -> None:
    install_other_detector()
    other = switch_to(named, "second")
    result = other.scan(workers=0, should_stop=lambda: True)
    assert result.interrupted and result.remaining == 11


def test_names_survive_another_embedder(named: Library) -> None:
    install_tiny_embedder()
    before = list_names_on_photos(named)
    other = switch_to(named, "tiny")
    other.scan(workers=0)
    assert set(other.occurrences_of) == set(named.occurrences_of) and other.faces.embeddings.shape[1] == 108
    assert other.clustering_pack == "mobilefacenet" and dict(other.group_of) == dict(named.group_of)
    other.cluster()
    assert count_surviving_names(before, other) == (12, 12, 12)
    assert count_surviving_names(before, switch_to(named, "mobilefacenet")) == (12, 12, 12)


def test_faces_without_a_usable_embedding_are_left_out_and_reported(named: Library) -> None:
    install_tiny_embedder(nan_for_light_chips=True)
    other = switch_to(named, "tiny")
    plan = with_time_estimate(other.home, other.pack, plan_switch(other.home, other.pack))
    assert plan.sample_size == 6
    result = other.scan(workers=0)
    assert result.scanned == result.photos and not result.skipped
    assert 0 < len(other.faces) < len(named.faces) and set(other.occurrences_of) < set(named.occurrences_of)
    (left_out_note,) = [note for note in result.notes if "left out" in note]
    left_out = len(named.occurrences) - len(other.occurrences)
    assert f"faces left out because tiny returns no usable vectors for them: {left_out}, on " in left_out_note
    assert other.scan(workers=0).scanned == 0


def test_the_time_estimate_leaves_out_videos_and_photos_that_are_away(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = new_root((tmp_path / "disk").as_posix(), ())
    library.home.set_roots((away,))
    here = sorted(path.relative_to(library.root).as_posix() for path in library.root.rglob("*.jpg"))[:7]
    unscanned = [f"{away.path}/{number}.jpg" for number in range(9)] + here + [f"{number}.mp4" for number in range(9)]
    read = []
    monkeypatch.setattr(FaceReader, "read", lambda reader, path: read.append(path))
    plan = with_time_estimate(library.home, library.pack, SwitchPlan(25, tuple(unscanned)))
    assert plan.sample_size == 6 and set(read) == {library.root / photo for photo in here[:6]}
    plan = with_time_estimate(library.home, library.pack, SwitchPlan(9, tuple(unscanned[:9])))
    assert (plan.sample_size, plan.estimated_seconds) == (0, None)


def test_undoing_a_clustering_restores_that_of_another_pack(named: Library) -> None:
    install_other_detector()
    numbers = dict(named.group_of)
    other = switch_to(named, "second")
    other.scan(workers=0)
    other.cluster(0.2)
    changes = other.undo_cluster()
    assert other.clustering_pack == "mobilefacenet" and changes is not None
    assert sorted(other.group_members) == sorted(named.group_members)
    assert dict(switch_to(named, "mobilefacenet").group_of) == numbers  # with the face ids of that pack


def test_photos_moved_under_another_pack_are_not_rescanned(named: Library) -> None:
    """Photos moved or copied while another pack was in use."""
    install_other_detector()
    before = list_names_on_photos(named)
    switch_to(named, "second").scan(workers=0)
    (named.root / "2019").rename(named.root / "2018")
    shutil.copy(named.root / "together/both 0.jpg", named.root / "copy.jpg")
    for pack in ("second", "mobilefacenet"):
        library = switch_to(named, pack)
        result = library.scan(workers=0)
        assert (result.scanned, result.removed) == (0, 0), pack
        assert count_surviving_names(before, library)[1:] == (12, 12), pack
        assert library.scan(workers=0).unchanged == result.photos


@pytest.mark.slow
def test_forgetting_erases_the_faces_from_the_caches_of_all_packs(named: Library) -> None:
    install_other_detector()
    install_tiny_embedder()
    for pack in ("second", "tiny"):
        switch_to(named, pack).scan(workers=0)
    counts = {pack: len(switch_to(named, pack).occurrences) for pack in ("mobilefacenet", "second", "tiny")}
    library = switch_to(named, "second")
    library.forget(library.plan_forget(COLLINS))
    for pack, count in counts.items():
        rows = [row for path in caches(named, pack) for row in pq.read_table(path).to_pylist()]
        assert sum(row["embedding"] is not None for row in rows) == count - 6, pack
        assert switch_to(named, pack).scan(workers=0).faces == 0
        assert {person.name for person in switch_to(named, pack).people()} == {HOPPER}
    assert check_caches(library)["problems"] == []


@pytest.mark.slow
def test_clearing_one_pack_leaves_the_other_pack(named: Library) -> None:
    install_other_detector()
    first_caches = caches(named, "mobilefacenet")
    other = switch_to(named, "second")
    other.scan(workers=0)
    clear_caches(other, plan_clear(other, "second"))
    assert not caches(named, "second") and caches(named, "mobilefacenet") == first_caches
    assert switch_to(named, "mobilefacenet").scan(workers=0).scanned == 0
    assert switch_to(named, "second").scan(workers=0).scanned == 11
    clear_caches(other, plan_clear(other))
    assert not list(named.home.home.glob("seen*.json"))


@pytest.mark.slow
def test_a_new_radius_of_a_pack_needs_no_rescan(named: Library) -> None:
    folder = install_other_detector()
    switch_to(named, "second").scan(workers=0)
    manifest = folder / "pack.toml"
    manifest.write_text(manifest.read_text().replace("radius = 3.0", "radius = 2.5"))
    from faceclust.packs.registry import clear_pack_cache

    clear_pack_cache()
    (named.root / "2019/new.bmp").write_bytes(b"no photo")  # so that one cache is rewritten
    with_new_radius = Library(named.root)
    assert with_new_radius.scan(workers=0).scanned == 0
    norms = np.linalg.norm(with_new_radius.faces.embeddings, axis=1)
    assert np.allclose(norms, 2.5, rtol=1e-6)
    assert check_caches(with_new_radius)["problems"] == []
    assert with_new_radius.cluster().full_reason == "the models have changed"  # its distances have changed


# -- the plan ----------------------------------------------------------------


def test_a_plan_lists_the_photos_to_rescan(named: Library) -> None:
    install_other_detector()
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


def test_a_large_rescan_estimates_its_time_from_the_first_photos(
    named: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_tiny_embedder()
    monkeypatch.setattr("faceclust.scan.model_change.ESTIMATE_AFTER_PHOTOS", 4)
    result = switch_to(named, "tiny").scan(workers=0)
    assert [note.split(", at the pace")[0][:12] for note in result.notes] == ["11 photos sc", "all 11 take "]
    assert "at the pace of the first 4" in result.notes[1]
