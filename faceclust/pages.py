"""Pages to look at: persons, groups and faces as HTML."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from faceclust.catalogue import Catalogue
from faceclust.errors import CacheError
from faceclust.outputs.report import Summary, make_card, pictured_faces, render_report
from faceclust.photos.thumbnails import face_pictures
from faceclust.store.thumbs import ThumbStore
from faceclust.types import FacePlace


class Pages(Catalogue):
    """A library that can be shown."""

    def pictures(self, places: Sequence[FacePlace]) -> dict[str, bytes]:
        """JPEG pictures by face id, made where there is none yet; a face whose photo cannot be
        read has none."""
        thumbs = ThumbStore(self.home.thumbs)
        found = {place.face_id: thumbs.get(place.face_id) for place in places}
        missing = [place for place in places if found[place.face_id] is None]
        if missing:
            self.progress.start("cutting out faces", len(missing), "faces")
            for face_id, picture in face_pictures(self.root, missing):
                with contextlib.suppress(CacheError):  # a picture that cannot be kept can be shown
                    thumbs.put(face_id, picture)
                found[face_id] = picture
                self.progress.advance()
            self.progress.finish()
        return {face: picture for face, picture in found.items() if picture is not None}

    def report(self, page: str | os.PathLike[str], *, faces: int = 12, groups: int = 300) -> str:
        """The report as HTML, with links to photos as seen from `page`. `faces`: pictures a
        person; `groups`: at most this many groups without a name."""
        page = Path(page).absolute()
        unnamed = self.unnamed_groups()
        persons = [*self.people(), *unnamed[:groups]]
        shown = [pictured_faces(person, self.places_of, faces) for person in persons]
        pictures = self.pictures([place for places in shown for place in places])
        grouped = sum(len(person.face_ids) for person in self.persons)
        summary = Summary(
            library=str(self.root),
            made_at=datetime.now(),
            photos=self.table.photo_count,
            faces=len(self.places_of),
            alone=len(self.places_of) - grouped,
            left_out=len(unnamed[groups:]),
        )
        cards = [
            make_card(person, places, self.places_of, pictures, self.root, page)
            for person, places in zip(persons, shown, strict=True)
        ]
        return render_report(summary, cards)
