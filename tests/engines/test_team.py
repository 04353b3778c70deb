"""The child process that examines photos in a Dask worker: it lasts, and loses only the photo that ends it."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from faceclust.engines.dask import team
from faceclust.engines.dask.team import BatchAnswer, PhotoTeam, WorkerSettings
from faceclust.errors import PackError
from faceclust.files.names import DEFAULT_PACK
from faceclust.packs.registry import load_pack
from faceclust.photos.face_ids import content_hash
from faceclust.scan import examine_pool
from faceclust.scan.examine import ExaminedPhoto, ExamineTask, KnownPhoto, ScanSettings
from faceclust.scan.examine_pool import examine_photos
from faceclust.types import DrawnFace, PhotoRef, ScannedPhoto, SkippedPhoto, SkipReason
from tests.support.deadly_photos import write_deadly_photo, write_patch
from tests.support.examined_photos import as_bytes
from tests.support.sample_photos import COLLINS, make_library, make_scenery, make_variant, save_photo
from tests.support.scripted_worker import has_exited, wait_for

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="Dask on Windows is not supported"),
]

PACK = load_pack(DEFAULT_PACK)


def make_settings(root: Path) -> WorkerSettings:
    return WorkerSettings(str(root), PACK.name, PACK.fingerprint, PACK.embedder.radius, "cpu", None)


def make_tasks(root: Path) -> tuple[ExamineTask, ...]:
    """Return a task for each file of a library."""
    photos = sorted(path for path in root.rglob("*") if path.is_file())
    return tuple(
        ExamineTask(PhotoRef(path.relative_to(root).as_posix(), path.stat().st_size, path.stat().st_mtime_ns))
        for path in photos
    )


@pytest.fixture
def open_team() -> Iterator[Callable[[WorkerSettings], PhotoTeam]]:
    teams: list[PhotoTeam] = []

    def open_team(settings: WorkerSettings) -> PhotoTeam:
        teams.append(PhotoTeam(settings))
        return teams[-1]

    yield open_team
    for one in teams:
        one.close()
    assert multiprocessing.active_children() == []


OpenTeam = Callable[[WorkerSettings], PhotoTeam]


def child_ids() -> set[int | None]:
    return {process.pid for process in multiprocessing.active_children()}


def examine(team: PhotoTeam, tasks: tuple[ExamineTask, ...]) -> BatchAnswer:
    return team.examine(tasks, lambda: None)


@pytest.mark.slow
def test_results_are_those_of_a_scan_on_one_machine(
    open_team: OpenTeam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of photos that are deadly, gone, known, drawn on and looked at again, in batches of three."""
    write_patch(tmp_path / "patch")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "patch"), prepend=os.pathsep)
    root = tmp_path / "photos"
    make_library(root, photos_each=1)
    for action in ("crashes", "is killed", "takes memory"):
        write_deadly_photo(root, action)
    tasks = list(make_tasks(root))
    known = content_hash((root / tasks[0].ref.rel_path).read_bytes())
    drawn = DrawnFace("", tasks[1].ref.rel_path, "", (0.3, 0.1, 0.6, 0.4))
    tasks[0] = replace(tasks[0], known_hashes=frozenset({known}))
    tasks[1] = replace(tasks[1], drawn=(drawn,))
    tasks[2] = replace(tasks[2], thorough=True)
    tasks.append(ExamineTask(PhotoRef("gone.jpg", 1, 1)))
    expected = as_bytes(examine_photos(root, ScanSettings(PACK), 1, tasks, lambda: False))
    one = open_team(make_settings(root))
    batches = [examine(one, tuple(tasks[first : first + 3])) for first in range(0, len(tasks), 3)]
    assert as_bytes(pair for answer in batches for pair in answer.examined) == expected
    types = [values["type"] for values in expected.values()]
    assert (types.count(SkippedPhoto), types.count(KnownPhoto), types.count(ScannedPhoto)) == (4, 1, len(tasks) - 5)


def test_the_child_lasts_until_the_team_is_closed(open_team: OpenTeam, tmp_path: Path) -> None:
    save_photo(make_scenery(), tmp_path / "nobody.jpg")
    one, tasks = open_team(make_settings(tmp_path)), make_tasks(tmp_path)
    reports: list[int] = []
    assert len(one.examine(tasks, lambda: reports.append(1)).examined) == 1 <= len(reports)
    (child,) = child_ids()
    examine(one, tasks)
    assert child_ids() == {child}
    one.close()
    assert child is not None and has_exited(child)


def test_a_child_that_died_while_idle_is_replaced(open_team: OpenTeam, tmp_path: Path) -> None:
    save_photo(make_scenery(), tmp_path / "nobody.jpg")
    one, tasks = open_team(make_settings(tmp_path)), make_tasks(tmp_path)
    examine(one, tasks)
    (child,) = multiprocessing.active_children()
    child.kill()
    child.join()
    ((_, examined),) = examine(one, tasks).examined
    assert isinstance(examined.photo, ScannedPhoto) and child.pid not in child_ids()


@pytest.mark.slow
def test_a_photo_that_hangs_is_skipped_alone(
    open_team: OpenTeam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_patch(tmp_path / "patch")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "patch"), prepend=os.pathsep)
    monkeypatch.setattr(examine_pool, "PHOTO_TIME_LIMIT", 3.0)
    root = tmp_path / "photos"
    save_photo(make_scenery(), root / "nobody.jpg")
    write_deadly_photo(root, "hangs")
    found = {ref.name: one.photo for ref, one in examine(open_team(make_settings(root)), make_tasks(root)).examined}
    assert isinstance(found["nobody.jpg"], ScannedPhoto)
    hangs = found["hangs.jpg"]
    assert isinstance(hangs, SkippedPhoto)
    assert (hangs.reason, hangs.detail) == (SkipReason.TOO_SLOW, "more than 3 seconds")


def test_folders_without_photos_are_lost(open_team: OpenTeam, tmp_path: Path) -> None:
    """As below a mount point whose disk went away. A photo that is gone alone loses no folder."""
    (tmp_path / "empty").mkdir()
    save_photo(make_scenery(), tmp_path / "full/nobody.jpg")
    names = ["empty/a.jpg", "full/a.jpg", "gone/a.jpg", "full/nobody.jpg"]
    answer = examine(open_team(make_settings(tmp_path)), tuple(ExamineTask(PhotoRef(name, 1, 1)) for name in names))
    assert [team.is_unreadable(one) for _, one in sorted(answer.examined, key=lambda pair: pair[0])] == [1, 1, 0, 1]
    assert answer.lost_folders == {"empty", "gone"}


def test_slow_failures_leave_the_rest_of_a_batch(
    open_team: OpenTeam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team, "_SLOW_FAILURE", 0.0)
    tasks = tuple(ExamineTask(PhotoRef(f"gone {number}.jpg", 1, 1)) for number in range(30))
    assert 1 <= len(examine(open_team(make_settings(tmp_path)), tasks).examined) <= 4


def test_embeddings_have_the_radius_of_the_client(open_team: OpenTeam, tmp_path: Path) -> None:
    save_photo(make_variant(COLLINS, 0), tmp_path / "collins.jpg")
    settings = replace(make_settings(tmp_path), radius=2 * PACK.embedder.radius)
    ((_, examined),) = examine(open_team(settings), make_tasks(tmp_path)).examined
    assert isinstance(examined, ExaminedPhoto) and isinstance(examined.photo, ScannedPhoto)
    (embedding,) = examined.photo.embeddings
    assert (embedding**2).sum() == pytest.approx(4 * PACK.embedder.radius**2, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"fingerprint": "other"}, "is another one"), ({"pack": "unknown"}, "no model pack"), ({"device": "x"}, "device")],
)
def test_a_worker_without_the_pack_or_the_device_is_refused(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(PackError, match=message):
        PhotoTeam(replace(make_settings(tmp_path), **change))


def test_an_idle_team_is_kept_for_the_same_settings_only_and_not_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = team._TeamKeeper()
    save_photo(make_scenery(), tmp_path / "nobody.jpg")
    settings = make_settings(tmp_path)
    first = keeper.take(settings)
    examine(first, make_tasks(tmp_path))
    keeper.keep(first)
    assert keeper.take(settings) is first
    keeper.keep(first)
    assert child_ids()
    other = keeper.take(replace(settings, min_face=50))
    assert other is not first and not child_ids()
    examine(other, make_tasks(tmp_path))
    monkeypatch.setattr(team, "IDLE_LIMIT", 0.05)
    keeper.keep(other)
    wait_for(lambda: not child_ids())
