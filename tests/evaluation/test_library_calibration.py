"""Scores and a calibrated threshold from a library's confirmed names."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from faceclust.errors import FaceclustError, UsageError
from faceclust.evaluation.library_calibration import build_distance_histogram, label_confirmed_faces, min_people
from faceclust.evaluation.metrics.clustering import bcubed, pairwise
from faceclust.evaluation.thresholds import cluster_unconstrained
from faceclust.types import LOCAL_SCALING, ClusterParams
from tests.support.command import run_checked
from tests.support.named_library import make_synthetic_library, name_largest_people


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A library whose people vary 40 % more than the threshold 1.1 allows for."""
    root = tmp_path_factory.mktemp("synthetic") / "photos"
    library, truth = make_synthetic_library(root, 900, spread=0.13)
    library.cluster(threshold=1.1)
    return root, truth


@pytest.fixture
def library_and_truth(clustered: tuple[Path, dict[str, str]], tmp_path: Path) -> tuple[Library, dict[str, str]]:
    import shutil

    shutil.copytree(clustered[0], tmp_path / "photos")
    return Library(tmp_path / "photos"), clustered[1]


def test_only_confirmed_names_count(library_and_truth: tuple[Library, dict[str, str]]) -> None:
    library, _ = library_and_truth
    group = library.faces_in_group(1)
    library.name(group, "Anna", confirmed=group[:2])
    found = label_confirmed_faces(library)
    assert found.faces.face_ids[found.known].tolist() == sorted(group[:2])
    assert set(found.persons[found.known]) == {"Anna"}
    library.name(library.faces_in_group(2)[:1], "Ben")
    assert set(label_confirmed_faces(library).persons) == {"", "Anna", "Ben"}
    assert set(label_confirmed_faces(library, min_faces=2).persons) == {"", "Anna"}


@pytest.mark.slow
def test_score_ignores_the_users_answers(library_and_truth: tuple[Library, dict[str, str]]) -> None:
    library, truth = library_and_truth
    name_largest_people(library, truth, 30)
    library.cluster(threshold=1.1)  # now the names correct the groups
    found = library.evaluate()
    labelled = label_confirmed_faces(library)
    ((_, clusters),) = cluster_unconstrained(library.faces, ClusterParams(), [1.1])
    expected = bcubed(clusters[labelled.known], labelled.persons[labelled.known])
    assert [side.value for side in found.bcubed] == [expected.precision, expected.recall]
    pairs = pairwise(clusters[labelled.known], labelled.persons[labelled.known])
    assert [side.value for side in found.pairwise] == [pairs.precision, pairs.recall]
    assert found.bcubed[1].value < 0.95 and found.people == 30 and found.faces == int(labelled.known.sum())
    for interval in (*found.bcubed, *found.pairwise):
        assert 0 <= interval.low <= interval.value <= interval.high <= 1 and interval.low < interval.high
    assert found.split_people and found.split_people[0][1] > 1
    assert found.best is not None and found.best.threshold > 1.1 and found.best.better_share >= 0.95
    assert library.evaluate() == found


def test_confused_people_are_reported(library_and_truth: tuple[Library, dict[str, str]]) -> None:
    library, truth = library_and_truth
    name_largest_people(library, truth, 10)
    group = max(library.group_members.values(), key=len)
    names = {truth[face] for face in group}
    assert len(names) == 1
    library.name(group[-3:], "Somebody Else")  # as if these faces of somebody else were in the group
    found = library.evaluate()
    assert found.confusions[0].names == tuple(sorted({*names, "Somebody Else"}))
    assert min(found.confusions[0].faces) == 3 and found.confusions[0].groups
    assert found.confusions[0].command.startswith(("faceclust split ", "faceclust label"))
    assert found.bcubed[0].value < 1


def test_too_few_names_are_an_error(library_and_truth: tuple[Library, dict[str, str]], tmp_path: Path) -> None:
    library, truth = library_and_truth
    with pytest.raises(FaceclustError, match="0 people with at least two confirmed faces"):
        library.evaluate()
    name_largest_people(library, truth, 4, faces_each=2)
    with pytest.raises(FaceclustError, match="4 people"):
        library.evaluate()
    with pytest.raises(FaceclustError, match="too few names to calibrate: 4 people"):
        library.calibrate()
    assert not library.home.config_file.exists()
    name_largest_people(library, truth, 12, faces_each=2)  # enough people, too few pairs
    with pytest.raises(FaceclustError, match="too few"):
        library.calibrate(0.01)


@pytest.mark.parametrize("far", [0.0, -1.0, 0.2, float("nan"), float("inf")])
def test_far_out_of_range_is_refused(library_and_truth: tuple[Library, dict[str, str]], far: float) -> None:
    with pytest.raises(UsageError, match=r"--far must be above 0 and at most 0\.1, not"):
        library_and_truth[0].calibrate(far)


def test_number_of_people_needed_for_a_rate() -> None:
    assert (min_people(0.001), min_people(0.01), min_people(0.1)) == (29, 10, 10)
    for far in (0.0005, 0.001, 0.003):
        people = min_people(far)
        assert people * (people - 1) / 2 >= 0.4 / far > (people - 1) * (people - 2) / 2


@pytest.mark.slow
def test_cluster_uses_the_calibrated_threshold(library_and_truth: tuple[Library, dict[str, str]]) -> None:
    library, truth = library_and_truth
    name_largest_people(library, truth, 40)
    assert library.default_threshold() == 1.1 and library.calibration is None
    found = library.calibrate(dry_run=True).calibrated
    assert not library.home.config_file.exists() and found.threshold > 1.1
    library.home.config_file.write_text("# mine\n[report]\nfaces = 8 # few\n")
    assert library.calibrate().calibrated == found
    calibration = library.calibration
    assert calibration is not None and (calibration.threshold, calibration.people, calibration.far) == (
        found.threshold,
        40,
        0.001,
    )
    assert calibration.made == datetime.date.today()
    assert library.home.config_file.read_text().startswith("# mine\n[report]\nfaces = 8 # few\n")
    assert Library(library.root).cluster().clustering.params.threshold == found.threshold
    assert library.cluster("auto", dry_run=True).clustering.params.threshold == found.threshold
    assert library.cluster(1.05, dry_run=True).clustering.params.threshold == 1.05
    assert library.cluster(dry_run=True, second_pass=False).clustering.params.threshold == 1.1
    assert library.cluster(dry_run=True, algorithm="single").clustering.params.threshold == 1.1
    assert calibration.local_scaling == LOCAL_SCALING
    assert library.cluster(dry_run=True, local_scaling=0).clustering.params.threshold == 1.1
    output = run_checked("cluster", "--library", library.root, "--local-scaling", "0", "--dry-run")
    assert f"not used: it was chosen with local scaling {LOCAL_SCALING:g}; next: faceclust calibrate" in output
    with pytest.raises(UsageError, match="a number or auto, not 'low'"):
        library.cluster("low")
    persons = np.array([truth[face] for face in library.faces.face_ids.tolist()])
    before, after = (
        bcubed(c, persons).f for _, c in cluster_unconstrained(library.faces, ClusterParams(), [1.1, found.threshold])
    )
    assert after > before  # also for people without a name
    assert library.reset_calibration() and not library.reset_calibration()
    assert library.home.config_file.read_text().rstrip() == "# mine\n[report]\nfaces = 8 # few"
    assert library.default_threshold() == 1.1


@pytest.mark.slow
def test_calibration_of_another_pack_is_ignored(library_and_truth: tuple[Library, dict[str, str]]) -> None:
    library, truth = library_and_truth
    name_largest_people(library, truth, 40)
    library.calibrate()
    config = library.home.config_file
    space = library.calibration.space if library.calibration else ""
    config.write_text(config.read_text().replace(space, "0" * 16))
    assert library.calibration is None and library.default_threshold() == 1.1


def test_distance_histogram_counts_all_pairs() -> None:
    rng = np.random.default_rng(0)
    points, persons = rng.standard_normal((40, 3)).astype(np.float32), rng.integers(0, 5, 40).astype(str)
    found = build_distance_histogram(points, persons)
    same, different = [], []
    for i in range(40):
        for j in range(i):
            distance = float(((points[i].astype(float) - points[j]) ** 2).sum())
            (same if persons[i] == persons[j] else different).append(distance)
    assert found.same.tolist() == np.histogram(same, found.edges)[0].tolist()
    assert found.different.tolist() == np.histogram(different, found.edges)[0].tolist()
    assert found.same.sum() + found.different.sum() == 40 * 39 // 2
