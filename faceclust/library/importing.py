"""What other programs know of the people on the photos, taken into the library."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from faceclust.files.names import RAW_ENDINGS
from faceclust.importers.plan import ImportPlan, Naming
from faceclust.importers.reconcile import Known, judge
from faceclust.importers.sources import sort_sources
from faceclust.library.naming import Answers
from faceclust.people.events import Event, JournalFace, effective
from faceclust.people.names import person_key
from faceclust.types import FacePlace, PhotoFacts

#: Formats in which something else than the EXIF orientation says how the picture is turned.
_TURNED_OTHERWISE = (".heic", ".heif", ".hif", ".avif", ".jxl", *sorted(RAW_ENDINGS))


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
        from faceclust.importers.collect import gather  # loads what reads files

        paths = [Path(source) for source in sources]
        chosen = sort_sources(self.root, paths, Path(contacts) if contacts is not None else None, self.photos)
        gathered = gather(self.root, self.photos, chosen, self.progress)
        spoken_of = {words.photo for words in gathered.words if words.regions}
        return judge(gathered, self._known_of_faces(spoken_of), keywords=keywords)

    def import_names(self, plan: ImportPlan) -> list[Event]:
        """Enter a plan's names in the journal: an event for each person and source, each on disk
        before the next. A face that was given a name since the plan was made is left out. Raises
        CacheError where the journal cannot be written: what was said before that stands."""
        events = []
        with self._writing():
            self._forget_people()
            groups: dict[tuple[str, str, tuple[str, ...], bool], list[Naming]] = defaultdict(list)
            for naming in plan.namings:
                word = self.resolved.said.get(naming.face_id)
                if naming.face_id in self.places_of and not (word and (word.confirmed or word.name is None)):
                    groups[person_key(naming.name), naming.name, naming.sources, naming.confirmed].append(naming)
            for (_, name, sources, confirmed), namings in sorted(groups.items()):
                faces = [JournalFace.of(self.places_of[one.face_id][0], confirmed=confirmed) for one in namings]
                events.append(self.journal.say("name", faces, name=name, source=" and ".join(sources)))
        return events

    def _known_of_faces(self, spoken_of: Iterable[str]) -> Known:
        faces: dict[str, list[FacePlace]] = defaultdict(list)
        for place in self.places:
            faces[place.photo].append(place)
        people = self.people()
        spelling = {person_key(name): name for name in (*self.resolved.away, *(person.label for person in people))}
        return Known(
            photos=self.photos | {photo: self._as_stored(self.photos[photo]) for photo in spoken_of},
            faces=faces,
            resolved=self.resolved,
            spelling=spelling,
            renamed=_renamed(self.journal.events(), spelling.keys()),
            named={face: person.label for person in people for face in person.face_ids},
        )

    def _as_stored(self, facts: PhotoFacts) -> PhotoFacts:
        """The facts, with the orientation as other programs count it where that is not EXIF's."""
        if not facts.photo.lower().endswith(_TURNED_OTHERWISE):
            return facts
        from faceclust.photos.orientation import how_laid  # loads the decoders

        try:
            laid = how_laid(self.root / facts.photo)
        except OSError:  # gone since the scan
            return facts
        return replace(facts, orientation=laid.orientation) if laid else facts


def _renamed(events: Iterable[Event], used: Iterable[str]) -> dict[str, str]:
    """What persons are called now who were renamed, or made one with others, by the key they had; but
    for names that somebody else has now."""
    now, taken = dict[str, str](), frozenset(used)
    for event in effective(events):
        if event.name is not None and event.to is not None:
            now = {old: event.to if person_key(to) == person_key(event.name) else to for old, to in now.items()}
            now[person_key(event.name)] = event.to
    return {old: to for old, to in now.items() if old not in taken}
