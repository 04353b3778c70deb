"""What is known of a library: read from disk once, kept until it changes."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from faceclust.catalogue.corrections import PartsCache, apply_corrections
from faceclust.catalogue.models_in_use import load_pack_in_use
from faceclust.catalogue.remap import pack_of_clustering, remap_clustering
from faceclust.errors import CacheError, NothingScannedError, PackError, UsageError
from faceclust.files.names import pack_of_cache_file
from faceclust.packs.pack import Pack
from faceclust.people.groups import Groups
from faceclust.people.journal import Journal
from faceclust.people.names import person_key
from faceclust.people.persons import build_persons
from faceclust.people.replay import ReplayedAnswers, replay_events
from faceclust.progress import Progress, SilentProgress
from faceclust.store.clusters import read_clusters
from faceclust.store.find_library import resolve_folder
from faceclust.store.folder_cache import FolderCache, UnusableCacheError, read_cache_info
from faceclust.store.home import LibraryHome
from faceclust.store.library_table import LibraryTable
from faceclust.store.schema import CacheInfo
from faceclust.store.settings import pack_in_use, precision_in_use
from faceclust.types import Clustering, FaceOccurrence, FaceTable, Person, PhotoInfo


@dataclass(frozen=True)
class FaceSelection:
    """What a user pointed at. `name`: whose all of the faces are, None where they are not one
    person's. `is_person`: it was pointed at by that name. `everyone`: all faces of the group that
    was pointed at, of which `faces` are the ones nobody has named, if there are such."""

    label: str
    faces: tuple[str, ...]
    name: str | None = None
    is_person: bool = False
    all_faces: tuple[str, ...] = ()


class Catalogue:
    """The faces, groups and persons of the library at `root`, for reading."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        pack: str | Pack | None = None,
        progress: Progress | None = None,
    ) -> None:
        """`cache_dir`: a folder that all files are to be kept in from now on, instead of beside the
        photos. `pack`: the models that this object uses, by name, instead of those the library uses
        (see `store.settings`). Raises UsageError where `root` is no folder."""
        self.root = resolve_folder(Path(root))
        self.progress: Progress = progress or SilentProgress()
        self.home = LibraryHome(self.root, cache_dir=Path(cache_dir) if cache_dir else None, on_note=self.progress.note)
        self.journal = Journal(self.home.journal, self.home.other_journals(), self.progress.note)
        self._requested_pack = pack

    @cached_property
    def pack(self) -> Pack:
        """The models in use; their files need not be there. Raises PackError where there are no such."""
        return (
            self._requested_pack
            if isinstance(self._requested_pack, Pack)
            else load_pack_in_use(self.root, self._requested_pack)
        )

    @property
    def pack_name(self) -> str:
        """What the models in use are called, whether there are such or not."""
        if "pack" in self.__dict__ or isinstance(self._requested_pack, Pack):
            return self.pack.name
        return self._requested_pack or pack_in_use(self.root).value

    @property
    def cache_info(self) -> CacheInfo:
        """What a cache made with these models says of itself. Where they are there no more, what the
        caches say that they made."""
        precision = precision_in_use(self.root).value
        try:
            pack = self.pack
        except PackError:
            if (info := self._existing_cache_info) is None:
                raise
            return replace(info, precision=precision)
        return CacheInfo(pack.name, pack.fingerprint, pack.embedder.dimension, pack.embedder.radius, precision)

    @property
    def embedding_space(self) -> str:
        """What a grouping by these models says it was made with."""
        try:
            return self.pack.space
        except PackError:
            info = self.cache_info
            return f"{info.fingerprint} radius={info.radius:g}"

    @cached_property
    def _existing_cache_info(self) -> CacheInfo | None:
        for path, _ in self.home.cache_files():
            if pack_of_cache_file(path.name) == self.pack_name:
                with contextlib.suppress(UnusableCacheError, CacheError):
                    return read_cache_info(path)
        return None

    @cached_property
    def table(self) -> LibraryTable:
        """The rows of every folder's cache. Raises NothingScannedError where there is none."""
        info = self.cache_info
        folders = []
        for folder in self.home.cached_folders(info.pack):
            try:
                cache = FolderCache(self.home.cache_paths(folder, info.pack), info)
                folders.append((folder, cache.read_stored()))
            except UnusableCacheError as error:
                self.progress.note(f"{error}; passed by; `faceclust scan` makes it anew")
        if not folders and (
            others := {pack_of_cache_file(path.name) for path, _ in self.home.cache_files()} - {info.pack}
        ):
            known = sorted(filter(None, others))[0]
            raise NothingScannedError(
                f"no photos of {self.root} have been scanned with the models {info.pack} yet",
                hint=f"type: faceclust scan; or go back: faceclust models use {known}",
            )
        if not folders and self.home.last_scan_time() is None:
            hint = f"type: faceclust scan {shlex.quote(str(self.root))}"
            if self.journal.path.exists():
                hint += "; the names given before come back"
            raise NothingScannedError(f"no photos of {self.root} are known", hint=hint)
        return LibraryTable.from_folders(folders, info)

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
        """Face id → the photos it is on: more than one where a photo is kept twice."""
        places: dict[str, list[FaceOccurrence]] = defaultdict(list)
        for place in self.occurrences:
            places[place.face_id].append(place)
        return dict(places)

    @cached_property
    def photos(self) -> dict[str, PhotoInfo]:
        """Every photo that could be read, with a face or without, by its path."""
        return {photo.photo: photo for photo in self.table.photos()}

    @cached_property
    def _parts_cache(self) -> PartsCache:
        return {}

    @cached_property
    def clustering(self) -> Clustering | None:
        """The last clustering; None before the first."""
        return self._remap_to_current_faces(read_clusters(self.home.existing_clusters()))

    def _remap_to_current_faces(self, clustering: Clustering | None) -> Clustering | None:
        """A clustering, maybe of the faces that other models found, of the same faces as they are here."""
        if clustering is None or pack_of_clustering(clustering) in ("", self.pack_name):
            return clustering
        return remap_clustering(clustering, self.home, self.occurrences)

    @property
    def clustering_pack(self) -> str | None:
        """The models whose faces were grouped last; None before the first grouping."""
        return pack_of_clustering(self.clustering) or self.pack_name if self.clustering else None

    @cached_property
    def new_faces(self) -> frozenset[str]:
        """The faces that were not there yet at the grouping before the last."""
        before = self._remap_to_current_faces(read_clusters(self.home.previous_clusters))
        return frozenset() if before is None else frozenset(self.occurrences_of).difference(before.face_ids.tolist())

    @property
    def group_of(self) -> Mapping[str, int]:
        """Face id → group number, for the faces here now that are in a group."""
        return self.groups.number_of if self.groups else {}

    @property
    def group_members(self) -> Mapping[int, tuple[str, ...]]:
        """Group number → its face ids."""
        return self.groups.members if self.groups else {}

    @cached_property
    def groups(self) -> Groups | None:
        """The groups of the last clustering, as the user's words leave them; None before the first."""
        saved = self._uncorrected_groups
        return None if saved is None else apply_corrections(saved, self.answers, self.faces_of, self._parts_cache)

    @cached_property
    def _uncorrected_groups(self) -> Groups | None:
        return None if self.clustering is None else Groups.from_clustering(self.clustering, self.occurrences_of.keys())

    @cached_property
    def photo_of(self) -> dict[str, str]:
        """Face id → content hash of its photo."""
        return {face: places[0].photo_hash for face, places in self.occurrences_of.items()}

    @cached_property
    def answers(self) -> ReplayedAnswers:
        """What the user said of the faces that are here now."""
        events = self.journal.events()
        return replay_events(events, self.occurrences if events else [])

    @cached_property
    def persons(self) -> tuple[Person, ...]:
        """Named persons, then groups without a name, then ignored ones."""
        return build_persons(self.groups, self.answers, self.photo_of)

    def people(self) -> tuple[Person, ...]:
        """The named persons, most faces first."""
        if self.clustering is not None and not self.answers.labels:
            return ()  # without looking through the faces
        return tuple(person for person in self.persons if person.name is not None)

    def unnamed_groups(self) -> tuple[Person, ...]:
        """Groups without a name that are not ignored, largest first."""
        return tuple(person for person in self.persons if person.name is None and not person.ignored)

    def find_person(self, name: str) -> Person:
        """The named person of this name. Raises UsageError where there is none."""
        people = {person_key(person.label): person for person in self.people()}
        if person_key(name) in people:
            return people[person_key(name)]
        near = [key for key in people if person_key(name) in key][:3]
        near = near or difflib.get_close_matches(person_key(name), people, n=3)
        meant = " or ".join(people[key].label for key in near)
        raise UsageError(f"nobody is called {name}", hint=f"{meant}?" if near else "faceclust people lists the names")

    @cached_property
    def person_of(self) -> dict[str, Person]:
        """Face id → the named person it is."""
        return {face: person for person in self.people() for face in person.face_ids}

    def select_faces(self, text: str) -> FaceSelection:
        """What a user points at: a group by its number, a face by its id, a person by name.
        Raises UsageError where there is none such."""
        if re.fullmatch("[0-9a-fA-F]{16}", text):
            face = text.lower()
            if face not in self.occurrences_of:
                raise UsageError(f"there is no face {face}", hint="faceclust export lists the faces")
            return FaceSelection(
                f"face {face}", (face,), self.person_of[face].label if face in self.person_of else None
            )
        if re.fullmatch("[0-9]{1,9}", text):
            faces, everyone = self.faces_in_group(int(text)), self.group_members[int(text)]
            owners = {self.person_of[face].label if face in self.person_of else None for face in faces}
            name = owners.pop() if len(owners) == 1 else None
            return FaceSelection(f"group {int(text)}", faces, name, all_faces=everyone)
        person = self.find_person(text)
        return FaceSelection(person.label, person.face_ids, person.label, is_person=True)

    def faces_in_group(self, number: int) -> tuple[str, ...]:
        """The face ids of a group by its number: those that are asked about, where there are such, else
        the ignored ones, else all; with those of groups said to be the same. Raises UsageError for
        an unknown one."""
        if number not in self.group_members:
            known = "faceclust people --all lists them" if self.group_members else "type: faceclust cluster"
            raise UsageError(f"there is no group {number}", hint=known)
        nameless = [person for person in self.persons if person.name is None and number in person.clusters]
        nameless.sort(key=lambda person: person.ignored)
        return nameless[0].face_ids if nameless else self.group_members[number]

    def _invalidate(self) -> None:
        for name in (
            "table",
            "faces",
            "_parts_cache",
            "_uncorrected_groups",
            "photo_of",
            "photos",
            "occurrences",
            "occurrences_of",
            "clustering",
            "new_faces",
        ):
            self.__dict__.pop(name, None)
        self._invalidate_people()

    def _invalidate_people(self) -> None:
        for name in ("answers", "persons", "person_of", "groups"):
            self.__dict__.pop(name, None)
