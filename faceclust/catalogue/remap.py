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
from faceclust.store.erase import read_occurrences_of
from faceclust.store.folder_cache import UnusableCacheError
from faceclust.store.home import LibraryHome
from faceclust.types import Clustering, FaceOccurrence


def pack_of_clustering(clustering: Clustering) -> str:
    """The name of the pack that the grouped faces were found by."""
    return clustering.models.partition(" ")[0]


def remap_clustering(clustering: Clustering, home: LibraryHome, occurrences: Sequence[FaceOccurrence]) -> Clustering:
    """The clustering with the ids of the same faces among `places`, sorted; the others keep theirs.
    Where several faces are found as one, that of the largest group goes before."""
    here = {place.face_id for place in occurrences}
    unknown = set(clustering.face_ids.tolist()) - here
    became = _map_face_ids(unknown, pack_of_clustering(clustering), home, occurrences) if unknown else {}
    ids = np.array([became.get(face, face) for face in clustering.face_ids.tolist()], dtype=np.str_)
    sizes = np.bincount(clustering.labels + 1)[clustering.labels + 1] * (clustering.labels >= 0)
    order = np.lexsort((clustering.face_ids, -sizes, ids))
    first = order[np.unique(ids[order], return_index=True)[1]]
    columns = {name: getattr(clustering, name)[first] for name in ("labels", "strength", "parts")}
    return replace(clustering, face_ids=ids[first], **columns)


def _map_face_ids(unknown: set[str], pack: str, home: LibraryHome, places: Sequence[FaceOccurrence]) -> dict[str, str]:
    finder, became = FaceFinder(places), dict[str, str]()
    for folder in home.cached_folders(pack):
        if (path := home.cache_paths(folder, pack).existing_path) is None:
            continue
        with contextlib.suppress(UnusableCacheError):
            for place in read_occurrences_of(path, folder, unknown):
                if found := finder.find(JournalFace.from_occurrence(place, confirmed=True)):
                    became[place.face_id] = found[0]
    return became
