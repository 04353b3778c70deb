"""Collect the names that other programs gave to people on the photos of a library."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faceclust.files.library_roots import LibraryRoots, as_roots
from faceclust.files.names import RAW_EXTENSIONS
from faceclust.files.own_files import list_own, walk_own
from faceclust.files.safe_paths import relative_posix
from faceclust.importers import picasa
from faceclust.importers.catalogue_files import collect_catalogue
from faceclust.importers.csv_table import TableRow, read_table, to_fractional_box
from faceclust.importers.keywords import USUAL_TAGS, PeopleTags
from faceclust.importers.plan import Conflict
from faceclust.importers.sidecar_owner import PhotoLookup
from faceclust.importers.small_files import UnreadableFileError, read_small_file
from faceclust.importers.sources import Sources, find_contacts_files
from faceclust.importers.table_photos import TablePhotos
from faceclust.importers.takeout import TAKEOUT, collect_takeout
from faceclust.importers.values import Frame, PhotoNames, Region, UnreadableSource
from faceclust.people.names import MAX_NAME_LENGTH, clean_name
from faceclust.photos.embedded_metadata import read_embedded_metadata
from faceclust.progress import Progress
from faceclust.text.placeholders import is_placeholder_name
from faceclust.text.plural import format_count
from faceclust.types import WHOLE_PHOTO, PhotoInfo
from faceclust.xmp.packet import MAX_PACKET_BYTES, BadPacketError
from faceclust.xmp.read import read_packet
from faceclust.xmp.values import XmpFaces, stored_size

SIDECARS, EMBEDDED, PICASA, TABLE = "XMP sidecars", "XMP inside photos", "Picasa", "a table"


@dataclass
class CollectedNames:
    """The names found in files of other programs.

    `ambiguous` has names in files that could belong to several photos. `unknown_photos` are not in the
    library. `unnamed_contacts` are ids of Picasa contacts without a known name. `read_counts` has the
    number of files with people for each kind of source, and of "photos" that were read. `other_roots` are
    folders of other computers that tables have for the library's root. `branches` are those that a
    person's keywords are in. `skipped_regions` counts the regions that were not read, by the reason.
    `other_keywords` counts the hierarchical keywords that were not read, by (path of the parent, keyword).
    """

    photo_names: list[PhotoNames] = field(default_factory=list)
    unreadable: list[UnreadableSource] = field(default_factory=list)
    ambiguous: list[Conflict] = field(default_factory=list)
    unknown_photos: list[str] = field(default_factory=list)
    unnamed_contacts: set[str] = field(default_factory=set)
    branches: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    other_roots: list[str] = field(default_factory=list)
    read_counts: Counter[str] = field(default_factory=Counter)
    skipped_regions: Counter[str] = field(default_factory=Counter)
    other_keywords: Counter[tuple[str, str]] = field(default_factory=Counter)


def collect_names(
    root: Path | LibraryRoots,
    photos: Mapping[str, PhotoInfo],
    sources: Sources,
    progress: Progress,
    people_tags: PeopleTags = USUAL_TAGS,
) -> CollectedNames:
    """Collect all names that `sources` have for the library's `photos`, without writing anything.

    `root`: the library's root, or its roots if it has several.
    Photos are read only up to the end of their XMP packet. Raises UsageError for an invalid table.
    """
    return _NameCollector(as_roots(root), photos, progress, people_tags).collect(sources)


class _NameCollector:
    def __init__(
        self, roots: LibraryRoots, photos: Mapping[str, PhotoInfo], progress: Progress, people_tags: PeopleTags
    ) -> None:
        self.roots, self.root, self.photos, self.progress = roots, roots.own, photos, progress
        self._people_tags = people_tags
        self.collected = CollectedNames()
        self._ini_files: dict[str, picasa.PicasaIni] = {}  # by folder
        self._lookup = PhotoLookup(photos)
        self._photos_in: dict[str, list[str]] = defaultdict(list)  # names by folder
        for photo in photos:
            folder, _, name = photo.rpartition("/")
            self._photos_in[folder].append(name)

    def collect(self, sources: Sources) -> CollectedNames:
        for path in sources.tables:  # first, for errors in them end the run
            self._read_table(path)
        for path in sources.catalogues:
            self._read_catalogue(path)
        starts = tuple(f"{folder}/" if folder else "" for folder in sources.folders)
        inside = self._leave_out_away(photo for photo in self.photos if photo.startswith(starts))
        self._read_photos(dict.fromkeys([*inside, *sources.photos]))
        listed = {posixpath.dirname(photo) for photo in inside}
        for folder in sorted(listed | set(sources.folders)):
            try:
                path = self.roots.folder_path(folder)
                _, _, names = next(walk_own(path), (path, [], []))
                self._read_files(path, folder, names)
            except OSError as error:
                self.collected.unreadable.append(UnreadableSource(folder or ".", error.strerror or str(error)))
        self._read_sidecars_of(sources.photos)
        for photo in sources.photos:
            folder, _, name = photo.rpartition("/")
            self._read_takeout(self.root / folder, folder, list_own(self.root / folder), [name])
        for file in sources.files:
            self._read_file(self.root / file, file)
        for mirror in sources.mirrors:
            for folder_path, _, names in walk_own(mirror):
                below = self.roots.path_from_mirror(relative_posix(mirror, folder_path))
                self._read_files(folder_path, below, names)
        self._add_picasa_names(sources.contacts or find_contacts_files(self.root))
        return self.collected

    def _leave_out_away(self, photos: Iterable[str]) -> list[str]:
        found = list(photos)
        if away := self.roots.count_away(found):
            self.progress.note(f"left out: {format_count(away, 'photo')} on a disk that is away")
            found = [photo for photo in found if self.roots.is_here(photo)]
        return found

    # -- XMP ------------------------------------------------------------------

    def _read_photos(self, photos: Collection[str]) -> None:
        self.progress.start("looking into photos for names", len(photos), "photos")
        for photo in photos:
            try:
                packets = read_embedded_metadata(self.roots.path_of(photo)).xmp
            except OSError as error:
                self.collected.unreadable.append(UnreadableSource(photo, error.strerror or str(error)))
                packets = ()
            for packet in packets:
                self._add_packet(packet, [photo], EMBEDDED, photo)
            self.collected.read_counts["photos"] += 1
            self.progress.advance(names=sum(self.collected.read_counts[source] for source in (SIDECARS, EMBEDDED)))
        self.progress.finish()

    def _read_files(self, path: Path, below: str, names: Iterable[str]) -> None:
        """Read the sidecars and the `.picasa.ini` in a folder, of the files with these names."""
        for name in names:
            if name.lower().endswith(".xmp") or name.lower() in picasa.INI_NAMES:
                self._read_file(path / name, posixpath.join(below, name))
        self._read_takeout(path, below, names, self._photos_in.get(below, ()))

    def _read_sidecars_of(self, photos: Collection[str]) -> None:
        """Read the sidecars beside single photos, whose names may have another case or Unicode form."""
        wanted = frozenset(photos)
        for folder in sorted({posixpath.dirname(photo) for photo in wanted}):
            try:
                path = self.roots.folder_path(folder)
                _, _, names = next(walk_own(path), (path, [], []))
            except OSError:
                continue  # the photos in it are reported as unreadable
            for name in names:
                below = posixpath.join(folder, name)
                if name.lower().endswith(".xmp") and not wanted.isdisjoint(self._lookup.find_by_sidecar(below)):
                    self._read_sidecar(path / name, below)

    def _read_file(self, path: Path, below: str) -> None:
        if path.name.lower().endswith(".json"):
            folder = posixpath.dirname(below)
            photos = self._photos_in.get(folder, ())
            self._read_takeout(path.parent, folder, list_own(path.parent), photos, path.name)
        elif not path.name.lower().endswith(".xmp"):
            try:
                self._ini_files[posixpath.dirname(below)] = picasa.read_ini(read_small_file(path))
            except UnreadableFileError as error:
                self.collected.unreadable.append(UnreadableSource(str(path), str(error)))
        else:
            self._read_sidecar(path, below)

    def _read_sidecar(self, path: Path, below: str) -> None:
        photos = self._lookup.find_by_sidecar(below)
        if not photos:
            self.collected.unknown_photos.append(below)
            return
        try:
            self._add_packet(read_small_file(path, MAX_PACKET_BYTES), photos, SIDECARS, str(path))
        except UnreadableFileError as error:
            self.collected.unreadable.append(UnreadableSource(str(path), str(error)))

    def _add_packet(self, packet: bytes, photos: Sequence[str], source: str, where: str) -> None:
        photo = self.photos[photos[0]]
        try:
            faces = read_packet(packet, stored_size(photo.size, photo.orientation))
        except BadPacketError as error:
            self.collected.unreadable.append(UnreadableSource(where, str(error)))
            return
        people = self._people_tags.find_people(faces)
        found = list(_split_by_scheme(faces, people, photos[0], source, where))
        self.collected.skipped_regions["of other kinds than faces"] += faces.other_regions
        self.collected.skipped_regions["with an invalid area"] += faces.invalid_regions
        self.collected.other_keywords.update(self._people_tags.find_others(faces))
        for person, branch in self._people_tags.find_branches(faces):
            self.collected.branches[person].add(branch)
        if len(photos) == 1:
            self.collected.photo_names += found
        elif names := [*(region.name for one in found for region in one.regions), *people, *faces.without_face]:
            self._add_ambiguous(photos, names, "it may be the sidecar of this photo", where)
        self.collected.read_counts[source] += bool(found)

    def _add_ambiguous(self, photos: Sequence[str], names: Iterable[str], why: str, where: str) -> None:
        """Add names that could belong to any of several photos."""
        others = " or ".join(photo.rpartition("/")[2] for photo in photos[1:])
        bounded = [name for name in names if len(name) <= MAX_NAME_LENGTH]
        cleaned = tuple(sorted({clean_name(name) for name in bounded if not is_placeholder_name(clean_name(name))}))
        if cleaned:
            self.collected.ambiguous.append(Conflict(photos[0], (), cleaned, f"{why}, or of {others}", (where,)))

    # -- Picasa -----------------------------------------------------------------

    def _add_picasa_names(self, contacts: Iterable[Path]) -> None:
        if not self._ini_files:
            return
        names_by_contact: dict[str, str] = {}
        for ini in self._ini_files.values():
            names_by_contact |= ini.contacts
        for path in contacts:
            try:
                names_by_contact |= picasa.read_contacts(read_small_file(path))
            except UnreadableFileError as error:
                self.collected.unreadable.append(UnreadableSource(str(path), str(error)))
        for folder, ini in sorted(self._ini_files.items()):
            for file in ini.faces:
                self._add_picasa_faces(folder, file, ini, names_by_contact)
            self.collected.read_counts[PICASA] += bool(ini.faces)

    def _add_picasa_faces(
        self, folder: str, file: str, ini: picasa.PicasaIni, names_by_contact: Mapping[str, str]
    ) -> None:
        photos = self._lookup.find_by_name(posixpath.join(folder, file))
        if not photos:
            self.collected.unknown_photos.append(posixpath.join(folder, file))
            return
        regions, photo = [], photos[0]
        for box, contact in ini.faces[file]:
            name = picasa.resolve_contact(contact, ini.contacts, names_by_contact)
            if name is None:
                self.collected.unnamed_contacts.add(contact)
            regions.append(Region(name or "", box))
        is_raw = posixpath.splitext(photo)[1].lower() in RAW_EXTENSIONS
        frame = Frame.UPRIGHT if is_raw else Frame.STORED
        where = posixpath.join(folder, ".picasa.ini")
        if len(photos) == 1:
            rotation = ini.rotations.get(file) if self.photos[photo].orientation == 1 else None
            self.collected.photo_names.append(
                PhotoNames(photo, PICASA, where, regions=tuple(regions), frame=frame, orientation=rotation)
            )
        else:
            names = [region.name for region in regions]
            self._add_ambiguous(photos, names, f"[{file}] may be the faces of this photo", where)

    # -- Google Takeout and catalogues ----------------------------------------------

    def _read_takeout(
        self, path: Path, below: str, names: Iterable[str], photos: Collection[str], only: str | None = None
    ) -> None:
        """Read the JSON files in a folder that belong to these of its photos, or one of them."""
        found, unreadable = collect_takeout(path, below, names, photos, only)
        self.collected.photo_names += found
        self.collected.unreadable += unreadable
        self.collected.read_counts[TAKEOUT] += len({names.where for names in found})

    def _read_catalogue(self, path: Path) -> None:
        program, found, unknown = collect_catalogue(path, self.root, self.photos)
        self.collected.photo_names += found
        self.collected.unknown_photos += unknown
        self.collected.read_counts[program] += 1

    # -- tables -----------------------------------------------------------------

    def _read_table(self, path: Path) -> None:
        try:
            data = read_small_file(path)
        except UnreadableFileError as error:
            self.collected.unreadable.append(UnreadableSource(str(path), str(error)))
            return
        rows: dict[str, list[Region]] = defaultdict(list)
        without_face: dict[str, list[str]] = defaultdict(list)
        for row, photos in self._find_photos_of_rows(list(read_table(data, path.name)), path.parent):
            if not photos:
                self.collected.unknown_photos.append(row.photo)
            elif len(photos) > 1:
                self._add_ambiguous(photos, [row.name], f"{row.photo} may be this photo", str(path))
            else:
                box = to_fractional_box(row, self.photos[photos[0]].size, path.name)
                if row.by_hand and box == WHOLE_PHOTO:
                    without_face[photos[0]].append(row.name)
                else:
                    rows[photos[0]].append(Region(row.name, box, row.confirmed))
        for photo in dict.fromkeys([*rows, *without_face]):
            self.collected.photo_names.append(
                PhotoNames(
                    photo,
                    TABLE,
                    str(path),
                    regions=tuple(rows.get(photo, ())),
                    without_face=tuple(without_face.get(photo, ())),
                    frame=Frame.UPRIGHT,
                    frame_certain=True,
                )
            )
        self.collected.read_counts[TABLE] += 1

    def _find_photos_of_rows(self, rows: Sequence[TableRow], beside: Path) -> Iterator[tuple[TableRow, Sequence[str]]]:
        """Yield each row with its photo: none, one, or several if ambiguous."""
        finder = TablePhotos(self.root, self.photos, self._lookup)
        found = [finder.find(row.photo, beside) for row in rows]
        other_root = finder.find_other_root((row.photo for row in rows), beside)
        if other_root is not None:
            self.collected.other_roots.append(other_root or "/")
        for row, photos in zip(rows, found, strict=True):
            yield row, photos or (finder.find_below(other_root, row.photo) if other_root is not None else ())


def _split_by_scheme(
    faces: XmpFaces, people: tuple[str, ...], photo: str, source: str, where: str
) -> Iterable[PhotoNames]:
    """Split a packet's names by scheme, for each may refer to a different picture."""
    without_face = faces.without_face
    for scheme in dict.fromkeys(region.scheme for region in faces.regions):
        regions = [region for region in faces.regions if region.scheme == scheme]
        yield PhotoNames(
            photo,
            source,
            where,
            scheme,
            tuple(Region(region.name or "", region.box, region.confirmed) for region in regions),
            people,
            without_face,
            applied_to=regions[0].applied_to,
            orientation=faces.orientation,
            is_own=all(region.is_own for region in regions),
        )
        people = without_face = ()
    if people or without_face:
        yield PhotoNames(photo, source, where, people=people, without_face=without_face)
