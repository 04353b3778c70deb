"""Forgetting a person: name, embeddings and pictures go; the faces stay known as forgotten."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import CacheError, NothingScannedError
from faceclust.files.atomic import remove_file, write_private_atomically
from faceclust.files.names import pack_of_cache_file
from faceclust.library.forgotten_filter import ForgottenFilter, erase_forgotten, find_forgotten
from faceclust.people.erasure import Erasure, FaceIdOf, find_journal_person, find_mentions, plan_erasure
from faceclust.people.events import Event, JournalFace, effective_events
from faceclust.people.face_finder import FaceFinder, recorded_successors
from faceclust.people.forgotten_faces import ForgottenFaces, collect_forgotten_faces
from faceclust.people.journal import Journal
from faceclust.people.names import person_key
from faceclust.store.erase import LibraryTraces, erase_from_cache, erase_from_home, find_traces
from faceclust.store.find_library import enclosing_library
from faceclust.store.folder_cache import FolderCache
from faceclust.store.home import JOURNAL_NAME, lock_journal_file
from faceclust.store.thumbs import ThumbStore


@dataclass(frozen=True)
class ForgetPlan:
    """What goes. `names`: all that the person was called; `faces`: once for each photo they are on or
    were on.

    `confirmed`, `suggested` and `waiting` (their photos are not here now) count the faces that
    are forgotten, `staying` the suggested ones that are not. `unfinished` faces were forgotten
    before and are still in a cache. `answers`: lines of the `journals`. `within`: a library
    that this one lies in, which is not touched.
    """

    name: str
    names: tuple[str, ...]
    faces: tuple[JournalFace, ...]
    confirmed: int
    suggested: int
    missing_count: int
    kept_suggested: int
    photos: int
    still_cached: int
    caches: tuple[Path, ...]
    thumbnails: int
    journal_lines: int
    journals: tuple[Path, ...]
    leftovers: tuple[Path, ...]
    enclosing_library: Path | None


class Forgetting(Catalogue):
    """A library that can forget people."""

    def plan_forget(self, name: str, *, confirmed_only: bool = False) -> ForgetPlan:
        """What forgetting the person of this name takes. `confirmed_only`: the faces that only came
        with the group stay, without a name. Raises UsageError where no name is known so."""
        events, key = self.journal.events(), person_key(name)
        who = self._face_id_resolver(events)
        person = next((person for person in self.people() if person_key(person.label) == key), None)
        naming = find_journal_person(events, key, who)
        if person is None and not naming.names:
            self.find_person(name)  # says whose name is like it
        here = person.face_ids if person else ()
        sure = person.confirmed if person else frozenset[str]()
        chosen = [face for face in here if face in sure or not confirmed_only]
        waiting = [
            face
            for face, confirmed in naming.faces.items()
            if face not in self.occurrences_of and (confirmed or not confirmed_only)
        ]
        places = [
            JournalFace.from_occurrence(place, confirmed=False)
            for face in chosen
            for place in self.occurrences_of[face]
        ]
        known_by = find_mentions(events, {*chosen, *waiting}, who)
        faces = [*places, *itertools.chain.from_iterable(known_by.values())]
        before = collect_forgotten_faces(events)
        forgotten = ForgottenFaces([*faces, *before])
        traces, held = find_traces(self.home), dict[Path, set[str]]()
        unfinished: dict[str | None, set[str]] = defaultdict(set)
        for path, folder in traces.caches:
            held[path] = find_forgotten(forgotten, path, folder) or set()
            if before:  # other models know a face by another id
                now = find_forgotten(ForgottenFaces(faces), path, folder) or set()
                unfinished[pack_of_cache_file(path.name)] |= held[path] - now
        erasure = plan_erasure(events, key, forgotten.ids, who)
        lines = {
            path: erasure.count_changed_lines(path.read_bytes()) for path in self._journal_paths() if path.exists()
        }
        known = self.occurrences_of.keys() - forgotten.ids
        return ForgetPlan(
            name=person.label if person else next((text for text in naming.names if person_key(text) == key), name),
            names=naming.names,
            faces=tuple(dict.fromkeys(faces)),
            confirmed=len(sure),
            suggested=len(chosen) - len(sure),
            missing_count=len(waiting),
            photos=len({face.photo for face in (*places, *(known_by[face][-1] for face in waiting))}),
            kept_suggested=len(here) - len(chosen),
            still_cached=max(map(len, unfinished.values()), default=0),
            caches=tuple(path for path, found in held.items() if found),
            thumbnails=sum(len(set(ThumbStore(home / "thumbs").face_ids()) - known) for home in traces.homes),
            journal_lines=sum(lines.values()),
            journals=tuple(path for path, count in lines.items() if count),
            leftovers=traces.leftovers,
            enclosing_library=enclosing_library(self.root.parent),
        )

    def forget(self, plan: ForgetPlan) -> None:
        """Carry out a plan of `plan_forget`. The faces are forgotten first, in the journal, and the
        name goes last: after a crash, doing it again goes on. Raises CacheError, naming the files,
        where some could not be written; all else is done then."""
        with self.home.lock("forgetting a person"), self.home.lock_journal():
            self._invalidate()
            said = {(face.face_id, face.photo) for face in collect_forgotten_faces(self.journal.events())}
            new = [face for face in plan.faces if (face.face_id, face.photo) not in said]
            if new:
                self.journal.record("forget", new)
            traces = find_traces(self.home)
            failed = [*self._erase_forgotten_faces(traces), *self._erase_person_name(plan, traces)]
        self._reload_journal()
        if failed:
            raise CacheError(
                "all else is forgotten, but " + "; ".join(dict.fromkeys(map(str, failed))),
                hint="make it writable and do the same again, or delete the file",
            )

    def _reload_journal(self) -> None:
        self.journal = Journal(self.home.journal, self.home.other_journals(), self.progress.note)
        self._invalidate()

    @contextmanager
    def _filter_forgotten_faces(self) -> Iterator[ForgottenFilter]:
        """For the time of a scan, which holds the library: what keeps forgotten faces out of it. The
        forgotten faces it meets are in the journal afterwards."""
        watch = ForgottenFilter(self.root, collect_forgotten_faces(self.journal.events()))
        yield watch
        if watch.newly_forgotten:
            with self.home.lock_journal():
                self.journal.record("forget", watch.newly_forgotten.values())
        if watch.has_erased:  # forgetting was broken off, or an older cache has come back
            for error in self._erase_forgotten_faces(find_traces(self.home)):
                self.progress.note(str(error))

    def _face_id_resolver(self, events: list[Event]) -> FaceIdOf:
        finder = FaceFinder(
            [*self.occurrences, *self.table.forgotten_occurrences()], recorded_successors(effective_events(events))
        )
        forgotten = {face.face_id for face in collect_forgotten_faces(events)}

        def who(face: JournalFace) -> str:
            found = finder.find(face) if face.face_id not in forgotten else None
            return found[0] if found else face.face_id

        return who

    def _erase_forgotten_faces(self, traces: LibraryTraces) -> Iterator[CacheError]:
        """Take all forgotten faces out of every cache, clustering and store of pictures; gives what
        failed."""
        forgotten = ForgottenFaces(collect_forgotten_faces(self.journal.events()))
        ids = set(forgotten.ids)
        info = self.cache_info
        for folder in self.home.cached_folders(info.pack):
            cache = FolderCache(self.home.cache_paths(folder, info.pack), info)
            yield from _collect_cache_error(lambda: erase_forgotten(forgotten, cache, folder))  # noqa: B023 - called at once
        for path, folder in traces.caches:
            found = find_forgotten(forgotten, path, folder)
            if found is None:
                yield from _collect_cache_error(lambda: remove_file(path))  # noqa: B023
            elif found:
                ids |= found
                yield from _collect_cache_error(lambda: erase_from_cache(path, found))  # noqa: B023
        for path in traces.leftovers:
            yield from _collect_cache_error(lambda: remove_file(path))  # noqa: B023
        self._invalidate()
        try:
            known = self.occurrences_of.keys() - ids
        except NothingScannedError:
            known = set()
        for home in traces.homes:
            # A picture of no known face may be of a forgotten one, as other models saw it.
            pictures = set(ThumbStore(home / "thumbs").face_ids()) - known
            yield from erase_from_home(home, ids, pictures)

    # -- the name -----------------------------------------------------------

    def _journal_paths(self) -> list[Path]:
        """Those that are read, the own one last, before it those of parts, the deepest first."""
        others = sorted(self.journal.others, key=lambda other: (-other[1].count("/"), other[0]))
        return [*(path for path, _ in others), self.home.journal]

    def _erase_person_name(self, plan: ForgetPlan, traces: LibraryTraces) -> Iterator[CacheError]:
        """Take the person out of every journal; gives what failed. What the person was called before
        goes last: it leads from older names to the one that was asked for."""
        events, key = self.journal.events(), person_key(plan.name)
        erasure = plan_erasure(
            events, key, {face.face_id for face in collect_forgotten_faces(events)}, self._face_id_resolver(events)
        )
        journals, failed = self._journal_paths(), dict[Path, CacheError]()
        lasting: frozenset[str] = frozenset()
        for but in (erasure.renames, frozenset[str]()):
            for path in journals:
                if path not in failed:
                    failed.update((path, error) for error in self._rewrite_journal(path, erasure, but | lasting))
                if path in failed:  # what was taken back in it is so as long as its undoing stays
                    lasting |= {event.id for event in Journal(path).events()}
        yield from failed.values()
        for path in (home / JOURNAL_NAME for home in traces.homes):
            if path not in journals and path.exists():  # of a library in a folder that is passed by
                alone = Journal(path).events()
                for former in sorted(erasure.person_keys):
                    gone = {face.face_id for face in collect_forgotten_faces(events)}
                    yield from self._rewrite_journal(path, plan_erasure(alone, former, gone, _recorded_face_id))

    def _rewrite_journal(self, path: Path, erasure: Erasure, but: Iterable[str] = ()) -> Iterator[CacheError]:
        def rewrite() -> None:
            own = path == self.home.journal  # held by the caller
            with nullcontext() if own else lock_journal_file(path):
                before = path.read_bytes() if path.exists() else b""
                after = erasure.apply(before, keep=frozenset(but))
                if after != before:
                    write_private_atomically(path, lambda stream: stream.write(after))

        if path.exists() and erasure.apply(path.read_bytes(), keep=frozenset(but)) != path.read_bytes():
            yield from _collect_cache_error(rewrite)


def _collect_cache_error(do: Callable[[], Any]) -> Iterator[CacheError]:
    try:
        do()
    except CacheError as error:
        yield error


def _recorded_face_id(face: JournalFace) -> str:
    return face.face_id
