"""Edits of configuration files that are odd, but valid TOML."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceclust.errors import UsageError
from faceclust.store import config
from faceclust.store.config import change_config, read_config

CHANGES: dict[tuple[str, ...], str] = {("scan", "precision"): "int8"}


@pytest.mark.parametrize("text", ["scan = 1", "[[scan]]", "scan = 'x'", "scan = [{}]"])
def test_a_value_where_a_table_belongs_is_reported(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match="scan must be a table, not"):
        change_config(file, CHANGES)
    assert file.read_text() == text


def test_a_carriage_return_alone_does_not_end_a_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"# mine \r#\n")
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(file)


def test_an_edit_that_would_change_other_values_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text("workers = 2\n")
    monkeypatch.setattr(config, "_edit_text", lambda text, changes: 'workers = 3\nscan.precision = "int8"\n')
    with pytest.raises(UsageError, match="cannot be edited: the edit would change other values") as failure:
        change_config(file, CHANGES)
    assert failure.value.hint == "correct the file, or set scan.precision to int8 there"
    assert file.read_text() == "workers = 2\n"
