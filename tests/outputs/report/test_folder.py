from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from faceclust.errors import FaceclustError, UsageError
from faceclust.files.names import REPORT_MARKER
from faceclust.outputs.report.folder import _REPORT_LOCK, require_report_folder, stage_folder
from faceclust.scan.listing import list_folders

Link = Callable[[Path, Path], None]
FIRST = {"index.html": b"<p>one", "pictures/ab/ab1.jpg": b"jpeg", "person-1.html": b"<p>Anna"}


def write(out: Path, files: dict[str, bytes]) -> tuple[int, int]:
    with stage_folder(out) as stage:
        for path, content in files.items():
            stage.add(path, content)
        made = stage.finish()
    assert made.pages + made.pictures == len(files) and made.size == sum(map(len, files.values()))
    return made.new, made.removed


def there(out: Path) -> dict[str, bytes]:
    paths = (path for path in out.rglob("*") if path.is_file() and path.name not in (REPORT_MARKER, _REPORT_LOCK))
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in paths
        if path.name not in (REPORT_MARKER, _REPORT_LOCK)
    }


def test_a_folder_is_made_and_brought_up_to_date(tmp_path: Path) -> None:
    out = tmp_path / "report"
    assert write(out, FIRST) == (3, 0) and there(out) == FIRST
    assert write(out, FIRST) == (0, 0)
    second = {"index.html": b"<p>two", "person-2.html": b"<p>Ben"}
    assert write(out, second) == (2, 2) and there(out) == second
    assert not (out / "pictures").exists()
    assert {path.name for path in out.iterdir()} - {_REPORT_LOCK} == {REPORT_MARKER, *second}


def test_what_others_put_there_is_never_touched(tmp_path: Path) -> None:
    out = tmp_path / "report"
    write(out, FIRST)
    (out / "pictures/ab/holiday.jpg").write_bytes(b"mine")
    (out / "person-1.html").write_bytes(b"<p>Anna, changed by hand")
    assert write(out, {"index.html": b"<p>two"}) == (1, 1)
    assert there(out) == {
        "index.html": b"<p>two",
        "pictures/ab/holiday.jpg": b"mine",
        "person-1.html": b"<p>Anna, changed by hand",
    }
    with pytest.raises(FaceclustError, match=r"person-1.html was not made by faceclust"):
        write(out, FIRST)
    assert there(out)["index.html"] == b"<p>two"


@pytest.mark.parametrize("foreign", ["link", "folder"])
def test_no_link_is_followed_and_no_folder_replaced(tmp_path: Path, foreign: str) -> None:
    out = tmp_path / "report"
    write(out, FIRST)
    (tmp_path / "precious").write_bytes(FIRST["index.html"])  # the very content
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
    with pytest.raises(UsageError, match="no folder"):
        require_report_folder(tmp_path / "no/such")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_cut_short_it_leaves_all_as_it_was(tmp_path: Path, error: BaseException) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    write(old, FIRST)
    for out in (new, old):
        with pytest.raises((KeyboardInterrupt, FaceclustError)), stage_folder(out) as stage:
            stage.add("index.html", b"<p>half")
            raise error
    assert not new.exists() and there(old) == FIRST
    assert write(old, FIRST) == (0, 0)


def test_killed_while_files_move_the_next_run_puts_it_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, moved = tmp_path / "report", 0
    write(out, FIRST)
    real = Path.replace

    def dies(self: Path, target: Path) -> Path:
        nonlocal moved
        moved += 1
        if moved == 3:  # the notes, one file, and then
            raise KeyboardInterrupt
        return real(self, target)

    second = {path: content + b" again" for path, content in FIRST.items()}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", dies)
        write(out, second)
    (out / ".faceclust-report-0123abcd").mkdir()  # a run that had no time to clear up
    write(out, second)
    assert there(out) == second and not list(out.glob(".faceclust-report-*"))


def test_notes_that_lead_out_of_the_folder_are_not_believed(tmp_path: Path) -> None:
    out = tmp_path / "report"
    write(out, {"index.html": b"x"})
    (tmp_path / "victim").write_bytes(b"x")
    notes = json.loads((out / REPORT_MARKER).read_text())
    digest = notes["files"]["index.html"]
    notes["files"] |= {"../victim": digest, str(tmp_path / "victim"): digest}
    (out / REPORT_MARKER).write_text(json.dumps(notes))
    write(out, {"person-1.html": b"x"})
    assert (tmp_path / "victim").exists()
    (out / REPORT_MARKER).write_text("nonsense")
    with pytest.raises(FaceclustError, match="cannot be read"):
        write(out, FIRST)


def test_a_scan_passes_by_a_report_in_the_library(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    write(tmp_path / "report", FIRST)
    assert [[name for name, *_ in folder.files] for folder in list_folders(tmp_path)] == [["a.jpg"]]


@pytest.mark.parametrize("name", [f"{REPORT_MARKER}.tmp", _REPORT_LOCK])
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_links_at_the_names_of_own_files_are_not_written_through(tmp_path: Path, name: str, link: Link) -> None:
    out = tmp_path / "report"
    write(out, FIRST)
    (tmp_path / "photo.jpg").write_bytes(b"photo")
    (out / name).unlink(missing_ok=True)
    link(out / name, tmp_path / "photo.jpg")
    if name == _REPORT_LOCK:
        with pytest.raises(FaceclustError, match="no file of faceclust"):
            write(out, {"index.html": b"<p>two"})
    else:
        write(out, {"index.html": b"<p>two"})
    assert (tmp_path / "photo.jpg").read_bytes() == b"photo"


def test_no_folder_on_the_way_may_be_a_link(tmp_path: Path) -> None:
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
def test_noted_paths_that_are_none_below_are_passed_by(tmp_path: Path, path: str) -> None:
    write(tmp_path / "report", FIRST)
    notes = json.loads((tmp_path / "report" / REPORT_MARKER).read_text())
    notes["files"] = {path: notes["files"]["index.html"]}
    (tmp_path / "report" / REPORT_MARKER).write_text(json.dumps(notes))
    (tmp_path / "victim").write_bytes(FIRST["index.html"])
    assert write(tmp_path / "report", {"other.html": b"x"}) == (1, 0)
    assert (tmp_path / "victim").exists() and (tmp_path / "report/index.html").exists()


def test_a_second_run_at_the_same_time_is_told_so(tmp_path: Path) -> None:
    out = tmp_path / "report"
    with stage_folder(out) as first:
        first.add("index.html", b"A")
        with pytest.raises(FaceclustError, match="another faceclust writes a report") as caught, stage_folder(out):
            pass
        assert "wait" in str(caught.value.hint)
        first.add("pictures/aa/1.jpg", b"1")
        first.finish()
    assert there(out) == {"index.html": b"A", "pictures/aa/1.jpg": b"1"}
    assert write(out, {"index.html": b"B"}) == (1, 1)


@pytest.mark.parametrize("while_moving", [False, True])
def test_a_file_that_comes_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, while_moving: bool
) -> None:
    out = tmp_path / "report"
    out.mkdir()
    real = Path.replace

    def comes(self: Path, target: Path) -> Path:
        if target.name == "first.html":
            (out / "index.html").write_bytes(b"mine")
        return real(self, target)

    with pytest.raises(FaceclustError, match=r"index.html was not made"), stage_folder(out) as stage:
        stage.add("first.html", b"1")
        stage.add("index.html", b"2")
        if while_moving:
            monkeypatch.setattr(Path, "replace", comes)
        else:
            (out / "index.html").write_bytes(b"mine")
        stage.finish()
    monkeypatch.undo()
    assert (out / "index.html").read_bytes() == b"mine" and (out / "first.html").exists() == while_moving
    (out / "index.html").rename(tmp_path / "mine.html")
    assert write(out, FIRST)[0] == 3
