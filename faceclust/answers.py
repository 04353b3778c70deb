"""What the user says of faces: each answer is in the journal, on disk, before it counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from faceclust.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.people.events import Event, JournalFace
from faceclust.people.names import clean_name, person_key


class Answers(Catalogue):
    """A library whose faces can be named. Faces are given by their ids.

    Every method adds one event to the journal and gives it; `undo` takes it back. All raise
    CacheError where the journal cannot be written (nothing was said then), and UsageError for a
    name with nothing printable in it.
    """

    def name(self, faces: Iterable[str], name: str, *, shown: Iterable[str] | None = None) -> Event:
        """Give these faces a name. `shown`: those the user has seen, default all: they are
        confirmed, the others are suggested."""
        return self._say("name", faces, shown=shown, name=_cleaned(name))

    def confirm(self, faces: Iterable[str], name: str) -> Event:
        """These faces are indeed the person of this name."""
        return self._say("confirm", faces, name=_cleaned(name))

    def reject(self, faces: Iterable[str], name: str) -> Event:
        """These faces are not the person of this name: they never go with that person's."""
        return self._say("reject", faces, name=_cleaned(name))

    def rename(self, name: str, to: str) -> Event:
        """The person `name` is called `to` from now on. Raises UsageError where nobody is called
        `name`, or somebody else is called `to`."""
        person, to = self.person(name), _cleaned(to)
        if any(person_key(other.label) == person_key(to) and other.id != person.id for other in self.people()):
            raise UsageError(f"somebody is called {to} already", hint=f'one person: faceclust merge "{name}" "{to}"')
        return self._say("rename", (), name=person.label, to=to)

    def merge(self, name: str, into: str) -> Event:
        """Two persons are one, who is called `into`. Raises UsageError where nobody is called so,
        or both are one already."""
        person, target = self.person(name), self.person(into)
        if person.id == target.id:
            raise UsageError(f"{target.label} is one person already")
        return self._say("merge", (), name=person.label, to=target.label)

    def link(self, faces: Iterable[str]) -> Event:
        """These faces are one person, whoever that is."""
        return self._say("merge", faces)

    def split(self, faces: Iterable[str], rest: Iterable[str]) -> Event:
        """None of these faces is the person that the rest are."""
        return self._say("split", faces, rest=rest)

    def ignore(self, faces: Iterable[str]) -> Event:
        """Nobody the user wants to name: not asked about again."""
        return self._say("ignore", faces)

    def unignore(self, faces: Iterable[str]) -> Event:
        """Ask about these faces again."""
        return self._say("unignore", faces)

    def undo(self) -> Event | None:
        """Take back the last thing said; gives it, None where there is nothing to take back."""
        with self._writing():
            return self.journal.undo()

    def _say(
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
            return JournalFace.of(self.places_of[face][0], confirmed=confirmed)

        said = [known(face, face in seen) for face in faces]
        with self._writing():
            return self.journal.say(kind, said, rest=[known(face, True) for face in rest], name=name, to=to)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self.home.journal_locked():
            yield
        self._forget_people()


def _cleaned(name: str) -> str:
    cleaned = clean_name(name)
    if not cleaned:
        raise UsageError("a name needs at least one letter")
    return cleaned
