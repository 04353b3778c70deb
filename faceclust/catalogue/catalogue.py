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

from faceclust.catalogue.corrections import Memory, as_said
from faceclust.catalogue.models_in_use import load_used
from faceclust.catalogue.remap import carried_over, models_of
from faceclust.errors import CacheError, NothingScannedError, PackError, UsageError
from faceclust.files.names import pack_of
from faceclust.packs.pack import Pack
from faceclust.people.groups import Groups
from faceclust.people.journal import Journal
from faceclust.people.names import person_key
from faceclust.people.persons import build_persons
from faceclust.people.replay import Resolved, resolve
from faceclust.progress import Progress, Silent
from faceclust.store.clusters import read_clusters
from faceclust.store.find_library import resolve_folder
from faceclust.store.folder_cache import FolderCache, UnusableCacheError, made_by
from faceclust.store.home import LibraryHome
from faceclust.store.library_table import LibraryTable
from faceclust.store.schema import CacheInfo
from faceclust.store.settings import pack_in_use, precision_in_use
from faceclust.types import Clustering, FacePlace, FaceTable, Person, PhotoFacts


@dataclass(frozen=True)
class Target:
    """What a user pointed at. `name`: whose all of the faces are, None where they are not one
    person's. `is_person`: it was pointed at by that name. `everyone`: all faces of the group that
    was pointed at, of which `faces` are the ones nobody has named, if there are such."""

    label: str
    faces: tuple[str, ...]
    name: str | None = None
    is_person: bool = False
    everyone: tuple[str, ...] = ()


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
        self.progress: Progress = progress or Silent()
        self.home = LibraryHome(self.root, cache_dir=Path(cache_dir) if cache_dir else None, on_note=self.progress.note)
        self.journal = Journal(self.home.journal, self.home.other_journals(), self.progress.note)
        self._named_pack = pack

    @cached_property
    def pack(self) -> Pack:
        """The models in use; their files need not be there. Raises PackError where there are no such."""
        return self._named_pack if isinstance(self._named_pack, Pack) else load_used(self.root, self._named_pack)

    @property
    def pack_name(self) -> str:
        """What the models in use are called, whether there are such or not."""
        if "pack" in self.__dict__ or isinstance(self._named_pack, Pack):
            return self.pack.name
        return self._named_pack or pack_in_use(self.root).value

    @property
    def cache_info(self) -> CacheInfo:
        """What a cache made with these models says of itself. Where they are there no more, what the
        caches say that they made."""
        precision = precision_in_use(self.root).value
        try:
            pack = self.pack
        except PackError:
            if (info := self._made_before) is None:
                raise
            return replace(info, precision=precision)
        return CacheInfo(pack.name, pack.fingerprint, pack.embedder.dimension, pack.embedder.radius, precision)

    @property
    def models(self) -> str:
        """What a grouping by these models says it was made with."""
        try:
            return self.pack.space
        except PackError:
            info = self.cache_info
            return f"{info.fingerprint} radius={info.radius:g}"

    @cached_property
    def _made_before(self) -> CacheInfo | None:
        for path, _ in self.home.cache_files():
            if pack_of(path.name) == self.pack_name:
                with contextlib.suppress(UnusableCacheError, CacheError):
                    return made_by(path)
        return None

    @cached_property
    def table(self) -> LibraryTable:
        """The rows of every folder's cache. Raises NothingScannedError where there is none."""
        info = self.cache_info
        folders = []
        for folder in self.home.cached_folders(info.pack):
            try:
                cache = FolderCache(self.home.folder_cache(folder, info.pack), info)
                folders.append((folder, cache.read_as_kept()))
            except UnusableCacheError as error:
                self.progress.note(f"{error}; passed by; `faceclust scan` makes it anew")
        if not folders and (others := {pack_of(path.name) for path, _ in self.home.cache_files()} - {info.pack}):
            known = sorted(filter(None, others))[0]
            raise NothingScannedError(
                f"no photos of {self.root} have been scanned with the models {info.pack} yet",
                hint=f"type: faceclust scan; or go back: faceclust models use {known}",
            )
        if not folders and self.home.last_scan() is None:
            hint = f"type: faceclust scan {shlex.quote(str(self.root))}"
            if self.journal.path.exists():
                hint += "; the names given before come back"
            raise NothingScannedError(f"no photos of {self.root} are known", hint=hint)
        return LibraryTable.join(folders, info)

    @cached_property
    def faces(self) -> FaceTable:
        """Every distinct face, with its embedding."""
        return self.table.face_table()

    def faces_of(self, face_ids: Sequence[str]) -> FaceTable:
        """The faces with these ids."""
        return self.table.face_table(among=face_ids)

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
    def photos(self) -> dict[str, PhotoFacts]:
        """Every photo that could be read, with a face or without, by its path."""
        return {photo.photo: photo for photo in self.table.photos()}

    @cached_property
    def _regrouped(self) -> Memory:
        return {}

    @cached_property
    def clustering(self) -> Clustering | None:
        """The last clustering; None before the first."""
        return self._as_here(read_clusters(self.home.known_clusters()))

    def _as_here(self, clustering: Clustering | None) -> Clustering | None:
        """A clustering, maybe of the faces that other models found, of the same faces as they are here."""
        if clustering is None or models_of(clustering) in ("", self.pack_name):
            return clustering
        return carried_over(clustering, self.home, self.places)

    @property
    def grouped_by(self) -> str | None:
        """The models whose faces were grouped last; None before the first grouping."""
        return models_of(self.clustering) or self.pack_name if self.clustering else None

    @cached_property
    def newcomers(self) -> frozenset[str]:
        """The faces that were not there yet at the grouping before the last."""
        before = self._as_here(read_clusters(self.home.clusters_before))
        return frozenset() if before is None else frozenset(self.places_of).difference(before.face_ids.tolist())

    @property
    def cluster_of(self) -> Mapping[str, int]:
        """Face id → group number, for the faces here now that are in a group."""
        return self.groups.number_of if self.groups else {}

    @property
    def members(self) -> Mapping[int, tuple[str, ...]]:
        """Group number → its face ids."""
        return self.groups.members if self.groups else {}

    @cached_property
    def groups(self) -> Groups | None:
        """The groups of the last clustering, as the user's words leave them; None before the first."""
        saved = self._saved_groups
        return None if saved is None else as_said(saved, self.resolved, self.faces_of, self._regrouped)

    @cached_property
    def _saved_groups(self) -> Groups | None:
        return None if self.clustering is None else Groups.of(self.clustering, self.places_of.keys())

    @cached_property
    def photo_of(self) -> dict[str, str]:
        """Face id → content hash of its photo."""
        return {face: places[0].photo_hash for face, places in self.places_of.items()}

    @cached_property
    def resolved(self) -> Resolved:
        """What the user said of the faces that are here now."""
        events = self.journal.events()
        return resolve(events, self.places if events else [])

    @cached_property
    def persons(self) -> tuple[Person, ...]:
        """Named persons, then groups without a name, then ignored ones."""
        return build_persons(self.groups, self.resolved, self.photo_of)

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
        near = [key for key in people if person_key(name) in key][:3]
        near = near or difflib.get_close_matches(person_key(name), people, n=3)
        meant = " or ".join(people[key].label for key in near)
        raise UsageError(f"nobody is called {name}", hint=f"{meant}?" if near else "faceclust people lists the names")

    @cached_property
    def person_of(self) -> dict[str, Person]:
        """Face id → the named person it is."""
        return {face: person for person in self.people() for face in person.face_ids}

    def target(self, text: str) -> Target:
        """What a user points at: a group by its number, a face by its id, a person by name.
        Raises UsageError where there is none such."""
        if re.fullmatch("[0-9a-fA-F]{16}", text):
            face = text.lower()
            if face not in self.places_of:
                raise UsageError(f"there is no face {face}", hint="faceclust export lists the faces")
            return Target(f"face {face}", (face,), self.person_of[face].label if face in self.person_of else None)
        if re.fullmatch("[0-9]{1,9}", text):
            faces, everyone = self.group(int(text)), self.members[int(text)]
            owners = {self.person_of[face].label if face in self.person_of else None for face in faces}
            name = owners.pop() if len(owners) == 1 else None
            return Target(f"group {int(text)}", faces, name, everyone=everyone)
        person = self.person(text)
        return Target(person.label, person.face_ids, person.label, is_person=True)

    def group(self, number: int) -> tuple[str, ...]:
        """The face ids of a group by its number: those that are asked about, where there are such, else
        the ignored ones, else all; with those of groups said to be the same. Raises UsageError for
        an unknown one."""
        if number not in self.members:
            known = "faceclust people --all lists them" if self.members else "type: faceclust cluster"
            raise UsageError(f"there is no group {number}", hint=known)
        nameless = [person for person in self.persons if person.name is None and number in person.clusters]
        nameless.sort(key=lambda person: person.ignored)
        return nameless[0].face_ids if nameless else self.members[number]

    def _forget(self) -> None:
        for name in (
            "table",
            "faces",
            "_regrouped",
            "_saved_groups",
            "photo_of",
            "photos",
            "places",
            "places_of",
            "clustering",
            "newcomers",
        ):
            self.__dict__.pop(name, None)
        self._forget_people()

    def _forget_people(self) -> None:
        for name in ("resolved", "persons", "person_of", "groups"):
            self.__dict__.pop(name, None)
