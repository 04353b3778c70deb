"""Text from outside, made visible."""

from __future__ import annotations

import json
import math
import tomllib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.text.json_text import to_json
from faceclust.text.visible import make_visible

#: Any code point, surrogates included.
ANY_TEXT = st.text(st.characters(exclude_categories=[]))
#: Marks that change the direction of the text around them.
DIRECTION_MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x00\x7f", r"\x00\x7f"),
        ("\x80\x9b31m", r"\u0080\u009b31m"),
        ("photo\u202egpj.exe", r"photo\u202egpj.exe"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\udc9b.jpg", r"\x9b.jpg"),  # a byte of a file name
        ("\ud800", r"\ud800"),
        ("\u200b\ufeff\u00ad", r"\u200b\ufeff\u00ad"),
        ("\ue000\U000f0000", r"\ue000\U000f0000"),
        ("\U000e0001\U000e0041", r"\U000e0001\U000e0041"),
        ("\ufdd0\uffff\U0001fffe", r"\ufdd0\uffff\U0001fffe"),
    ],
)
def test_characters_that_cannot_be_seen_become_escapes(text: str, visible: str) -> None:
    assert make_visible(text) == visible


@pytest.mark.parametrize(
    "text",
    [
        "Anna Müller-Åström",
        "Никита 李小龍 山田\u3000太郎 สมชาย يوسف דוד",
        "می\u200cخواهم",  # a zero-width non-joiner in Persian
        "👩\u200d👧\u200d👦 👍🏽 ❤\ufe0f 🇩🇪",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # the flag of Scotland
        "a\u0301\u0300 ﷺ \u00a0",
        "\U0001fae9",  # an emoji of 2024
        r"C:\Photos\new",
        "",
    ],
)
def test_names_of_all_scripts_and_emoji_are_kept(text: str) -> None:
    assert make_visible(text) == text


def test_every_control_and_direction_mark_is_escaped() -> None:
    controls = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp")]
    for character in [*controls, *DIRECTION_MARKS]:
        visible = make_visible(f"a{character}b")
        assert visible.isascii() and visible.isprintable() and "\\" in visible


@given(ANY_TEXT)
def test_visible_text_has_no_control_and_stays_the_same(text: str) -> None:
    visible = make_visible(text)
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in visible)
    assert not set(DIRECTION_MARKS) & set(visible)
    assert make_visible(visible) == visible
    visible.encode()


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | st.lists(st.floats() | st.integers() | st.none() | st.booleans())))
def test_json_is_strict_and_visible_and_keeps_the_value(value: dict[str, object]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for indent in (None, 2):
        text = to_json(value, indent=indent)
        assert make_visible(text.replace("\n", "")) == text.replace("\n", "")
        text.encode()
        found = json.loads(text, parse_constant=refuse)
        if not any("\ud800" <= character <= "\udfff" for character in json.dumps(value, ensure_ascii=False)):
            assert found == _without_infinite_numbers(value)


def _without_infinite_numbers(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_infinite_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_infinite_numbers(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def test_json_of_what_is_not_unicode_is_readable_by_every_reader() -> None:
    assert to_json(["\x9b\x7f\u202e\u2028", "b\udc9b", "\ud800", float("nan"), "\U000e0001"]) == (
        r'["\u009b\u007f\u202e\u2028", "b\\x9b", "\\ud800", null, "\udb40\udc01"]'
    )


def test_a_configuration_value_is_printed_as_valid_toml() -> None:
    from faceclust.cli.config import _format_toml_value

    value = 'a"\\\x1b\x7f\x9b\u202e\U000e0001'
    printed = f"key = {_format_toml_value(value)}"
    assert make_visible(printed) == printed and tomllib.loads(printed) == {"key": value}
