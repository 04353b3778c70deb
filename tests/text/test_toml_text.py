"""Hostile TOML ends early."""

from __future__ import annotations

import pytest

from faceclust.text.toml_text import parse_toml


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (".".join("a" * 500_000) + " = 1", "line 1 has more than 100 dots"),
        ("# one\n[" + ".".join("a" * 500_000) + "]", "line 2 has more than 100 dots"),
        ("a = " + "[" * 100_000, "nested too deeply|nesting|Invalid value"),
        ("a = " + "{a=" * 100_000, "nested too deeply|nesting|Invalid|inline"),
        ("a = 1\na = 2", "overwrite"),
        ("a = 1\rb = 2", "line 1"),
    ],
)
def test_hostile_toml_raises_one_error(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_toml(text)


def test_ordinary_toml_is_parsed() -> None:
    points = ", ".join(f"[{number}.5, 1.5]" for number in range(40))
    assert parse_toml(f"a.b = [{points}] # ...")["a"]["b"][39] == [39.5, 1.5]
