"""The calibrated threshold in a library's configuration file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.errors import UsageError
from faceclust.store.calibrations import Calibration, read_calibration, save_calibration

CALIBRATION = Calibration(1.16, 0.001, 32, 132, 0.000986, date(2026, 2, 3), "7260855bd300cafe")


def test_calibrations_round_trip_beside_other_settings(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("# mine\n[cluster]\nmin-size = 3 # three\n")
    save_calibration(file, "dlib", CALIBRATION)
    save_calibration(file, "sface", Calibration(1.2, 0.01, 12, 40, 0.0, date(2026, 2, 4), "a"))
    assert read_calibration(file, "dlib") == CALIBRATION and read_calibration(file, "other") is None
    save_calibration(file, "sface", None)
    assert read_calibration(file, "sface") is None and read_calibration(file, "dlib") == CALIBRATION
    save_calibration(file, "dlib", None)
    assert file.read_text().rstrip() == "# mine\n[cluster]\nmin-size = 3 # three"
    save_calibration(file, "dlib", None)
    assert read_calibration(tmp_path / "none.toml", "dlib") is None


def test_editing_preserves_layout_line_endings_and_symlinks(tmp_path: Path) -> None:
    inline = tmp_path / "inline.toml"
    inline.write_text("calibration = {other={threshold=1.2}} # mine\n")
    save_calibration(inline, "dlib", CALIBRATION)
    assert read_calibration(inline, "dlib") == CALIBRATION and "other={threshold=1.2}" in inline.read_text()
    crlf = b"# mine\r\n[cluster]\r\nmin-size = 3 # three\r\n"
    target, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    target.write_bytes(crlf)
    link.symlink_to(target)
    save_calibration(link, "dlib", CALIBRATION)
    assert link.is_symlink() and target.read_bytes().count(b"\n") == target.read_bytes().count(b"\r\n")
    assert read_calibration(link, "dlib") == CALIBRATION
    save_calibration(link, "dlib", None)
    assert link.is_symlink() and target.read_bytes() == crlf


@given(st.floats(0.5, 1.6), st.floats(1e-6, 0.1), st.integers(1, 10**6), st.text("0123456789abcdef", min_size=1))
def test_any_valid_calibration_round_trips(
    tmp_path_factory: pytest.TempPathFactory, threshold: float, far: float, people: int, space: str
) -> None:
    file = tmp_path_factory.mktemp("kept") / "config.toml"
    calibration = Calibration(threshold, far, people, people * 2, far / 3, date(2026, 2, 3), space)
    save_calibration(file, "dlib", calibration)
    assert read_calibration(file, "dlib") == calibration


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("calibration = 3", "is not a table"),
        ("[calibration]\ndlib = 3", "is not a table"),
        ("[calibration.dlib]\nthreshold = 1.2", "has no far"),
        ("[calibration.dlib]\nthreshold = 'low'", "threshold = 'low' has the wrong type"),
        ("[calibration.dlib]\nthreshold = true", "has the wrong type"),
        (
            "[calibration.dlib]\nthreshold = 9.0\nfar=1\npeople=1\nfaces=1\nrate=1\nmade=2026-01-01\nspace='x'",
            "must be from 0.5 to 1.6, not 9",
        ),
        (
            "[calibration.dlib]\nthreshold = nan\nfar=1\npeople=1\nfaces=1\nrate=1\nmade=2026-01-01\nspace='x'",
            "must be from 0.5 to 1.6, not nan",
        ),
        ("[calibration.dlib]\nthreshold = 1\nfar=1\npeople='x'\nfaces=1\nrate=1\nmade=2026-01-01\nspace='x'", "people"),
    ],
)
def test_an_invalid_calibration_is_reported_and_can_be_replaced_or_removed(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_calibration(file, "dlib")
    save_calibration(file, "dlib", CALIBRATION)
    assert read_calibration(file, "dlib") == CALIBRATION
    file.write_text(text)
    save_calibration(file, "dlib", None)
    assert read_calibration(file, "dlib") is None
