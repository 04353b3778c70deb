"""An import of names, as lines and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from faceclust.cli.common import print_json
from faceclust.cli.terminal.printing import print_line, print_lines
from faceclust.cli.terminal.text import limit_lines
from faceclust.importers.catalogue_files import CATALOGUE_PROGRAMS
from faceclust.importers.collect import EMBEDDED, PICASA, SIDECARS, TABLE
from faceclust.importers.takeout import TAKEOUT
from faceclust.text.plural import format_count
from faceclust.types import WHOLE_PHOTO, Box

if TYPE_CHECKING:
    from faceclust.importers.plan import FaceAddition, ImportPlan, UnlikeFaces, UnplacedName
    from faceclust.library.library import Library
    from faceclust.people.events import Event

_MAX_TAGS = 5
_MAX_LINES = 30  # of one kind, without --verbose
_MAX_WORDS = 12  # in one line, without --verbose


def print_import_json(library: Library, plan: ImportPlan, events: Sequence[Event], dry_run: bool) -> None:
    """Print the whole plan as JSON, and the ids of the recorded events."""
    record = asdict(plan) | {"people": plan.faces_per_person}
    print_json({"library": str(library.root), "dry_run": dry_run, "entered": [event.id for event in events]} | record)


def print_import_summary(plan: ImportPlan, events: Sequence[Event], dry_run: bool, verbose: bool) -> None:
    """Print the sources, the people named, and the names that were not imported with the reasons."""
    print_line(_describe_sources(plan))
    _print_lines([f"  {name}: {format_count(faces, 'face')}" for name, faces in plan.faces_per_person.items()], verbose)
    print_lines((*_imported_lines(plan, events, dry_run), *_orientation_lines(plan)))
    _print_unlike(plan.unlike, verbose)
    if plan.branches:
        print_line("taken for one person, although the keywords are in several branches:")
        _print_lines([f"  {name}: {_join(branches, verbose)}" for name, branches in plan.branches.items()], verbose)
        print_line("if they are two people, give them two names in the other program before importing")
    if plan.conflicts:
        print_line(f"{format_count(len(plan.conflicts), 'conflict')}, not imported:")
        _print_lines(
            [f"  {c.photo}: {' or '.join(c.names)}: {c.why} ({', '.join(c.where)})" for c in plan.conflicts], verbose
        )
    if verbose or dry_run:
        _print_lines([f"  {a.photo}: {a.name}: {_describe_addition(a)}" for a in plan.additions], verbose)
    _print_unplaced("without a matching face", plan.unmatched, verbose)
    _print_unplaced("without a position in the photo", plan.placeless, verbose)
    if plan.addable:
        print_line(f"{plan.addable:,} of these can be drawn by hand or put on the whole photo: add --add-faces")
    if plan.ungrouped:
        print_line("next: faceclust cluster, then import again: groups show which face such a name means")
    _print_unnamed(plan, verbose)
    print_lines(_skipped_lines(plan))
    if plan.nameless:
        print_line(
            f"{format_count(len(plan.nameless), 'Picasa contact')} without a name; next: --contacts contacts.xml"
        )
    if plan.elsewhere:
        print_line(f"{format_count(len(plan.elsewhere), 'photo')} not in the library{_list_hint(verbose)}")
        _print_lines([f"  {photo}" for photo in plan.elsewhere] if verbose else [], verbose)
    for root in plan.other_roots:
        print_line(f"paths below {root} in the table were read as paths in this library")
    if plan.unread:
        print_line(f"{format_count(len(plan.unread), 'file')} could not be read:")
        _print_lines([f"  {unread.where}: {unread.why}" for unread in plan.unread], verbose)


def _describe_sources(plan: ImportPlan) -> str:
    nouns: dict[str, tuple[str, str | None]] = {
        SIDECARS: ("XMP sidecar", None),
        EMBEDDED: ("photo", None),
        PICASA: ("Picasa folder", None),
        TABLE: ("table", None),
        TAKEOUT: ("JSON of Google Takeout", "JSONs of Google Takeout"),
        **{program: (f"catalogue of {program}", f"catalogues of {program}") for program in CATALOGUE_PROGRAMS},
    }
    found = [format_count(plan.read[kind], *noun) for kind, noun in nouns.items() if plan.read.get(kind)]
    searched = f"{format_count(plan.read['photos'], 'photo')} searched; " if plan.read.get("photos") else ""
    return f"{searched}names found in {', '.join(found) or 'none of the files'}"


def _imported_lines(plan: ImportPlan, events: Sequence[Event], dry_run: bool) -> Iterator[str]:
    known = f"; {format_count(plan.known, 'face')} already had the name" if plan.known else ""
    if dry_run and plan.faces_per_person:
        people = format_count(len(plan.faces_per_person), "person", "people")
        count = format_count(len(plan.namings) + len(plan.additions), "face")
        drawn = _describe_drawn([addition.box for addition in plan.additions])
        yield f"would import: {count} of {people}{drawn}{known}"
    elif events:
        faces = {face.face_id: face.confirmed for event in events for face in event.faces}
        suggested = len(faces) - sum(faces.values())
        people = format_count(len({event.name for event in events}), "person", "people")
        only = f", {suggested:,} of them only suggested" if suggested else ""
        drawn = _describe_drawn([face.box for event in events if event.kind == "add" for face in event.faces])
        yield f"imported: {format_count(len(faces), 'face')} of {people}{only}{drawn}{known}"
        yield f"to undo all of it: faceclust undo {len(events)}"
    else:
        yield f"nothing new to import{known}"


def _describe_drawn(boxes: Sequence[Box]) -> str:
    """Return how many of the faces were drawn by hand, and how many stand for people on whole photos."""
    whole = sum(box == WHOLE_PHOTO for box in boxes)
    drawn = f", {len(boxes) - whole:,} of them drawn by hand" if len(boxes) > whole else ""
    return drawn + (f", {whole:,} of them on the whole photo, without a face to be seen" if whole else "")


def _describe_addition(addition: FaceAddition) -> str:
    if addition.box == WHOLE_PHOTO:
        return "on the whole photo"
    return f"drawn by hand at {', '.join(f'{side:.5g}' for side in addition.box)}"


def _orientation_lines(plan: ImportPlan) -> Iterator[str]:
    if plan.upright:
        yield f"on {format_count(len(plan.upright), 'photo')} the boxes fit the upright picture and were read that way"
    if plan.turned:
        yield f"{format_count(len(plan.turned), 'photo')} had been rotated since; their boxes were rotated too"


def _skipped_lines(plan: ImportPlan) -> Iterator[str]:
    if plan.skipped_regions:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in plan.skipped_regions.items())
        yield f"{format_count(sum(plan.skipped_regions.values()), 'region')} not read: {counts}"
    for tag, count in list(plan.skipped_tags.items())[:_MAX_TAGS]:
        keywords = format_count(count, "keyword")
        yield f"{keywords} below {tag}/ not read as names; to read them: --people-tag {shlex.quote(tag)}"


def _print_unplaced(what: str, names: Sequence[UnplacedName], verbose: bool) -> None:
    if names:
        print_line(f"{format_count(len(names), 'name')} {what}{_list_hint(verbose)}")
        _print_lines([f"  {u.photo}: {u.name}: {u.why} ({u.where})" for u in names] if verbose else [], verbose)


def _print_unlike(unlike: Sequence[UnlikeFaces], verbose: bool) -> None:
    if not unlike:
        return
    print_line("names only suggested, because the faces look unlike the others of the name:")
    lines = []
    for one in unlike:
        faces = format_count(len(one.faces), "face")
        others = f"{faces} unlike the other {one.alike:,}" if one.alike else f"{faces} unlike each other"
        lines.append(f"  {one.name}: {others}: {_join(list(dict.fromkeys(one.photos)), verbose)}")
    _print_lines(lines, verbose)
    print_line(f"if a name is right: faceclust confirm {shlex.quote(unlike[0].name)}")


def _join(words: Sequence[str], verbose: bool) -> str:
    more = 0 if verbose else len(words) - _MAX_WORDS
    return ", ".join(words[:_MAX_WORDS]) + f" and {more:,} more (-v lists them)" if more > 0 else ", ".join(words)


def _print_unnamed(plan: ImportPlan, verbose: bool) -> None:
    placeholders = sum(plan.placeholders.values())
    if placeholders:
        words = [f"{word} ({count})" if count > 1 else word for word, count in plan.placeholders.items()]
        print_line(f"{format_count(placeholders, 'name')} for nobody, not imported: {_join(words, verbose)}")
    if plan.passed_by > placeholders:
        print_line(f"{format_count(plan.passed_by - placeholders, 'region')} without a name")


def _list_hint(verbose: bool) -> str:
    return ":" if verbose else " (-v lists them)"


def _print_lines(lines: Sequence[str], verbose: bool) -> None:
    print_lines(lines if verbose else limit_lines(lines, _MAX_LINES, "-v lists all"))
