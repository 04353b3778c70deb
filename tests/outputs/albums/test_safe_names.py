from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.outputs.albums.safe_names import MAX_NAME_BYTES, NameAllocator, name_key, safe_name, split_suffix

#: Texts that are more trouble than arbitrary ones.
TROUBLE = st.lists(
    st.sampled_from(
        [
            *"aAbB.-~ _$:/\\\0\n\t<>|?*'\"é\u0301\u0345ßſıİKÅΣςﬁŉǅ中字😀",
            *"\u200d\u200c\u202e\u200f\ufe0f\ud800\uffff\U000e0067",
            *("CON", "nul", "COM1", "LPT²", ".jpg", "..", "👩‍👩‍👧", "x" * 60, "é" * 60),
        ]
    ),
    max_size=12,
).map("".join)
TEXTS = st.one_of(TROUBLE, st.text(max_size=300))
DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{p}{d}" for p in ("COM", "LPT") for d in "123456789¹²³"
}


def assert_safe(name: str, room: int = MAX_NAME_BYTES) -> None:
    """Every rule of every file system, each said anew."""
    assert 0 < len(name.encode("utf-8")) <= room <= 255  # ext4 and APFS count bytes
    assert len(name.encode("utf-16-le")) // 2 <= 255  # NTFS and exFAT count these
    assert not set(name) & set('<>:"/\\|?*')
    assert all(unicodedata.category(c) not in ("Cc", "Cs", "Cn", "Co", "Zl", "Zp") for c in name)
    assert name[-1] not in " ." and name[0] not in " .-"
    assert name.split(".")[0].rstrip(" ").upper() not in DEVICES
    assert unicodedata.is_normalized("NFC", name)
    assert not name.casefold().startswith(("$mft", "$bitmap", "$extend")) or len(name) > 8


@given(TEXTS, st.integers(24, MAX_NAME_BYTES))
def test_any_text_makes_a_safe_name_that_stays_as_it_is(text: str, room: int) -> None:
    name = safe_name(text, room)
    assert_safe(name, room)
    assert safe_name(name, room) == name


@given(st.text(st.characters(categories=["L", "Nd"], max_codepoint=0x24F), min_size=1, max_size=40))
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    name = unicodedata.normalize("NFC", text)
    if name.upper() not in DEVICES | {"COM0", "LPT0"}:
        assert safe_name(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CON", "CON_"),
        ("con.txt", "con_.txt"),
        ("Nul .tar.gz", "Nul_.tar.gz"),
        ("COM¹.jpg", "COM¹_.jpg"),
        ("console", "console"),
        ("$MFT", "_$MFT"),
        ("lost+found", "_lost+found"),
        ("$100", "$100"),
        ("..", "_"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("", "_"),
        ("\u200d\u200f", "_"),
        ("-rf", "_rf"),
        (".bashrc", "bashrc"),
        ("Anna. ", "Anna"),
        ("a:b?", "a_b_"),
        ("a\nb\tc", "a b c"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("אנה\u200f", "אנה"),
        ("e\u0301", "é"),
        ("👩\u200d👧 & Co", "👩\u200d👧 & Co"),
        ("x" * 300 + ".jpg", "x" * 146 + ".jpg"),
        ("😀" * 100, "😀" * 37),
        ("Dr. Anna M. Berg", "Dr. Anna M. Berg"),
    ],
)
def test_names_and_what_becomes_of_them(text: str, name: str) -> None:
    assert safe_name(text) == name


#: Ways in which file systems make two names one: NTFS and exFAT by upper case, others by folding,
#: APFS and HFS+ whatever the Unicode form.
ALIKE: list[Callable[[str], str]] = [
    str.upper,
    str.lower,
    str.casefold,
    lambda name: unicodedata.normalize("NFC", name),
    lambda name: unicodedata.normalize("NFD", name),
    lambda name: unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold()),
    lambda name: "".join(c.upper() if len(c.upper()) == 1 else c for c in name),
    lambda name: "".join(c for c in name if unicodedata.category(c) != "Cf" and c != "\ufe0f").casefold(),
]


@given(st.lists(TEXTS, max_size=12))
def test_names_given_out_stay_apart_on_every_disk(texts: list[str]) -> None:
    names = NameAllocator()
    given = [names.allocate("", f"{number}", text) for number, text in enumerate(texts)]
    for name in given:
        assert_safe(name)
    for alike in ALIKE:
        assert len(set(map(alike, given))) == len(given), alike
    assert [names.allocate("", f"{number}", text) for number, text in enumerate(texts)] == given


@given(TROUBLE)
def test_names_alike_to_some_disk_have_one_key(text: str) -> None:
    name = safe_name(text)
    for alike in ALIKE:
        assert name_key(alike(name)) == name_key(name)


def test_digits_stay_the_same_and_come_before_the_ending() -> None:
    def given(*identities: str) -> list[str]:
        names = NameAllocator()
        return [names.allocate("Anna/", identity, "IMG_1.jpg") for identity in identities]

    first, second, third = given("2019/IMG_1.jpg", "2020/IMG_1.jpg", "2021/IMG_1.jpg")
    assert first == "IMG_1.jpg" and second.startswith("IMG_1~") and second.endswith(".jpg")
    assert given("2019/IMG_1.jpg", "2021/IMG_1.jpg") == [first, third]


def test_digits_that_are_taken_themselves_are_made_more() -> None:
    names = NameAllocator()
    names.allocate("", "1", "a.jpg")
    other = NameAllocator()
    other.allocate("", "1", "a.jpg")
    with_digits = other.allocate("", "2", "a.jpg")
    names.allocate("", "3", with_digits)
    assert names.allocate("", "2", "a.jpg") not in ("a.jpg", with_digits)


def test_stem_and_ending() -> None:
    assert split_suffix("a.b.JPG") == ("a.b", ".JPG")
    assert split_suffix(".jpg") == (".jpg", "") and split_suffix("Dr. Anna") == ("Dr. Anna", "")
