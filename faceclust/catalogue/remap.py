"""Map a clustering made with another pack onto the current face ids.

Another detector finds other boxes, and so other face ids. A face is recognised by its id, or else
by its photo's content and its box, as journal faces are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from faceclust.people.events import JournalFace
from faceclust.people.face_finder import FaceFinder
from faceclust.store.erase import read_occurrences_of
from faceclust.store.folder_cache import UnusableCacheError
from faceclust.store.home import LibraryHome
from faceclust.types import Clustering, FaceOccurrence


def pack_of_clustering(clustering: Clustering) -> str:
    """Return the name of the pack that detected the grouped faces; "" in old clusterings."""
    return clustering.models.partition(" ")[0]


def remap_clustering(clustering: Clustering, home: LibraryHome, occurrences: Sequence[FaceOccurrence]) -> Clustering:
    """Return the clustering with the ids of the same faces among `occurrences`, sorted.

    Faces without a match keep their ids.
    """
    current = {occurrence.face_id for occurrence in occurrences}
    unknown = set(clustering.face_ids.tolist()) - current
    new_ids = _map_face_ids(unknown, pack_of_clustering(clustering), home, occurrences) if unknown else {}
    return rename_faces(clustering, new_ids)


def rename_faces(clustering: Clustering, new_ids: Mapping[str, str]) -> Clustering:
    """Return the clustering with other ids for some faces, sorted. If several map to one, the largest group wins."""
    ids = np.array([new_ids.get(face, face) for face in clustering.face_ids.tolist()], dtype=np.str_)
    sizes = np.bincount(clustering.labels + 1)[clustering.labels + 1] * (clustering.labels >= 0)
    order = np.lexsort((clustering.face_ids, -sizes, ids))
    first = order[np.unique(ids[order], return_index=True)[1]]
    return replace(clustering.take(first), face_ids=ids[first])


def _map_face_ids(
    unknown: set[str], pack: str, home: LibraryHome, occurrences: Sequence[FaceOccurrence]
) -> dict[str, str]:
    """Old → current id of the faces in the caches of this pack."""
    finder, new_ids = FaceFinder(occurrences), dict[str, str]()
    for folder in home.cached_folders(pack):
        if (path := home.cache_paths(folder, pack).existing_path) is None:
            continue
        with contextlib.suppress(UnusableCacheError):
            for old in read_occurrences_of(path, folder, unknown):
                if found := finder.find(JournalFace.from_occurrence(old, confirmed=True)):
                    new_ids[old.face_id] = found[0]
    return new_ids
