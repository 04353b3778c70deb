"""Questions about a library: who is on which photos, and with whom."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.outputs.overview import Overview, build_overview
from faceclust.outputs.search import (
    FoundPhoto,
    PersonPair,
    Query,
    Subject,
    count_pairs,
    find_photos,
    parse_date_range,
)
from faceclust.store.find_library import resolve_folder


class Searches(Catalogue):
    """A library that can be asked."""

    def search(
        self,
        *people: str,
        without: Iterable[str] = (),
        alone: bool = False,
        since: str | None = None,
        until: str | None = None,
        folder: str | os.PathLike[str] | None = None,
        min_quality: float = 0.0,
        confirmed: bool = False,
    ) -> list[FoundPhoto]:
        """The photos with everybody of `who` on them and nobody of `without`, by the time they
        were taken; with nobody in `who`, photos with any face.

        People are given by name, group number or face id. `alone`: with no other face. `since`,
        `until`: "2019", "2019-05" or "2019-05-17", inclusive; photos without a date are then not
        found. `folder`: seen from the working folder or the library's root. `min_quality` (0 to
        1) and `confirmed` are asked of the faces that make somebody present: a suggested face of
        `without` keeps a photo out even so. Raises UsageError for what is not known or senseless.
        """
        if not 0 <= min_quality <= 1:
            raise UsageError(f"quality {min_quality} is not between 0 and 1")
        first, last = parse_date_range(since, until)
        query = Query(
            present=tuple(map(self._find_subject, people)),
            absent=tuple(map(self._find_subject, without)),
            alone=alone,
            since=first,
            until=last,
            folder=self._folder_below_root(Path(folder)) if folder is not None else "",
            min_quality=min_quality,
            confirmed=confirmed,
        )
        return find_photos(self.occurrences, self.people(), query)

    def co_occurrences(self, *people: str, confirmed: bool = False, min_photos: int = 1) -> list[PersonPair]:
        """Named persons who are on a photo together, most photos first. `who`: only pairs with
        one of these. `confirmed`: confirmed faces alone count. `at_least`: on so many photos.
        Raises UsageError for an unknown name."""
        of = {self.find_person(name).id for name in people}
        pairs = count_pairs(self.occurrences, self.people(), of, confirmed=confirmed)
        return [pair for pair in pairs if pair.photos >= min_photos]

    def overviews(self, *, include_unnamed: bool = False) -> list[Overview]:
        """The named persons, most faces first, each with counts, dates and the best face.
        `everyone`: also groups without a name."""
        return [
            build_overview(person, self.occurrences_of)
            for person in (self.persons if include_unnamed else self.people())
        ]

    def _find_subject(self, text: str) -> Subject:
        faces = frozenset(self.select_faces(text).faces)
        sure = (face for face in faces if face in self.person_of and face in self.person_of[face].confirmed)
        return Subject(faces, frozenset(sure))

    def _folder_below_root(self, named: Path) -> str:
        """A folder as a path below the root: as seen from here, else from the root."""
        for path in (named, self.root / named):
            with contextlib.suppress(UsageError):
                folder = resolve_folder(path)
                if folder.is_relative_to(self.root):
                    below = folder.relative_to(self.root).as_posix()
                    return "" if below == "." else below
        raise UsageError(f"{resolve_folder(named)} is not in the library {self.root}")
