"""Albums with failing disks, killed or concurrent runs, and files that change meanwhile."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceclust.errors import FaceclustError
from faceclust.files.lock import hold_file_lock
from faceclust.files.names import ALBUMS_MARKER
from faceclust.outputs.albums import SkippedPath, apply_album_plan, links
from faceclust.outputs.albums.manifest import TEMPORARY_NAME, read_albums_manifest
from tests.support.album_builders import ALBUMS, PHOTOS, make_albums, plan_albums, read_albums, read_tree, write_photos

KINDS = ["symlink", "hardlink", "copy"]


def fail_at(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException) -> None:
    """Make the creation of one link, counted from 1, fail half-way."""
    real, count = links.make_link, 0

    def make_link(photo: str, link: str, kind: str, to: str) -> None:
        nonlocal count
        count += 1
        if count == number:
            if kind == "copy":
                Path(link).write_text("half of i")
            raise error
        real(photo, link, kind, to)

    monkeypatch.setattr("faceclust.outputs.albums.make.make_link", make_link)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_full_disk_is_an_error_and_finished_links_are_recorded(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch, kind: str, number: int
) -> None:
    fail_at(monkeypatch, number, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(FaceclustError, match=r"People/.*No space left") as caught:
        apply_album_plan(plan_albums(root, out, ALBUMS, kind))
    assert "free some space" in str(caught.value.hint) and caught.value.exit_code == 1
    monkeypatch.undo()
    again = plan_albums(root, out, ALBUMS, kind)
    assert len(again.keep) == number - 1 and len(again.make) == 6 - number and not again.skipped
    assert not (out / TEMPORARY_NAME).exists()
    apply_album_plan(again)
    assert len(read_albums(out)) == 5


def test_a_disk_too_full_for_the_manifest(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from faceclust.outputs.albums import make as module

    make_albums(root, out, {"Anna": ("b.jpg",)})
    real, count = module.write_albums_manifest, 0

    def full(*arguments: object) -> None:
        nonlocal count
        count += 1
        if count > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "write_albums_manifest", full)
    with pytest.raises(FaceclustError, match="No space left"):
        apply_album_plan(plan_albums(root, out, ALBUMS, "hardlink"))
    monkeypatch.undo()
    again = plan_albums(root, out, ALBUMS, "hardlink")
    assert len(again.keep) == 5 and not again.skipped and not again.make
    apply_album_plan(again)
    assert not read_albums_manifest(out).making


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_leaves_only_recorded_links(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    fail_at(monkeypatch, 3, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        apply_album_plan(plan_albums(root, out, ALBUMS, kind))
    monkeypatch.undo()
    make_albums(root, out, {}, kind)
    assert read_albums(out) == {} and [path for path in out.iterdir() if path.is_dir()] == []


def test_a_failing_kind_keeps_the_existing_links(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_albums(root, out, ALBUMS)
    before = read_albums(out)

    def other_disk(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_disk)
    with pytest.raises(FaceclustError, match="cross-device") as caught:
        apply_album_plan(plan_albums(root, out, ALBUMS, "hardlink"))
    assert "own disk" in str(caught.value.hint)
    assert read_albums(out) == before and len(plan_albums(root, out, ALBUMS).keep) == 5


def test_copies_on_a_disk_without_hard_links(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    (out / "Ben").mkdir(parents=True)
    done = plan_albums(root, out, ALBUMS, "copy")
    (out / "Ben/b.jpg").write_text("mine, written meanwhile")
    assert [left.path for left in apply_album_plan(done)] == ["Ben/b.jpg"]
    assert read_albums(out)["Ben/b.jpg"] == "mine, written meanwhile" and len(read_albums(out)) == 5


def test_copies_are_recognised_on_a_disk_with_coarse_times(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coarse(source: str, target: str) -> None:
        os.utime(target, ns=(0, Path(source).stat().st_mtime_ns // (2 * 10**9) * 2 * 10**9))
        raise PermissionError(errno.EPERM, "Operation not permitted")  # like chmod on FAT

    monkeypatch.setattr(shutil, "copystat", coarse)
    make_albums(root, out, ALBUMS, "copy")
    assert len(plan_albums(root, out, ALBUMS, "copy").keep) == 5
    assert len(plan_albums(root, out, {}, "copy").remove) == 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", KINDS)
def test_the_temporary_file_of_a_killed_run_is_removed_not_written_into(
    root: Path, out: Path, kind: str, before: str
) -> None:
    make_albums(root, out, {"Anna": ("b.jpg",)}, before)
    for left in ("hardlink", "symlink"):
        (os.link if left == "hardlink" else os.symlink)(root / "b.jpg", out / TEMPORARY_NAME)
        make_albums(root, out, ALBUMS, kind)
        assert not (out / TEMPORARY_NAME).is_symlink() and not (out / TEMPORARY_NAME).exists()
        make_albums(root, out, {"Anna": ("b.jpg",)}, before)
    assert (root / "b.jpg").read_text() == "b.jpg"


@pytest.mark.parametrize("kind", KINDS)
def test_an_existing_file_is_never_overwritten(root: Path, out: Path, kind: str) -> None:
    out.mkdir()
    os.link(root / "b.jpg", out / "there")
    (out / "link").symlink_to(root / "b.jpg")
    for name in ("there", "link"):
        with pytest.raises(FileExistsError):
            links.make_link(str(root / "2019/a.jpg"), str(out / name), kind, "somewhere")
    assert (root / "b.jpg").read_text() == "b.jpg"


@pytest.mark.parametrize("kind", KINDS)
def test_changes_between_plan_and_execution_are_left_alone(root: Path, out: Path, kind: str) -> None:
    make_albums(root, out, {"Anna": ("2019/a.jpg", "b.jpg")}, kind)
    done = plan_albums(root, out, {"Ben": ("2019/a.jpg", "b.jpg")}, kind)
    (out / "Anna/a.jpg").unlink()
    (out / "Anna/a.jpg").write_text("mine")
    (out / "Ben").mkdir()
    (out / "Ben/b.jpg").write_text("mine too")
    assert {left.path for left in apply_album_plan(done)} == {"Anna/a.jpg", "Ben/b.jpg"}
    assert read_albums(out) == {"Anna/a.jpg": "mine", "Ben/a.jpg": "2019/a.jpg", "Ben/b.jpg": "mine too"}


def test_a_link_changed_before_its_replacement_is_kept(root: Path, out: Path) -> None:
    make_albums(root, out, ALBUMS)
    done = plan_albums(root, out, ALBUMS, "copy")
    (out / "Ben/b.jpg").unlink()
    (out / "Ben/b.jpg").write_text("mine")
    assert [left.path for left in apply_album_plan(done)] == ["Ben/b.jpg"]
    assert read_albums(out)["Ben/b.jpg"] == "mine"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root ignores permissions")
def test_an_unreadable_photo_does_not_stop_the_others(root: Path, out: Path) -> None:
    (root / "b.jpg").chmod(0)
    assert apply_album_plan(plan_albums(root, out, ALBUMS, "copy")) == (
        SkippedPath("Ben/b.jpg", "its photo cannot be read"),
    )
    assert len(read_albums(out)) == 4


def test_a_deleted_photo_does_not_stop_the_others(root: Path, out: Path) -> None:
    for kind in ("copy", "hardlink"):
        done = plan_albums(root, out, ALBUMS, kind)
        (root / "b.jpg").unlink()
        assert apply_album_plan(done) == (SkippedPath("Ben/b.jpg", "its photo is gone"),)
        assert len(read_albums(out)) == 4
        write_photos(root)


def test_a_concurrent_run_is_refused(root: Path, out: Path) -> None:
    done = plan_albums(root, out, ALBUMS)
    out.mkdir()
    with hold_file_lock(out / ".faceclust-albums.lock", "x"), pytest.raises(FaceclustError, match="another faceclust"):
        apply_album_plan(done)
    assert read_albums(out) == {}


@pytest.mark.parametrize("name", [f"{ALBUMS_MARKER}.tmp", TEMPORARY_NAME, ".faceclust-albums.lock"])
@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_links_at_the_names_of_own_files_are_not_written_through(
    root: Path, out: Path, name: str, link: Callable[[Path, Path], None]
) -> None:
    out.mkdir()
    link(root / "b.jpg", out / name)
    if name.endswith(".lock"):
        with pytest.raises(FaceclustError, match="not faceclust's lock file"):
            apply_album_plan(plan_albums(root, out, ALBUMS, "copy"))
        (out / name).unlink()
    make_albums(root, out, ALBUMS, "copy")
    assert (root / "b.jpg").read_text() == "b.jpg" and len(read_albums(out)) == 5
    assert not [path for path in out.glob(f"{ALBUMS_MARKER}.*") if path.name != f"{ALBUMS_MARKER}.tmp"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("planted", ["2019/a.jpg", "2019"])
def test_a_photo_behind_a_link_is_in_no_album(root: Path, out: Path, tmp_path: Path, kind: str, planted: str) -> None:
    done = plan_albums(root, out, ALBUMS, kind)
    (root / planted).rename(tmp_path / "private")
    (root / planted).symlink_to(tmp_path / "private")
    if kind != "symlink":
        skipped = apply_album_plan(done)
        assert {skip.reason for skip in skipped} == {"its photo is gone"}
        assert not [path for path in out.rglob("*") if path.is_file() and path.read_bytes() == b"2019/a.jpg"]
    make_albums(root, out, ALBUMS, kind)
    assert "2019/a.jpg" not in read_albums(out).values()


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES, errno.EMFILE])
def test_a_photo_that_cannot_be_examined_is_not_gone(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    make_albums(root, out, ALBUMS)
    before, real = read_albums(out), os.stat

    def fail(path: str | int, *arguments: Any, **options: Any) -> os.stat_result:
        if path == "b.jpg":
            raise OSError(error, os.strerror(error), path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", fail)
    with pytest.raises(OSError, match=os.strerror(error)) as caught:
        plan_albums(root, out, ALBUMS)
    assert caught.value.filename == str(root / "b.jpg")
    monkeypatch.undo()
    assert read_albums(out) == before


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_new_albums_are_private_and_shared_ones_stay_shared(root: Path, out: Path) -> None:
    def find_modes() -> set[int]:
        return {stat.S_IMODE(path.stat().st_mode) for path in (out, *out.rglob("*")) if path.is_dir()}

    make_albums(root, out, {"Anna": PHOTOS[:1]})
    assert find_modes() == {0o700} and stat.S_IMODE((out / ALBUMS_MARKER).stat().st_mode) == 0o600
    for path in (out, out / "Anna"):
        path.chmod(0o755)
    make_albums(root, out, ALBUMS)
    assert find_modes() == {0o755}


def test_a_plan_older_than_another_run_is_not_executed(root: Path, out: Path) -> None:
    done = plan_albums(root, out, ALBUMS)
    make_albums(root, out, {"Carl": ("b.jpg",)})
    with pytest.raises(FaceclustError, match="changed by another"):
        apply_album_plan(done)


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES])
def test_a_folder_without_write_permission(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def refuse(path: str, *_: object, **__: object) -> None:
        raise OSError(error, os.strerror(error), path)

    done = plan_albums(root, out, ALBUMS)
    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(FaceclustError, match="People") as caught:
        apply_album_plan(done)
    assert "another folder" in str(caught.value.hint)


def test_a_case_insensitive_disk(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of spelling, the new path exists already: it is the old link."""
    from faceclust.outputs.albums import existing

    def folded(path: str | Path) -> str:
        return str(path).replace("/Anna", "/anna")

    class Folding:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def lstat(self, path: str | Path) -> os.stat_result:
            return os.lstat(folded(path))

    class FoldingPath(Folding):
        def __getattr__(self, name: str) -> object:
            return getattr(os.path, name)

        def lexists(self, path: str | Path) -> bool:
            return os.path.lexists(folded(path))

    make_albums(root, out, {"anna": ("b.jpg",)})
    folding = Folding()
    folding.path = FoldingPath()  # type: ignore[attr-defined]
    monkeypatch.setattr(existing, "os", folding)
    done = plan_albums(root, out, {"Anna": ("b.jpg",)})
    assert list(done.make) == ["Anna/b.jpg"] and list(done.remove) == ["anna/b.jpg"] and not done.skipped


REFUSED = [
    ("Operation not supported (os error 95)", "Btrfs"),
    ("Invalid cross-device link (os error 18)", "own disk"),
    ("No space left on device (os error 28)", "free some space"),
]


@pytest.mark.skipif(os.name == "nt", reason="POSIX error numbers")
@pytest.mark.parametrize(("message", "hint"), REFUSED)
def test_a_disk_without_reflinks_gives_an_error_with_a_hint(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch, message: str, hint: str
) -> None:
    import reflink_copy

    def refuse(*_: object) -> None:
        raise OSError(message)

    monkeypatch.setattr(reflink_copy, "reflink", refuse)
    with pytest.raises(FaceclustError, match=message.partition(" (")[0]) as caught:
        apply_album_plan(plan_albums(root, out, ALBUMS, "reflink"))
    assert hint in str(caught.value.hint) and read_albums(out) == {}


def test_reflinks_are_recognised_like_copies(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk has no reflinks, a plain copy replaces the reflink."""
    import reflink_copy

    try:
        reflink_copy.reflink(str(root / "b.jpg"), str(root / "clone"))
    except OSError:
        monkeypatch.setattr(reflink_copy, "reflink", shutil.copyfile)
    make_albums(root, out, ALBUMS, "reflink")
    assert not (out / "Ben/b.jpg").samefile(root / "b.jpg") and read_albums(out)["Ben/b.jpg"] == "b.jpg"
    assert (out / "Ben/b.jpg").stat().st_mtime_ns == (root / "b.jpg").stat().st_mtime_ns
    assert len(plan_albums(root, out, ALBUMS, "reflink").keep) == 5
    make_albums(root, out, {}, "reflink")
    assert read_albums(out) == {}


_RUN = """
import sys
from pathlib import Path
from tests.outputs.albums.test_trouble import MANY, make_albums
print("ready", flush=True)
make_albums(Path(sys.argv[1]), Path(sys.argv[2]), MANY[sys.argv[3]], sys.argv[4], layout=sys.argv[5])
"""
MANY = {
    name: {
        f"person {who}": tuple(f"{number % 7}/{number}.jpg" for number in range(300) if (number + shift) % 5 == who)
        for who in range(5)
    }
    for name, shift in (("first", 0), ("second", 1))
}
PATTERNS = ["{person}/{name}", "{person}/{folder}/{stem}.{ext}"]


def run(root: Path, out: Path, albums: str, kind: str, layout: str, seconds: float | None) -> None:
    """Make albums in a subprocess, killed after `seconds` if that is not None."""
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(root), str(out), albums, kind, layout],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout and process.stdout.readline() == b"ready\n"
    if seconds is not None:
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    process.communicate()
    assert seconds is not None or process.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("kind", "before"), [("symlink", "copy"), ("copy", "symlink"), ("hardlink", "symlink")])
def test_a_run_after_kills_equals_an_undisturbed_run(tmp_path: Path, kind: str, before: str) -> None:
    photos = tuple(photo for album in MANY["first"].values() for photo in album)
    root, dice = write_photos(tmp_path / "photos", photos), random.Random(kind)
    albums = {}
    for name in ("undisturbed", "killed"):
        albums[name] = tmp_path / name / "People"
        albums[name].mkdir(parents=True)
        (albums[name] / "mine.txt").write_text("mine")
        make_albums(root, albums[name], MANY["first"], before, layout=PATTERNS[0])
    begun = time.monotonic()
    run(root, albums["undisturbed"], "second", kind, PATTERNS[1], None)
    lasts = time.monotonic() - begun
    for _ in range(5):
        run(root, albums["killed"], "second", kind, PATTERNS[1], dice.random() * lasts * 0.2)
    run(root, albums["killed"], "second", kind, PATTERNS[1], None)
    trees = [read_tree(albums[name]) for name in albums]
    notes = [read_albums_manifest(albums[name]) for name in albums]
    for found in trees:
        del found[ALBUMS_MARKER]
    assert trees[0] == trees[1]
    assert notes[0] == notes[1]
    run(root, albums["killed"], "first", before, PATTERNS[0], None)
    assert len(read_albums(albums["killed"])) == 301
