from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from faceclust.errors import FaceclustError, UsageError
from faceclust.files.names import REPORT_MARKER
from faceclust.outputs.report.folder import REPORT
from faceclust.outputs.staged_folder import require_output_folder, stage_folder
from faceclust.scan.listing import list_folders

Link = Callable[[Path, Path], None]
FIRST = {"index.html": b"<p>one", "pictures/ab/ab1.jpg": b"jpeg", "person-1.html": b"<p>Anna"}


def write(out: Path, files: dict[str, bytes]) -> tuple[int, int]:
    with stage_folder(out, REPORT) as stage:
        for path, content in files.items():
            stage.add(path, content)
        written = stage.finish()
    assert written.pages + written.pictures == len(files) and written.size == sum(map(len, files.values()))
    return written.new, written.removed


def files_in(out: Path) -> dict[str, bytes]:
    paths = (path for path in out.rglob("*") if path.is_file() and path.name not in (REPORT_MARKER, REPORT.lock))
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in paths
        if path.name not in (REPORT_MARKER, REPORT.lock)
    }


def test_a_folder_is_written_and_updated(tmp_path: Path) -> None:
    out = tmp_path / "report"
    assert write(out, FIRST) == (3, 0) and files_in(out) == FIRST
    assert write(out, FIRST) == (0, 0)
    second = {"index.html": b"<p>two", "person-2.html": b"<p>Ben"}
    assert write(out, second) == (2, 2) and files_in(out) == second
    assert not (out / "pictures").exists()
    assert {path.name for path in out.iterdir()} - {REPORT.lock} == {REPORT_MARKER, *second}


def test_foreign_and_edited_files_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "report"
    write(out, FIRST)
    (out / "pictures/ab/holiday.jpg").write_bytes(b"mine")
    (out / "person-1.html").write_bytes(b"<p>Anna, changed by hand")
    assert write(out, {"index.html": b"<p>two"}) == (1, 1)
    assert files_in(out) == {
        "index.html": b"<p>two",
        "pictures/ab/holiday.jpg": b"mine",
        "person-1.html": b"<p>Anna, changed by hand",
    }
    with pytest.raises(FaceclustError, match=r"refusing to overwrite .*person-1.html"):
        write(out, FIRST)
    assert files_in(out)["index.html"] == b"<p>two"


@pytest.mark.parametrize("foreign", ["link", "folder"])
def test_links_are_not_followed_and_folders_not_replaced(tmp_path: Path, foreign: str) -> None:
    out = tmp_path / "report"
    write(out, FIRST)
    (tmp_path / "precious").write_bytes(FIRST["index.html"])  # identical content
    (out / "index.html").unlink()
    if foreign == "link":
        (out / "index.html").symlink_to(tmp_path / "precious")
    else:
        (out / "index.html").mkdir()
    with pytest.raises(FaceclustError):
        write(out, FIRST | {"index.html": b"new"})
    write(out, {"person-1.html": b"x"})
    assert (tmp_path / "precious").read_bytes() == FIRST["index.html"] and (out / "index.html").exists()


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.jpg").write_bytes(b"photo")
    with pytest.raises(UsageError, match="other files"):
        write(tmp_path / "photos", FIRST)
    with pytest.raises(UsageError, match="is not a folder"):
        write(tmp_path / "photos/a.jpg", FIRST)
    with pytest.raises(UsageError, match="does not exist"):
        require_output_folder(tmp_path / "no/such", REPORT)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_run_changes_nothing(tmp_path: Path, error: BaseException) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    write(old, FIRST)
    for out in (new, old):
        with pytest.raises((KeyboardInterrupt, FaceclustError)), stage_folder(out, REPORT) as stage:
            stage.add("index.html", b"<p>half")
            raise error
    assert not new.exists() and files_in(old) == FIRST
    assert write(old, FIRST) == (0, 0)


def test_the_next_run_repairs_one_killed_while_moving_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, moved = tmp_path / "report", 0
    write(out, FIRST)
    real = Path.replace

    def interrupted_replace(self: Path, target: Path) -> Path:
        nonlocal moved
        moved += 1
        if moved == 3:  # after the marker and one file
            raise KeyboardInterrupt
        return real(self, target)

    second = {path: content + b" again" for path, content in FIRST.items()}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", interrupted_replace)
        write(out, second)
    (out / ".faceclust-report-0123abcd").mkdir()  # the staging folder of a killed run
    write(out, second)
    assert files_in(out) == second and not list(out.glob(".faceclust-report-*"))


def test_listed_paths_outside_the_folder_are_ignored(tmp_path: Path) -> None:
    out = tmp_path / "report"
    write(out, {"index.html": b"x"})
    (tmp_path / "victim").write_bytes(b"x")
    marker = json.loads((out / REPORT_MARKER).read_text())
    digest = marker["files"]["index.html"]
    marker["files"] |= {"../victim": digest, str(tmp_path / "victim"): digest}
    (out / REPORT_MARKER).write_text(json.dumps(marker))
    write(out, {"person-1.html": b"x"})
    assert (tmp_path / "victim").exists()
    (out / REPORT_MARKER).write_text("nonsense")
    with pytest.raises(FaceclustError, match="cannot read"):
        write(out, FIRST)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_new_folder_is_private_and_a_shared_one_stays_shared(tmp_path: Path) -> None:
    def find_modes() -> dict[str, int]:
        paths = [out, *(path for path in out.rglob("*") if path.name != REPORT.lock)]
        return {path.relative_to(out).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in paths}

    out = tmp_path / "report"
    write(out, FIRST)
    assert {mode for path, mode in find_modes().items() if (out / path).is_file()} == {0o600}
    assert {mode for path, mode in find_modes().items() if (out / path).is_dir()} == {0o700}
    for path in (out, *out.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    write(out, FIRST | {"index.html": b"<p>two", "pictures/cd/cd1.jpg": b"jpeg"})
    assert {mode for path, mode in find_modes().items() if (out / path).is_file()} == {0o644}
    assert {mode for path, mode in find_modes().items() if (out / path).is_dir()} == {0o755}


@pytest.mark.parametrize("path", ["../out.jpg", "pictures/../../out.jpg", "/out.jpg", "pictures//out.jpg"])
def test_a_path_that_leads_out_is_an_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(FaceclustError, match="leads out"), stage_folder(tmp_path / "report", REPORT) as stage:
        stage.add(path, b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_scan_skips_a_report_in_the_library(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    write(tmp_path / "report", FIRST)
    assert [[name for name, *_ in folder.files] for folder in list_folders(tmp_path)] == [["a.jpg"]]


@pytest.mark.parametrize("name", [f"{REPORT_MARKER}.tmp", REPORT.lock])
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_links_at_the_names_of_own_files_are_not_written_through(tmp_path: Path, name: str, link: Link) -> None:
    out = tmp_path / "report"
    write(out, FIRST)
    (tmp_path / "photo.jpg").write_bytes(b"photo")
    (out / name).unlink(missing_ok=True)
    link(out / name, tmp_path / "photo.jpg")
    if name == REPORT.lock:
        with pytest.raises(FaceclustError, match="not faceclust's lock file"):
            write(out, {"index.html": b"<p>two"})
    else:
        write(out, {"index.html": b"<p>two"})
    assert (tmp_path / "photo.jpg").read_bytes() == b"photo"


def test_a_parent_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    out, victim = tmp_path / "report", tmp_path / "victim"
    path = "pics/sub/photo.jpg"
    write(out, {path: b"photo", "index.html": b"x"})
    (out / "pics").rename(victim)
    (out / "pics").symlink_to(victim)
    with pytest.raises(FaceclustError, match="its folder is a link"):
        write(out, {path: b"another", "index.html": b"x"})
    assert write(out, {"index.html": b"y"}) == (1, 0)
    assert (victim / "sub/photo.jpg").read_bytes() == b"photo"


@pytest.mark.parametrize("path", ["../victim", "pics/../../victim", "..\\victim", "", "pics//a", "./index.html", "/a"])
def test_unsafe_listed_paths_are_ignored(tmp_path: Path, path: str) -> None:
    write(tmp_path / "report", FIRST)
    marker = json.loads((tmp_path / "report" / REPORT_MARKER).read_text())
    marker["files"] = {path: marker["files"]["index.html"]}
    (tmp_path / "report" / REPORT_MARKER).write_text(json.dumps(marker))
    (tmp_path / "victim").write_bytes(FIRST["index.html"])
    assert write(tmp_path / "report", {"other.html": b"x"}) == (1, 0)
    assert (tmp_path / "victim").exists() and (tmp_path / "report/index.html").exists()


def test_a_concurrent_run_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "report"
    with stage_folder(out, REPORT) as first:
        first.add("index.html", b"A")
        with (
            pytest.raises(FaceclustError, match="another faceclust writes a report") as caught,
            stage_folder(out, REPORT),
        ):
            pass
        assert "wait" in str(caught.value.hint)
        first.add("pictures/aa/1.jpg", b"1")
        first.finish()
    assert files_in(out) == {"index.html": b"A", "pictures/aa/1.jpg": b"1"}
    assert write(out, {"index.html": b"B"}) == (1, 1)


@pytest.mark.parametrize("while_moving", [False, True])
def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, while_moving: bool
) -> None:
    out = tmp_path / "report"
    out.mkdir()
    real = Path.replace

    def replace_after_a_foreign_write(self: Path, target: Path) -> Path:
        if target.name == "first.html":
            (out / "index.html").write_bytes(b"mine")
        return real(self, target)

    with pytest.raises(FaceclustError, match=r"refusing to overwrite .*index.html"), stage_folder(out, REPORT) as stage:
        stage.add("first.html", b"1")
        stage.add("index.html", b"2")
        if while_moving:
            monkeypatch.setattr(Path, "replace", replace_after_a_foreign_write)
        else:
            (out / "index.html").write_bytes(b"mine")
        stage.finish()
    monkeypatch.undo()
    assert (out / "index.html").read_bytes() == b"mine" and (out / "first.html").exists() == while_moving
    (out / "index.html").rename(tmp_path / "mine.html")
    assert write(out, FIRST)[0] == 3
