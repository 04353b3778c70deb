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
from faceclust.library.review import review_grouping
from faceclust.outputs.report.compose import ReportInput, compose_report
from faceclust.outputs.report.folder import WrittenFolder, require_report_folder, stage_folder
from faceclust.outputs.report.render import picture_path, render_pages, render_report
from faceclust.outputs.report.values import Report, ReviewFindings
from faceclust.photos.thumbnails import make_face_thumbnails, shrink_thumbnail
from faceclust.store.thumbs import ThumbStore
from faceclust.types import FaceOccurrence

#: Pictures that one file holds at most: some 25 MB, which a phone still opens.
MAX_PICTURES_PER_FILE = 3000


@dataclass(frozen=True)
class ReportPage:
    """A report in one file: its `content`, how many `pictures` are in it, how many of `faces` it is
    about, and how many more pictures a folder would have."""

    content: bytes
    pictures: int
    omitted_pictures: int


class Pages(Catalogue):
    """A library that can be shown."""

    def iter_thumbnails(self, occurrences: Sequence[FaceOccurrence]) -> Iterator[tuple[str, bytes]]:
        """(face id, JPEG) of each face, made where there is none yet; a face whose photo cannot be
        read is left out. Those that are kept come first."""
        thumbs = ThumbStore(self.home.thumbs)
        missing = []
        for place in occurrences:
            if picture := thumbs.get(place.face_id):
                yield place.face_id, picture
            else:
                missing.append(place)
        if missing:
            self.progress.start("cutting out faces", len(missing), "faces")
            for face_id, picture in make_face_thumbnails(self.root, missing):
                with contextlib.suppress(CacheError):  # a picture that cannot be kept can be shown
                    thumbs.put(face_id, picture)
                self.progress.advance()
                yield face_id, picture
            self.progress.finish()

    def thumbnails(self, occurrences: Sequence[FaceOccurrence]) -> dict[str, bytes]:
        """All of `each_picture` at once, by face id."""
        return dict(self.iter_thumbnails(occurrences))

    def review(self) -> ReviewFindings:
        """What in the groups is worth a look: faces far from theirs, groups that may be one, people in
        parts that are far apart. Nothing before the first clustering."""
        if self.groups is None or not self.persons:
            return ReviewFindings()
        params = self.groups.params
        return review_grouping(self.faces, self.persons, self.group_of, self.answers, params.threshold)

    def report_page(self, page: str | os.PathLike[str], *, faces: int = 48, groups: int | None = 300) -> ReportPage:
        """The report as one file, with links to photos as seen from `page`. `faces`: pictures a
        person; `groups`: at most this many groups without a name, None for all."""
        report = self._compose_report(faces, groups, MAX_PICTURES_PER_FILE)
        pictures = self.thumbnails(self._faces_to_picture(report))
        best = {entry.id: entry.best.face_id for entry in (*report.named, *report.groups) if entry.best}
        small = {person: shrink_thumbnail(pictures[face]) for person, face in best.items() if face in pictures}
        html = render_report(report, pictures, small, self.root, Path(page).absolute())
        return ReportPage(_encode_html(html), len(pictures), report.omitted_pictures)

    def report_html(self, page: str | os.PathLike[str], *, faces: int = 48, groups: int | None = 300) -> str:
        """The same as text."""
        return self.report_page(page, faces=faces, groups=groups).content.decode()

    def report_folder(
        self, out: str | os.PathLike[str], *, faces: int = 200, groups: int | None = None
    ) -> WrittenFolder:
        """The report as a folder: `index.html`, a page a person, pages of groups without a name, and the
        pictures. What an earlier run made there is brought up to date; a file that is not known from it
        is never touched. Raises UsageError where `out` holds other files."""
        out = Path(out).expanduser().absolute()
        require_report_folder(out)
        report = self._compose_report(faces, groups, None)
        with stage_folder(out) as stage:
            pictured = set()
            for face, picture in self.iter_thumbnails(self._faces_to_picture(report)):
                stage.add(picture_path(face), picture)
                pictured.add(face)
            for name, html in render_pages(report, frozenset(pictured), self.root, out):
                stage.add(name, _encode_html(html))
            return stage.finish()

    def map_page(self, page: str | os.PathLike[str], *, method: str = "tsne", pictures: int = 20_000) -> str:
        """Every face as a point in the plane, faces that are alike side by side, as HTML, with links
        to photos as seen from `page`. `method`: of `outputs.map.layout.METHODS`; `pictures`: at most
        this many faces have one. The same library makes the same page, to the byte. Raises
        UsageError for another method, FaceclustError for one that is not installed."""
        from faceclust.outputs.map.layout import MAX_LAYOUT_FACES, compute_layout, require_method
        from faceclust.outputs.map.render import render_map, sort_by_z_order
        from faceclust.outputs.map.sprites import choose_map_pictures

        require_method(method)
        faces, persons = self.faces, self.persons
        number = {face: i for i, person in enumerate(persons) for face in person.face_ids}
        ids = faces.face_ids.tolist()
        places = [self.occurrences_of[face][0] for face in ids]
        numbers = [number.get(face, -1) for face in ids]
        if len(ids) > MAX_LAYOUT_FACES:
            self.progress.note(
                f"{MAX_LAYOUT_FACES:,} of {len(ids):,} faces are laid out, the others put where the most alike are"
            )
        points = compute_layout(faces.embeddings, method, progress=self.progress)
        shown = choose_map_pictures(places, numbers, pictures)
        return render_map(
            str(self.root),
            method,
            sort_by_z_order(places, points, numbers),
            persons,
            self.thumbnails([place for place in places if place.face_id in shown]),
            self.root,
            Path(page).absolute(),
            self.progress,
        )

    def _compose_report(self, faces: int, groups: int | None, pictures: int | None) -> Report:
        known = ReportInput(
            library=str(self.root),
            persons=self.persons,
            occurrences_of=self.occurrences_of,
            photos=self.photos,
            photo_count=self.table.photo_count,
            findings=self.review(),
            skipped=self.table.skipped_photos(),
        )
        return compose_report(
            known, made_at=datetime.now(), faces_per_person=faces, max_groups=groups, max_pictures=pictures
        )

    def _faces_to_picture(self, report: Report) -> list[FaceOccurrence]:
        """In the order of photos, so that each is opened once."""
        return sorted(
            (self.occurrences_of[face][0] for face in report.pictures), key=lambda place: (place.photo, place.face_id)
        )


def _encode_html(html: str) -> bytes:
    """As UTF-8; bytes of file names that are not are written as caches have them, as \\xNN."""
    return html.encode("utf-8", "backslashreplace")
