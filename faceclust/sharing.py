"""What leaves a library for other programs: albums and tables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faceclust.catalogue import Catalogue
from faceclust.outputs.albums import AlbumPlan, make_albums, plan_albums
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

    def export(self) -> list[dict[str, Any]]:
        """One row a face on a photo, as `faceclust export` writes them."""
        return export_rows(self.places, self.persons, self.cluster_of, self.photos)
