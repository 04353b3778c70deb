from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.outputs.albums.safe_names import MAX_NAME_BYTES, NameAllocator, name_key, safe_name, split_suffix

#: Texts with more difficult characters than arbitrary ones.
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


def assert_safe(name: str, max_bytes: int = MAX_NAME_BYTES) -> None:
    """Check all rules of all file systems, written independently of the package."""
    assert 0 < len(name.encode("utf-8")) <= max_bytes <= 255  # ext4 and APFS count bytes
    assert len(name.encode("utf-16-le")) // 2 <= 255  # NTFS and exFAT count these
    assert not set(name) & set('<>:"/\\|?*')
    assert all(unicodedata.category(c) not in ("Cc", "Cs", "Cn", "Co", "Zl", "Zp") for c in name)
    assert name[-1] not in " ." and name[0] not in " .-"
    assert name.split(".")[0].rstrip(" ").upper() not in DEVICES
    assert unicodedata.is_normalized("NFC", name)
    assert not name.casefold().startswith(("$mft", "$bitmap", "$extend")) or len(name) > 8


@given(TEXTS, st.integers(24, MAX_NAME_BYTES))
def test_any_text_gives_a_safe_name_and_safe_names_are_stable(text: str, max_bytes: int) -> None:
    name = safe_name(text, max_bytes)
    assert_safe(name, max_bytes)
    assert safe_name(name, max_bytes) == name


@given(st.text(st.characters(categories=["L", "Nd"], max_codepoint=0x24F), min_size=1, max_size=40))
def test_ordinary_names_are_unchanged(text: str) -> None:
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
def test_safe_name_examples(text: str, name: str) -> None:
    assert safe_name(text) == name


#: Mappings under which file systems compare names: NTFS and exFAT use upper case, others case
#: folding, APFS and HFS+ ignore the normalisation form.
EQUIVALENTS: list[Callable[[str], str]] = [
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
def test_allocated_names_are_distinct_on_every_disk(texts: list[str]) -> None:
    names = NameAllocator()
    allocated = [names.allocate("", f"{number}", text) for number, text in enumerate(texts)]
    for name in allocated:
        assert_safe(name)
    for equivalent in EQUIVALENTS:
        assert len(set(map(equivalent, allocated))) == len(allocated), equivalent
    assert [names.allocate("", f"{number}", text) for number, text in enumerate(texts)] == allocated


@given(TROUBLE)
def test_names_equal_on_some_disk_have_one_key(text: str) -> None:
    name = safe_name(text)
    for equivalent in EQUIVALENTS:
        assert name_key(equivalent(name)) == name_key(name)


def test_digits_are_stable_and_precede_the_suffix() -> None:
    def allocate(*identities: str) -> list[str]:
        names = NameAllocator()
        return [names.allocate("Anna/", identity, "IMG_1.jpg") for identity in identities]

    first, second, third = allocate("2019/IMG_1.jpg", "2020/IMG_1.jpg", "2021/IMG_1.jpg")
    assert first == "IMG_1.jpg" and second.startswith("IMG_1~") and second.endswith(".jpg")
    assert allocate("2019/IMG_1.jpg", "2021/IMG_1.jpg") == [first, third]


def test_digits_avoid_names_in_use() -> None:
    names = NameAllocator()
    names.allocate("", "1", "a.jpg")
    other = NameAllocator()
    other.allocate("", "1", "a.jpg")
    with_digits = other.allocate("", "2", "a.jpg")
    names.allocate("", "3", with_digits)
    assert names.allocate("", "2", "a.jpg") not in ("a.jpg", with_digits)


def test_split_suffix() -> None:
    assert split_suffix("a.b.JPG") == ("a.b", ".JPG")
    assert split_suffix(".jpg") == (".jpg", "") and split_suffix("Dr. Anna") == ("Dr. Anna", "")
