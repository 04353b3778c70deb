"""File and folder names that are valid and distinct on ext4, NTFS, exFAT and APFS.

Microsoft's "Naming Files, Paths, and Namespaces" has the restrictions of Windows. APFS allows only
valid Unicode of assigned characters. ext4 allows 255 bytes, exFAT and NTFS 255 UTF-16 units.
"""

from __future__ import annotations

import hashlib
import unicodedata

from faceclust.files.names import SYSTEM_FOLDERS
from faceclust.text.visible import JOINERS

#: Limit of a name in UTF-8. Some file systems allow fewer than 255 bytes.
MAX_NAME_BYTES = 150
_UNSAFE_CHARACTERS = frozenset('<>:"/\\|?*')
#: Characters that some file systems ignore when they compare names, besides category Cf.
_IGNORED_CHARACTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {
    chr(code)
    for first, last in ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
    for code in range(first, last + 1)
}
#: Device names on Windows, whatever their suffix.
_WINDOWS_DEVICES = frozenset("CON PRN AUX NUL CONIN$ CONOUT$ CLOCK$".split()) | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"
}
#: NTFS metadata files in the root folder of a disk, and folders of operating systems.
_SYSTEM_NAMES = frozenset(
    "$mft $mftmirr $logfile $volume $attrdef $bitmap $boot $badclus $secure $upcase $extend".split()
) | {name.casefold() for name in SYSTEM_FOLDERS}


def safe_name(text: str, max_bytes: int = MAX_NAME_BYTES) -> str:
    """Convert a text to a file or folder name of at most `max_bytes` bytes of UTF-8 (at least 24).

    Truncation keeps a suffix such as ".jpg". A safe name stays the same.
    """
    name = text
    if not (text.isascii() and text.isprintable() and _UNSAFE_CHARACTERS.isdisjoint(text)):  # rare, and slower
        name = "".join(_safe_character(character) for character in unicodedata.normalize("NFC", text))
        name = unicodedata.normalize("NFC", name)
    name = _truncate(name.strip(" ."), max_bytes)
    if name.startswith("-"):  # programs would read it as an option
        name = f"_{name[1:]}"
    if not name_key(name):
        return "_"
    base, dot, rest = name.partition(".")
    if base.rstrip(" ").upper() in _WINDOWS_DEVICES:
        return _truncate(f"{base.rstrip(' ')}_{dot}{rest}", max_bytes)
    return f"_{name}" if name.casefold() in _SYSTEM_NAMES else name


def name_key(name: str) -> str:
    """Return a key that is equal for names that some file system may treat as one.

    It ignores case, Unicode normalisation and invisible characters.
    """
    if name.isascii():
        return name.lower()
    for _ in range(2):  # one pass is not idempotent for some letters
        name = unicodedata.normalize("NFD", name).upper().casefold()
    visible = "".join(c for c in name if c not in _IGNORED_CHARACTERS and unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFD", visible)


def split_suffix(name: str) -> tuple[str, str]:
    """Split a file name into stem and suffix: "a.b.jpg" gives ("a.b", ".jpg").

    The suffix is "" unless it has 1 to 8 alphanumeric characters.
    """
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix) if stem and suffix.isalnum() and len(suffix) <= 8 else (name, "")


class NameAllocator:
    """Allocates names, unique within each folder on every file system."""

    def __init__(self) -> None:
        self._allocated: dict[tuple[str, str], str] = {}
        self._taken: set[tuple[str, str]] = set()

    def allocate(self, folder: str, identity: str, text: str, max_bytes: int = MAX_NAME_BYTES) -> str:
        """Return the name for an identity in `folder`, derived from `text`.

        The first identity to ask for a name gets it. Later ones get a suffix of digits, a hash of their
        identity, which is the same in every run.
        """
        if (folder, identity) in self._allocated:
            return self._allocated[folder, identity]
        plain = name = safe_name(text, max_bytes)
        digest = hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
        digits = 6
        while (folder, name_key(name)) in self._taken:
            stem, suffix = split_suffix(plain)
            tail = f"~{digest[:digits]}{suffix}"
            name = f"{_truncate_stem(stem, max_bytes - len(tail.encode())).rstrip(' .')}{tail}"
            digits += 1
        self._taken.add((folder, name_key(name)))
        self._allocated[folder, identity] = name
        return name


def _safe_character(character: str) -> str:
    """Return the replacement of a character in a name."""
    if character in _UNSAFE_CHARACTERS:
        return "_"
    if character.isprintable() or character in JOINERS:
        return character
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) == "Cf" else "_"  # direction marks are invisible


def _truncate(name: str, max_bytes: int) -> str:
    if len(name.encode()) <= max_bytes:
        return name.rstrip(" .")
    stem, suffix = split_suffix(name)
    return _truncate_stem(stem, max_bytes - len(suffix.encode())).rstrip(" .") + suffix


def _truncate_stem(name: str, max_bytes: int) -> str:
    """Truncate between characters, without a trailing joiner."""
    while len(name.encode()) > max_bytes:
        name = name[: max(0, max_bytes)] if len(name) > max_bytes else name[:-1]
    return name.rstrip(JOINERS)
