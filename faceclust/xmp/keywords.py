"""Write names as keywords, and record which ones were written.

Programs that find hierarchical keywords ignore flat ones: digiKam 7.9 reads `digiKam:TagsList`, else
`lr:hierarchicalSubject`, else `dc:subject`, else IPTC. So if we create a preferred property, it also
gets the foreign keywords of the others, which it would hide otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from faceclust.xmp.arrays import change_list, property_texts
from faceclust.xmp.ownership import KEYWORDS_PROPERTY, read_own_keywords
from faceclust.xmp.safe_xml import InvalidXmlError, parse_xml
from faceclust.xmp.splice import EditablePacket

#: The parent of all keywords for persons.
_ROOT_KEYWORD = "People"
#: The properties that get names: array kind and format. Separators inside a name are replaced in paths.
_KEYWORD_PROPERTIES = (
    ("digiKam:TagsList", "Seq", lambda name: f"{_ROOT_KEYWORD}/{_without_separators(name)}"),
    ("lr:hierarchicalSubject", "Bag", lambda name: f"{_ROOT_KEYWORD}|{_without_separators(name)}"),
    ("dc:subject", "Bag", lambda name: name),
    ("Iptc4xmpExt:PersonInImage", "Bag", lambda name: name),
)
KEYWORD_PROPERTY_NAMES = tuple(name for name, *_ in _KEYWORD_PROPERTIES)
#: The hierarchical properties and the separators of their paths. The first two are written.
PATH_SEPARATORS = {
    "digiKam:TagsList": "/",
    "lr:hierarchicalSubject": "|",
    "MicrosoftPhoto:LastKeywordXMP": "/",
    "mediapro:CatalogSets": "|",
}
#: A property that has hierarchical keywords as XML in its text.
ACDSEE_CATEGORIES = "acdsee:categories"
_MAX_CATEGORIES, _MAX_CATEGORY_DEPTH = 10_000, 20


def split_path(text: str, separator: str) -> tuple[str, ...]:
    """Split a hierarchical keyword; some programs use the separator of another one."""
    found = separator if separator in text else "/" if separator == "|" else "|"
    return tuple(part for part in map(str.strip, text.split(found)) if part)


def read_categories(text: str) -> list[tuple[str, ...]]:
    """Return the paths of ACDSee's categories: XML in a text, with `Assigned="1"` for those of the photo."""
    paths = list[tuple[str, ...]]()
    try:
        root = parse_xml(text.encode(), "utf-8")
    except InvalidXmlError:
        return paths
    assigned = (category for category in root.iter("Category") if category.get("Assigned") == "1")
    for category in islice(assigned, _MAX_CATEGORIES):
        lineage = [category, *islice(category.iterancestors("Category"), _MAX_CATEGORY_DEPTH)]
        path = tuple(name for element in reversed(lineage) if (name := (element.text or "").strip()))
        if path:
            paths.append(path)
    return paths


def _without_separators(name: str) -> str:
    """Return a part of a path on one line: white space may be written in another way than it was read."""
    return " ".join(name.replace("/", "-").replace("|", "-").split())


def _convert_foreign_keywords(name: str, others: Mapping[str, Sequence[str]], names: Sequence[str]) -> list[str]:
    """Convert foreign keywords to the notation of a hierarchical property.

    `others` maps each property to its keywords that are not ours. Return none if the property has
    foreign keywords already.
    """
    if name not in PATH_SEPARATORS or others[name] or not names:
        return []
    paths = [text.split(separator) for other, separator in PATH_SEPARATORS.items() for text in others[other]]
    paths += [list(path) for text in others[ACDSEE_CATEGORIES] for path in read_categories(text)]
    known = {_ROOT_KEYWORD, *names, *(part for path in paths for part in path)}
    paths += [[text] for text in others["dc:subject"] if text not in known]
    return [PATH_SEPARATORS[name].join(map(_without_separators, path)) for path in paths]


def change_keywords(packet: EditablePacket, names: Sequence[str]) -> list[str]:
    """Add keywords for these persons, and remove our earlier ones for others.

    Return the properties that have to be created, as XML.
    """
    own = read_own_keywords(packet.root)
    others = {
        name: [text for text in property_texts(packet, name) if (name, text) not in own]
        for name in dict.fromkeys((*KEYWORD_PROPERTY_NAMES, *PATH_SEPARATORS, ACDSEE_CATEGORIES))
    }
    new, records = [], []
    for name, kind, format_keyword in _KEYWORD_PROPERTIES:
        values = list(dict.fromkeys([*_convert_foreign_keywords(name, others, names), *map(format_keyword, names)]))
        existing = set(property_texts(packet, name))
        own_values = {value for owner, value in own if owner == name}
        add = [value for value in values if value not in existing]
        remove = (existing & own_values).difference(values)
        new.append(change_list(packet, name, kind, remove, add) or "")
        records += [f"{name} {value}" for value in values if value not in existing or value in own_values]
    new.append(change_records(packet, KEYWORDS_PROPERTY, property_texts(packet, KEYWORDS_PROPERTY), records))
    return new


def change_records(packet: EditablePacket, name: str, current: Sequence[str], records: Sequence[str]) -> str:
    """Set the texts of one of our own properties; return it as XML if it has to be created."""
    wanted, present = dict.fromkeys(records), set(current)
    add = [text for text in wanted if text not in present]
    remove = present.difference(wanted)
    return change_list(packet, name, "Bag", remove, add) or ""
