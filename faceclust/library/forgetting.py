"""Forget a person: erase the name, embeddings and pictures; keep the faces marked as forgotten."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import CacheError, NothingScannedError
from faceclust.files.atomic import remove_file, write_private_atomically
from faceclust.files.names import pack_of_cache_file
from faceclust.library.failures import collect_failures
from faceclust.library.forgotten_filter import ForgottenFilter, erase_forgotten, find_forgotten
from faceclust.library.sent_pages import erase_from_sent_pages
from faceclust.people.erasure import (
    Erasure,
    final_person_keys,
    find_journal_person,
    find_mentions,
    plan_erasure,
)
from faceclust.people.events import Event, JournalFace, effective_events
from faceclust.people.face_finder import FaceFinder, recorded_successors
from faceclust.people.forgotten_faces import ForgottenFaces, collect_forgotten_faces
from faceclust.people.hand_edits import replay_hand_edits
from faceclust.people.journal import Journal
from faceclust.people.journal_reader import read_journal
from faceclust.people.names import person_key, shorten_name
from faceclust.people.remaining_faces import FaceIdOf
from faceclust.people.replay import is_removed
from faceclust.store.erase import LibraryTraces, erase_from_cache, erase_from_home, find_traces
from faceclust.store.find_library import enclosing_library
from faceclust.store.folder_cache import FolderCache
from faceclust.store.home import JOURNAL_NAME, lock_journal_file
from faceclust.store.thumbs import ThumbStore
from faceclust.types.arguments import require_text

# -- plan ---------------------------------------------------------------------


@dataclass(frozen=True)
class ForgetPlan:
    """The faces to forget and the files that hold them.

    `names`: every name the person had. `faces`: one entry for each photo a face is or was on.
    `confirmed`, `suggested` and `missing_count` (on photos missing now) count the faces to forget;
    `kept_suggested` counts the suggested faces that stay. `still_cached`: faces forgotten earlier
    that a cache still holds. `journal_lines`: lines of the `journals` to rewrite. `leftovers`: files
    nothing reads any more, to delete. `enclosing_library`: a library around this one, left untouched, as are
    `separate_libraries`, those at additional roots.
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
    separate_libraries: tuple[Path, ...] = ()


def plan_forget(library: Catalogue, name: str, *, confirmed_only: bool = False) -> ForgetPlan:
    """Plan to forget the person of this name.

    `confirmed_only`: the person's suggested faces stay, without a name. Raises UsageError if neither
    the library nor its journal has that name.
    """
    require_text("the name", name)
    name = shorten_name(name)
    events = library.journal.events()
    face_id_of = _face_id_resolver(library, events)
    name = _resolve_alias(library, events, name)
    subject = _find_subject(library, events, name, confirmed_only, face_id_of)
    earlier = collect_forgotten_faces(events)
    forgotten = ForgottenFaces([*subject.faces, *earlier])
    traces = find_traces(library.home)
    caches, still_cached = _find_caches(traces, subject.faces, earlier)
    erasure = plan_erasure(events, person_key(name), forgotten.ids, face_id_of)
    changed_lines = {path: erasure.count_changed_lines(read_journal(path)) for path in _journal_paths(library)}
    for path in _skipped_journals(library, traces):
        read_journal(path)  # raises before anything is changed
    staying = library.occurrences_of.keys() - forgotten.ids
    return ForgetPlan(
        name=subject.label,
        names=subject.names,
        faces=subject.faces,
        confirmed=subject.confirmed,
        suggested=subject.suggested,
        missing_count=subject.missing_count,
        kept_suggested=subject.kept_suggested,
        photos=subject.photos,
        still_cached=still_cached,
        caches=caches,
        thumbnails=sum(len(set(ThumbStore(home / "thumbs").face_ids()) - staying) for home in traces.homes),
        journal_lines=sum(changed_lines.values()),
        journals=tuple(path for path, count in changed_lines.items() if count),
        leftovers=traces.leftovers,
        enclosing_library=enclosing_library(library.root.parent),
        separate_libraries=tuple(
            path for root in library.roots.here if enclosing_library(path := Path(root.path)) == path
        ),
    )


def _resolve_alias(library: Catalogue, events: list[Event], name: str) -> str:
    """Return the name of the person that has this alias; the name itself if the journal has it as a name."""
    key = person_key(name)
    final = final_person_keys(events)
    return name if any(key in keys for keys in final.values()) else library.known_names.get(key, name)


@dataclass(frozen=True)
class _Subject:
    """The person to forget. The fields are those of `ForgetPlan`."""

    label: str
    names: tuple[str, ...]
    faces: tuple[JournalFace, ...]
    confirmed: int
    suggested: int
    missing_count: int
    kept_suggested: int
    photos: int


def _find_subject(
    library: Catalogue, events: list[Event], name: str, confirmed_only: bool, face_id_of: FaceIdOf
) -> _Subject:
    key = person_key(name)
    person = next((person for person in library.people() if person_key(person.label) == key), None)
    recorded = find_journal_person(events, key, face_id_of)
    if person is None and not recorded.names:
        library.find_person(name)  # raises, with similar names in the hint
    face_ids = person.face_ids if person else ()
    confirmed = person.confirmed if person else frozenset[str]()
    chosen = [face for face in face_ids if face in confirmed or not confirmed_only]
    missing = [
        face
        for face, is_confirmed in recorded.faces.items()
        if face not in library.occurrences_of and (is_confirmed or not confirmed_only)
    ]
    present = [
        JournalFace.from_occurrence(occurrence, confirmed=False)
        for face in [*chosen, *_hidden_faces_of(library, events, key, chosen)]
        for occurrence in library.stored_occurrences_of[face]
    ]
    mentions = find_mentions(events, {*chosen, *missing}, face_id_of)
    spelling = next((text for text in recorded.names if person_key(text) == key), name)
    return _Subject(
        label=person.label if person else spelling,
        names=recorded.names,
        faces=tuple(dict.fromkeys([*present, *(face for faces in mentions.values() for face in faces)])),
        confirmed=len(confirmed),
        suggested=len(chosen) - len(confirmed),
        missing_count=len(missing),
        kept_suggested=len(face_ids) - len(chosen),
        photos=len({face.photo for face in (*present, *(mentions[face][-1] for face in missing))}),
    )


def _hidden_faces_of(library: Catalogue, events: list[Event], key: str, chosen: Collection[str]) -> list[str]:
    """The stored faces that are hidden but show a person: behind a box drawn by hand, or drawn and undone.

    One that was undone because it is somebody else, whose face is there now, is not the person's.
    """
    final, chosen = final_person_keys(events), set(chosen)
    added = (event for event in events if event.kind == "add" and key in final.get(event.id, ()))
    drawn = {face.face_id for event in added for face in event.faces}
    others = FaceFinder([one for one in library.occurrences if one.face_id not in chosen])
    return [
        face
        for face, instead in library.hidden_faces.items()
        if instead in chosen
        or (
            instead is None
            and face in drawn
            and not others.find(JournalFace.from_occurrence(library.stored_occurrences_of[face][0], confirmed=False))
        )
    ]


def _find_caches(
    traces: LibraryTraces, faces: Sequence[JournalFace], earlier: Sequence[JournalFace]
) -> tuple[tuple[Path, ...], int]:
    """Return the cache files that hold any of these faces, and the number of `earlier` ones still cached.

    That number is the largest over the packs: each pack has its own ids for the same faces.
    """
    subject, forgotten = ForgottenFaces(faces), ForgottenFaces([*faces, *earlier])
    caches: list[Path] = []
    still_cached: dict[str | None, set[str]] = defaultdict(set)
    for path, folder in traces.caches:
        held = find_forgotten(forgotten, path, folder)
        if not held:
            continue
        caches.append(path)
        if earlier:
            still_cached[pack_of_cache_file(path.name)] |= held - (find_forgotten(subject, path, folder) or set())
    return tuple(caches), max(map(len, still_cached.values()), default=0)


# -- execute ------------------------------------------------------------------


def forget(library: Catalogue, plan: ForgetPlan) -> None:
    """Carry out a plan of `plan_forget`.

    The journal marks the faces as forgotten first and loses the name last, once no file holds the
    faces any more: after a crash or a failure, forgetting again completes the work. Raises CacheError
    naming the files that could not be written, after the others are done.
    """
    with library.home.lock("forgetting a person"), library.home.lock_journal():
        library.invalidate()
        recorded = {(face.face_id, face.photo) for face in collect_forgotten_faces(library.journal.events())}
        new = [face for face in plan.faces if (face.face_id, face.photo) not in recorded]
        if new:
            library.journal.record("forget", new)
        traces = find_traces(library.home)
        failures = _erase_forgotten_faces(library, traces) or _erase_person_name(library, plan, traces)
    library.reopen_journal()
    if failures:
        raise CacheError(
            f"{plan.name} is not entirely forgotten: " + "; ".join(dict.fromkeys(failures)),
            hint="once the cause is fixed, repeat the command",
        )


@contextmanager
def filter_forgotten_faces(library: Catalogue) -> Iterator[ForgottenFilter]:
    """Keep forgotten faces out of a scan, which holds the library's lock.

    Afterwards, forgotten faces that only caches knew of are recorded in the journal.
    """
    face_filter = ForgottenFilter(library.root, collect_forgotten_faces(library.journal.events()))
    yield face_filter
    if face_filter.newly_forgotten:
        with library.home.lock_journal():
            library.journal.record("forget", face_filter.newly_forgotten.values())
    if face_filter.has_erased:  # forgetting was interrupted, or an older cache has come back
        for failure in _erase_forgotten_faces(library, find_traces(library.home)):
            library.progress.note(failure)


def _face_id_resolver(library: Catalogue, events: list[Event]) -> FaceIdOf:
    effective = effective_events(events)
    edits = replay_hand_edits(effective)
    finder = FaceFinder(
        [*library.occurrences, *library.table.forgotten_occurrences()], recorded_successors(effective, edits)
    )
    forgotten = {face.face_id for face in collect_forgotten_faces(events)}

    def face_id_of(face: JournalFace) -> str:
        is_gone = face.face_id in forgotten or is_removed(face, finder, edits)
        found = None if is_gone else finder.find(face)
        return found[0] if found else face.face_id

    return face_id_of


def _erase_forgotten_faces(library: Catalogue, traces: LibraryTraces) -> list[str]:
    """Erase all forgotten faces from caches, clusterings and thumbnails. Return the failures."""
    failures: list[str] = []
    forgotten = ForgottenFaces(collect_forgotten_faces(library.journal.events()))
    ids = set(forgotten.ids)
    info = library.cache_info
    for folder in library.home.cached_folders(info.pack):
        with collect_failures(failures):
            erase_forgotten(forgotten, FolderCache(library.home.cache_paths(folder, info.pack), info), folder)
    for path, folder in traces.caches:
        with collect_failures(failures):
            found = find_forgotten(forgotten, path, folder)
            if found is None:
                remove_file(path)
            elif found:
                ids |= found
                erase_from_cache(path, found)
    for path in traces.leftovers:
        with collect_failures(failures):
            remove_file(path)
    library.invalidate()
    try:
        staying = library.occurrences_of.keys() - ids
    except NothingScannedError:
        staying = set()
    for home in traces.homes:
        # A thumbnail of an unknown face may show a forgotten one as another pack detected it.
        thumbnails = set(ThumbStore(home / "thumbs").face_ids()) - staying
        failures += map(str, erase_from_home(home, ids, thumbnails))
    failures += map(str, erase_from_sent_pages(traces.homes, ids, ()))
    return failures


# -- the name -----------------------------------------------------------------


def _journal_paths(library: Catalogue) -> list[Path]:
    """The journals that are read: those of nested libraries, deepest first, then the library's own."""
    others = sorted(library.journal.others, key=lambda other: (-other[1].count("/"), other[0]))
    return [*(path for path, _ in others), library.home.journal]


def _erase_person_name(library: Catalogue, plan: ForgetPlan, traces: LibraryTraces) -> list[str]:
    """Erase the person from every journal. Return the failures.

    Renames are erased in a second pass: until then they lead from older names to the requested one.
    """
    events = library.journal.events()
    forgotten = {face.face_id for face in collect_forgotten_faces(events)}
    erasure = plan_erasure(events, person_key(plan.name), forgotten, _face_id_resolver(library, events))
    if failures := list(map(str, erase_from_sent_pages(traces.homes, (), erasure.person_keys))):
        return failures
    failed: dict[Path, list[str]] = {}
    unwritable: frozenset[str] = frozenset()  # their undo events stay too, or what they undo would count again
    for renames in dict.fromkeys((erasure.renames, frozenset[str]())):
        for path in _journal_paths(library):
            if path not in failed and (failures := _rewrite_journal(library, path, erasure, renames | unwritable)):
                failed[path] = failures
                with collect_failures(failures):
                    unwritable |= {event.id for event in Journal(path).events()}
    failures = [failure for found in failed.values() for failure in found]
    for path in _skipped_journals(library, traces):
        with collect_failures(failures):
            nested_events = Journal(path).events()
            for key in sorted(erasure.person_keys):
                erasure_there = plan_erasure(nested_events, key, forgotten, lambda face: face.face_id)
                failures += _rewrite_journal(library, path, erasure_there)
    return failures


def _skipped_journals(library: Catalogue, traces: LibraryTraces) -> list[Path]:
    """The journals of libraries in folders that scans skip; they may be missing."""
    journals = [home / JOURNAL_NAME for home in traces.homes]
    return [path for path in journals if path not in _journal_paths(library)]


def _rewrite_journal(library: Catalogue, path: Path, erasure: Erasure, keep: frozenset[str] = frozenset()) -> list[str]:
    """Apply the erasure to a journal. Return the failures."""
    failures: list[str] = []
    with collect_failures(failures):
        before = read_journal(path)
        after = erasure.apply(before, keep=keep)
        if after == before:
            return failures
        is_held = path == library.home.journal  # by the caller
        with nullcontext() if is_held else lock_journal_file(path):
            if (current := read_journal(path)) != before:  # changed before it was locked
                after = erasure.apply(current, keep=keep)
            write_private_atomically(path, lambda stream: stream.write(after))
    return failures
