"""Record facts about people: birth and death, groups, other names, a note, a chosen picture."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TypedDict, Unpack

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.library.doubtful import is_face
from faceclust.library.kept_facts import find_kept_facts
from faceclust.library.naming import record_answer, validate_name
from faceclust.library.selection import Selector, require_face
from faceclust.people.events import Event
from faceclust.people.fact_changes import MAX_LIST_LENGTH, MAX_NOTE_LENGTH, FactChanges
from faceclust.people.names import clean_name, person_key, shorten_name
from faceclust.types import NO_FACTS, PartialDate, PersonFacts
from faceclust.types.arguments import as_list, require_text


class NewFacts(TypedDict, total=False):
    """The parameters of `plan_facts`."""

    born: str | None
    died: str | None
    note: str | None
    picture: Selector | None
    favourite: bool | None
    groups: str | Iterable[str]
    no_groups: str | Iterable[str]
    aliases: str | Iterable[str]
    no_aliases: str | Iterable[str]


@dataclass(frozen=True)
class FactPlan:
    """New facts about the person `name`, as `changes` to those `before`. `picture`: the id of a newly chosen face."""

    name: str
    before: PersonFacts
    after: PersonFacts
    changes: FactChanges
    picture: str | None = None


def facts_of(library: Catalogue, name: str) -> tuple[str, PersonFacts]:
    """Return the name of the person that a name or an alias means, as it is spelt, and the facts.

    The photos of the person may be missing, and facts are kept for a name that no face has any more. Raises
    UsageError if no person has this name.
    """
    require_text("a name", name)
    known = library.known_names.get(person_key(shorten_name(name)))
    if known is None and (kept := find_kept_facts(library, shorten_name(name))) != NO_FACTS:
        return clean_name(shorten_name(name)), kept
    spelling = known if known is not None else library.find_person(name).label  # raises, with similar names in the hint
    return spelling, library.answers.facts.get(person_key(spelling), NO_FACTS)


def plan_facts(
    library: Catalogue,
    name: str,
    *,
    born: str | None = None,
    died: str | None = None,
    note: str | None = None,
    picture: Selector | None = None,
    favourite: bool | None = None,
    groups: str | Iterable[str] = (),
    no_groups: str | Iterable[str] = (),
    aliases: str | Iterable[str] = (),
    no_aliases: str | Iterable[str] = (),
) -> FactPlan:
    """Plan new facts about the person of this name, and check them; nothing is recorded.

    `born` and `died` are a year, month or day: "1987", "1987-05", "1987-05-03". `picture` is a face of the person, as
    an id or PHOTO#N. An empty text clears any of these, and the note. `groups` and `aliases` are added, `no_groups`
    and `no_aliases` removed. Raises UsageError for an unknown person or face, an invalid value or one that contradicts
    another, and if nothing is given.
    """
    called, before = facts_of(library, name)
    if not (favourite is None or isinstance(favourite, bool)):
        raise UsageError(f"favourite must be true or false, not {favourite!r}")
    chosen = _find_picture(library, called, picture) if picture not in (None, "") else None
    changes = FactChanges(
        born=_read_date(born),
        died=_read_date(died),
        note=_read_note(note),
        favourite=favourite,
        clears_picture=picture == "",
        added_groups=_read_groups(library, as_list(groups)),
        removed_groups=_read_present(called, as_list(no_groups), before.groups, "is not in"),
        added_aliases=_read_aliases(library, called, as_list(aliases)),
        removed_aliases=_read_present(called, as_list(no_aliases), before.aliases, "is not called"),
    )
    if changes == FactChanges() and chosen is None:
        raise UsageError(f"no facts about {called} are given", hint="such as: --born 1987-05-03")
    _refuse_both("in", changes.added_groups, changes.removed_groups)
    _refuse_both("called", changes.added_aliases, changes.removed_aliases)
    _check_count("groups", before.groups, changes.added_groups)
    _check_count("other names", before.aliases, changes.added_aliases)
    after = changes.apply(before, chosen)
    _check_life(after)
    return FactPlan(called, before, after, changes, chosen)


def set_facts(library: Catalogue, name: str, **facts: Unpack[NewFacts]) -> Event | None:
    """Record facts about the person of this name, as one answer; None if they are known already.

    `set_facts("Anna", born="1987-05-03", groups="Family")`; see `plan_facts` for all parameters and errors.
    """
    return record_facts(library, plan_facts(library, name, **facts))


def record_facts(library: Catalogue, plan: FactPlan) -> Event | None:
    """Record a plan of `plan_facts`; None if nothing would change."""
    if plan.after == plan.before:
        return None
    faces = [] if plan.picture is None else [plan.picture]
    return record_answer(library, "person", faces, name=plan.name, facts=plan.changes)


# -- checks -------------------------------------------------------------------


def _read_date(text: str | None) -> str | None:
    if not text:
        return text
    require_text("a date", text)
    try:
        found = PartialDate.parse(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a date", hint="write a year, month or day: 1987, 1987-05, 1987-05-03"
        ) from None
    if found.first > date.today():
        raise UsageError(f"{found} is in the future", hint="dates of birth and death are in the past")
    return str(found)


def _check_life(facts: PersonFacts) -> None:
    if facts.born and facts.died and facts.died.last < facts.born.first:
        raise UsageError(
            f"the death, {facts.died}, would be before the birth, {facts.born}", hint="--born '' clears a date"
        )


def _read_note(text: str | None) -> str | None:
    if text is None:
        return None
    require_text("a note", text)
    if len(text) > MAX_NOTE_LENGTH:
        raise UsageError(f"a note has at most {MAX_NOTE_LENGTH:,} characters, not {len(text):,}")
    return "\n".join(map(clean_name, text.splitlines())).strip()


def _find_picture(library: Catalogue, name: str, selector: Selector | None) -> str:
    """Return the id of a face that stands for the person in outputs."""
    face = require_face(library, selector if selector is not None else "")
    owner = library.person_of.get(face)
    if owner is None or owner.label != name:
        hint = f"faceclust name {shlex.quote(str(selector))} {shlex.quote(name)} makes it one"
        raise UsageError(
            f"{selector} is not a face of {name}", hint=f"it is a face of {owner.label}" if owner else hint
        )
    if library.occurrences_of[face][0].is_whole_photo:
        raise UsageError(f"no face is to be seen at {selector}", hint=f"choose another face of {name}")
    return face


def _read_groups(library: Catalogue, groups: Iterable[str]) -> tuple[str, ...]:
    found = tuple(map(validate_name, groups))
    for group in found:
        if (person := library.known_names.get(person_key(group))) is not None:
            raise UsageError(
                f"{group} is a person, not a group of people"
                if person_key(person) == person_key(group)
                else f"{group} is another name of {person}, not a group of people",
                hint="choose another name for the group",
            )
    return found


def _read_aliases(library: Catalogue, name: str, aliases: Iterable[str]) -> tuple[str, ...]:
    found = tuple(map(validate_name, aliases))
    for alias in found:
        owner = library.known_names.get(person_key(alias))
        if person_key(alias) == person_key(name):
            raise UsageError(f"{alias} is the name itself", hint="faceclust rename changes the spelling of a name")
        if owner is not None and owner != name:
            is_name = person_key(owner) == person_key(alias)
            raise UsageError(
                f"{alias} is already {'a person' if is_name else f'another name of {owner}'}",
                hint=f"to make them one person: faceclust merge {shlex.quote(owner)} {shlex.quote(name)}",
            )
        if is_face(library, alias):
            raise UsageError(f"{alias} is a face, not a name", hint="a chosen picture is given by --picture")
        if library.find_group(alias) is not None:
            raise UsageError(f"{alias} is a group of people, not a person", hint="choose another name")
    return found


def _read_present(name: str, texts: Iterable[str], present: Iterable[str], without: str) -> tuple[str, ...]:
    """Return names to remove, as they are spelt. Raises UsageError for one that is not there."""
    by_key, found = {person_key(one): one for one in present}, []
    for text in texts:
        require_text("a name", text)
        if person_key(shorten_name(text)) not in by_key:
            raise UsageError(f"{name} {without} {text}", hint=f"faceclust person {shlex.quote(name)} shows the facts")
        found.append(by_key[person_key(shorten_name(text))])
    return tuple(found)


def _check_count(what: str, before: Iterable[str], added: Iterable[str]) -> None:
    count = len({person_key(name) for name in (*before, *added)})
    if count > MAX_LIST_LENGTH:
        raise UsageError(f"a person has at most {MAX_LIST_LENGTH} {what}, not {count:,}")


def _refuse_both(word: str, added: Iterable[str], removed: Iterable[str]) -> None:
    both = {person_key(name) for name in added} & {person_key(name) for name in removed}
    if both:
        raise UsageError(f"both {word} and not {word} {sorted(both)[0]}", hint="leave one of the two out")
