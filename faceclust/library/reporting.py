"""Show persons, groups and faces as HTML: the report and the map."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import CacheError
from faceclust.files.user_folders import expand_user
from faceclust.library.isolated_pictures import make_thumbnails
from faceclust.library.review import review
from faceclust.outputs.report.compose import ReportInput, compose_report
from faceclust.outputs.report.folder import REPORT
from faceclust.outputs.report.render import picture_path, render_pages, render_report
from faceclust.outputs.report.values import Report
from faceclust.outputs.staged_folder import WrittenFolder, require_output_folder, stage_folder
from faceclust.photos.thumbnails import is_thumbnail, shrink_thumbnail
from faceclust.store.thumbs import ThumbStore
from faceclust.types import FaceOccurrence, Float32, Person

#: About 25 MB, which a phone still opens.
MAX_PICTURES_PER_FILE = 3000

# -- thumbnails ---------------------------------------------------------------


def iter_thumbnails(library: Catalogue, occurrences: Sequence[FaceOccurrence]) -> Iterator[tuple[str, bytes]]:
    """Yield (face id, JPEG) for each face, cached thumbnails first.

    Thumbnails that are missing, or are no small JPEG, are cut out of the photos and cached. A face
    whose photo cannot be read is left out.
    """
    thumbs = ThumbStore(library.home.thumbs)
    missing = []
    for occurrence in occurrences:
        picture = thumbs.get(occurrence.face_id)
        if picture is not None and is_thumbnail(picture):
            yield occurrence.face_id, picture
        else:
            missing.append(occurrence)
    if library.roots.away:
        places = (library.viewable_occurrence(occurrence.face_id) for occurrence in missing)
        missing = [place for place in places if library.is_here(place.photo)]
    if missing:
        library.progress.start("cutting out faces", len(missing), "faces")
        for face_id, picture in make_thumbnails(library.roots, missing, library.progress.note):
            with contextlib.suppress(CacheError):  # it can be shown even if it cannot be cached
                thumbs.put(face_id, picture)
            library.progress.advance()
            yield face_id, picture
        library.progress.finish()


def thumbnails(library: Catalogue, occurrences: Sequence[FaceOccurrence]) -> dict[str, bytes]:
    """Return face id → JPEG for all of `iter_thumbnails`."""
    return dict(iter_thumbnails(library, occurrences))


# -- report -------------------------------------------------------------------


@dataclass(frozen=True)
class ReportPage:
    """A report in one file.

    `content`: UTF-8 HTML. `pictures`: number of pictures in it. `omitted_pictures`: number of
    further pictures that a report folder would have.
    """

    content: bytes
    pictures: int
    omitted_pictures: int


def report_page(
    library: Catalogue, page: str | os.PathLike[str], *, faces: int = 48, groups: int | None = 300
) -> ReportPage:
    """Return the report as one HTML file, with links to photos relative to the path `page`.

    `faces`: pictures per person. `groups`: maximum number of groups without a name, None for all.
    Nothing is written. Raises NothingScannedError before the first scan.
    """
    report = _compose_report(library, faces, groups, MAX_PICTURES_PER_FILE)
    pictures = thumbnails(library, _occurrences_to_picture(library, report))
    best = {entry.id: entry.best.face_id for entry in (*report.named, *report.groups) if entry.best}
    small = {person: shrink_thumbnail(pictures[face]) for person, face in best.items() if face in pictures}
    html = render_report(report, pictures, small, library.root, Path(page).absolute())
    return ReportPage(_encode_html(html), len(pictures), report.omitted_pictures)


def report_folder(
    library: Catalogue, out: str | os.PathLike[str], *, faces: int = 200, groups: int | None = None
) -> WrittenFolder:
    """Write the report as a folder: `index.html`, a page per person, pages of unnamed groups, and pictures.

    `faces` and `groups` as in `report_page`. A folder from an earlier run is brought up to date; files
    that no run has written are never touched. Raises UsageError if `out` holds only other files.
    """
    out = expand_user(out).absolute()
    require_output_folder(out, REPORT)
    report = _compose_report(library, faces, groups, None)
    with stage_folder(out, REPORT) as stage:
        pictured = set()
        for face, picture in iter_thumbnails(library, _occurrences_to_picture(library, report)):
            stage.add(picture_path(face), picture)
            pictured.add(face)
        for name, html in render_pages(report, frozenset(pictured), library.root, out):
            stage.add(name, _encode_html(html))
        return stage.finish()


def _compose_report(library: Catalogue, faces: int, groups: int | None, pictures: int | None) -> Report:
    known = ReportInput(
        library=str(library.root),
        persons=library.persons,
        occurrences_of=library.occurrences_of,
        photos=library.photos,
        photo_count=library.table.photo_count,
        findings=review(library),
        skipped=library.table.skipped_photos(),
    )
    return compose_report(
        known, made_at=datetime.now(), faces_per_person=faces, max_groups=groups, max_pictures=pictures
    )


def _occurrences_to_picture(library: Catalogue, report: Report) -> list[FaceOccurrence]:
    """The faces to show, in the order of photos, so that each photo is opened once."""
    occurrences = (library.occurrences_of[face][0] for face in report.pictures)
    return sorted(occurrences, key=lambda occurrence: (occurrence.photo, occurrence.face_id))


def _encode_html(html: str) -> bytes:
    """Encode as UTF-8. Undecodable bytes of file names become \\xNN, as in caches."""
    return html.encode("utf-8", "backslashreplace")


# -- map ----------------------------------------------------------------------


@dataclass(frozen=True)
class MappedFaces:
    """The faces of a map. `persons` has the index of each face's person in `everybody`, −1 for a face that is alone.
    `embeddings`: float32 (n, d)."""

    occurrences: list[FaceOccurrence]
    embeddings: Float32
    persons: list[int]
    everybody: tuple[Person, ...]


def list_mapped_faces(library: Catalogue) -> MappedFaces:
    """Return the faces that can be compared, in the order of `library.faces`."""
    faces, everybody = library.faces, library.persons
    index_of = {face: i for i, person in enumerate(everybody) for face in person.face_ids}
    ids = faces.face_ids.tolist()
    return MappedFaces(
        [library.occurrences_of[face][0] for face in ids],
        faces.embeddings,
        [index_of.get(face, -1) for face in ids],
        tuple(everybody),
    )


def map_page(library: Catalogue, page: str | os.PathLike[str], *, method: str = "tsne", pictures: int = 20_000) -> str:
    """Return a map of all faces as HTML, with links to photos relative to the path `page`.

    Each face is a point in the plane, near the faces most similar to it. `method`: one of
    `outputs.map.layout.METHODS`. `pictures`: maximum number of faces with a picture. The same
    library gives the same page, byte for byte. Raises UsageError for an unknown method,
    FaceclustError for one that is not installed.
    """
    from faceclust.outputs.map.layout import MAX_LAYOUT_FACES, compute_layout, require_method
    from faceclust.outputs.map.render import render_map, sort_by_z_order
    from faceclust.outputs.map.sprites import choose_map_pictures

    require_method(method)
    faces = list_mapped_faces(library)
    if len(faces.occurrences) > MAX_LAYOUT_FACES:
        library.progress.note(
            f"the layout is computed from {MAX_LAYOUT_FACES:,} of {len(faces.occurrences):,} faces; "
            "the others are placed beside the most similar ones"
        )
    points = compute_layout(faces.embeddings, method, progress=library.progress)
    shown = choose_map_pictures(faces.occurrences, faces.persons, pictures)
    return render_map(
        str(library.root),
        method,
        sort_by_z_order(faces.occurrences, points, faces.persons),
        faces.everybody,
        thumbnails(library, [occurrence for occurrence in faces.occurrences if occurrence.face_id in shown]),
        library.root,
        Path(page).absolute(),
        library.progress,
    )
