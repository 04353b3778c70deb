"""The faces, photos and clustering of a library that count at one moment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from faceclust.catalogue.corrections import PartsCache, apply_corrections
from faceclust.catalogue.models_in_use import ModelsInUse
from faceclust.catalogue.remap import pack_of_clustering, remap_clustering, rename_faces
from faceclust.catalogue.stored_faces import StoredFaces
from faceclust.cluster.local_scaling import Surroundings
from faceclust.cluster.numbering import find_sorted
from faceclust.errors import FaceclustError
from faceclust.people.date_evidence import FaceDates
from faceclust.people.events import Event, effective_events
from faceclust.people.groups import Groups
from faceclust.people.hand_edits import replay_hand_edits
from faceclust.people.hidden_faces import HiddenFaces
from faceclust.people.replay import JournalReplay, ReplayedAnswers
from faceclust.store.clusters import read_clusters
from faceclust.store.home import LibraryHome
from faceclust.store.library_table import LibraryTable
from faceclust.store.scan_snapshot import read_scan_snapshot
from faceclust.types import (
    Clustering,
    FaceOccurrence,
    FaceTable,
    Float32,
    Float64,
    PhotoInfo,
    ScannedPhoto,
    scale_crowding,
)

V = TypeVar("V")


class FaceSnapshot:
    """The saved results of the last scan, without the faces that the user's answers hide, and of the last clustering.

    Each value is worked out when first needed and then kept. `read_events` returns the events of the journal.
    Boxes drawn by hand that no event mentions are hidden, and so are faces that were removed, moved or drawn
    over.
    """

    def __init__(
        self, stored: StoredFaces, home: LibraryHome, models: ModelsInUse, read_events: Callable[[], list[Event]]
    ) -> None:
        self.stored = stored
        self._home, self._models, self._read_events = home, models, read_events
        self._parts_cache = PartsCache()

    def refresh(self) -> FaceSnapshot:
        """Return this snapshot if the same faces count as before, else one of those that count now."""
        if "hidden" not in self.__dict__:
            return self
        current = self._with_stored(self.stored)
        return self if current.hidden == self.hidden else current

    def with_stored_faces(self, photos: Sequence[ScannedPhoto]) -> FaceSnapshot:
        """Return a snapshot with faces that were added to the caches of these photos."""
        return self._with_stored(self.stored.with_faces(photos))

    def _with_stored(self, stored: StoredFaces) -> FaceSnapshot:
        """Return a snapshot of these faces and the same clustering."""
        current = FaceSnapshot(stored, self._home, self._models, self._read_events)
        for name in ("saved_clustering", "_stored_clustering", "_stored_groups"):
            if name in self.__dict__:
                current.__dict__[name] = self.__dict__[name]
        return current

    @cached_property
    def hidden(self) -> HiddenFaces:
        """The faces that do not count, each with the drawn face that stands for it."""
        events = effective_events(self._read_events())
        edits = replay_hand_edits(events)
        if not edits and not self.stored.has_faces_by_hand:
            return {}
        return self.stored.locator.find_hidden(edits, events)

    @cached_property
    def table(self) -> LibraryTable:
        """The rows of every folder's cache. Raises NothingScannedError if there are none."""
        return self.stored.table.without_faces(self.hidden.keys()) if self.hidden else self.stored.table

    @cached_property
    def faces(self) -> FaceTable:
        """Every distinct face that can be compared, with its embedding."""
        faces = self.stored.faces
        place = find_sorted(faces.face_ids, np.array(list(self.hidden), "U16"))
        hidden = place[place >= 0]
        return faces.take(np.delete(np.arange(len(faces)), hidden)) if len(hidden) else faces

    def faces_of(self, face_ids: Sequence[str]) -> FaceTable:
        """Those of the faces with these ids that can be compared."""
        return self.stored.table.face_table(face_ids=[face for face in face_ids if face not in self.hidden])

    @cached_property
    def occurrences(self) -> list[FaceOccurrence]:
        """Every face on every photo, by photo path."""
        if not self.hidden:
            return self.stored.occurrences
        return [occurrence for occurrence in self.stored.occurrences if occurrence.face_id not in self.hidden]

    @cached_property
    def occurrences_of(self) -> dict[str, list[FaceOccurrence]]:
        """Face id → its occurrences: several if a photo has copies."""
        return _without(self.stored.occurrences_of, self.hidden)

    @cached_property
    def dates(self) -> FaceDates:
        """The dates of the faces, as evidence."""
        return FaceDates(self.occurrences_of)

    @cached_property
    def faces_on(self) -> dict[str, tuple[FaceOccurrence, ...]]:
        """Content hash of a photo → its faces from left to right."""
        if not self.hidden:
            return self.stored.faces_on
        found = dict(self.stored.faces_on)
        for photo in {self.stored.photo_of[face] for face in self.hidden if face in self.stored.photo_of}:
            found[photo] = tuple(face for face in found[photo] if face.face_id not in self.hidden)
            if not found[photo]:
                del found[photo]
        return found

    @cached_property
    def photo_of(self) -> dict[str, str]:
        """Face id → content hash of its photo."""
        return _without(self.stored.photo_of, self.hidden)

    @cached_property
    def picture_of(self) -> dict[str, str]:
        """Face id → the picture with it: a photo, or a frame of a video. Nobody is on a picture twice."""
        return _without(self.stored.picture_of, self.hidden)

    @property
    def photos(self) -> dict[str, PhotoInfo]:
        """Photo path → photo, for every readable photo, with faces or without."""
        return self.stored.photos

    def describe_counts(self) -> list[str]:
        """Describe the counts that are known without reading the caches, as in "1,204 photos"."""
        counts: list[tuple[int, str]] = []
        table = self.stored.loaded_table
        with contextlib.suppress(FaceclustError):
            if table is not None:
                counts += [(table.photo_count, "photos"), (len(self.occurrences_of), "faces")]
            elif seen := read_scan_snapshot(self._home.scan_snapshot_of(self._models.pack_name)):
                counts.append((sum(folder.photo_count for folder in seen.folders.values()), "photos"))
        with contextlib.suppress(FaceclustError):
            if clustering := self.saved_clustering:
                if table is None:
                    counts.append((len(clustering.face_ids), "faces"))
                counts.append((len(set(clustering.labels.tolist()) - {-1}), "groups"))
        return [f"{number:,} {unit}" for number, unit in counts]

    @cached_property
    def saved_clustering(self) -> Clustering | None:
        """The last clustering as it was saved; None before the first. Raises CacheError if it is damaged."""
        return read_clusters(self._home.existing_clusters())

    @cached_property
    def clustering(self) -> Clustering | None:
        """The last clustering, on the current face ids; None before the first."""
        return self._with_drawn_faces(self._stored_clustering)

    @cached_property
    def _stored_clustering(self) -> Clustering | None:
        """The last clustering, on the face ids that are stored."""
        return self._remap_pack(self.saved_clustering)

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
        """Map a clustering onto the current face ids: one made with another pack, or before a box was moved."""
        return self._with_drawn_faces(self._remap_pack(clustering))

    def _remap_pack(self, clustering: Clustering | None) -> Clustering | None:
        if clustering is None or pack_of_clustering(clustering) in ("", self._models.pack_name):
            return clustering
        return remap_clustering(clustering, self._home, self.stored.occurrences)

    def _with_drawn_faces(self, clustering: Clustering | None) -> Clustering | None:
        """Let the faces that were drawn over others, or instead of them, take their places in the groups."""
        if clustering is None:
            return None
        drawn = {old: new for old, new in self.hidden.items() if new in self._comparable}
        return rename_faces(clustering, drawn) if drawn else clustering

    @cached_property
    def _comparable(self) -> frozenset[str]:
        """The drawn faces that stand for others and can be compared with others."""
        drawn = {face for face in self.hidden.values() if face is not None}
        return frozenset(face for face in drawn if self.occurrences_of[face][0].has_embedding)

    @cached_property
    def uncorrected_groups(self) -> Groups | None:
        """The groups of the last clustering, before the user's corrections; None before the first."""
        return self._stored_groups and self._stored_groups.replace_faces(
            {face: new if new in self._comparable else None for face, new in self.hidden.items()}
        )

    @cached_property
    def _stored_groups(self) -> Groups | None:
        """The groups of the last clustering, hidden faces included."""
        clustering, stored = self._stored_clustering, self.stored.occurrences_of
        return None if clustering is None else Groups.from_clustering(clustering, stored.keys())

    @cached_property
    def replay(self) -> JournalReplay:
        """The replay of the journal over these faces."""
        return JournalReplay(self.occurrences)

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


def _without(by_face: dict[str, V], hidden: Collection[str]) -> dict[str, V]:
    """Return a copy without the hidden faces; the dictionary itself if there are none."""
    if not hidden:
        return by_face
    found = dict(by_face)
    for face in hidden:
        found.pop(face, None)
    return found
