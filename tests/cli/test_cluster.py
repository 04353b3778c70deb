"""The command `faceclust cluster`: the changes it lists, what it keeps, and how it stops."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from faceclust import Library
from faceclust.catalogue.constraints import build_constraints
from faceclust.cluster import pair_engine
from faceclust.cluster.pair_engine import Comparison
from faceclust.engines import local_engine
from faceclust.engines.device_pairs import DevicePairEngine
from faceclust.errors import UsageError
from faceclust.packs.session import DEVICES, available_providers
from faceclust.types import LOCAL_SCALING, ClusterParams
from tests.benchmarks.synthetic import synthetic_faces
from tests.support.command import COMMAND, run, run_checked
from tests.support.photo_files import build_dng, encode_image
from tests.support.sample_photos import COLLINS, HOPPER, join_images, load_portrait, make_variant, save_photo
from tests.support.synthetic_library import write_caches

THRESHOLD = 1.1 * 3.15**2  # synthetic faces have norm 1, the models' radius is 3.15


def test_new_photos_join_existing_groups(library: Library) -> None:
    before = dict(library.group_of)
    save_photo(join_images(make_variant(COLLINS, 4), make_variant(HOPPER, 3)), library.root / "new.jpg")
    library.scan(workers=0)
    output = run_checked("cluster", "--library", library.root, "--dry-run")
    assert "since the last grouping: 2 new faces" in output
    assert "joined: 2 new faces to groups" in output and "nothing was written" in output
    assert Library(library.root).group_of == before
    record = json.loads(run_checked("cluster", "--library", library.root, "--json"))
    assert (record["anew"], record["compared"], record["written"]) == ("", 2, True)
    assert sorted(joined["group"] for joined in record["changes"]["joined"]) == sorted(set(before.values()))
    after = Library(library.root).group_of
    assert before.items() <= after.items() and len(after) == len(before) + 2
    output = run_checked("cluster", "--library", library.root, "--full")
    assert "the same faces; all faces were grouped from scratch: --full" in output and "no group has changed" in output


def test_another_threshold_lists_the_changes_and_can_be_undone(library: Library) -> None:
    before = dict(library.group_of)
    output = run_checked("cluster", "--library", library.root, "--threshold", "0.02")
    assert "now alone: " in output and "all faces were grouped from scratch: the threshold was 1.1" in output
    assert Library(library.root).group_of != before
    assert "restored the previous grouping" in run_checked("cluster", "--library", library.root, "--undo")
    assert Library(library.root).group_of == before
    changes = json.loads(run_checked("cluster", "--library", library.root, "--undo", "--json"))["changes"]
    assert changes["left"] and Library(library.root).group_of != before
    assert run_checked("cluster", "--library", library.root)
    assert sorted(Library(library.root).group_of) == sorted(before)


def test_a_grouping_that_loses_most_names_says_how_to_restore_the_one_before(
    collins: tuple[Library, int, set[str]],
) -> None:
    library, _, faces = collins
    library.name([min(faces)], "Eileen")  # the others are suggested
    done = run("cluster", "--threshold", "0.02", "--library", library.root)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == (
        "5 of 6 named faces lost the name they had; to restore the grouping before: faceclust cluster --undo"
    )
    assert len(Library(library.root).find_person("Eileen").face_ids) == 1
    run_checked("cluster", "--undo", "--library", library.root)
    assert len(Library(library.root).find_person("Eileen").face_ids) == 6
    assert "lost" not in run("cluster", "--threshold", "1.0", "--library", library.root).stderr
    assert "lost" not in run("cluster", "--threshold", "0.02", "--library", library.root, "--dry-run").stderr
    done = run("cluster", "--threshold", "0.02", "--library", library.root, "--json")
    assert "lost the name" in done.stderr and json.loads(done.stdout)["written"]


def test_a_threshold_can_be_the_largest_distance(library: Library) -> None:
    highest = 4 * library.cache_info.radius**2
    assert run("cluster", "-t", highest, "-l", library.root, "--dry-run").returncode == 0
    assert run("cluster", "-t", highest + 0.001, "-l", library.root, "--dry-run").returncode == 2
    assert run("cluster", "-t", "99", "-a", "hdbscan", "-l", library.root, "--dry-run").returncode == 0  # unused


def test_the_weight_of_local_scaling_is_kept_and_another_one_groups_from_scratch(library: Library) -> None:
    before = dict(library.group_of)
    assert json.loads(run_checked("cluster", "--library", library.root, "--json"))["local_scaling"] == LOCAL_SCALING
    output = run_checked("cluster", "--library", library.root, "--local-scaling", "0")
    assert f"all faces were grouped from scratch: local scaling was {LOCAL_SCALING:g}" in output
    clustering = Library(library.root).clustering
    assert clustering is not None and clustering.params.local_scaling == 0 and not clustering.crowding.any()
    assert Library(library.root).group_of == before
    done = run("cluster", "--library", library.root, "--local-scaling", "3")
    assert done.returncode == 2 and "local-scaling must be from 0 to 2, not 3" in done.stderr


def test_a_grouping_of_an_older_version_keeps_its_numbers_and_names(library: Library) -> None:
    library.name(min(library.group_of.values()), "Ann")
    before = dict(library.group_of)
    path = library.home.clusters
    table = pq.read_table(path)
    notes = json.loads(table.schema.metadata[b"faceclust"])
    del notes["params"]["local_scaling"], notes["median_crowding"]
    table = table.drop_columns(["crowding", "unscaled_group"])
    pq.write_table(table.replace_schema_metadata({b"faceclust": json.dumps(notes).encode()}), path)
    assert Library(library.root).group_of == before
    output = run_checked("cluster", "--library", library.root)
    assert "local scaling was 0" in output and "no group has changed" in output
    again = Library(library.root)
    assert again.group_of == before and [person.name for person in again.people()] == ["Ann"]
    assert "from scratch" not in run_checked("cluster", "--library", library.root)


def test_changes_show_the_names_of_groups(collins: tuple[Library, int, set[str]]) -> None:
    library, group, _ = collins
    run_checked("name", str(group), COLLINS, "--library", library.root)
    save_photo(make_variant(COLLINS, 7), library.root / "new.jpg")
    library.scan(workers=0)
    assert f"joined: 1 new face to group {group} ({COLLINS}) +1" in run_checked("cluster", "--library", library.root)


def test_min_quality_is_checked_and_saved(library: Library) -> None:
    record = json.loads(run_checked("cluster", "--library", library.root, "--json"))
    assert (record["min_quality"], record["anew"]) == (0.5, "")
    record = json.loads(run_checked("cluster", "--library", library.root, "--json", "--min-quality", "0"))
    assert (record["min_quality"], record["anew"]) == (0, "the options have changed")
    assert Library(library.root).clustering.params == ClusterParams(min_quality=0)
    done = run("cluster", "--library", library.root, "--min-quality", "80")
    assert done.returncode == 2 and "quality must be from 0 to 1" in done.stderr and "Traceback" not in done.stderr


def test_undo_without_an_earlier_grouping_is_refused(library: Library) -> None:
    done = run("cluster", "--library", library.root, "--undo")
    assert done.returncode == 2 and "no previous grouping" in done.stderr


def test_a_damaged_grouping_is_reported_and_the_previous_one_kept(library: Library) -> None:
    first = dict(library.group_of)
    run_checked("cluster", "--library", library.root, "-t", "0.02")
    for command in (["cluster"], ["cluster", "--undo"]):
        library.home.clusters.write_bytes(b"PAR1 nonsense")
        done = run(*command, "--library", library.root, "--json")
        assert done.returncode == 0 and "clusters.parquet cannot be read" in done.stderr
        assert json.loads(done.stdout) and Library(library.root).group_of == first
    library.home.clusters.write_bytes(b"PAR1 nonsense")
    dry = run("cluster", "--library", library.root, "--dry-run", "--json")
    assert dry.returncode == 0 and json.loads(dry.stdout)["written"] is False
    assert library.home.clusters.read_bytes() == b"PAR1 nonsense"


def test_undo_can_be_a_dry_run_and_refuses_other_options(library: Library) -> None:
    run_checked("cluster", "--library", library.root, "-t", "0.02")
    files = [library.home.clusters, library.home.previous_clusters]
    before = [file.read_bytes() for file in files]
    assert "would restore the previous grouping" in run_checked("cluster", "--library", library.root, "--undo", "-n")
    assert [file.read_bytes() for file in files] == before
    for choice in (["--full"], ["-t", "1.1"], ["--min-size", "2"]):
        done = run("cluster", "--library", library.root, "--undo", *choice)
        assert done.returncode == 2 and "--undo cannot be combined" in done.stderr
    assert [file.read_bytes() for file in files] == before


def test_a_run_without_changes_keeps_the_previous_grouping(library: Library) -> None:
    before = dict(library.group_of)
    for _ in range(3):
        run_checked("cluster", "--library", library.root, "-t", "0.02")
    run_checked("cluster", "--library", library.root, "--undo")
    assert Library(library.root).group_of == before


def test_group_numbers_are_never_reused(library: Library) -> None:
    last = library.occurrences_of[library.faces_in_group(max(library.group_members))[0]][0].photo
    person = COLLINS if "collins" in last else HOPPER
    for photo in library.root.rglob(f"*{person.split()[1].lower()}*"):
        photo.unlink()
    for photo in (library.root / "together").iterdir():
        photo.unlink()
    before = set(library.group_members)
    library.scan(workers=0)
    library.cluster()
    assert len(library.group_members) == 1
    for number in range(3):
        save_photo(make_variant(person, number), library.root / f"back-{number}.jpg")
    library.scan(workers=0)
    library.cluster()
    assert set(library.group_members) - before == {max(before) + 1}


def test_a_group_is_titled_by_the_person_with_the_most_faces(collins: tuple[Library, int, set[str]]) -> None:
    library, group, faces = collins
    odd, *others = sorted(faces)
    library.name([odd], "Ben", confirmed=[])
    library.name(others, COLLINS, confirmed=others[:1])
    save_photo(make_variant(COLLINS, 7), library.root / "new.jpg")
    library.scan(workers=0)
    assert f"group {group} ({COLLINS}) +1" in run_checked("cluster", "--library", library.root)


@pytest.mark.parametrize("full", [False, True])
def test_undoing_a_name_separates_the_faces_it_had_joined(library: Library, full: bool) -> None:
    before = dict(library.group_of)
    first, second = (library.faces_in_group(number) for number in sorted(set(before.values())))
    # Two faces of one photo are never joined, so take none from the photos with both people.
    one, other = (
        next(f for f in faces if library.occurrences_of[f][0].photo.startswith("2")) for faces in (first, second)
    )
    library.name([one, other], "Zed")
    library.cluster(full=full)
    assert library.group_of[one] == library.group_of[other]
    library.cluster()
    assert library.group_of[one] == library.group_of[other]
    library.undo()
    library.cluster()
    assert library.group_of == before


def test_group_numbers_return_after_a_detour(library: Library) -> None:
    before = dict(library.group_of)
    library.cluster(0.001)
    library.cluster()
    assert library.group_of == before
    (library.root / "2019").rename(library.root.parent / "away")
    (library.root / "together").rename(library.root.parent / "away too")
    library.scan(workers=0)
    library.cluster()
    (library.root.parent / "away").rename(library.root / "2019")
    (library.root.parent / "away too").rename(library.root / "together")
    library.scan(workers=0)
    library.cluster()
    assert library.group_of == before


def test_an_unknown_group_number_is_refused_with_a_hint(library: Library) -> None:
    assert "faceclust people --all lists them" in run("name", "99", "A", "--library", library.root).stderr


def test_undo_counts_the_faces_that_came_later(library: Library) -> None:
    save_photo(make_variant(COLLINS, 7), library.root / "new.jpg")
    library.scan(workers=0)
    run_checked("cluster", "--library", library.root)
    assert "1 face not in that grouping; next: faceclust cluster" in run_checked(
        "cluster", "--library", library.root, "--undo"
    )


def test_a_group_with_one_face_left_is_dissolved(library: Library) -> None:
    group, *others = sorted(set(library.group_of.values()))
    keep, *deleted = library.faces_in_group(group)
    for photo in {place.photo for face in deleted for place in library.occurrences_of[face]}:
        (library.root / photo).unlink()
    library.scan(workers=0)
    assert keep in library.occurrences_of and set(library.group_members) == set(others)
    assert len(library.unnamed_groups()) == len(others)
    library.cluster()
    library.undo_cluster()
    assert set(library.group_members) == set(others)


def test_undo_does_not_report_deleted_faces(library: Library) -> None:
    deleted = [place.face_id for place in library.occurrences if place.photo == "together/both 0.jpg"]
    (library.root / "together/both 0.jpg").unlink()
    library.scan(workers=0)
    library.cluster()
    changes = library.undo_cluster()
    assert deleted and (changes.added, changes.joined) == (0, ())


def test_a_rejection_needs_a_name(library: Library) -> None:
    with pytest.raises(UsageError, match="letter"):
        library.reject([library.occurrences[0].face_id], " ")
    assert not library.home.journal.exists()


def test_a_group_with_two_named_people_is_split(collins: tuple[Library, int, set[str]]) -> None:
    library, _, faces = collins
    first, second = sorted(faces)[:2]
    library.name([first], "Anna")
    library.name([second], "Ben")
    for _ in range(2):  # at once, and after the next grouping
        groups = {library.group_of.get(first, -1), library.group_of.get(second, -2)}
        assert len(groups) == 2
        library.cluster()


def test_a_rejected_face_never_joins_the_person_again(collins: tuple[Library, int, set[str]]) -> None:
    library, group, faces = collins
    odd, *others = sorted(faces)
    library.name(others, COLLINS)
    (person,) = library.people()
    assert odd in person.face_ids  # it came with the group
    library.reject([odd], COLLINS)
    (person,) = library.people()
    assert odd not in person.face_ids
    for full in (False, True):
        library.cluster(full=full)
        assert library.group_of.get(odd) != group and {library.group_of[face] for face in others} == {group}
    library.name([odd], COLLINS)  # the latest answer counts
    library.cluster()
    assert library.group_of[odd] == group
    library.undo()
    library.undo()
    (person,) = library.people()
    assert odd not in person.confirmed


def test_the_same_name_twice_on_a_photo_is_kept_and_reported(library: Library) -> None:
    faces = [place.face_id for place in library.occurrences if place.photo == "together/both 0.jpg"]
    library.name(faces, "Twin")
    done = run("cluster", "--library", library.root)
    assert "Twin is confirmed for 2 faces of together/both 0.jpg" in done.stderr
    after = Library(library.root)
    assert after.group_of[faces[0]] == after.group_of[faces[1]]
    assert "confirmed on" not in run("cluster", "--allow-same-photo", "--library", library.root).stderr


def test_a_collage_is_one_person_with_allow_same_photo(tmp_path: Path) -> None:
    save_photo(join_images(make_variant(COLLINS, 1), make_variant(COLLINS, 2)), tmp_path / "collage.jpg")
    library = Library(tmp_path)
    library.scan(workers=0)
    assert library.cluster().clustering.labels.max(initial=-1) == -1
    assert library.cluster(allow_same_photo=True).clustering.labels.tolist() == [1, 1]


def test_an_edited_copy_is_linked_to_the_original(tmp_path: Path) -> None:
    photo = make_variant(HOPPER, 0)
    save_photo(photo, tmp_path / "IMG_1.jpg")
    save_photo(photo.convert("L").convert("RGB"), tmp_path / "IMG_1-edited.png")
    save_photo(make_variant(COLLINS, 0), tmp_path / "IMG_2.jpg")
    library = Library(tmp_path)
    library.scan(workers=0)
    faces = library.table.face_table()
    versions = faces.shots[:, 1].tolist()
    assert sorted(versions.count(version) for version in set(versions)) == [1, 2]
    links = build_constraints(faces, library.answers, ClusterParams())[0].must_link
    assert [sorted(versions[face] for face in link) for link in links] == [[max(versions, key=versions.count)] * 2]
    named = {place.photo: place.face_id for place in library.occurrences}
    library.name([named["IMG_1.jpg"]], "Grace")
    library.name([named["IMG_1-edited.png"]], "Not Grace")
    assert "look like one shot, is confirmed as" in run("cluster", "--library", tmp_path).stderr


def test_a_raw_file_beside_its_jpeg_is_the_same_shot(tmp_path: Path) -> None:
    photo = load_portrait(COLLINS)
    jpeg = encode_image(photo, "JPEG", quality=95)
    (tmp_path / "IMG_1234.DNG").write_bytes(build_dng(photo, jpeg))
    for name in ("IMG_1234.JPG", "IMG_E1234.jpg"):
        save_photo(photo, tmp_path / name)
    save_photo(photo.convert("L").convert("RGB"), tmp_path / "IMG_E1234.jpg")
    library = Library(tmp_path)
    assert library.scan(workers=0).faces == 3
    faces = library.table.face_table()
    links = build_constraints(faces, library.answers, ClusterParams())[0].must_link
    assert sorted({int(face) for link in links for face in link}) == [0, 1, 2]
    assert library.cluster().clustering.labels.tolist() == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_during_a_long_run_changes_nothing(tmp_path: Path) -> None:
    faces = synthetic_faces(40_000)
    library = write_caches(tmp_path / "large", faces.embeddings, faces.photo)
    with subprocess.Popen(
        [*COMMAND, "cluster", "--library", str(library.root), "-t", str(THRESHOLD)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "pairs to compare" in line:
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(30) == 130
    assert rest.strip().splitlines()[-1] == "stopped" and "Traceback" not in rest
    assert not library.home.clusters.exists()
    shutil.rmtree(library.root)


def test_caches_are_grouped_without_their_photos(tmp_path: Path) -> None:
    faces = synthetic_faces(600)
    library = write_caches(tmp_path, faces.embeddings, faces.photo)
    grouping = library.cluster(THRESHOLD)
    assert grouping.clustering.labels.max() > 50
    labels = grouping.clustering.labels
    photos = library.table.face_table().photo_ids
    together_ = [(label, photo) for label, photo in zip(labels.tolist(), photos.tolist(), strict=True) if label >= 0]
    assert len(together_) == len(set(together_)) and grouping.full_reason
    assert np.unique(labels).tolist() == [-1, *range(1, grouping.clustering.labels.max() + 1)]


def test_a_device_compares_all_faces_with_the_same_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = synthetic_faces(600)
    write_caches(tmp_path, faces.embeddings, faces.photo)
    arguments = ("cluster", "--full", "--threshold", str(THRESHOLD), "--library", str(tmp_path))
    for _ in range(2):
        run_checked(*arguments)
    before = (tmp_path / ".faceclust" / "clusters.parquet").read_bytes()
    used = []

    class Engine(DevicePairEngine):
        def compare_all(self, *arguments: Any) -> Comparison:
            used.append(self._device)
            return super().compare_all(*arguments)

    monkeypatch.setattr("faceclust.engines.device_pairs.DevicePairEngine", lambda device: Engine("cpu"))
    monkeypatch.setattr("faceclust.packs.session.choose_device", lambda device: "cpu" if device == "cpu" else "cuda")
    monkeypatch.setattr(local_engine, "MIN_FACES_FOR_INTEGERS", 600)
    monkeypatch.setattr(local_engine, "MIN_FACES_FOR_GPU", 600)
    monkeypatch.setattr(pair_engine, "MIN_FILTERED_ROWS", 0)
    for device, passes in (("cpu", 0), ("auto", 3), ("cuda", 6)):
        record = json.loads(run_checked(*arguments, "--device", device, "--json"))
        assert record["device"] == device and len(used) == passes
        assert (tmp_path / ".faceclust" / "clusters.parquet").read_bytes() == before
    monkeypatch.setattr(local_engine, "MIN_FACES_FOR_GPU", 601)
    run_checked(*arguments)
    assert len(used) == 6


def test_a_missing_device_is_refused(library: Library) -> None:
    if DEVICES["cuda"] in available_providers():
        pytest.skip("this ONNX Runtime supports CUDA")
    done = run("cluster", "--device", "cuda", "--library", library.root)
    assert done.returncode == 1
    assert "does not support cuda" in done.stderr and "pip install onnxruntime-gpu" in done.stderr
