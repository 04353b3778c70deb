"""Names as keywords, and the note of what was written."""

from __future__ import annotations

from collections.abc import Sequence

from faceclust.xmp.arrays import change_list, texts
from faceclust.xmp.mine import KEYWORDS, noted_keywords
from faceclust.xmp.splice import Packet

#: Where names go as keywords, and how. In paths the characters that divide them are replaced.
_KEYWORDS = (
    ("digiKam:TagsList", "Seq", lambda name: f"People/{_undivided(name)}"),
    ("lr:hierarchicalSubject", "Bag", lambda name: f"People|{_undivided(name)}"),
    ("dc:subject", "Bag", lambda name: name),
    ("Iptc4xmpExt:PersonInImage", "Bag", lambda name: name),
)


def _undivided(name: str) -> str:
    return name.replace("/", "-").replace("|", "-")


PROPERTIES = tuple(name for name, *_ in _KEYWORDS)


def change_keywords(packet: Packet, names: Sequence[str]) -> list[str]:
    """Add these persons' keywords, and remove those that were written before of others. Gives the
    properties, as text, that are not there yet and are to be."""
    noted = noted_keywords(packet.root)
    new, notes = [], []
    for name, kind, spelt in _KEYWORDS:
        values = list(dict.fromkeys(map(spelt, names)))
        there = texts(packet, name)
        mine = {value for of, value in noted if of == name}
        add = [value for value in values if value not in there]
        remove = [value for value in there if value in mine and value not in values]
        new.append(change_list(packet, name, kind, remove, add) or "")
        notes += [f"{name} {value}" for value in values if value in add or value in mine]
    new.append(change_note(packet, KEYWORDS, texts(packet, KEYWORDS), notes))
    return new


def change_note(packet: Packet, name: str, there: Sequence[str], notes: Sequence[str]) -> str:
    """Have a property of our note hold these texts; gives it, as text, where it is not there yet."""
    remove = [text for text in there if text not in notes]
    add = [text for text in dict.fromkeys(notes) if text not in there]
    return change_list(packet, name, "Bag", remove, add) or ""
