"""Pages to look at: persons, groups and faces as HTML."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import CacheError
from faceclust.library.review import find_doubts
from faceclust.outputs.report.compose import Known, compose
from faceclust.outputs.report.folder import WrittenFolder, check_folder, staging
from faceclust.outputs.report.render import picture_path, render_pages, render_report
from faceclust.outputs.report.values import Doubts, Report
from faceclust.photos.thumbnails import face_pictures, smaller
from faceclust.store.thumbs import ThumbStore
from faceclust.types import FacePlace

#: Pictures that one file holds at most: some 25 MB, which a phone still opens.
PICTURES_IN_A_FILE = 3000


@dataclass(frozen=True)
class ReportPage:
    """A report in one file: its `content`, how many `pictures` are in it, how many of `faces` it is
    about, and how many more pictures a folder would have."""

    content: bytes
    pictures: int
    unpictured: int


class Pages(Catalogue):
    """A library that can be shown."""

    def each_picture(self, places: Sequence[FacePlace]) -> Iterator[tuple[str, bytes]]:
        """(face id, JPEG) of each face, made where there is none yet; a face whose photo cannot be
        read is left out. Those that are kept come first."""
        thumbs = ThumbStore(self.home.thumbs)
        missing = []
        for place in places:
            if picture := thumbs.get(place.face_id):
                yield place.face_id, picture
            else:
                missing.append(place)
        if missing:
            self.progress.start("cutting out faces", len(missing), "faces")
            for face_id, picture in face_pictures(self.root, missing):
                with contextlib.suppress(CacheError):  # a picture that cannot be kept can be shown
                    thumbs.put(face_id, picture)
                self.progress.advance()
                yield face_id, picture
            self.progress.finish()

    def pictures(self, places: Sequence[FacePlace]) -> dict[str, bytes]:
        """All of `each_picture` at once, by face id."""
        return dict(self.each_picture(places))

    def doubts(self) -> Doubts:
        """What in the groups is worth a look: faces far from theirs, groups that may be one, people in
        parts that are far apart. Nothing before the first clustering."""
        if self.groups is None or not self.persons:
            return Doubts()
        params = self.groups.params
        return find_doubts(self.faces, self.persons, self.cluster_of, self.resolved, params.threshold)

    def report_page(self, page: str | os.PathLike[str], *, faces: int = 48, groups: int | None = 300) -> ReportPage:
        """The report as one file, with links to photos as seen from `page`. `faces`: pictures a
        person; `groups`: at most this many groups without a name, None for all."""
        report = self._report(faces, groups, PICTURES_IN_A_FILE)
        pictures = self.pictures(self._pictured(report))
        best = {entry.id: entry.best.face_id for entry in (*report.named, *report.groups) if entry.best}
        small = {person: smaller(pictures[face]) for person, face in best.items() if face in pictures}
        html = render_report(report, pictures, small, self.root, Path(page).absolute())
        return ReportPage(_encoded(html), len(pictures), report.unpictured)

    def report(self, page: str | os.PathLike[str], *, faces: int = 48, groups: int | None = 300) -> str:
        """The same as text."""
        return self.report_page(page, faces=faces, groups=groups).content.decode()

    def report_folder(
        self, out: str | os.PathLike[str], *, faces: int = 200, groups: int | None = None
    ) -> WrittenFolder:
        """The report as a folder: `index.html`, a page a person, pages of groups without a name, and the
        pictures. What an earlier run made there is brought up to date; a file that is not known from it
        is never touched. Raises UsageError where `out` holds other files."""
        out = Path(out).expanduser().absolute()
        check_folder(out)
        report = self._report(faces, groups, None)
        with staging(out) as stage:
            pictured = set()
            for face, picture in self.each_picture(self._pictured(report)):
                stage.add(picture_path(face), picture)
                pictured.add(face)
            for name, html in render_pages(report, frozenset(pictured), self.root, out):
                stage.add(name, _encoded(html))
            return stage.finish()

    def map(self, page: str | os.PathLike[str], *, method: str = "tsne", pictures: int = 20_000) -> str:
        """Every face as a point in the plane, faces that are alike side by side, as HTML, with links
        to photos as seen from `page`. `method`: of `outputs.map.layout.METHODS`; `pictures`: at most
        this many faces have one. The same library makes the same page, to the byte. Raises
        UsageError for another method, FaceclustError for one that is not installed."""
        from faceclust.outputs.map.layout import MOST, lay_out, require_method
        from faceclust.outputs.map.render import in_page_order, render_map
        from faceclust.outputs.map.sprites import pictured

        require_method(method)
        faces, persons = self.faces, self.persons
        number = {face: i for i, person in enumerate(persons) for face in person.face_ids}
        ids = faces.face_ids.tolist()
        places = [self.places_of[face][0] for face in ids]
        numbers = [number.get(face, -1) for face in ids]
        if len(ids) > MOST:
            self.progress.note(f"{MOST:,} of {len(ids):,} faces are laid out, the others put where the most alike are")
        points = lay_out(faces.embeddings, method, progress=self.progress)
        shown = pictured(places, numbers, pictures)
        return render_map(
            str(self.root),
            method,
            in_page_order(places, points, numbers),
            persons,
            self.pictures([place for place in places if place.face_id in shown]),
            self.root,
            Path(page).absolute(),
            self.progress,
        )

    def _report(self, faces: int, groups: int | None, pictures: int | None) -> Report:
        known = Known(
            library=str(self.root),
            persons=self.persons,
            places_of=self.places_of,
            photos=self.photos,
            photo_count=self.table.photo_count,
            doubts=self.doubts(),
            skipped=self.table.skips(),
        )
        return compose(known, made_at=datetime.now(), faces=faces, groups=groups, pictures=pictures)

    def _pictured(self, report: Report) -> list[FacePlace]:
        """In the order of photos, so that each is opened once."""
        return sorted(
            (self.places_of[face][0] for face in report.pictures), key=lambda place: (place.photo, place.face_id)
        )


def _encoded(html: str) -> bytes:
    """As UTF-8; bytes of file names that are not are written as caches have them, as \\xNN."""
    return html.encode("utf-8", "backslashreplace")
