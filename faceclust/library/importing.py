"""What other programs know of the people on the photos, taken into the library."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from faceclust.files.names import RAW_EXTENSIONS
from faceclust.importers.plan import FaceNaming, ImportPlan
from faceclust.importers.reconcile import LibraryNames, reconcile
from faceclust.importers.sources import classify_sources
from faceclust.library.naming import Answers
from faceclust.people.events import Event, JournalFace, effective_events
from faceclust.people.names import person_key
from faceclust.types import FaceOccurrence, PhotoInfo

#: Formats in which something else than the EXIF orientation says how the picture is turned.
_NON_EXIF_ORIENTATION_EXTENSIONS = (".heic", ".heif", ".hif", ".avif", ".jxl", *sorted(RAW_EXTENSIONS))


class Importing(Answers):
    """A library that takes in names other programs gave."""

    def plan_import(
        self,
        sources: Sequence[str | os.PathLike[str]] = (),
        *,
        contacts: str | os.PathLike[str] | None = None,
        keywords: bool = False,
    ) -> ImportPlan:
        """What other programs say of the faces found here, and what would be entered of it.

        `sources`: folders, photos of the library, XMP sidecars, `.picasa.ini` and `contacts.xml`
        of Picasa, tables (CSV); a folder outside the library is one of sidecars that lie in it as
        their photos do in the library. Without any, all photos and what lies beside them.
        `contacts`: a `contacts.xml`. `keywords`: names without a place in the photo are suggested
        for its only face without a name. Raises UsageError for what is not there, or a table that
        cannot be read.
        """
        from faceclust.importers.collect import collect_names  # loads what reads files

        paths = [Path(source) for source in sources]
        chosen = classify_sources(self.root, paths, Path(contacts) if contacts is not None else None, self.photos)
        gathered = collect_names(self.root, self.photos, chosen, self.progress)
        spoken_of = {words.photo for words in gathered.photo_names if words.regions}
        return reconcile(gathered, self._collect_library_names(spoken_of), keywords=keywords)

    def import_names(self, plan: ImportPlan) -> list[Event]:
        """Enter a plan's names in the journal: an event for each person and source, each on disk
        before the next. A face that was given a name since the plan was made is left out. Raises
        CacheError where the journal cannot be written: what was said before that stands."""
        events = []
        with self._journal_transaction():
            self._invalidate_people()
            groups: dict[tuple[str, str, tuple[str, ...], bool], list[FaceNaming]] = defaultdict(list)
            for naming in plan.namings:
                word = self.answers.labels.get(naming.face_id)
                if naming.face_id in self.occurrences_of and not (word and (word.confirmed or word.name is None)):
                    groups[person_key(naming.name), naming.name, naming.sources, naming.confirmed].append(naming)
            for (_, name, sources, confirmed), namings in sorted(groups.items()):
                faces = [
                    JournalFace.from_occurrence(self.occurrences_of[one.face_id][0], confirmed=confirmed)
                    for one in namings
                ]
                events.append(self.journal.record("name", faces, name=name, source=" and ".join(sources)))
        return events

    def _collect_library_names(self, spoken_of: Iterable[str]) -> LibraryNames:
        faces: dict[str, list[FaceOccurrence]] = defaultdict(list)
        for place in self.occurrences:
            faces[place.photo].append(place)
        people = self.people()
        spelling = {
            person_key(name): name for name in (*self.answers.missing_names, *(person.label for person in people))
        }
        return LibraryNames(
            photos=self.photos | {photo: self._with_stored_orientation(self.photos[photo]) for photo in spoken_of},
            faces=faces,
            resolved=self.answers,
            spelling=spelling,
            renamed=_trace_renames(self.journal.events(), spelling.keys()),
            current_names={face: person.label for person in people for face in person.face_ids},
        )

    def _with_stored_orientation(self, facts: PhotoInfo) -> PhotoInfo:
        """The facts, with the orientation as other programs count it where that is not EXIF's."""
        if not facts.photo.lower().endswith(_NON_EXIF_ORIENTATION_EXTENSIONS):
            return facts
        from faceclust.photos.orientation import read_orientation  # loads the decoders

        try:
            laid = read_orientation(self.root / facts.photo)
        except OSError:  # gone since the scan
            return facts
        return replace(facts, orientation=laid.orientation) if laid else facts


def _trace_renames(events: Iterable[Event], used: Iterable[str]) -> dict[str, str]:
    """What persons are called now who were renamed, or made one with others, by the key they had; but
    for names that somebody else has now."""
    now, taken = dict[str, str](), frozenset(used)
    for event in effective_events(events):
        if event.name is not None and event.to is not None:
            now = {old: event.to if person_key(to) == person_key(event.name) else to for old, to in now.items()}
            now[person_key(event.name)] = event.to
    return {old: to for old, to in now.items() if old not in taken}
