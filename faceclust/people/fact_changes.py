"""Changes to the facts about a person, as one answer of the journal makes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from faceclust.people.names import clean_name, person_key, shorten_name
from faceclust.types.person_facts import PartialDate, PersonFacts

#: Characters of a note, and groups or aliases in one answer and of one person.
MAX_NOTE_LENGTH, MAX_LIST_LENGTH = 1_000, 100


@dataclass(frozen=True)
class FactChanges:
    """Changes to the facts about one person; fields that are None change nothing.

    An empty text clears `born`, `died` or `note`. `clears_picture` takes the chosen picture back; a new one is
    the face of the answer. Groups and aliases are added and removed one by one, so that the answers of two machines
    can be merged.
    """

    born: str | None = None
    died: str | None = None
    note: str | None = None
    favourite: bool | None = None
    clears_picture: bool = False
    added_groups: tuple[str, ...] = ()
    removed_groups: tuple[str, ...] = ()
    added_aliases: tuple[str, ...] = ()
    removed_aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for value in (self.born, self.died):
            if value:
                PartialDate.parse(value)  # raises ValueError
        if self.note is not None and len(self.note) > MAX_NOTE_LENGTH:
            raise ValueError(f"a note of more than {MAX_NOTE_LENGTH:,} characters")

    def apply(self, facts: PersonFacts, picture: str | None) -> PersonFacts:
        """Return the facts after these changes. `picture`: the id of the face of the answer, None without one."""
        changes: dict[str, Any] = {}
        for name in ("born", "died"):
            if (value := getattr(self, name)) is not None:
                changes[name] = PartialDate.parse(value) if value else None
        if self.note is not None:
            changes["note"] = self.note
        if self.favourite is not None:
            changes["favourite"] = self.favourite
        if picture is not None or self.clears_picture:
            changes["picture"] = picture
        changes["groups"] = _change_names(facts.groups, self.added_groups, self.removed_groups)
        changes["aliases"] = _change_names(facts.aliases, self.added_aliases, self.removed_aliases)
        return replace(facts, **changes)

    def to_record(self) -> dict[str, Any]:
        """Return the changes as a JSON object."""
        record = {name: value for name in _SINGLE if (value := getattr(self, name)) is not None}
        record |= {"picture": None} if self.clears_picture else {}
        return record | {key: list(getattr(self, name)) for name, key in _LISTS.items() if getattr(self, name)}

    @classmethod
    def from_record(cls, record: object) -> FactChanges:
        """Return the changes of a JSON object. Raises ValueError if it is not valid."""
        if not isinstance(record, Mapping):
            raise ValueError("facts are not an object")
        values: dict[str, Any] = {name: _text(record.get(name)) for name in ("born", "died", "note")}
        favourite = record.get("favourite")
        if not (favourite is None or isinstance(favourite, bool)):
            raise ValueError("favourite is neither true nor false")
        names: dict[str, Any] = {name: _names(record.get(key)) for name, key in _LISTS.items()}
        return cls(**values, favourite=favourite, clears_picture="picture" in record, **names)


_SINGLE = ("born", "died", "note", "favourite")
#: The key of the record for each list.
_LISTS = {
    "added_groups": "groups",
    "removed_groups": "not_groups",
    "added_aliases": "aliases",
    "removed_aliases": "not_aliases",
}


def join_facts(facts: PersonFacts, others: PersonFacts) -> PersonFacts:
    """Return the facts about a person, with those of the `others` where they are missing, after a merge."""
    return PersonFacts(
        born=facts.born or others.born,
        died=facts.died or others.died,
        note=facts.note or others.note,
        picture=facts.picture or others.picture,
        favourite=facts.favourite or others.favourite,
        groups=_change_names(facts.groups, others.groups, ()),
        aliases=_change_names(facts.aliases, others.aliases, ()),
    )


def without_alias(facts: PersonFacts, key: str) -> PersonFacts:
    """Return the facts without the alias of this key, which is the person's name now."""
    aliases = tuple(alias for alias in facts.aliases if person_key(alias) != key)
    return facts if len(aliases) == len(facts.aliases) else replace(facts, aliases=aliases)


def _change_names(before: Iterable[str], added: Iterable[str], removed: Iterable[str]) -> tuple[str, ...]:
    """Return the names after an addition and a removal. The spelling added last counts."""
    found = {person_key(name): name for name in (*before, *added)}
    for name in removed:
        found.pop(person_key(name), None)
    return tuple(list(found.values())[:MAX_LIST_LENGTH])


def _text(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_NOTE_LENGTH or "\0" in value:
        raise ValueError(f"not a text of at most {MAX_NOTE_LENGTH:,} characters")
    value.encode()  # raises ValueError for a lone surrogate
    return value


def _names(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_LIST_LENGTH or not all(isinstance(one, str) for one in value):
        raise ValueError(f"not a list of at most {MAX_LIST_LENGTH} names")
    names = [clean_name(shorten_name(_text(one) or "")) for one in value]
    if not all(names):
        raise ValueError("empty name")
    return tuple(map(shorten_name, names))
