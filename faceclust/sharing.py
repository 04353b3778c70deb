"""What leaves a library for other programs: albums, tables and XMP."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from faceclust.catalogue import Catalogue
from faceclust.outputs.albums import AlbumPlan, make_albums, plan_albums
from faceclust.outputs.sidecars import NAMES, SidecarPlan, UprightFace, plan_sidecars, write_sidecars
from faceclust.outputs.tables import export_rows


class Sharing(Catalogue):
    """A library whose persons other programs can have."""

    def plan_albums(self, out: str | os.PathLike[str], *, kind: str = "symlink", unnamed: bool = False) -> AlbumPlan:
        """What a folder for each person below `out` needs; `unnamed` adds the other groups."""
        persons = [*self.people(), *(self.unnamed_groups() if unnamed else ())]
        photos_of: Mapping[str, list[str]] = {
            face: [place.photo for place in places] for face, places in self.places_of.items()
        }
        folders = [self.root / folder for folder in self.home.cached_folders()]
        return plan_albums(persons, photos_of, self.root, folders, Path(out).expanduser().absolute(), kind)

    def make_albums(self, plan: AlbumPlan) -> None:
        """Carry out a plan of `plan_albums`."""
        make_albums(plan)

    def plan_xmp(
        self,
        out: str | os.PathLike[str] | None = None,
        *,
        names: str = NAMES[0],
        confirmed: bool = False,
        all_faces: bool = False,
    ) -> SidecarPlan:
        """What XMP sidecars with the named faces need, beside the photos or, as the same tree, below
        `out`. `names`: one of `outputs.sidecars.NAMES`. `confirmed`: only confirmed faces are named;
        `all_faces`: those without a name are in it too, but for ignored ones. Raises UsageError."""
        from faceclust.photos.laid import how_laid  # loads the decoders

        def laid(path: Path) -> tuple[int, tuple[int, int] | None] | None:
            self.progress.advance()
            found = how_laid(path)
            return (found.orientation, found.size) if found else None

        ignored = {face for person in self.persons if person.ignored for face in person.face_ids}
        faces: dict[str, list[UprightFace]] = {}
        for place in self.places:
            person = self.person_of.get(place.face_id)
            name = person.name if person and (place.face_id in person.confirmed or not confirmed) else None
            left, top, right, bottom = place.box
            if (name or (all_faces and place.face_id not in ignored)) and left < right and top < bottom:
                faces.setdefault(place.photo, []).append(UprightFace(place.box, name))
        target = Path(out).expanduser().absolute() if out is not None else None
        self.progress.start("looking at photos and sidecars", len(faces), "photos")
        try:
            return plan_sidecars(self.root, faces, self.photos, laid, target, names)
        finally:
            self.progress.finish()

    def write_xmp(self, plan: SidecarPlan) -> SidecarPlan:
        """Carry out a plan of `plan_xmp`; gives it as it came out. What cannot be written is left
        alone, with the reason, and the rest is written."""
        self.progress.start("writing sidecars", len(plan.with_action("make", "change")), "sidecars")
        done = {}
        for sidecar in write_sidecars(plan):
            done[sidecar.path, sidecar.photo] = sidecar
            self.progress.advance()
        self.progress.finish()
        return replace(plan, sidecars=tuple(done.get((old.path, old.photo), old) for old in plan.sidecars))

    def export(self) -> list[dict[str, Any]]:
        """One row a face on a photo, as `faceclust export` writes them."""
        return export_rows(self.places, self.persons, self.cluster_of, self.photos)
