from __future__ import annotations

import json
from pathlib import Path

import pytest

from faceclust.conventions import REPORT_NOTES
from faceclust.errors import FaceclustError, UsageError
from faceclust.outputs.report.folder import check_folder, staging
from faceclust.photos.listing import list_folders

FIRST = {"index.html": b"<p>one", "pictures/ab/ab1.jpg": b"jpeg", "person-1.html": b"<p>Anna"}


def write(out: Path, files: dict[str, bytes]) -> tuple[int, int]:
    with staging(out) as stage:
        for path, content in files.items():
            stage.add(path, content)
        made = stage.finish()
    assert made.pages + made.pictures == len(files) and made.size == sum(map(len, files.values()))
    return made.new, made.removed


def there(out: Path) -> dict[str, bytes]:
    paths = (path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths if path.name != REPORT_NOTES}


def test_a_folder_is_made_and_brought_up_to_date(tmp_path: Path) -> None:
    out = tmp_path / "report"
    assert write(out, FIRST) == (3, 0) and there(out) == FIRST
    assert write(out, FIRST) == (0, 0)
    second = {"index.html": b"<p>two", "person-2.html": b"<p>Ben"}
    assert write(out, second) == (2, 2) and there(out) == second
    assert not (out / "pictures").exists()
    assert sorted(path.name for path in out.iterdir()) == sorted([REPORT_NOTES, *second])


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
    with pytest.raises(UsageError, match="is no folder"):
        write(tmp_path / "photos/a.jpg", FIRST)
    with pytest.raises(UsageError, match="no folder"):
        check_folder(tmp_path / "no/such")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_cut_short_it_leaves_all_as_it_was(tmp_path: Path, error: BaseException) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    write(old, FIRST)
    for out in (new, old):
        with pytest.raises((KeyboardInterrupt, FaceclustError)), staging(out) as stage:
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
    notes = json.loads((out / REPORT_NOTES).read_text())
    digest = notes["files"]["index.html"]
    notes["files"] |= {"../victim": digest, str(tmp_path / "victim"): digest}
    (out / REPORT_NOTES).write_text(json.dumps(notes))
    write(out, {"person-1.html": b"x"})
    assert (tmp_path / "victim").exists()
    (out / REPORT_NOTES).write_text("nonsense")
    with pytest.raises(FaceclustError, match="cannot be read"):
        write(out, FIRST)


def test_a_scan_passes_by_a_report_in_the_library(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    write(tmp_path / "report", FIRST)
    assert [[name for name, *_ in folder.files] for folder in list_folders(tmp_path)] == [["a.jpg"]]
