"""The read-only view of a library: its faces, groups and persons."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceclust.catalogue import face_selection
from faceclust.catalogue.face_snapshot import FaceSnapshot
from faceclust.catalogue.models_in_use import ModelsInUse
from faceclust.catalogue.people_snapshot import PeopleSnapshot
from faceclust.catalogue.remap import pack_of_clustering
from faceclust.catalogue.stored_faces import StoredFaces
from faceclust.errors import FaceclustError
from faceclust.files.library_roots import LibraryRoots
from faceclust.packs.pack import Pack
from faceclust.people.date_evidence import DateEvidence
from faceclust.people.doubts import Doubts, NoDoubts
from faceclust.people.groups import Groups
from faceclust.people.hidden_faces import HiddenFaces
from faceclust.people.journal import Journal
from faceclust.people.replay import ReplayedAnswers
from faceclust.progress import Progress, SilentProgress
from faceclust.store.calibrations import Calibration, read_calibration
from faceclust.store.find_library import resolve_folder
from faceclust.store.home import LibraryHome
from faceclust.store.library_table import LibraryTable
from faceclust.store.schema import CacheInfo
from faceclust.store.spilled_embeddings import SpilledEmbeddings
from faceclust.types import Clustering, FaceOccurrence, FaceTable, Float32, Float64, Person, PhotoInfo, ScannedPhoto
from faceclust.types.arguments import require_path


class Catalogue:
    """The faces, groups and persons of the library at `root`, for reading.

    Values are read at the first access and kept in two snapshots: one of the faces and their
    clustering, one of the user's answers and the persons that follow from them. A snapshot that is
    out of date is dropped as a whole.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        pack: str | Pack | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Open the library at `root`. Nothing is read or written yet.

        `cache_dir`: keep all files in this folder from now on, instead of beside the photos. `pack`:
        use this pack, or the one of this name, instead of the configured one. `progress`: an
        observer of long runs. Raises UsageError if `root` is not a folder.
        """
        if cache_dir:
            require_path("cache_dir", cache_dir)
        self.root = resolve_folder(root)
        self.progress: Progress = progress or SilentProgress()
        #: Decides on doubtful answers, such as a new name that is nearly a known one.
        self.doubts: Doubts = NoDoubts()
        #: Entered with the journal locked, around the recording of each answer. It may raise an error to refuse it.
        self.guard_answer: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        self.home = LibraryHome(self.root, cache_dir=Path(cache_dir) if cache_dir else None, on_note=self.progress.note)
        self._models = ModelsInUse(self.home, pack)
        self._noted: set[str] = set()
        self._faces: FaceSnapshot | None = None
        self._spilled: SpilledEmbeddings | None = None
        self._may_hide_others = False
        self._people: PeopleSnapshot | None = None
        self._journal: Journal | None = None

    @property
    def roots(self) -> LibraryRoots:
        """The folders with the library's photos: its own root, and additional ones that may be away.
        Raises CacheError if the file that lists them is damaged."""
        return self.home.roots

    def __repr__(self) -> str:
        """The root and the counts that are known without reading the caches."""
        facts = ", ".join(self._face_snapshot.describe_counts()) or "nothing scanned"
        try:
            return f"<{type(self).__name__} {self.root}: {facts}; pack {self.pack_name}>"
        except FaceclustError:  # a configuration file that cannot be read
            return f"<{type(self).__name__} {self.root}: {facts}>"

    # -- the snapshots ------------------------------------------------------

    @property
    def _face_snapshot(self) -> FaceSnapshot:
        if self._faces is None:
            stored = StoredFaces(self.home, self._models, self._note_once, self._spilled)
            self._faces = FaceSnapshot(stored, self.home, self._models, lambda: self.journal.events())
        elif self._may_hide_others:
            self._faces = self._faces.refresh()
        self._may_hide_others = False
        return self._faces

    @property
    def _people_snapshot(self) -> PeopleSnapshot:
        if self._people is None:
            self._people = PeopleSnapshot(self._face_snapshot, self.journal)
        return self._people

    def _note_once(self, message: str) -> None:
        """Note what is wrong with a cache once, although the caches are read again after `invalidate`."""
        if message not in self._noted:
            self._noted.add(message)
            self.progress.note(message)

    def invalidate(self) -> None:
        """Drop both snapshots: the next access reads the caches, the clustering and the journal again."""
        self._faces = self._people = None
        self.home.reload_roots()
        if self._spilled is not None:
            self._spilled.discard_stored()

    @contextlib.contextmanager
    def spill_embeddings(self) -> Iterator[SpilledEmbeddings]:
        """Read embeddings into files of the home instead of memory, if they are many. The library is locked.

        The faces that were read are invalid afterwards.
        """
        self.invalidate()
        with SpilledEmbeddings(self.home.home, self.cache_info) as self._spilled:
            try:
                yield self._spilled
            finally:
                self.invalidate()
                self._spilled = None

    def invalidate_people(self) -> None:
        """Drop the answers and persons: the next access replays the journal, which may hide other faces."""
        self._people, self._may_hide_others = None, True

    @property
    def journal(self) -> Journal:
        """The journal, with those of nested libraries. Raises CacheError if a folder cannot be searched for them."""
        if self._journal is None:
            self._journal = Journal(self.home.journal, self.home.other_journals(), self.progress.note)
        return self._journal

    def add_stored_faces(self, photos: Sequence[ScannedPhoto]) -> None:
        """Take over faces that were added to the caches of these photos, without reading them again."""
        if self._faces is not None:
            self._faces = self._faces.with_stored_faces(photos)
        self._people = None

    def reopen_journal(self) -> None:
        """Open the journal again, after its files were rewritten."""
        self._journal = None
        self.invalidate()

    def replace_clustering(self, clustering: Clustering | None) -> None:
        """Use this clustering instead of the saved one until the next `invalidate`."""
        self.invalidate()
        self._face_snapshot.saved_clustering = clustering

    # -- the models ---------------------------------------------------------

    @property
    def pack(self) -> Pack:
        """The pack in use; its model files may be missing. Raises PackError if the pack is unknown."""
        return self._models.pack

    @property
    def pack_name(self) -> str:
        """The name of the pack in use, known even if the pack itself is not."""
        return self._models.pack_name

    @property
    def cache_info(self) -> CacheInfo:
        """The metadata of a cache written with the pack in use.

        If the pack is gone, the metadata of the caches it wrote. Raises PackError if there are none.
        """
        return self._models.cache_info

    @property
    def embedding_space(self) -> str:
        """The identity of the embedding space, as a clustering records it."""
        return self._models.embedding_space

    @property
    def space_digest(self) -> str:
        """16 hex digits that identify the embedding space, as a calibration records it."""
        return self._models.space_digest

    @property
    def calibration(self) -> Calibration | None:
        """The threshold calibrated on this library's people with the pack in use; None if it is missing.

        Raises UsageError if the configuration file cannot be read.
        """
        found = read_calibration(self.home.config_file, self.cache_info.pack)  # the pack itself may be gone
        return found if found is not None and found.space == self.space_digest else None

    # -- faces and photos ---------------------------------------------------

    @property
    def table(self) -> LibraryTable:
        """The rows of every folder's cache. Raises NothingScannedError if there are none."""
        return self._face_snapshot.table

    @property
    def faces(self) -> FaceTable:
        """Every distinct face that can be compared, with its embedding."""
        return self._face_snapshot.faces

    def faces_of(self, face_ids: Sequence[str]) -> FaceTable:
        """Those of the faces with these ids that can be compared."""
        return self._face_snapshot.faces_of(face_ids)

    @property
    def occurrences(self) -> list[FaceOccurrence]:
        """Every face on every photo, by photo path."""
        return self._face_snapshot.occurrences

    @property
    def hidden_faces(self) -> HiddenFaces:
        """The stored faces that do not count, each with the drawn face that stands for it."""
        return self._face_snapshot.hidden

    @property
    def removed_occurrences(self) -> list[FaceOccurrence]:
        """Detected faces on photos that do not count, and for which no drawn face stands."""
        stored = self.stored_occurrences_of if self.hidden_faces else {}
        return [
            occurrence
            for face, instead in self.hidden_faces.items()
            for occurrence in stored.get(face, ())
            if instead is None and not occurrence.by_hand
        ]

    @property
    def stored_occurrences_of(self) -> dict[str, list[FaceOccurrence]]:
        """Face id → its occurrences, hidden faces included."""
        return self._face_snapshot.stored.occurrences_of

    @property
    def occurrences_of(self) -> dict[str, list[FaceOccurrence]]:
        """Face id → its occurrences: several if a photo has copies."""
        return self._face_snapshot.occurrences_of

    @property
    def faces_on(self) -> dict[str, tuple[FaceOccurrence, ...]]:
        """Content hash of a photo → its faces from left to right, each once."""
        return self._face_snapshot.faces_on

    @property
    def photo_of(self) -> dict[str, str]:
        """Face id → content hash of its photo."""
        return self._face_snapshot.photo_of

    def latest_day_of(self, face: str) -> date | None:
        """Return the last day on which a face can have been photographed; None if its dates are no evidence."""
        return self._face_snapshot.dates.latest_day(face)

    @property
    def picture_of(self) -> dict[str, str]:
        """Face id → the picture with it: a photo, or a frame of a video. Nobody is on a picture twice."""
        return self._face_snapshot.picture_of

    @property
    def photos(self) -> dict[str, PhotoInfo]:
        """Photo path → photo, for every readable photo, with faces or without."""
        return self._face_snapshot.photos

    # -- the clustering -----------------------------------------------------

    @property
    def clustering(self) -> Clustering | None:
        """The last clustering; None before the first. Raises CacheError if its file is damaged."""
        return self._face_snapshot.clustering

    @property
    def face_offsets(self) -> Float64:
        """What local scaling adds to each squared distance of the `faces`, (n,): one value for each of two faces."""
        return self._face_snapshot.face_offsets

    def offsets_of(self, face_ids: Sequence[str] | NDArray[np.str_], embeddings: Float32) -> Float64:
        """Return what local scaling adds to each squared distance of these faces (m, d), float64 (m,).

        Faces outside the library, or added since the last clustering, are measured against its groups.
        """
        return self._face_snapshot.offsets_of(face_ids, embeddings)

    @property
    def clustering_pack(self) -> str | None:
        """The name of the pack whose faces were grouped last; None before the first clustering."""
        return pack_of_clustering(self.clustering) or self.pack_name if self.clustering else None

    @property
    def new_faces(self) -> frozenset[str]:
        """The faces missing from the clustering before the last."""
        return self._face_snapshot.new_faces

    def remap(self, clustering: Clustering | None) -> Clustering | None:
        """Map a clustering made with another pack onto the current face ids."""
        return self._face_snapshot.remap(clustering)

    def correct_groups(self, answers: ReplayedAnswers) -> Groups | None:
        """Apply answers to the groups of the last clustering; None before the first."""
        return self._face_snapshot.correct_groups(answers)

    # -- answers, groups and persons ----------------------------------------

    @property
    def answers(self) -> ReplayedAnswers:
        """The user's answers about the current faces."""
        return self._people_snapshot.answers

    @property
    def groups(self) -> Groups | None:
        """The groups of the last clustering, corrected by the answers; None before the first."""
        return self._people_snapshot.groups

    @property
    def group_of(self) -> Mapping[str, int]:
        """Face id → group number, for the current faces that are in a group."""
        return self.groups.number_of if self.groups else {}

    @property
    def group_members(self) -> Mapping[int, tuple[str, ...]]:
        """Group number → its face ids."""
        return self.groups.members if self.groups else {}

    @property
    def persons(self) -> tuple[Person, ...]:
        """Named persons, then groups without a name, then ignored ones."""
        return self._people_snapshot.persons

    @property
    def date_evidence(self) -> DateEvidence:
        """Evidence from photo dates about people with a birth date."""
        return self._people_snapshot.date_evidence

    def people(self) -> tuple[Person, ...]:
        """The named persons: favourites first, then most faces first."""
        return self._people_snapshot.people

    def unnamed_groups(self) -> tuple[Person, ...]:
        """The groups without a name that are not ignored, largest first."""
        return tuple(person for person in self.persons if person.name is None and not person.ignored)

    @property
    def person_of(self) -> dict[str, Person]:
        """Face id → the named person."""
        return self._people_snapshot.person_of

    # -- look-ups -----------------------------------------------------------

    find_person = face_selection.find_person
    find_group = face_selection.find_group
    select_faces = face_selection.select_faces
    find_face = face_selection.find_face
    faces_in_group = face_selection.faces_in_group
    address_of = face_selection.address_of

    @property
    def known_names(self) -> Mapping[str, str]:
        """Key of a name or an alias (`people.names.person_key`) → name of the person, as it is spelt.

        People whose photos are missing are included. A name takes precedence over an alias.
        """
        return self._people_snapshot.known_names

    @property
    def people_groups(self) -> Mapping[str, tuple[Person, ...]]:
        """Group of people, such as "Family" → the named persons in it; in alphabetical order."""
        return self._people_snapshot.people_groups

    def path_of(self, photo: str) -> Path:
        """Return where a photo of the library lies; on a disk that is away, where it would be.
        Raises UnsafeFileError if its path leads out of the library."""
        return self.roots.path_of(photo)

    def is_here(self, photo: str) -> bool:
        """Is the disk with this photo of the library mounted?"""
        return self.roots.is_here(photo)

    def viewable_occurrence(self, face: str) -> FaceOccurrence:
        """Return a face on a photo to look at: of several copies, one whose disk is mounted."""
        found = self.occurrences_of[face]
        return next((one for one in found if self.roots.is_here(one.photo)), found[0]) if self.roots.away else found[0]
