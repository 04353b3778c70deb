"""The faces, photos and clustering of a library, as its caches have them at one moment."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from faceclust.catalogue.corrections import PartsCache, apply_corrections
from faceclust.catalogue.models_in_use import ModelsInUse
from faceclust.catalogue.remap import pack_of_clustering, remap_clustering
from faceclust.cluster.local_scaling import Surroundings
from faceclust.cluster.numbering import find_sorted
from faceclust.errors import NothingScannedError
from faceclust.files.names import is_utf8, pack_of_cache_file
from faceclust.files.own_files import own_exists
from faceclust.files.program_folders import is_skipped
from faceclust.people.groups import Groups
from faceclust.people.replay import ReplayedAnswers
from faceclust.store.clusters import read_clusters
from faceclust.store.folder_cache import FolderCache, UnusableCacheError, read_caches
from faceclust.store.home import LibraryHome
from faceclust.store.library_table import LibraryTable
from faceclust.store.settings import included_folders
from faceclust.types import Clustering, FaceOccurrence, FaceTable, Float32, Float64, PhotoInfo, scale_crowding
from faceclust.types.face_numbers import sort_faces_from_left


class FaceSnapshot:
    """The saved results of the last scan and the last clustering.

    Each value is read when first needed and then kept. `on_note` receives a message for each cache that cannot be used.
    """

    def __init__(self, home: LibraryHome, models: ModelsInUse, on_note: Callable[[str], None]) -> None:
        self._home, self._models, self._on_note = home, models, on_note
        self._table: LibraryTable | None = None
        self._parts_cache: PartsCache = {}

    @property
    def loaded_table(self) -> LibraryTable | None:
        """The table if it has been read already."""
        return self._table

    @property
    def table(self) -> LibraryTable:
        """The rows of every folder's cache. Raises NothingScannedError if there are none."""
        if self._table is None:
            self._table = self._read_table()
        return self._table

    def _read_table(self) -> LibraryTable:
        info = self._models.cache_info
        included = included_folders(self._home.root)
        caches = (
            (folder, FolderCache(self._home.cache_paths(folder, info.pack), info))
            for folder in self._home.cached_folders(info.pack)
            # A scan names and skips the others.
            if is_utf8(folder) and not is_skipped(self._home.root, folder, included)
        )
        folders = list(read_caches(caches, self._note_unusable))
        if not folders:
            self._require_scan(info.pack)
        return LibraryTable.from_folders(folders, info)

    def _note_unusable(self, error: UnusableCacheError) -> None:
        # Size and time of the file may be those that the last scan left.
        self._home.discard_scan_snapshot(self._models.pack_name)
        self._on_note(f"{error}; its faces are left out until `faceclust scan` makes it again")

    def _require_scan(self, pack: str) -> None:
        """Raise NothingScannedError unless a scan with this pack has found the library empty."""
        root = self._home.root
        other_packs = {pack_of_cache_file(path.name) for path, _ in self._home.cache_files()} - {pack, None}
        if other_packs:
            raise NothingScannedError(
                f"no photos of {root} have been scanned with the pack {pack} yet",
                hint=f"faceclust scan {shlex.quote(str(root))}; or go back: faceclust models use "
                f"{min(filter(None, other_packs))} --library {shlex.quote(str(root))}",
            )
        if self._home.last_scan_time() is None:
            hint = f"faceclust scan {shlex.quote(str(root))}"
            if own_exists(self._home.journal):
                hint += "; the names given before come back"
            raise NothingScannedError(f"no photos of {root} have been scanned yet", hint=hint)

    @cached_property
    def faces(self) -> FaceTable:
        """Every distinct face, with its embedding."""
        return self.table.face_table()

    def faces_of(self, face_ids: Sequence[str]) -> FaceTable:
        """The faces with these ids."""
        return self.table.face_table(face_ids=face_ids)

    @cached_property
    def occurrences(self) -> list[FaceOccurrence]:
        """Every face on every photo, by photo path."""
        return list(self.table.occurrences())

    @cached_property
    def occurrences_of(self) -> dict[str, list[FaceOccurrence]]:
        """Face id → its occurrences: several if a photo has copies."""
        found: dict[str, list[FaceOccurrence]] = defaultdict(list)
        for occurrence in self.occurrences:
            found[occurrence.face_id].append(occurrence)
        return dict(found)

    @cached_property
    def faces_on(self) -> dict[str, tuple[FaceOccurrence, ...]]:
        """Content hash of a photo → its faces from left to right."""
        return sort_faces_from_left(self.occurrences)

    @cached_property
    def photo_of(self) -> dict[str, str]:
        """Face id → content hash of its photo."""
        return {face: occurrences[0].photo_hash for face, occurrences in self.occurrences_of.items()}

    @cached_property
    def photos(self) -> dict[str, PhotoInfo]:
        """Photo path → photo, for every readable photo, with faces or without."""
        return {photo.photo: photo for photo in self.table.photos()}

    @cached_property
    def saved_clustering(self) -> Clustering | None:
        """The last clustering as it was saved; None before the first. Raises CacheError if it is damaged."""
        return read_clusters(self._home.existing_clusters())

    @cached_property
    def clustering(self) -> Clustering | None:
        """The last clustering, on the current face ids; None before the first."""
        return self.remap(self.saved_clustering)

    @cached_property
    def _scaled_clustering(self) -> Clustering | None:
        """The last clustering if it has a crowding that holds for the embeddings of today."""
        clustering = self.clustering
        if clustering is None or clustering.models != self._models.embedding_space:
            return None
        return clustering if clustering.params.local_scaling else None

    @cached_property
    def _surroundings(self) -> Surroundings | None:
        """The groups that crowding is measured against; None without local scaling."""
        clustering = self._scaled_clustering
        if clustering is None:
            return None
        grouped = clustering.take(np.flatnonzero(clustering.unscaled_groups >= 0))
        place = find_sorted(self.faces.face_ids, grouped.face_ids)
        present = place >= 0
        return Surroundings(self.faces.embeddings[place[present]], grouped.unscaled_groups[present].astype(np.int64))

    @cached_property
    def face_offsets(self) -> Float64:
        """What local scaling adds to each squared distance of the `faces`, (n,): one value for each of two faces."""
        return self.offsets_of(self.faces.face_ids, self.faces.embeddings)

    def offsets_of(self, face_ids: Sequence[str] | NDArray[np.str_], embeddings: Float32) -> Float64:
        """Return what local scaling adds to each squared distance of these faces (m, d), float64 (m,).

        It is kept with the clustering. Other faces, from outside the library or added since, are
        measured against the groups of the clustering. Without local scaling it is 0.
        """
        offsets, clustering = np.zeros(len(embeddings)), self._scaled_clustering
        if clustering is None or not len(embeddings):
            return offsets
        place = np.array([self._place_in_clustering.get(face, -1) for face in face_ids], np.int64)
        offsets[place >= 0] = clustering.offsets[place[place >= 0]]
        if (place < 0).any() and self._surroundings is not None:
            crowding = self._surroundings.crowding_of(embeddings[place < 0], clustering.params.threshold)
            offsets[place < 0] = scale_crowding(crowding, clustering.median_crowding, clustering.params)
        return offsets

    @cached_property
    def _place_in_clustering(self) -> dict[str, int]:
        """Face id → its position in the clustering."""
        return {} if self.clustering is None else {face: i for i, face in enumerate(self.clustering.face_ids.tolist())}

    @cached_property
    def new_faces(self) -> frozenset[str]:
        """The faces missing from the clustering before the last."""
        previous = self.remap(read_clusters(self._home.previous_clusters))
        if previous is None:
            return frozenset()
        return frozenset(self.occurrences_of).difference(previous.face_ids.tolist())

    def remap(self, clustering: Clustering | None) -> Clustering | None:
        """Map a clustering made with another pack onto the current face ids."""
        if clustering is None or pack_of_clustering(clustering) in ("", self._models.pack_name):
            return clustering
        return remap_clustering(clustering, self._home, self.occurrences)

    @cached_property
    def uncorrected_groups(self) -> Groups | None:
        """The groups of the last clustering, before the user's corrections; None before the first."""
        return None if self.clustering is None else Groups.from_clustering(self.clustering, self.occurrences_of.keys())

    def correct_groups(self, answers: ReplayedAnswers) -> Groups | None:
        """Apply answers to the groups of the last clustering; None before the first."""
        if self.uncorrected_groups is None:
            return None
        return apply_corrections(
            self.uncorrected_groups,
            answers,
            self.faces_of,
            lambda faces: self.offsets_of(faces.face_ids, faces.embeddings),
            self._parts_cache,
        )
