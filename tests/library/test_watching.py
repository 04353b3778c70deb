"""Watching a library: photos that arrive in every way are scanned and grouped, and nothing else wakes it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from faceclust import Library
from faceclust.errors import CacheError, FaceclustError, LibraryBusyError, PackError, UsageError
from faceclust.library import watched_batch
from faceclust.library.watched_batch import WatchedBatch
from faceclust.scan.result import ScanResult
from faceclust.types import PhotoRef, SkippedPhoto, SkipReason
from tests.support.command import wait_for
from tests.support.sample_photos import COLLINS, HOPPER, make_variant, save_photo

SETTLE = 0.3  # seconds


class Watching:
    """A watch of a library that runs in a thread, and what it has told until now."""

    def __init__(self, library: Library, **options: Any) -> None:
        self.batches: list[WatchedBatch] = []
        self.notes: list[str] = []
        self.error: BaseException | None = None
        library.progress.note = self.notes.append  # type: ignore[method-assign]
        self._stop = threading.Event()
        options = {"settle": SETTLE, "workers": 0} | options
        self._iterator = library.watch(**options, should_stop=self._stop.is_set)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.batches.extend(self._iterator)
        except BaseException as error:
            self.error = error

    def total(self, field: str) -> int:
        """Return the sum of a field of all batches."""
        return sum(getattr(batch, field) for batch in self.batches)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until the condition is true, which the watch has to live to see."""
        wait_for(lambda: condition() or self.error, 120)
        assert self.error is None, self.error

    def wait_until_watching(self) -> None:
        """Wait until changes are noticed."""
        self.wait_for(lambda: any(note.startswith("watching") for note in self.notes))

    def close(self) -> None:
        """Stop, and wait for the end."""
        self._stop.set()
        self._thread.join(120)
        assert not self._thread.is_alive()


@contextmanager
def watching(library: Library, **options: Any) -> Iterator[Watching]:
    watch = Watching(library, **options)
    try:
        watch.wait_until_watching()
        yield watch
    finally:
        watch.close()
    assert watch.error is None, watch.error


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The folders of each scan."""
    calls: list[list[str]] = []
    real = watched_batch.scan

    def record(library: Library, folders: list[Path], **options: Any) -> ScanResult:
        calls.append([Path(os.path.relpath(folder, library.root)).as_posix() for folder in folders])
        return real(library, folders, **options)

    monkeypatch.setattr(watched_batch, "scan", record)
    return calls


@contextmanager
def hold_lock(library: Library) -> Iterator[None]:
    """Hold the library's lock, as a scan does, once the watch has let go of it."""
    with ExitStack() as stack:
        wait_for(lambda: not busy(lambda: stack.enter_context(library.home.lock("scanning"))))
        yield


def add_portrait(folder: Path, person: str = COLLINS, number: int = 9, name: str = "new.jpg") -> Path:
    return save_photo(make_variant(person, number), folder / name)


def test_a_new_photo_is_scanned_and_grouped_and_looks_like_a_person(collins: tuple[Library, int, set[str]]) -> None:
    library, group, faces = collins
    library.name(sorted(faces), COLLINS)
    with watching(library) as watch:
        add_portrait(library.root / "2024/new folder")
        watch.wait_for(lambda: watch.batches)
    (batch,) = watch.batches
    assert (batch.scanned, batch.faces, batch.suggested) == (1, 1, ((COLLINS, 1),))
    assert (batch.joined, batch.new_groups, batch.alone, batch.problem) == (0, (), 0, None)
    (new,) = [face for face in library.occurrences if face.photo == "2024/new folder/new.jpg"]
    assert library.group_of[new.face_id] == group and library.person_of[new.face_id].label == COLLINS


def test_a_face_joins_a_group_without_a_name_or_stays_alone_or_makes_a_group(library: Library) -> None:
    with watching(library) as watch:
        add_portrait(library.root / "2019", HOPPER)
        watch.wait_for(lambda: watch.batches)
    assert (watch.batches[0].faces, watch.batches[0].joined, watch.batches[0].suggested) == (1, 1, ())


def test_what_is_new_already_comes_first_even_in_a_library_that_was_never_scanned(
    truth_and_scanned_root: tuple[dict[str, list[str]], Path], tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    shutil.copytree(truth_and_scanned_root[1] / "2019", root, ignore=shutil.ignore_patterns(".*"))
    with watching(Library(root)) as watch:
        watch.wait_for(lambda: watch.batches)
    (batch,) = watch.batches
    assert (batch.scanned, batch.faces, len(batch.new_groups)) == (4, 4, 2)


def test_once_ends_after_what_is_new(library: Library) -> None:
    assert list(library.watch(once=True, workers=0)) == []
    add_portrait(library.root / "2019")
    (batch,) = library.watch(once=True, workers=0)
    assert batch.scanned == 1
    (library.root / "2019/new.jpg").unlink()
    (batch,) = library.watch(once=True, workers=0)
    assert (batch.removed, batch.faces) == (1, 0)
    assert list(library.watch(once=True, should_stop=lambda: True)) == []


def test_a_photo_that_arrives_slowly_is_scanned_whole(library: Library, tmp_path: Path) -> None:
    content = add_portrait(tmp_path).read_bytes()
    with watching(library) as watch:
        with (library.root / "2019/slow.jpg").open("wb", buffering=0) as stream:
            for start in range(0, len(content), len(content) // 6 + 1):
                stream.write(content[start : start + len(content) // 6 + 1])
                time.sleep(SETTLE / 2)
        watch.wait_for(lambda: watch.total("faces"))
    (face,) = [face for face in library.occurrences if face.photo == "2019/slow.jpg"]
    assert face.face_id in library.group_of


def test_a_photo_that_is_renamed_when_it_is_complete(library: Library, scans: list[list[str]]) -> None:
    with watching(library) as watch:
        add_portrait(library.root / "2019").rename(part := library.root / "2019/new.jpg.part")
        watch.wait_for(lambda: scans)
        time.sleep(4 * SETTLE)
        before = len(watch.batches)
        part.rename(library.root / "2019/late.jpg")
        watch.wait_for(lambda: len(watch.batches) > before)
    assert watch.total("scanned") - watch.total("removed") == 1
    assert "2019/late.jpg" in library.photos


def test_a_thousand_photos_in_new_folders(library: Library) -> None:
    """They are too small for faces, except one."""
    with watching(library) as watch:
        for number in range(1000):
            folder = library.root / f"import/{number // 100}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (number % 256, number // 256, 0)).save(folder / f"{number}.bmp")
        add_portrait(library.root / "import/deep/below")
        watch.wait_for(lambda: (watch.total("skipped"), watch.total("scanned")) == (1000, 1))
    assert len(library.table.skipped_photos()) == 1000 and len(watch.batches) < 100


def test_deleted_and_moved_photos_and_folders(library: Library, scans: list[list[str]]) -> None:
    (library.root / "2019/collins-0.jpg").rename(library.root / "2020/moved.jpg")
    with watching(library) as watch:
        watch.wait_for(lambda: watch.total("copied") == 1)
        (library.root / "2020/moved.jpg").unlink()
        watch.wait_for(lambda: watch.total("removed") == 1)
        (library.root / "2020").rename(library.root / "2020 in Rome")  # its cache is moved with it
        watch.wait_for(lambda: [".", "2020 in Rome"] in scans)
        time.sleep(5 * SETTLE)
        before = len(scans)
        shutil.rmtree(library.root / "2020 in Rome")
        watch.wait_for(lambda: len(scans) > before)
    assert len(watch.batches) == 2
    assert not any(photo.startswith("2020") for photo in library.photos)


def test_polling_finds_changes_without_events(library: Library) -> None:
    with watching(library, poll=True, interval=0.2) as watch:
        add_portrait(library.root / "2019")
        watch.wait_for(lambda: watch.batches)
    assert watch.batches[0].scanned == 1


def test_the_interval_finds_changes_whose_events_were_lost(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceclust.watch.change_events.ChangeEvents.wait", lambda *_: time.sleep(0.05) or set())
    with watching(library, interval=0.5) as watch:
        time.sleep(1)
        add_portrait(library.root / "2019")
        watch.wait_for(lambda: watch.batches)
    assert watch.batches[0].scanned == 1


def test_without_events_of_the_system_folders_are_polled(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError('OS file watch limit reached. about ["/photos"] (Error { kind: MaxFilesWatch })')

    monkeypatch.setattr("faceclust.watch.change_events.RustNotify", refuse)
    with watching(library, interval=0.2) as watch:
        add_portrait(library.root / "2019")
        watch.wait_for(lambda: watch.batches)
    assert (
        "no change events: the limit of watched folders is reached (fs.inotify.max_user_watches); "
        "looking for changes every 0.2 s"
    ) in watch.notes


def test_a_network_disk_is_polled(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceclust.watch.watched_root.find_network_disk", lambda root: "nfs4")
    with watching(library, interval=0.2) as watch:
        add_portrait(library.root / "2019")
        watch.wait_for(lambda: watch.batches)
    assert "the disk is a network disk (nfs4): looking for changes every 0.2 s" in watch.notes


@pytest.mark.parametrize("poll", [False, True])
def test_only_photos_wake_it(library: Library, scans: list[list[str]], poll: bool) -> None:
    root = library.root
    with watching(library, poll=poll, interval=0.2 if poll else None) as watch:
        watch.wait_for(lambda: scans)
        for name in (
            *(".faceclust/thumbs/x.jpg", ".faceclust/people.jsonl", "2019/.faceclust.mobilefacenet.parquet"),
            *("2019/.hidden.jpg", "2019/notes.txt", "2019/collins-0.jpg.xmp", ".hidden/new.jpg", "@eaDir/new.jpg"),
        ):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            with (root / name).open("ab") as stream:
                stream.write(b"")
            (root / name).touch()
        time.sleep(5 * SETTLE)
        assert scans == [[]]  # the first look
        add_portrait(root / "2019")
        watch.wait_for(lambda: watch.batches)
        time.sleep(5 * SETTLE)  # the scan and the grouping have written their own files
    assert scans == [[], ["2019"]]


def test_a_disk_that_goes_away_and_comes_back(collins: tuple[Library, int, set[str]], scans: list[list[str]]) -> None:
    library, _, faces = collins
    library.name(sorted(faces), COLLINS)
    root, away = library.root, library.root.with_name("away")
    with watching(library) as watch:
        watch.wait_for(lambda: scans)
        for number in range(2):
            root.rename(away)
            root.mkdir()  # a mount point stays
            watch.wait_for(lambda: len([batch for batch in watch.batches if batch.problem]) == number + 1)  # noqa: B023
            add_portrait(away / "2019", number=number + 8, name=f"new-{number}.jpg")
            time.sleep(4 * SETTLE)
            root.rmdir()  # raises unless it is empty
            away.rename(root)
            watch.wait_for(lambda: watch.total("scanned") == number + 1)  # noqa: B023
    problems = [batch.problem for batch in watch.batches if batch.problem]
    assert problems == [f"{root} is not there; waiting until its disk is back"] * 2
    assert len([note for note in watch.notes if note.startswith(f"{root} is back")]) == 2
    assert set(library.find_person(COLLINS).face_ids) >= faces and watch.total("removed") == 0
    assert [batch.suggested for batch in watch.batches if batch.scanned] == [((COLLINS, 1),)] * 2


@pytest.mark.parametrize("step", ["Catalogue", "scan", "cluster"])
def test_a_disk_that_goes_away_during_a_batch(library: Library, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    root, away = library.root, library.root.with_name("away")
    real = getattr(watched_batch, step)

    def remove_disk(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(watched_batch, step, real)
        root.rename(away)
        root.mkdir()
        return real(*arguments, **options)

    add_portrait(root / "2019")
    monkeypatch.setattr(watched_batch, step, remove_disk)
    with watching(library) as watch:
        watch.wait_for(lambda: any(batch.problem for batch in watch.batches))
        root.rmdir()  # raises unless it is empty
        away.rename(root)
        add_portrait(root / "2020", HOPPER)
        watch.wait_for(lambda: sum(batch.faces for batch in watch.batches))
    assert [batch.problem for batch in watch.batches if batch.problem] == [
        f"{root} is not there; waiting until its disk is back"
    ]
    assert watch.total("removed") == 0


def test_photos_on_another_disk_which_goes_away_too(library: Library, tmp_path: Path, scans: list[list[str]]) -> None:
    disk, away = tmp_path / "disk", tmp_path / "away"
    add_portrait(disk)
    library.add_root(disk)
    with watching(library) as watch:
        watch.wait_for(lambda: watch.total("scanned") == 1)
        add_portrait(disk / "new", HOPPER)
        watch.wait_for(lambda: watch.total("scanned") == 2)
        disk.rename(away)
        disk.mkdir()
        watch.wait_for(lambda: any(batch.problem for batch in watch.batches))
        add_portrait(library.root / "2019", number=8)  # work goes on
        watch.wait_for(lambda: watch.total("scanned") == 3)
        add_portrait(away / "new", number=7, name="while away.jpg")
        disk.rmdir()
        away.rename(disk)
        watch.wait_for(lambda: watch.total("scanned") == 4)
    problems = [batch.problem for batch in watch.batches if batch.problem]
    assert problems == [f"{disk} is not there; waiting until its disk is back"]
    assert watch.total("removed") == watch.total("copied") == 0
    assert {f"{disk}/new.jpg", f"{disk}/new/new.jpg", f"{disk}/new/while away.jpg"} <= library.photos.keys()


def test_a_disk_that_is_added_and_taken_off_meanwhile(library: Library, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    add_portrait(disk)
    with watching(library) as watch:
        other = Library(library.root)
        wait_for(lambda: not busy(lambda: other.add_root(disk)))
        watch.wait_for(lambda: watch.total("scanned") == 1)
        wait_for(lambda: not busy(lambda: other.remove_root(disk)))
        add_portrait(library.root / "2019", HOPPER)
        watch.wait_for(lambda: watch.total("scanned") == 2)
    assert not any(batch.problem for batch in watch.batches)


def busy(action: Callable[[], object]) -> bool:
    """Do something; return whether another process works on the library instead."""
    try:
        action()
    except LibraryBusyError:
        return True
    return False


def test_it_waits_without_a_word_while_another_process_works(library: Library, scans: list[list[str]]) -> None:
    with watching(library) as watch:
        watch.wait_for(lambda: scans)
        with hold_lock(library):
            add_portrait(library.root / "2019")
            watch.wait_for(lambda: len(scans) > 2)
            assert watch.batches == []
        watch.wait_for(lambda: watch.batches)
        with hold_lock(library):
            pass  # nothing is locked between batches
    (batch,) = watch.batches
    assert batch.scanned == 1 and batch.problem is None


def test_once_waits_while_another_process_works(library: Library) -> None:
    add_portrait(library.root / "2019")
    watch = Watching(library, once=True)
    with library.home.lock("scanning"):
        time.sleep(2 * SETTLE)
        assert watch.batches == [] and watch.error is None
    watch.wait_for(lambda: watch.batches)
    watch.close()


def test_naming_goes_on_while_it_watches(library: Library, scans: list[list[str]]) -> None:
    with watching(library) as watch:
        watch.wait_for(lambda: scans)
        other = Library(library.root)
        other.name(other.faces_in_group(1), COLLINS)
        other.name(other.faces_in_group(2), HOPPER)
        add_portrait(library.root / "2019", HOPPER)
        watch.wait_for(lambda: watch.batches)
    assert watch.batches[0].suggested == ((HOPPER, 1),)


def test_a_second_watch_is_refused(library: Library) -> None:
    with watching(library), pytest.raises(LibraryBusyError, match="is being watched already"):
        list(Library(library.root).watch(settle=SETTLE))
    assert list(Library(library.root).watch(once=True, workers=0)) == []


def test_a_batch_that_fails_has_one_problem_and_is_tried_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = watched_batch.scan, [CacheError("the disk is full", hint="make room")] * 2

    def fail(*arguments: Any, **options: Any) -> ScanResult:
        if failures:
            raise failures.pop()
        return real(*arguments, **options)

    monkeypatch.setattr(watched_batch, "scan", fail)
    add_portrait(library.root / "2019")
    with watching(library) as watch:
        watch.wait_for(lambda: watch.total("scanned"))
    assert [(batch.problem, batch.hint) for batch in watch.batches] == [("the disk is full", "make room"), (None, None)]


@pytest.mark.parametrize("field", ["unsaved", "unwritten", "unreadable"])
def test_a_scan_that_could_not_save_all_is_a_failure(
    library: Library, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    monkeypatch.setattr(watched_batch, "scan", lambda *_, **__: ScanResult(**{field: 2}))
    with pytest.raises(FaceclustError, match=r"2 (photos|folders) could not be"):
        list(library.watch(once=True))


def test_a_photo_that_could_not_be_read_is_told_once_and_tried_once_more(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, skipped = [], SkippedPhoto(PhotoRef("2019/a.jpg", 1, 1), SkipReason.UNREADABLE, "I/O error")

    def skip(library: Library, folders: list[Path], **_: Any) -> ScanResult:
        calls.append([folder.name for folder in folders])
        return ScanResult(skipped=[skipped])

    monkeypatch.setattr(watched_batch, "scan", skip)
    with watching(library, interval=0.5) as watch:
        watch.wait_for(lambda: len(calls) == 2)
        time.sleep(1)
    assert calls == [[], ["2019"]] and [batch.skipped for batch in watch.batches] == [1]


def test_the_options_of_the_last_clustering_are_kept(library: Library) -> None:
    library.cluster(threshold=0.93, min_size=3)
    with watching(library) as watch:
        add_portrait(library.root / "2019")
        watch.wait_for(lambda: watch.batches)
    assert library.clustering is not None
    assert (library.clustering.params.threshold, library.clustering.params.min_size) == (0.93, 3)


def test_a_clustering_that_is_damaged_is_made_again(library: Library) -> None:
    library.home.clusters.write_bytes(b"damaged")
    list(library.watch(once=True, workers=0))
    assert library.clustering is not None


@pytest.mark.parametrize("options", [{"settle": 0}, {"settle": "1"}, {"interval": -1}, {"workers": "2"}])
def test_invalid_options_are_refused_at_once(library: Library, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        library.watch(**options)


def test_missing_models_are_refused_at_once(library: Library) -> None:
    with pytest.raises(PackError):
        Library(library.root, pack="sface").watch()
