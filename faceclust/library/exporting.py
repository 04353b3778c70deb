"""Hand names and faces to other programs: albums, XMP sidecars and tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.files.names import is_video_name
from faceclust.files.safe_paths import is_among_photos, is_at_or_below
from faceclust.files.user_folders import expand_user
from faceclust.library.searching import folder_below_root
from faceclust.library.selection import Selector, Selectors
from faceclust.outputs import albums
from faceclust.outputs.albums import (
    DEFAULT_LAYOUT,
    AlbumFilter,
    AlbumMember,
    AlbumPlan,
    SkippedPath,
    build_album,
)
from faceclust.outputs.face_table import build_rows
from faceclust.outputs.search import parse_date_range
from faceclust.text.plural import format_count
from faceclust.types.arguments import as_list, require_number, require_text

if TYPE_CHECKING:
    from faceclust.outputs.sidecars import SidecarPlan, UprightFace

# -- albums -------------------------------------------------------------------


def plan_albums(
    library: Catalogue,
    out: str | os.PathLike[str],
    *,
    layout: str = DEFAULT_LAYOUT,
    kind: str = "symlink",
    absolute: bool = False,
    people: Selectors = (),
    together: Iterable[Sequence[Selector]] = (),
    unnamed: bool = False,
    groups: bool = False,
    min_quality: float = 0.0,
    confirmed: bool = False,
    since: str | None = None,
    until: str | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> AlbumPlan:
    """Plan albums of the named persons below the folder `out`.

    `layout`: path of a photo in the albums, made of `outputs.albums.FIELDS`. `kind`: one of
    `outputs.albums.LINK_KINDS`. `absolute`: symbolic links hold absolute paths. `people` (names, group
    numbers) and `together` (lists of these, each for the photos that show all of them) replace the
    default, which is all named persons. `unnamed` adds the groups without a name, `groups` an album of each group
    of people, with the photos of anybody in it. `min_quality`
    (0 to 1) and `confirmed` restrict the faces that put a photo into an album; `since` and `until`
    restrict its date and `folder` its place, as in `search`. Raises UsageError for an unknown person or an
    invalid value.
    """
    require_text("layout", layout)
    require_number("min_quality", min_quality)
    album_filter = AlbumFilter(
        min_quality, confirmed, *parse_date_range(since, until), folder=folder_below_root(library, folder)
    )
    members = [[_find_album_member(library, person)] for person in as_list(people)]
    members += [[_find_album_member(library, person) for person in as_list(group)] for group in as_list(together)]
    persons = () if members else library.people()
    if unnamed:
        persons += library.unnamed_groups()
    members += [[AlbumMember.from_person(person)] for person in persons]
    if groups:
        members += [[AlbumMember.from_people(name, people)] for name, people in library.people_groups.items()]
    return albums.build_album_plan(
        [build_album(group, library.occurrences_of, album_filter) for group in members],
        library.photos,
        library.roots,
        [library.root / folder for folder in library.home.cached_folders()],
        expand_user(out).absolute(),
        layout=layout,
        kind=kind,
        absolute=absolute,
    )


def make_albums(library: Catalogue, plan: AlbumPlan) -> tuple[SkippedPath, ...]:
    """Carry out a plan of `plan_albums`. Return the paths skipped in addition to those of the plan."""
    return albums.apply_album_plan(plan, library.progress)


def _find_album_member(library: Catalogue, selector: Selector) -> AlbumMember:
    selection = library.select_faces(selector)
    person = library.find_person(selection.name) if selection.name else None
    if person and selection.is_person:
        return AlbumMember.from_person(person)
    confirmed = person.confirmed.intersection(selection.faces) if person else frozenset()
    return AlbumMember(selection.label, selection.name or selection.label, selection.faces, confirmed)


# -- XMP sidecars -------------------------------------------------------------


def plan_xmp(
    library: Catalogue,
    out: str | os.PathLike[str] | None = None,
    *,
    names: str = "file.jpg.xmp",
    confirmed: bool = False,
    all_faces: bool = False,
    folder: str | os.PathLike[str] | None = None,
) -> SidecarPlan:
    """Plan XMP sidecars with the named faces, beside the photos or in the same tree below `out`.

    `names`: one of `outputs.sidecars.SIDECAR_NAMES`. `confirmed`: only confirmed faces get their names.
    `all_faces`: faces without a name are included, except ignored ones. `folder`: only
    sidecars of the photos in and below it, as in `search`. Raises UsageError if `out` cannot hold sidecars.
    """
    from faceclust.outputs.sidecars import plan_sidecars
    from faceclust.photos.embedded_metadata import read_embedded_metadata
    from faceclust.photos.orientation import read_orientation  # loads the decoders

    def orientation_and_size(path: Path) -> tuple[int, tuple[int, int] | None] | None:
        library.progress.advance()
        found = read_orientation(path)
        return (found.orientation, found.size) if found else None

    def packets_and_keywords(path: Path) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
        embedded = read_embedded_metadata(path)
        return embedded.xmp, (*embedded.iptc_keywords, *embedded.windows_keywords)

    within = folder_below_root(library, folder)
    faces = _faces_to_export(library, confirmed=confirmed, all_faces=all_faces)
    faces = {photo: found for photo, found in faces.items() if is_at_or_below(photo, within)}
    photos = {
        photo: info
        for photo, info in library.photos.items()
        if is_at_or_below(photo, within) and not is_video_name(photo)
    }
    if videos := faces.keys() - photos.keys():
        library.progress.note(f"{format_count(len(videos), 'video')} left out: XMP describes photos only")
        faces = {photo: found for photo, found in faces.items() if photo in photos}
    target = expand_user(out).absolute() if out is not None else None
    if within and target is not None and is_among_photos(target.resolve(), library.root, library.photos):
        raise UsageError(f"there are photos of the library in or beside {target}", hint="name a folder without photos")
    library.progress.start("reading photos and sidecars", len(faces), "photos")
    try:
        return plan_sidecars(library.roots, faces, photos, orientation_and_size, packets_and_keywords, target, names)
    finally:
        library.progress.finish()


def _faces_to_export(library: Catalogue, *, confirmed: bool, all_faces: bool) -> dict[str, list[UprightFace]]:
    """Photo path → its faces to put into a sidecar, as `plan_xmp` describes them."""
    from faceclust.outputs.sidecars import UprightFace

    ignored = {face for person in library.persons if person.ignored for face in person.face_ids}
    faces: dict[str, list[UprightFace]] = {}
    for occurrence in library.occurrences:
        person = library.person_of.get(occurrence.face_id)
        is_confirmed = person is not None and occurrence.face_id in person.confirmed
        name = person.name if person and (is_confirmed or not confirmed) else None
        left, top, right, bottom = occurrence.box
        is_wanted = name or (all_faces and occurrence.face_id not in ignored)
        if is_wanted and left < right and top < bottom:
            box = None if occurrence.is_whole_photo else occurrence.box
            if box or name:
                aliases = person.facts.aliases if person and name else ()
                faces.setdefault(occurrence.photo, []).append(UprightFace(box, name, is_confirmed, aliases))
    return faces


def write_xmp(library: Catalogue, plan: SidecarPlan) -> SidecarPlan:
    """Carry out a plan of `plan_xmp`. Return it with each sidecar's outcome.

    A sidecar that cannot be written is left alone, with the reason; the others are written.
    """
    from faceclust.outputs.sidecars import write_sidecars

    library.progress.start("writing sidecars", len(plan.with_action("make", "change")), "sidecars")
    written = {}
    for sidecar in write_sidecars(plan):
        written[sidecar.path, sidecar.photo] = sidecar
        library.progress.advance()
    library.progress.finish()
    return replace(plan, sidecars=tuple(written.get((old.path, old.photo), old) for old in plan.sidecars))


# -- tables -------------------------------------------------------------------


def export(
    library: Catalogue,
    *,
    embeddings: bool = False,
    confirmed: bool = False,
    folder: str | os.PathLike[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield one record per face on a photo, as `faceclust export` writes them.

    `embeddings`: add the column "embedding", float32 (d,), None for a face that cannot be compared.
    `confirmed`: confirmed faces only. `folder`: only photos in and below it, as in `search`. Raises
    NothingScannedError before the first scan.
    """
    vectors = dict(zip(library.faces.face_ids.tolist(), library.faces.embeddings, strict=True)) if embeddings else None
    within = folder_below_root(library, folder)
    occurrences = [one for one in library.occurrences if is_at_or_below(one.photo, within)]
    rows = build_rows(occurrences, library.persons, library.group_of, library.table.photos(), vectors)
    return (row for row in rows if row["confirmed"]) if confirmed else rows
