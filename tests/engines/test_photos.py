"""The client's side of a scan on a cluster: every photo is answered once, whatever its workers do."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from faceclust.engines.dask import photos
from faceclust.engines.dask.address import DaskOptions
from faceclust.engines.dask.connection import DaskCluster, open_cluster
from faceclust.errors import FaceclustError
from faceclust.files.names import DEFAULT_PACK
from faceclust.packs.registry import load_pack
from faceclust.scan.examine import ExaminedPhoto, ExamineTask, KnownPhoto, ScanSettings
from faceclust.types import PhotoRef, SkippedPhoto, SkipReason
from tests.support.scripted_batches import examine_by_name
from tests.support.scripted_worker import wait_for

pytestmark = [pytest.mark.process, pytest.mark.linux]

NOTES: list[str] = []


@pytest.fixture(scope="module")
def cluster() -> Iterator[DaskCluster]:
    with open_cluster(DaskOptions("local:2"), NOTES.append) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch, cluster: DaskCluster) -> None:
    wait_for(lambda: len(cluster.workers()) == 2)  # a test before may have killed some
    NOTES.clear()
    monkeypatch.setattr(photos, "examine_batch", examine_by_name)
    monkeypatch.setattr(photos, "_BATCH_SECONDS", 0.1)
    monkeypatch.setattr(photos, "_ALL_REFUSED_LIMIT", 0.5)


Examine = Callable[..., dict[str, ExaminedPhoto]]


@pytest.fixture
def examine(cluster: DaskCluster, tmp_path: Path) -> Examine:
    """A function that examines photos of these names, which exist unless they are `gone`. It fails if a photo is
    answered twice, or not at all."""

    def examine(names: Iterable[str], gone: Iterable[str] = ()) -> dict[str, ExaminedPhoto]:
        tasks = []
        for name in names:
            (tmp_path / name).touch()
            status = (tmp_path / name).stat()
            tasks.append(ExamineTask(PhotoRef(name, status.st_size, status.st_mtime_ns)))
            if name in gone:
                (tmp_path / name).unlink()
        answers = list(run(cluster, tmp_path, tasks))
        assert Counter(ref for ref, _ in answers) == Counter(task.ref for task in tasks)
        return {ref.name: examined for ref, examined in answers}

    return examine


def run(
    cluster: DaskCluster, root: Path, tasks: Iterable[ExamineTask], should_stop: Callable[[], bool] = lambda: False
) -> Iterator[tuple[PhotoRef, ExaminedPhoto]]:
    return photos.examine_on_cluster(cluster, root, ScanSettings(load_pack(DEFAULT_PACK)), tasks, should_stop)


def plain(count: int) -> list[str]:
    return [f"plain {number}" for number in range(count)]


def skipped(answers: dict[str, ExaminedPhoto]) -> dict[str, SkipReason]:
    return {name: one.photo.reason for name, one in answers.items() if isinstance(one.photo, SkippedPhoto)}


def shares(answers: dict[str, ExaminedPhoto]) -> Counter[str]:
    """Return the number of photos by worker."""
    return Counter(one.photo.content_hash for one in answers.values() if isinstance(one.photo, KnownPhoto))


def test_each_photo_is_answered_once_and_both_workers_help(examine: Examine) -> None:
    assert shares(examine(plain(200))).keys() == {"0", "1"}
    assert examine([]) == {}


def test_tasks_are_taken_as_workers_need_them(cluster: DaskCluster, tmp_path: Path) -> None:
    taken = itertools.count()
    tasks = (ExamineTask(PhotoRef(f"plain {number}", 1, number)) for number in taken)
    for answered, _ in enumerate(run(cluster, tmp_path, tasks)):
        # two batches of at most 20 a worker (0.1 s at 5 ms), and an answer of each
        assert next(taken) - answered <= 6 * 20 + answered
        if answered == 300:
            break


def test_a_slow_worker_gets_a_smaller_share(examine: Examine) -> None:
    found = shares(examine(f"slow here {number}" for number in range(300)))
    assert 0 < found["0"] < found["1"] / 5


@pytest.mark.slow
@pytest.mark.parametrize("names", [["once kill 1"], ["once kill 1", "once kill 2"]])
def test_photos_of_a_killed_worker_go_to_another(examine: Examine, names: list[str]) -> None:
    assert skipped(examine([*names, *plain(50)])) == {}
    assert sum("is gone" in note for note in NOTES) == len(names)


@pytest.mark.slow
def test_a_photo_that_kills_every_worker_is_skipped_alone(examine: Examine) -> None:
    assert skipped(examine([*plain(10), "kill 1", *plain(30)[10:]])) == {"kill 1": SkipReason.OUT_OF_MEMORY}


def test_photos_of_a_worker_that_hangs_go_to_another(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "_SILENCE_LIMIT", 0.5)
    try:
        found = shares(examine(["once hang 1", *plain(100)]))
    finally:
        (tmp_path / "wake").touch()
    assert found.total() == 101
    assert [note for note in NOTES if "go to others" in note]


def test_a_late_answer_is_taken_if_it_is_the_first(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both workers hang on the photo, are given up, and come back."""
    monkeypatch.setattr(photos, "_SILENCE_LIMIT", 0.5)

    def note(message: str) -> None:
        gave_up.append(message)
        if sum("go to others" in one for one in gave_up) == 2:
            (tmp_path / "wake").touch()

    gave_up: list[str] = []
    monkeypatch.setattr(cluster, "note", note)
    try:
        answers = list(run(cluster, tmp_path, [ExamineTask(PhotoRef("hang 1", 1, 1))]))
    finally:
        (tmp_path / "wake").touch()
    assert [ref.name for ref, _ in answers] == ["hang 1"]


def test_a_scan_is_given_up_if_no_worker_answers(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "_SILENCE_LIMIT", 0.3)
    monkeypatch.setattr(photos, "_NO_ANSWER_LIMIT", 0.5)
    tasks = [ExamineTask(PhotoRef(f"hang {number}", 1, 1)) for number in range(2)]
    try:
        with pytest.raises(FaceclustError, match="none finishes a photo"):
            list(run(cluster, tmp_path, tasks))
    finally:
        (tmp_path / "wake").touch()


def test_cancelled_futures_are_submitted_again(cluster: DaskCluster, examine: Examine) -> None:
    """As after a lost connection."""
    submit = cluster.submit
    futures = []

    def submit_and_cancel(*arguments: object, **options: object) -> object:
        futures.append(submit(*arguments, **options))  # type: ignore[arg-type]
        if len(futures) in (2, 5):
            cluster.client.cancel(futures[-1])
        return futures[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cluster, "submit", submit_and_cancel)
        assert shares(examine(plain(40))).total() == 40
    assert len(futures) > 5


@pytest.mark.parametrize(
    ("action", "reason"), [("unmounted here", "can no longer read"), ("other pack here", "its pack differs")]
)
def test_a_worker_that_cannot_read_the_library_or_has_another_pack_is_left_out(
    examine: Examine, action: str, reason: str
) -> None:
    answers = examine(f"{action} {number}" for number in range(60))
    assert skipped(answers) == {} and shares(answers).keys() == {"1"}
    assert sum("is left out" in note and reason in note for note in NOTES) == 1


@pytest.mark.parametrize(("action", "reason"), [("unmounted", "can no longer read"), ("other pack", "differs")])
def test_a_scan_is_given_up_if_every_worker_is_left_out(examine: Examine, action: str, reason: str) -> None:
    with pytest.raises(FaceclustError, match=reason):
        examine(f"{action} {number}" for number in range(60))


def test_an_exception_of_a_worker_ends_the_scan(examine: Examine) -> None:
    with pytest.raises(FaceclustError, match="a task on the Dask cluster failed: ZeroDivisionError: a bug"):
        examine([*plain(5), "bug"])


def test_a_worker_whose_answer_waits_here_is_not_silent(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine saves photos meanwhile, which may take long."""
    monkeypatch.setattr(photos, "_SILENCE_LIMIT", 1.0)
    tasks = [ExamineTask(PhotoRef(name, 1, 1)) for name in plain(100)]
    for number, _ in enumerate(run(cluster, tmp_path, tasks)):
        if number == 50:
            time.sleep(1.6)
    assert NOTES == []


def test_a_photo_that_only_one_worker_cannot_read_is_read_by_the_other(examine: Examine) -> None:
    answers = examine([f"unreadable here {number}" for number in range(20)])
    assert skipped(answers) == {} and shares(answers).keys() == {"1"}
    assert not [note for note in NOTES if "left out" in note]


def test_a_photo_that_no_worker_can_read_is_skipped(examine: Examine) -> None:
    assert skipped(examine([*plain(10), "unreadable 1"])) == {"unreadable 1": SkipReason.UNREADABLE}


def test_photos_that_are_gone_here_too_are_skipped(examine: Examine) -> None:
    gone = [f"unmounted {number}" for number in range(20)]
    assert skipped(examine([*plain(20), *gone], gone)) == dict.fromkeys(gone, SkipReason.UNREADABLE)
    assert not [note for note in NOTES if "left out" in note]


def test_times_that_a_file_system_rounds_are_those_listed(examine: Examine) -> None:
    """`examine` has compared the references as listed; the results must have the same."""
    (answer,) = examine(["rounded 1"]).values()
    assert answer.photo.ref.mtime_ns % 10**9


def test_a_stop_takes_what_is_in_progress_and_leaves_the_rest(cluster: DaskCluster, tmp_path: Path) -> None:
    tasks = [ExamineTask(PhotoRef(f"nap {number}", 1, 1)) for number in range(100)]
    answered: list[str] = []
    for ref, _ in run(cluster, tmp_path, tasks, lambda: len(answered) >= 3):
        answered.append(ref.name)
    assert 3 <= len(set(answered)) == len(answered) <= 10
    assert shares_of_a_later_scan(cluster, tmp_path).total() == 20


def test_a_stop_does_not_wait_for_a_worker_that_hangs(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "_STOP_PATIENCE", 0.3)
    tasks = [ExamineTask(PhotoRef(name, 1, 1)) for name in ["hang 1", "hang 2", *plain(10)]]
    try:
        assert list(run(cluster, tmp_path, tasks, (tmp_path / "hang 2.done").exists)) == []
    finally:
        (tmp_path / "wake").touch()
    assert shares_of_a_later_scan(cluster, tmp_path).total() == 20


def shares_of_a_later_scan(cluster: DaskCluster, root: Path) -> Counter[str]:
    tasks = [ExamineTask(PhotoRef(name, 1, 1)) for name in plain(20)]
    return shares({ref.name: examined for ref, examined in run(cluster, root, tasks)})
