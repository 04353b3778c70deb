"""What the user says of faces: each answer is in the journal, on disk, before it counts."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.catalogue.corrections import apply_corrections
from faceclust.errors import CacheError, LibraryBusyError, NothingScannedError, UsageError
from faceclust.files.atomic import write_private_atomically
from faceclust.people.events import Event, JournalFace
from faceclust.people.face_finder import find_changed_faces
from faceclust.people.journal import Journal, merge_journals
from faceclust.people.names import clean_name, person_key


class Answers(Catalogue):
    """A library whose faces can be named. Faces are given by their ids.

    Every method adds one event to the journal and gives it; `undo` takes it back. All raise
    CacheError where the journal cannot be written (nothing was said then), and UsageError for a
    name with nothing printable in it.
    """

    def name(
        self, faces: Iterable[str], name: str, *, confirmed: Iterable[str] | None = None, rejected: Iterable[str] = ()
    ) -> Event:
        """Give these faces a name. `redact_url`: those the user has seen, default all: they are
        confirmed, the others are suggested. `rest`: faces that are not this person. A name somebody
        has keeps its spelling: `rename` gives it another."""
        cleaned = _validate_name(name)
        known = {person_key(person.label): person.label for person in self.people()}
        return self._record_event(
            "name", faces, shown=confirmed, rest=rejected, name=known.get(person_key(cleaned), cleaned)
        )

    def confirm(self, faces: Iterable[str], name: str, *, rejected: Iterable[str] = ()) -> Event:
        """These faces are indeed the person of this name, and `rest` are not."""
        return self._record_event("confirm", faces, rest=rejected, name=_validate_name(name))

    def faces_remaining(self, removed: Iterable[str], kept: Iterable[str]) -> list[str]:
        """The faces that would be with `staying`, in its groups, if `leaving` were said to be apart
        from them: what is more like the ones that leave goes with them."""
        removed, kept = frozenset(removed), frozenset(kept)
        if self._uncorrected_groups is None or not removed:
            return [face for face in kept if face in self.occurrences_of]
        said = replace(self.answers, splits=(*self.answers.splits, (removed, kept)))
        groups = apply_corrections(self._uncorrected_groups, said, self.faces_of, self._parts_cache)
        numbers = {groups.number_of[face] for face in kept if face in groups.number_of}
        return sorted({face for number in numbers for face in groups.members[number]} | kept)

    def reject(self, faces: Iterable[str], name: str) -> Event:
        """These faces are not the person of this name: they never go with that person's."""
        return self._record_event("reject", faces, name=_validate_name(name))

    def rename(self, name: str, to: str) -> Event:
        """The person `name` is called `to` from now on. Raises UsageError where nobody is called
        `name`, or somebody else is called `to`."""
        person, to = self.find_person(name), _validate_name(to)
        if any(person_key(other.label) == person_key(to) and other.id != person.id for other in self.people()):
            raise UsageError(
                f"somebody is called {to} already",
                hint=f"one person: faceclust merge {shlex.quote(name)} {shlex.quote(to)}",
            )
        if person_key(to) in set(map(person_key, self.answers.missing_names)) - {person_key(name)}:
            raise UsageError(f"somebody whose photos are not here now is called {to}", hint="choose another name")
        return self._record_event("rename", (), name=person.label, to=to)

    def merge(self, name: str, into: str) -> Event:
        """Two persons are one, who is called `into`. Raises UsageError where nobody is called so,
        or both are one already."""
        person, target = self.find_person(name), self.find_person(into)
        if person.id == target.id:
            raise UsageError(f"{target.label} is one person already")
        return self._record_event("merge", (), name=person.label, to=target.label)

    def link(self, faces: Iterable[str]) -> Event:
        """These faces are one person, whoever that is."""
        return self._record_event("merge", faces)

    def split(self, faces: Iterable[str], others: Iterable[str]) -> Event:
        """None of these faces is the person that the rest are. Where both have one name, that is said
        of the name: as `reject`."""
        faces, others = list(faces), list(others)
        words = [self.answers.labels.get(face) for face in others]
        names = {word.name for word in words if word and word.confirmed and word.name}
        said = {word.name for face in faces if (word := self.answers.labels.get(face)) and word.name}
        if len(names) == 1 and names & said:
            return self.reject(faces, names.pop())
        return self._record_event("split", faces, rest=others)

    def ignore(self, faces: Iterable[str]) -> Event:
        """Nobody the user wants to name: not asked about again."""
        return self._record_event("ignore", faces)

    def unignore(self, faces: Iterable[str]) -> Event:
        """Ask about these faces again."""
        return self._record_event("unignore", faces)

    def undo(self, event_id: str | None = None) -> Event | None:
        """Take back the last thing said, or the event of this id; gives it, None where there is
        nothing to take back."""
        with self._journal_transaction():
            return self.journal.undo(event_id)

    def record_relocated_faces(self) -> None:
        """Note in the journal where faces it knows were found after an edit of their photos: after
        the next one the trail would be lost. The next scan tries again where that fails."""
        events = self.journal.events()
        try:
            found = find_changed_faces(events, self.occurrences) if events else []
            if found:
                with self._journal_transaction():
                    self.journal.record("found", [now for _, now in found], rest=[before for before, _ in found])
        except NothingScannedError:  # other models are in use, and were stopped before their first photo
            return
        except (CacheError, LibraryBusyError) as error:
            self.home.scan_snapshot_of(self.pack_name).unlink(
                missing_ok=True
            )  # or the next scan might find nothing to do
            self.progress.note(str(error))

    def import_journal(self, other: str | os.PathLike[str]) -> int:
        """Take in the journal of a copy of this library, used elsewhere: its events come between the
        own ones by time, each once. Gives the number of lines taken in. Raises UsageError where
        `other` is no journal."""
        path = Path(other).expanduser()
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
        if content.strip() and not Journal(path).events():
            raise UsageError(f"{path} is not a journal", hint="it is called people.jsonl")
        with self._journal_transaction():
            own = self.journal.path.read_bytes() if self.journal.path.exists() else b""
            merged = merge_journals([own, content])
            write_private_atomically(self.journal.path, lambda stream: stream.write(merged))
        return merged.count(b"\n") - len(merge_journals([own]).splitlines())

    def _record_event(
        self,
        kind: str,
        faces: Iterable[str],
        *,
        rest: Iterable[str] = (),
        shown: Iterable[str] | None = None,
        name: str | None = None,
        to: str | None = None,
    ) -> Event:
        faces = list(faces)
        seen = set(faces if shown is None else shown)

        def known(face: str, confirmed: bool) -> JournalFace:
            return JournalFace.from_occurrence(self.occurrences_of[face][0], confirmed=confirmed)

        said = [known(face, face in seen) for face in faces]
        with self._journal_transaction():
            return self.journal.record(kind, said, rest=[known(face, True) for face in rest], name=name, to=to)

    @contextmanager
    def _journal_transaction(self) -> Iterator[None]:
        with self.home.lock_journal():
            yield
        self._invalidate_people()


def _validate_name(name: str) -> str:
    cleaned = clean_name(name)
    if not cleaned:
        raise UsageError("a name needs at least one letter")
    if re.fullmatch("[0-9]+|[0-9a-f]{16}", cleaned):
        raise UsageError(f"{cleaned} would be taken for a number or a face", hint="a name needs at least one letter")
    return cleaned
