"""Facts of a person without any faces left: they are kept for the name."""

from __future__ import annotations

import shlex

from faceclust.catalogue.catalogue import Catalogue
from faceclust.people.names import person_key
from faceclust.types import NO_FACTS, PersonFacts


def find_kept_facts(library: Catalogue, name: str) -> PersonFacts:
    """Return the facts recorded for a name that no face has any more; without any, `NO_FACTS`."""
    facts = library.answers.facts.get(person_key(name), NO_FACTS)
    return NO_FACTS if facts == NO_FACTS or person_key(name) in library.known_names else facts


def note_kept_facts(library: Catalogue, name: str) -> None:
    """Note that a name which is about to be given to somebody new has facts already."""
    if find_kept_facts(library, name) != NO_FACTS:
        library.progress.note(
            f"facts about {name} were recorded earlier and apply again (faceclust person {shlex.quote(name)}); "
            "if this is somebody else, undo the answer (faceclust undo) and choose another name"
        )
