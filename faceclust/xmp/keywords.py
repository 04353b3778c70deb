"""Names as keywords, and the note of what was written.

Programs that find hierarchical keywords look at no flat ones: digiKam 7.9 reads `digiKam:TagsList`, else
`lr:hierarchicalSubject`, else `dc:subject`, else IPTC. So where others' keywords are in one of these and
a more preferred one is new, they go into that as well: else ours would hide them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faceclust.xmp.arrays import change_list, property_texts
from faceclust.xmp.ownership import KEYWORDS_PROPERTY, read_own_keywords
from faceclust.xmp.splice import EditablePacket

#: The keyword that all persons' are below.
_ROOT_KEYWORD = "People"
#: Where names go as keywords, and how. In paths the characters that divide them are replaced.
_KEYWORD_PROPERTIES = (
    ("digiKam:TagsList", "Seq", lambda name: f"{_ROOT_KEYWORD}/{_without_separators(name)}"),
    ("lr:hierarchicalSubject", "Bag", lambda name: f"{_ROOT_KEYWORD}|{_without_separators(name)}"),
    ("dc:subject", "Bag", lambda name: name),
    ("Iptc4xmpExt:PersonInImage", "Bag", lambda name: name),
)


KEYWORD_PROPERTY_NAMES = tuple(name for name, *_ in _KEYWORD_PROPERTIES)
#: Hierarchical ones, and what divides their paths.
_PATH_SEPARATORS = {"digiKam:TagsList": "/", "lr:hierarchicalSubject": "|"}


def _without_separators(name: str) -> str:
    return name.replace("/", "-").replace("|", "-")


def _convert_foreign_keywords(name: str, others: Mapping[str, Sequence[str]], names: Sequence[str]) -> list[str]:
    """The keywords of `others` (property → those that are not ours) as a hierarchical property has
    them; none where it has some of its own."""
    if name not in _PATH_SEPARATORS or others[name] or not names:
        return []
    paths = [text.split(divider) for other, divider in _PATH_SEPARATORS.items() for text in others[other]]
    known = {_ROOT_KEYWORD, *names, *(part for path in paths for part in path)}
    paths += [[text] for text in others["dc:subject"] if text not in known]
    return [_PATH_SEPARATORS[name].join(map(_without_separators, path)) for path in paths]


def change_keywords(packet: EditablePacket, names: Sequence[str]) -> list[str]:
    """Add these persons' keywords, and remove those that were written before of others. Gives the
    properties, as text, that are not there yet and are to be."""
    noted = read_own_keywords(packet.root)
    others = {
        name: [text for text in property_texts(packet, name) if (name, text) not in noted]
        for name in KEYWORD_PROPERTY_NAMES
    }
    new, notes = [], []
    for name, kind, spelt in _KEYWORD_PROPERTIES:
        values = list(dict.fromkeys([*_convert_foreign_keywords(name, others, names), *map(spelt, names)]))
        there = set(property_texts(packet, name))
        mine = {value for of, value in noted if of == name}
        add = [value for value in values if value not in there]
        remove = (there & mine).difference(values)
        new.append(change_list(packet, name, kind, remove, add) or "")
        notes += [f"{name} {value}" for value in values if value not in there or value in mine]
    new.append(change_note(packet, KEYWORDS_PROPERTY, property_texts(packet, KEYWORDS_PROPERTY), notes))
    return new


def change_note(packet: EditablePacket, name: str, current: Sequence[str], notes: Sequence[str]) -> str:
    """Have a property of our note hold these texts; gives it, as text, where it is not there yet."""
    wanted, present = dict.fromkeys(notes), set(current)
    add = [text for text in wanted if text not in present]
    remove = present.difference(wanted)
    return change_list(packet, name, "Bag", remove, add) or ""
