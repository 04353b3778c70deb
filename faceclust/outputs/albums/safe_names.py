"""Names of files and folders that ext4, NTFS, exFAT and APFS all take, and that stay apart on each.

What Windows refuses is in Microsoft's "Naming Files, Paths, and Namespaces"; APFS takes valid
Unicode of assigned characters only; ext4, exFAT and NTFS take 255 bytes or UTF-16 units a name.
"""

from __future__ import annotations

import hashlib
import unicodedata

from faceclust.files.names import SYSTEM_FOLDERS

#: Bytes of UTF-8 of a name: fewer than the 255 that file systems take, for some take fewer.
MAX_NAME_BYTES = 150
_UNSAFE_CHARACTERS = frozenset('<>:"/\\|?*')
#: Joiners that Persian, Indic and emoji names are spelt with.
_JOINERS = frozenset("\u200c\u200d")
#: Characters that some file systems look past when they compare names, beside those of category Cf.
_IGNORED_CHARACTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {
    chr(code)
    for first, last in ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
    for code in range(first, last + 1)
}
#: Devices in the eyes of Windows, whatever ending they have.
_WINDOWS_DEVICES = frozenset("CON PRN AUX NUL CONIN$ CONOUT$ CLOCK$".split()) | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"
}
#: Files of NTFS itself in the top folder of a disk, and folders of systems.
_SYSTEM_NAMES = frozenset(
    "$mft $mftmirr $logfile $volume $attrdef $bitmap $boot $badclus $secure $upcase $extend".split()
) | {name.casefold() for name in SYSTEM_FOLDERS}


def safe_name(text: str, max_bytes: int = MAX_NAME_BYTES) -> str:
    """A text as the name of a file or folder, of at most `room` bytes of UTF-8 (24 or more); an
    ending such as ".jpg" outlives cutting. A safe name stays as it is."""
    kept = text
    if not (text.isascii() and text.isprintable() and _UNSAFE_CHARACTERS.isdisjoint(text)):  # few names need more
        kept = "".join(_safe_character(character) for character in unicodedata.normalize("NFC", text))
        kept = unicodedata.normalize("NFC", kept)
    kept = _truncate(kept.strip(" ."), max_bytes)
    if kept.startswith("-"):  # programs would take it for an option
        kept = f"_{kept[1:]}"
    if not name_key(kept):
        return "_"
    base, dot, rest = kept.partition(".")
    if base.rstrip(" ").upper() in _WINDOWS_DEVICES:
        return _truncate(f"{base.rstrip(' ')}_{dot}{rest}", max_bytes)
    return f"_{kept}" if kept.casefold() in _SYSTEM_NAMES else kept


def name_key(name: str) -> str:
    """Names with the same key may be one and the same to a file system that does not tell cases,
    Unicode forms or invisible characters apart."""
    if name.isascii():
        return name.lower()
    for _ in range(2):  # letters that one step makes alike with others may need another
        name = unicodedata.normalize("NFD", name).upper().casefold()
    seen = "".join(c for c in name if c not in _IGNORED_CHARACTERS and unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFD", seen)


def split_suffix(name: str) -> tuple[str, str]:
    """A file name's stem and its ending with the dot: "a.b", ".jpg"; the latter "" where it has none."""
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem and ending.isalnum() and len(ending) <= 8 else (name, "")


class NameAllocator:
    """Names given out folder by folder, no two of which are one to any file system."""

    def __init__(self) -> None:
        self._allocated: dict[tuple[str, str], str] = {}
        self._taken: set[tuple[str, str]] = set()

    def allocate(self, folder: str, identity: str, text: str, max_bytes: int = MAX_NAME_BYTES) -> str:
        """The name in `folder` of what has this identity, like `text`. The first to ask for a name
        has it; the others have some digits as well, by their identity, that stay the same."""
        if (folder, identity) in self._allocated:
            return self._allocated[folder, identity]
        plain = name = safe_name(text, max_bytes)
        digest = hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
        digits = 6
        while (folder, name_key(name)) in self._taken:
            stem, ending = split_suffix(plain)
            mark = f"~{digest[:digits]}{ending}"
            name = f"{_truncate_stem(stem, max_bytes - len(mark.encode())).rstrip(' .')}{mark}"
            digits += 1
        self._taken.add((folder, name_key(name)))
        self._allocated[folder, identity] = name
        return name


def _safe_character(character: str) -> str:
    """What stands for a character in a name."""
    if character in _UNSAFE_CHARACTERS:
        return "_"
    if character.isprintable() or character in _JOINERS:
        return character
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) == "Cf" else "_"  # marks of direction do not show


def _truncate(name: str, max_bytes: int) -> str:
    if len(name.encode()) <= max_bytes:
        return name.rstrip(" .")
    stem, ending = split_suffix(name)
    return _truncate_stem(stem, max_bytes - len(ending.encode())).rstrip(" .") + ending


def _truncate_stem(name: str, max_bytes: int) -> str:
    """The name cut between characters, and not before what belongs to the one before."""
    while len(name.encode()) > max_bytes:
        name = name[: max(0, max_bytes)] if len(name) > max_bytes else name[:-1]
    return name.rstrip("".join(_JOINERS))
