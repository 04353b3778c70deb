"""What is known of a library: read from disk once, kept until it changes."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from faceclust.errors import NothingScannedError, UsageError
from faceclust.packs.manifest import Pack, load_pack
from faceclust.people.journal import Journal
from faceclust.people.names import person_key
from faceclust.people.persons import build_persons
from faceclust.people.resolve import Resolved, resolve
from faceclust.progress import Progress, Silent
from faceclust.store.clusters import read_clusters
from faceclust.store.faces import LibraryTable
from faceclust.store.folder_cache import FolderCache, UnusableCacheError
from faceclust.store.home import LibraryHome, resolve_folder
from faceclust.store.schema import CacheInfo
from faceclust.types import Clustering, FacePlace, Person

DEFAULT_PACK = "dlib"


@dataclass(frozen=True)
class Target:
    """What a user pointed at. `name`: whose all of the faces are, None where they are not one
    person's. `is_person`: it was pointed at by that name."""

    label: str
    faces: tuple[str, ...]
    name: str | None = None
    is_person: bool = False


class Catalogue:
    """The faces, groups and persons of the library at `root`, for reading."""

    def __init__(self, root: str | os.PathLike[str], *, progress: Progress | None = None) -> None:
        """Raises UsageError where `root` is no folder."""
        self.root = resolve_folder(Path(root))
        self.home = LibraryHome(self.root)
        self.progress: Progress = progress or Silent()
        self.journal = Journal(self.home.journal, self.home.other_journals(), self.progress.note)

    @cached_property
    def pack(self) -> Pack:
        """The models in use."""
        return load_pack(DEFAULT_PACK)

    @property
    def cache_info(self) -> CacheInfo:
        """What a cache made with these models says of itself."""
        pack = self.pack
        return CacheInfo(pack.name, pack.fingerprint, pack.embedder.dimension, pack.embedder.radius)

    @cached_property
    def table(self) -> LibraryTable:
        """The rows of every folder's cache. Raises NothingScannedError where there is none."""
        info = self.cache_info
        folders = []
        for folder in self.home.cached_folders():
            try:
                folders.append((folder, FolderCache(self.home.folder_cache(folder), info).read()))
            except UnusableCacheError as error:
                self.progress.note(f"{error}; passed by; `faceclust scan` makes it anew")
        if not folders and self.home.last_scan() is None:
            raise NothingScannedError(
                f"nothing is known of {self.root}", hint=f"type: faceclust scan {shlex.quote(str(self.root))}"
            )
        return LibraryTable.join(folders, info)

    @cached_property
    def places(self) -> list[FacePlace]:
        """Every face on every photo, by photo path."""
        return list(self.table.places())

    @cached_property
    def places_of(self) -> dict[str, list[FacePlace]]:
        """Face id → the photos it is on: more than one where a photo is kept twice."""
        places: dict[str, list[FacePlace]] = defaultdict(list)
        for place in self.places:
            places[place.face_id].append(place)
        return dict(places)

    @cached_property
    def clustering(self) -> Clustering | None:
        """The last clustering; None before the first."""
        return read_clusters(self.home.known_clusters())

    @cached_property
    def cluster_of(self) -> dict[str, int]:
        """Face id → group number, for the faces here now that are in a group."""
        if self._groups_here is None:
            return {}
        pairs = zip(self._groups_here.face_ids.tolist(), self._groups_here.labels.tolist(), strict=True)
        return {face: label for face, label in pairs if label >= 0}

    @cached_property
    def _groups_here(self) -> Clustering | None:
        """The last clustering as far as its faces are here; a group of which one is left is none."""
        if self.clustering is None:
            return None
        here = self.clustering.among(np.array(list(self.places_of), dtype=np.str_))
        numbers, counts = np.unique(here.labels, return_counts=True)
        return replace(here, labels=np.where(np.isin(here.labels, numbers[counts > 1]), here.labels, np.int32(-1)))

    @cached_property
    def members(self) -> dict[int, list[str]]:
        """Group number → its face ids."""
        members: dict[int, list[str]] = defaultdict(list)
        for face, label in self.cluster_of.items():
            members[label].append(face)
        return dict(members)

    @cached_property
    def resolved(self) -> Resolved:
        """What the user said of the faces that are here now."""
        events = self.journal.events()
        return resolve(events, self.places if events else [])

    @cached_property
    def persons(self) -> tuple[Person, ...]:
        """Named persons, then groups without a name, then ignored ones."""
        photo_of = {face: places[0].photo_hash for face, places in self.places_of.items()}
        return build_persons(self._groups_here, self.resolved, photo_of)

    def people(self) -> tuple[Person, ...]:
        """The named persons, most faces first."""
        if self.clustering is not None and not self.resolved.said:
            return ()  # without looking through the faces
        return tuple(person for person in self.persons if person.name is not None)

    def unnamed_groups(self) -> tuple[Person, ...]:
        """Groups without a name that are not ignored, largest first."""
        return tuple(person for person in self.persons if person.name is None and not person.ignored)

    def person(self, name: str) -> Person:
        """The named person of this name. Raises UsageError where there is none."""
        people = {person_key(person.label): person for person in self.people()}
        if person_key(name) in people:
            return people[person_key(name)]
        near = difflib.get_close_matches(person_key(name), people, n=3)
        meant = " or ".join(people[key].label for key in near)
        raise UsageError(f"nobody is called {name}", hint=f"{meant}?" if near else "faceclust people lists the names")

    @cached_property
    def person_of(self) -> dict[str, Person]:
        """Face id → the named person it is."""
        return {face: person for person in self.people() for face in person.face_ids}

    def target(self, text: str) -> Target:
        """What a user points at: a group by its number, a face by its id, a person by name.
        Raises UsageError where there is none such."""
        if text.isascii() and text.isdigit():
            faces = self.group(int(text))
            owners = {self.person_of[face].label for face in faces if face in self.person_of}
            return Target(f"group {int(text)}", faces, owners.pop() if len(owners) == 1 else None)
        if re.fullmatch("[0-9a-fA-F]{16}", text):
            face = text.lower()
            if face not in self.places_of:
                raise UsageError(f"there is no face {face}", hint="faceclust export lists the faces")
            return Target(f"face {face}", (face,), self.person_of[face].label if face in self.person_of else None)
        person = self.person(text)
        return Target(person.label, person.face_ids, person.label, is_person=True)

    def group(self, number: int) -> tuple[str, ...]:
        """The face ids of a group by its number: those nobody has named, where the group is
        partly a named person's. Raises UsageError for an unknown one."""
        if number not in self.members:
            known = "faceclust people --all lists them" if self.members else "type: faceclust cluster"
            raise UsageError(f"there is no group {number}", hint=known)
        unnamed = [p.face_ids for p in self.persons if p.name is None and not p.ignored and p.clusters == (number,)]
        return unnamed[0] if unnamed else tuple(self.members[number])

    def _forget(self) -> None:
        for name in ("table", "places", "places_of", "clustering", "_groups_here", "cluster_of", "members"):
            self.__dict__.pop(name, None)
        self._forget_people()

    def _forget_people(self) -> None:
        for name in ("resolved", "persons", "person_of"):
            self.__dict__.pop(name, None)
