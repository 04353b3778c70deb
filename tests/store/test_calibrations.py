"""The calibrated threshold in a library's configuration file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.errors import UsageError
from faceclust.store.calibrations import Calibration, read_calibration, save_calibration

SOME = Calibration(1.16, 0.001, 32, 132, 0.000986, date(2026, 2, 3), "7260855bd300cafe")


def test_what_is_kept_is_read_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("# mine\n[cluster]\nmin-size = 3 # three\n")
    save_calibration(file, "dlib", SOME)
    save_calibration(file, "sface", Calibration(1.2, 0.01, 12, 40, 0.0, date(2026, 2, 4), "a"))
    assert read_calibration(file, "dlib") == SOME and read_calibration(file, "other") is None
    save_calibration(file, "sface", None)
    assert read_calibration(file, "sface") is None and read_calibration(file, "dlib") == SOME
    save_calibration(file, "dlib", None)
    assert file.read_text().rstrip() == "# mine\n[cluster]\nmin-size = 3 # three"
    save_calibration(file, "dlib", None)
    assert read_calibration(tmp_path / "none.toml", "dlib") is None


def test_a_file_stays_as_it_is_written(tmp_path: Path) -> None:
    inline = tmp_path / "inline.toml"
    inline.write_text("calibration = {other={threshold=1.2}} # mine\n")
    save_calibration(inline, "dlib", SOME)
    assert read_calibration(inline, "dlib") == SOME and "other={threshold=1.2}" in inline.read_text()
    crlf = b"# mine\r\n[cluster]\r\nmin-size = 3 # three\r\n"
    kept, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    kept.write_bytes(crlf)
    link.symlink_to(kept)
    save_calibration(link, "dlib", SOME)
    assert link.is_symlink() and kept.read_bytes().count(b"\n") == kept.read_bytes().count(b"\r\n")
    assert read_calibration(link, "dlib") == SOME
    save_calibration(link, "dlib", None)
    assert link.is_symlink() and kept.read_bytes() == crlf


@given(st.floats(0.5, 1.6), st.floats(1e-6, 0.1), st.integers(1, 10**6), st.text("0123456789abcdef", min_size=1))
def test_any_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, threshold: float, far: float, people: int, space: str
) -> None:
    file = tmp_path_factory.mktemp("kept") / "config.toml"
    some = Calibration(threshold, far, people, people * 2, far / 3, date(2026, 2, 3), space)
    save_calibration(file, "dlib", some)
    assert read_calibration(file, "dlib") == some


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("calibration = 3", "is not a table"),
        ("[calibration]\ndlib = 3", "is not a table"),
        ("[calibration.dlib]\nthreshold = 1.2", "has no far"),
        ("[calibration.dlib]\nthreshold = 'low'", "threshold = 'low' has the wrong type"),
        ("[calibration.dlib]\nthreshold = true", "has the wrong type"),
        (
            "[calibration.dlib]\nthreshold = 9.0\nfar=1\npeople=1\nfaces=1\nrate=1\nmade=2026-01-01\nspace='x'",
            "between",
        ),
        (
            "[calibration.dlib]\nthreshold = nan\nfar=1\npeople=1\nfaces=1\nrate=1\nmade=2026-01-01\nspace='x'",
            "between",
        ),
        ("[calibration.dlib]\nthreshold = 1\nfar=1\npeople='x'\nfaces=1\nrate=1\nmade=2026-01-01\nspace='x'", "people"),
    ],
)
def test_what_is_none_is_said_and_can_be_taken_out(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_calibration(file, "dlib")
    save_calibration(file, "dlib", SOME)
    assert read_calibration(file, "dlib") == SOME
    file.write_text(text)
    save_calibration(file, "dlib", None)
    assert read_calibration(file, "dlib") is None
