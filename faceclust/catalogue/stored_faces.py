"""The faces and photos of a library as its caches have them at one moment, hidden faces included."""

from __future__ import annotations

import itertools
import shlex
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property

import pyarrow.compute as pc

from faceclust.catalogue.models_in_use import ModelsInUse
from faceclust.errors import NothingScannedError
from faceclust.files.names import is_utf8, pack_of_cache_file
from faceclust.files.own_files import own_exists
from faceclust.files.program_folders import is_skipped
from faceclust.people.hidden_faces import HandEditLocator
from faceclust.store.folder_cache import FolderCache, UnusableCacheError, read_caches
from faceclust.store.home import LibraryHome
from faceclust.store.library_table import LibraryTable
from faceclust.store.settings import included_folders
from faceclust.store.spilled_embeddings import SpilledEmbeddings
from faceclust.types import FaceOccurrence, FaceTable, PhotoInfo, ScannedPhoto
from faceclust.types.face_numbers import sort_faces_from_left


class StoredFaces:
    """The saved results of the last scan.

    Each value is read when first needed and then kept. `on_note` receives a message for each cache that cannot be used.
    With `spilled`, the embeddings are moved there.
    """

    def __init__(
        self,
        home: LibraryHome,
        models: ModelsInUse,
        on_note: Callable[[str], None],
        spilled: SpilledEmbeddings | None = None,
    ) -> None:
        self._home, self._models, self._on_note, self._spilled = home, models, on_note, spilled
        self.loaded_table: LibraryTable | None = None

    @property
    def table(self) -> LibraryTable:
        """The rows of every folder's cache. Raises NothingScannedError if there are none."""
        if self.loaded_table is None:
            self.loaded_table = self._read_table()
        return self.loaded_table

    def _read_table(self) -> LibraryTable:
        info = self._models.cache_info
        included = included_folders(self._home.root)
        caches = (
            (folder, FolderCache(self._home.cache_paths(folder, info.pack), info))
            for folder in self._home.cached_folders(info.pack)
            # A scan names and skips the others.
            if is_utf8(folder) and not is_skipped(self._home.roots, folder, included)
        )
        folders = read_caches(caches, self._note_unusable)
        first = next(folders, None)
        if first is None:
            self._require_scan(info.pack)
        found = itertools.chain([] if first is None else [first], folders)
        if self._spilled is not None:
            return LibraryTable.spill_embeddings(found, info, self._spilled)
        return LibraryTable.from_folders(list(found), info)

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

    def with_faces(self, photos: Sequence[ScannedPhoto]) -> StoredFaces:
        """Return these values with faces that the user drew on known photos."""
        changed = StoredFaces(self._home, self._models, self._on_note)
        if self.loaded_table is None:
            return changed
        changed.loaded_table, added_rows = self.loaded_table.with_faces(photos)
        added = list(added_rows.occurrences())
        kept: dict[str, object] = {"has_faces_by_hand": True, "photos": self.photos}
        if not any(occurrence.has_embedding for occurrence in added):
            kept["faces"] = self.faces
        occurrences, occurrences_of, faces_on = list(self.occurrences), dict(self.occurrences_of), dict(self.faces_on)
        for one in added:
            occurrences.insert(bisect_right(occurrences, _place(one), key=_place), one)
            occurrences_of[one.face_id] = [*occurrences_of.get(one.face_id, ()), one]
            faces_on |= sort_faces_from_left([*faces_on.get(one.photo_hash, ()), one])
        kept |= {"occurrences": occurrences, "occurrences_of": occurrences_of, "faces_on": faces_on}
        kept["picture_of"] = self.picture_of | {one.face_id: one.picture for one in added}
        kept["photo_of"] = self.photo_of | {one.face_id: one.photo_hash for one in added}
        if "locator" in self.__dict__:
            kept["locator"] = self.locator.with_drawn(added)
        changed.__dict__.update(kept)
        return changed

    @cached_property
    def has_faces_by_hand(self) -> bool:
        """Whether a box was drawn by hand on any photo."""
        return bool(pc.any(self.table.rows["by_hand"]).as_py())

    @cached_property
    def locator(self) -> HandEditLocator:
        """Finds what the user drew, moved and removed."""
        return HandEditLocator(self.occurrences)

    @cached_property
    def faces(self) -> FaceTable:
        """Every distinct face that can be compared, with its embedding."""
        return self.table.face_table()

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
    def picture_of(self) -> dict[str, str]:
        """Face id → the picture with it: a photo, or a frame of a video. Nobody is on a picture twice."""
        return {face: occurrences[0].picture for face, occurrences in self.occurrences_of.items()}

    @cached_property
    def photos(self) -> dict[str, PhotoInfo]:
        """Photo path → photo, for every readable photo, with faces or without."""
        return {photo.photo: photo for photo in self.table.photos()}


def _place(occurrence: FaceOccurrence) -> tuple[str, str]:
    """Folder and name of the photo, by which occurrences are in order."""
    folder, _, name = occurrence.photo.rpartition("/")
    return folder, name
