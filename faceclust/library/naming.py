"""Record the user's answers: each is in the journal, on disk, before it counts.

Faces are given by group numbers, names, face ids or PHOTO#N, one or several. Every answer is one
event, which is returned; `undo` takes it back, `redo` gives it once more. All answers raise CacheError
if the journal cannot be written, in which case nothing was recorded. They raise UsageError for an
unknown group, person, photo or face, and for a name without printable characters or with more than
MAX_NAME_LENGTH. Doubtful answers are put to the library's `doubts` first, see `people.doubts`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.face_selection import FaceSelection
from faceclust.errors import CacheError, LibraryBusyError, NothingScannedError, UsageError
from faceclust.files.atomic import remove_file, write_private_atomically
from faceclust.files.own_files import UnsafeFileError, read_own
from faceclust.files.user_folders import expand_user
from faceclust.library.birth_dates import note_added_contradictions, note_contradictions
from faceclust.library.doubtful import check_same_photo, settle_name
from faceclust.library.kept_facts import note_kept_facts
from faceclust.library.selection import (
    Selector,
    Selectors,
    find_owner,
    find_suggested,
    refuse_named_groups,
    resolve_faces,
)
from faceclust.people.events import Event, JournalFace
from faceclust.people.face_finder import find_changed_faces
from faceclust.people.fact_changes import FactChanges
from faceclust.people.journal_lines import (
    MAX_JOURNAL_SIZE,
    count_distinct_lines,
    merge_journals,
    parse_event,
    split_lines,
)
from faceclust.people.journal_reader import read_journal
from faceclust.people.names import MAX_NAME_LENGTH, clean_name, person_key
from faceclust.types.arguments import as_list, require_text

#: Faces in one "found" event: after an edit of every photo, one line would be too long to read.
_MAX_FOUND_FACES = 20_000
#: Group numbers and face ids, which cannot be names.
_NO_NAME = re.compile("[0-9]+|[0-9a-f]{16}")

# -- names --------------------------------------------------------------------


def name(
    library: Catalogue,
    faces: Selectors,
    name: str,
    *,
    confirmed: Iterable[Selector] | None = None,
    rejected: Iterable[Selector] = (),
) -> Event:
    """Name these faces: `name(3, "Anna")` is group 3, `name([3, 17, "4f1c0a9be2d85c11"], "Anna")` is more.

    `confirmed`: the faces that the user has seen, default all; the others are suggested. `rejected`:
    faces that are not this person. Of a group that is partly a named person's, only the unnamed faces
    are meant. A name already in use keeps its spelling; `rename` changes it. Raises UsageError for a
    person's name in place of faces, and for a group whose faces all have a name.
    """
    cleaned, selectors = validate_name(name), as_list(faces)
    _refuse_people(library, selectors, cleaned)
    refuse_named_groups(
        library, selectors, "faceclust rename {name} NEW, or take a face out: faceclust reject {name} PHOTO#N"
    )
    resolved = resolve_faces(library, selectors)
    settled = settle_name(library, cleaned)
    check_same_photo(library, resolved, settled)
    return record_answer(
        library,
        "name",
        resolved,
        shown=None if confirmed is None else resolve_faces(library, confirmed),
        rest=resolve_faces(library, rejected),
        name=settled,
    )


def _refuse_people(library: Catalogue, selectors: Iterable[Selector], name: str) -> None:
    for selector in selectors:
        if library.find_face(selector) is not None:
            continue
        selection = library.select_faces(selector)
        if selection.is_person:
            raise UsageError(
                f"{selection.label} is already a person's name",
                hint=f"faceclust rename changes a name; faceclust merge makes {selection.label} and {name} one person",
            )


def confirm(
    library: Catalogue, faces: Selectors, name: Selector | None = None, *, rejected: Iterable[Selector] = ()
) -> Event:
    """Confirm that these faces are the person of this name, and that the `rejected` ones are not.

    A group number stands for the name of its person. Without a name, confirm what was suggested:
    `confirm("Anna")` all suggested faces of Anna, `confirm(12)` those of group 12. Raises UsageError if
    a group has no name, or several, and if all faces are confirmed already.
    """
    others = resolve_faces(library, rejected)
    if name is None:
        person, suggested = find_suggested(library, faces)
        check_same_photo(library, suggested, person.label)
        return record_answer(library, "confirm", suggested, rest=others, name=person.label)
    is_name = isinstance(name, str) and not _NO_NAME.fullmatch(name)
    cleaned = settle_name(library, validate_name(str(name))) if is_name else find_owner(library, name).label
    resolved = resolve_faces(library, faces)
    check_same_photo(library, resolved, cleaned)
    return record_answer(library, "confirm", resolved, rest=others, name=cleaned)


def reject(library: Catalogue, faces: Selectors, name: str) -> Event:
    """Declare that these faces are not the person of this name. They are kept apart from that person.

    Of a group that is partly that person's, only that person's faces are meant.
    """
    known = _known_spelling(library, validate_name(name))
    return record_answer(library, "reject", resolve_faces(library, faces, person=known), name=known)


def rename(library: Catalogue, name: str, to: str) -> Event:
    """Rename the person `name` to `to`, which may be an alias of that person.

    Raises UsageError if nobody is called `name` or another is called `to`.
    """
    person, typed = library.find_person(name), validate_name(to)
    to = settle_name(library, typed, renamed=person)
    owner = library.known_names.get(person_key(to), person.label)
    if owner != person.label:
        if owner not in {other.label for other in library.people()}:
            raise UsageError(
                f"another person, whose photos are missing now, is called {to}", hint="choose another name"
            )
        is_alias = library.known_names.get(person_key(typed)) == owner and person_key(typed) != person_key(owner)
        raise UsageError(
            f"{typed} is another name of {owner}" if is_alias else f"another person is called {to}",
            hint=f"to make them one person: faceclust merge {shlex.quote(name)} {shlex.quote(to)}",
        )
    return record_answer(library, "rename", (), name=person.label, to=to)


def _known_spelling(library: Catalogue, name: str) -> str:
    """Return the name of the person that a name or an alias means, as it is spelt; the name itself if it is new."""
    return library.known_names.get(person_key(name), name)


def validate_name(name: str) -> str:
    """Return a name without characters that cannot be printed. Raises UsageError if it cannot be a name."""
    require_text("a name", name)
    cleaned = clean_name(name) if len(name) <= MAX_NAME_LENGTH else name  # cleaning megabytes takes long
    if not cleaned:
        raise UsageError("a name needs at least one letter")
    if len(cleaned) > MAX_NAME_LENGTH:
        raise UsageError(f"a name has at most {MAX_NAME_LENGTH} characters, not {len(cleaned):,}")
    if _NO_NAME.fullmatch(cleaned):
        raise UsageError(
            f"{cleaned!r} cannot be a name: it reads as a group number or a face id",
            hint="a name needs at least one letter",
        )
    return cleaned


# -- faces and groups without a name --------------------------------------------


def link(library: Catalogue, faces: Selectors) -> Event:
    """Declare that these faces are one person, without naming that person."""
    resolved = resolve_faces(library, faces)
    check_same_photo(library, resolved)
    return record_answer(library, "merge", resolved)


def split(library: Catalogue, faces: Selectors, others: Selectors) -> Event:
    """Declare that none of `faces` is the person that `others` are.

    With a group number or a name as `others`, the faces are taken out of that group or person. If
    both sides have the same name, this rejects the name for `faces`, as `reject` does. Raises
    UsageError if `faces` are not in the group or person, or nothing would be left of it.
    """
    if not isinstance(others, Iterable) or (isinstance(others, str) and library.find_face(others) is None):
        return _take_out(library, as_list(faces), library.select_faces(others))
    faces, others = resolve_faces(library, faces), resolve_faces(library, others)
    labels = library.answers.labels
    confirmed_names = {label.name for face in others if (label := labels.get(face)) and label.confirmed and label.name}
    names = {label.name for face in faces if (label := labels.get(face)) and label.name}
    if len(confirmed_names) == 1 and confirmed_names & names:
        return reject(library, faces, confirmed_names.pop())
    return record_answer(library, "split", faces, rest=others)


def _take_out(library: Catalogue, selectors: list[Selector], whole: FaceSelection) -> Event:
    leaving = resolve_faces(library, selectors, person=whole.name)
    for selector in selectors:
        if not set(resolve_faces(library, selector, person=whole.name)) <= set(whole.faces):
            raise UsageError(f"{selector} is not in {whole.label}", hint="faceclust export lists the faces")
    staying = [face for face in whole.faces if face not in leaving]
    if not staying:
        raise UsageError(
            f"nothing would be left of {whole.label}",
            hint="faceclust reject takes faces off a person; faceclust ignore stops asking about a group",
        )
    return split(library, leaving, staying) if whole.name is None else reject(library, leaving, whole.name)


def ignore(library: Catalogue, faces: Selectors) -> Event:
    """Ignore these faces: an interview no longer asks about them.

    Raises UsageError for a group whose faces all have a name; a person's name ignores all its faces.
    """
    refuse_named_groups(library, as_list(faces), "to ignore that person: faceclust ignore {name}")
    return record_answer(library, "ignore", resolve_faces(library, faces))


def unignore(library: Catalogue, faces: Selectors) -> Event:
    """Ask about these faces again, as far as they are ignored. Raises UsageError if none of them is."""
    return record_answer(library, "unignore", find_ignored(library, faces))


def find_ignored(library: Catalogue, faces: Selectors) -> list[str]:
    """Return those of these faces that are ignored, each once. Raises UsageError if none of them is."""
    selections = [library.select_faces(selector) for selector in as_list(faces)]
    ignored = {face for face, label in library.answers.labels.items() if label.name is None}
    chosen = [face for one in selections for face in (one.all_faces or one.faces) if face in ignored]
    if not chosen:
        labels = " and ".join(selection.label for selection in selections)
        raise UsageError(f"{labels}: none of the faces is ignored", hint="faceclust people --all lists ignored groups")
    return list(dict.fromkeys(chosen))


def faces_remaining(library: Catalogue, removed: Iterable[str], kept: Iterable[str]) -> list[str]:
    """Return the faces that would stay in the groups of `kept` if `removed` were split off.

    Faces more similar to the removed ones leave with them. Nothing is recorded.
    """
    removed, kept = frozenset(removed), frozenset(kept)
    answers = library.answers
    groups = library.correct_groups(replace(answers, splits=(*answers.splits, (removed, kept)))) if removed else None
    if groups is None:
        return [face for face in kept if face in library.occurrences_of]
    numbers = {groups.number_of[face] for face in kept if face in groups.number_of}
    return sorted({face for number in numbers for face in groups.members[number]} | kept)


# -- the journal ----------------------------------------------------------------


def undo(library: Catalogue, event_id: str | None = None) -> Event | None:
    """Take back the last answer, or the event of this id. Return it, or None if there is nothing to undo."""
    with journal_transaction(library):
        return library.journal.undo(event_id)


def redo(library: Catalogue) -> Event | None:
    """Give the answer that was undone last once more. Return the new event.

    None if nothing was undone, or an answer was recorded since.
    """
    with journal_transaction(library):
        event = library.journal.redo()
    if event is not None and library.date_evidence:
        note_contradictions(library, event)
    return event


def import_journal(library: Catalogue, other: str | os.PathLike[str], *, dry_run: bool = False) -> int:
    """Merge the journal of a copy of this library into its own. Return the number of lines added.

    Events are ordered by time and each is kept once. Damaged lines of `other` are left out. `dry_run`: only
    count the lines. People whose photos are now dated before their birth are noted. Raises UsageError if `other` is
    not a journal, CacheError if it cannot be read.
    """
    path = expand_user(other)
    content = _read_other_journal(path)
    with note_added_contradictions(library) if not dry_run else nullcontext(), journal_transaction(library):
        own = read_journal(library.journal.path)
        merged = merge_journals([own, content])
        if len(merged) > MAX_JOURNAL_SIZE:
            raise UsageError(f"{path} cannot be merged: the journal would be larger than {MAX_JOURNAL_SIZE:,} bytes")
        if not dry_run:
            write_private_atomically(library.journal.path, lambda stream: stream.write(merged))
    return merged.count(b"\n") - count_distinct_lines(own)


def _read_other_journal(path: Path) -> bytes:
    """Return the lines of a journal that are not damaged. The user typed the path, so it may be a symlink."""
    try:
        content = read_own(Path(os.path.realpath(path)), MAX_JOURNAL_SIZE)
    except (FileNotFoundError, UnsafeFileError) as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except OSError as error:
        raise CacheError(f"{path} cannot be read: {error.strerror}") from error
    usable, has_events = bytearray(), False
    for line in split_lines(io.BytesIO(content)):
        with contextlib.suppress(ValueError):
            has_events |= parse_event(line) is not None
            usable += line.rstrip(b"\r\n") + b"\n"
    if content.strip() and not has_events:
        raise UsageError(f"{path} is not a journal", hint="a journal is called people.jsonl")
    return bytes(usable)


def record_relocated_faces(library: Catalogue) -> None:
    """Record the new ids of named faces whose photos were edited.

    One edit can be traced, two in a row cannot, so every scan does this. If the journal cannot be
    written, the next scan tries again.
    """
    events = library.journal.events()
    try:
        found = find_changed_faces(events, library.occurrences, library.removed_occurrences) if events else []
        if found:
            with journal_transaction(library):
                for start in range(0, len(found), _MAX_FOUND_FACES):
                    before, now = zip(*found[start : start + _MAX_FOUND_FACES], strict=True)
                    library.journal.record("found", now, rest=before)
    except NothingScannedError:  # the first scan with another pack was stopped before its first photo
        return
    except (CacheError, LibraryBusyError) as error:
        # Without its snapshot, the next scan does not take the library for unchanged.
        with contextlib.suppress(CacheError):  # nothing can be written
            remove_file(library.home.scan_snapshot_of(library.pack_name))
        library.progress.note(str(error))


def record_answer(
    library: Catalogue,
    kind: str,
    faces: Iterable[str],
    *,
    rest: Iterable[str] = (),
    shown: Iterable[str] | None = None,
    name: str | None = None,
    to: str | None = None,
    facts: FactChanges | None = None,
) -> Event:
    """Record an event about faces, given by their ids. `shown`: the confirmed ones, None for all.

    If a name has facts of somebody whose faces are gone, that is noted; so is what dates contradict, afterwards.
    """
    faces = list(faces)
    seen = set(faces if shown is None else shown)

    def journal_face(face: str, confirmed: bool) -> JournalFace:
        return JournalFace.from_occurrence(library.occurrences_of[face][0], confirmed=confirmed)

    journal_faces = [journal_face(face, face in seen) for face in faces]
    if kind in ("name", "confirm", "rename") and (given := to or name):
        note_kept_facts(library, given)
    # Without birth dates, the answers need not be replayed yet.
    knows_births = bool(library.date_evidence) or (facts is not None and bool(facts.born))
    with journal_transaction(library):
        event = library.journal.record(
            kind, journal_faces, rest=[journal_face(face, True) for face in rest], name=name, to=to, facts=facts
        )
    if knows_births:
        note_contradictions(library, event)
    return event


@contextmanager
def journal_transaction(library: Catalogue) -> Iterator[None]:
    """Hold the journal for one answer, then drop the persons worked out before it."""
    with library.home.lock_journal(), library.guard_answer():
        yield
    library.invalidate_people()
