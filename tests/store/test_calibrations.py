"""The calibrated threshold in a library's configuration file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.errors import UsageError
from faceclust.files.user_folders import config_folder
from faceclust.store.calibrations import Calibration, read_calibration, save_calibration
from faceclust.store.settings import user_config_file

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


def test_editing_preserves_layout_and_line_endings(tmp_path: Path) -> None:
    inline = tmp_path / "inline.toml"
    inline.write_text("calibration = {other={threshold=1.2}} # mine\n")
    save_calibration(inline, "dlib", CALIBRATION)
    assert read_calibration(inline, "dlib") == CALIBRATION and "other={threshold=1.2}" in inline.read_text()
    crlf = b"# mine\r\n[cluster]\r\nmin-size = 3 # three\r\n"
    file = tmp_path / "config.toml"
    file.write_bytes(crlf)
    save_calibration(file, "dlib", CALIBRATION)
    assert file.read_bytes().count(b"\n") == file.read_bytes().count(b"\r\n")
    assert read_calibration(file, "dlib") == CALIBRATION
    save_calibration(file, "dlib", None)
    assert file.read_bytes() == crlf


@pytest.mark.linux
def test_the_users_own_file_may_be_a_symlink_but_a_librarys_may_not(tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.toml"
    target.write_bytes(b"# mine\n")
    for link in (config_folder() / "config.toml", tmp_path / "config.toml"):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    with pytest.raises(UsageError, match="it is a symlink"):
        save_calibration(tmp_path / "config.toml", "dlib", CALIBRATION)
    assert target.read_bytes() == b"# mine\n"
    save_calibration(user_config_file(), "dlib", CALIBRATION)
    assert (config_folder() / "config.toml").is_symlink() and b"threshold" in target.read_bytes()


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
            "[calibration.dlib]\nthreshold = 1\nfar=1\npeople=1\nfaces=1\nrate=-1\nmade=2026-01-01\nspace='x'",
            "rate = -1 is not possible",
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
