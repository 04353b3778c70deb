"""Groups that were made from the faces of other models, as groups of the faces there are now.

Another detector draws other boxes, and so gives faces other ids. A face is known again by its id,
else by the photo's content and the box, as the journal's faces are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from faceclust.people.events import JournalFace
from faceclust.people.face_finder import FaceFinder
from faceclust.store.erase import places_of_faces
from faceclust.store.folder_cache import UnusableCacheError
from faceclust.store.home import LibraryHome
from faceclust.types import Clustering, FacePlace


def models_of(clustering: Clustering) -> str:
    """The name of the pack that the grouped faces were found by."""
    return clustering.models.partition(" ")[0]


def carried_over(clustering: Clustering, home: LibraryHome, places: Sequence[FacePlace]) -> Clustering:
    """The clustering with the ids of the same faces among `places`, sorted; the others keep theirs.
    Where several faces are found as one, that of the largest group goes before."""
    here = {place.face_id for place in places}
    unknown = set(clustering.face_ids.tolist()) - here
    became = _became(unknown, models_of(clustering), home, places) if unknown else {}
    ids = np.array([became.get(face, face) for face in clustering.face_ids.tolist()], dtype=np.str_)
    sizes = np.bincount(clustering.labels + 1)[clustering.labels + 1] * (clustering.labels >= 0)
    order = np.lexsort((clustering.face_ids, -sizes, ids))
    first = order[np.unique(ids[order], return_index=True)[1]]
    columns = {name: getattr(clustering, name)[first] for name in ("labels", "strength", "parts")}
    return replace(clustering, face_ids=ids[first], **columns)


def _became(unknown: set[str], pack: str, home: LibraryHome, places: Sequence[FacePlace]) -> dict[str, str]:
    finder, became = FaceFinder(places), dict[str, str]()
    for folder in home.cached_folders(pack):
        if (path := home.folder_cache(folder, pack).existing) is None:
            continue
        with contextlib.suppress(UnusableCacheError):
            for place in places_of_faces(path, folder, unknown):
                if found := finder.find(JournalFace.of(place, confirmed=True)):
                    became[place.face_id] = found[0]
    return became
