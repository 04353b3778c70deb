"""What leaves a library for other programs: albums, tables and XMP."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceclust.catalogue.catalogue import Catalogue
from faceclust.outputs.albums import (
    DEFAULT_LAYOUT,
    AlbumFilter,
    AlbumMember,
    AlbumPlan,
    SkippedPath,
    build_album,
    make_albums,
    plan_albums,
)
from faceclust.outputs.face_table import build_rows
from faceclust.outputs.search import parse_date_range

if TYPE_CHECKING:
    from faceclust.outputs.sidecars import SidecarPlan


class Sharing(Catalogue):
    """A library whose persons other programs can have."""

    def plan_albums(
        self,
        out: str | os.PathLike[str],
        *,
        layout: str = DEFAULT_LAYOUT,
        kind: str = "symlink",
        absolute: bool = False,
        people: Iterable[str] = (),
        together: Iterable[Sequence[str]] = (),
        unnamed: bool = False,
        min_quality: float = 0.0,
        confirmed: bool = False,
        since: str | None = None,
        until: str | None = None,
    ) -> AlbumPlan:
        """What albums of the named persons need below `out`.

        `layout`: where a photo goes, of the fields in `outputs.albums.FIELDS`; `kind`: one of
        `outputs.albums.KINDS`; `absolute`: symbolic links hold full paths. `people` (names, group
        numbers) and `together` (several of them each: the photos with all of these) leave out
        everybody else; `unnamed` adds the groups without a name. `min_quality` (0 to 1) and
        `confirmed` are asked of the faces that bring a photo into an album, `since` and `until` of
        its date, as in `search`. Raises UsageError for what is not known or senseless.
        """
        choice = AlbumFilter(min_quality, confirmed, *parse_date_range(since, until))
        wanted = [[self._find_album_member(who)] for who in people] + [
            [self._find_album_member(who) for who in group] for group in together
        ]
        everybody = () if wanted else self.people()
        wanted += [
            [AlbumMember.from_person(person)] for person in (*everybody, *(self.unnamed_groups() if unnamed else ()))
        ]
        return plan_albums(
            [build_album(members, self.occurrences_of, choice) for members in wanted],
            self.photos,
            self.root,
            [self.root / folder for folder in self.home.cached_folders()],
            Path(out).expanduser().absolute(),
            layout=layout,
            kind=kind,
            absolute=absolute,
        )

    def make_albums(self, plan: AlbumPlan) -> tuple[SkippedPath, ...]:
        """Carry out a plan of `plan_albums`. Gives what was left alone beside what the plan says."""
        return make_albums(plan, self.progress)

    def _find_album_member(self, who: str) -> AlbumMember:
        """Somebody pointed at, for an album."""
        target = self.select_faces(who)
        person = self.find_person(target.name) if target.name else None
        if person and target.is_person:
            return AlbumMember.from_person(person)
        sure = person.confirmed.intersection(target.faces) if person else frozenset()
        return AlbumMember(target.label, target.name or target.label, target.faces, sure)

    def plan_xmp(
        self,
        out: str | os.PathLike[str] | None = None,
        *,
        names: str = "file.jpg.xmp",
        confirmed: bool = False,
        all_faces: bool = False,
    ) -> SidecarPlan:
        """What XMP sidecars with the named faces need, beside the photos or, as the same tree, below
        `out`. `names`: one of `outputs.sidecars.NAMES`. `confirmed`: only confirmed faces are named;
        `all_faces`: those without a name are in it too, but for ignored ones. Raises UsageError."""
        from faceclust.outputs.sidecars import UprightFace, plan_sidecars
        from faceclust.photos.embedded_xmp import read_embedded_packets
        from faceclust.photos.iptc import read_iptc_keywords  # loads the decoders, as the next does
        from faceclust.photos.orientation import read_orientation

        def laid(path: Path) -> tuple[int, tuple[int, int] | None] | None:
            self.progress.advance()
            found = read_orientation(path)
            return (found.orientation, found.size) if found else None

        def inside(path: Path) -> tuple[bytes | None, tuple[str, ...]]:
            try:
                packets = read_embedded_packets(path)
            except OSError:  # it says nothing, then; that it is there was seen before
                packets = []
            return packets[0] if packets else None, read_iptc_keywords(path)

        ignored = {face for person in self.persons if person.ignored for face in person.face_ids}
        faces: dict[str, list[UprightFace]] = {}
        for place in self.occurrences:
            person = self.person_of.get(place.face_id)
            sure = person is not None and place.face_id in person.confirmed
            name = person.name if person and (sure or not confirmed) else None
            left, top, right, bottom = place.box
            if (name or (all_faces and place.face_id not in ignored)) and left < right and top < bottom:
                faces.setdefault(place.photo, []).append(UprightFace(place.box, name, sure))
        target = Path(out).expanduser().absolute() if out is not None else None
        self.progress.start("looking at photos and sidecars", len(faces), "photos")
        try:
            return plan_sidecars(self.root, faces, self.photos, laid, inside, target, names)
        finally:
            self.progress.finish()

    def write_xmp(self, plan: SidecarPlan) -> SidecarPlan:
        """Carry out a plan of `plan_xmp`; gives it as it came out. What cannot be written is left
        alone, with the reason, and the rest is written."""
        from faceclust.outputs.sidecars import write_sidecars

        self.progress.start("writing sidecars", len(plan.with_action("make", "change")), "sidecars")
        done = {}
        for sidecar in write_sidecars(plan):
            done[sidecar.path, sidecar.photo] = sidecar
            self.progress.advance()
        self.progress.finish()
        return replace(plan, sidecars=tuple(done.get((old.path, old.photo), old) for old in plan.sidecars))

    def export(self) -> list[dict[str, Any]]:
        """One row a face on a photo, as `faceclust export` writes them."""
        return build_rows(self.occurrences, self.persons, self.group_of, self.photos)
