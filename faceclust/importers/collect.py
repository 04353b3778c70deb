"""What other programs say of the photos of a library, wherever they keep it."""

from __future__ import annotations

import os
import posixpath
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faceclust.files.names import RAW_ENDINGS
from faceclust.importers import picasa
from faceclust.importers.csv_table import TableRow, fractions_of, read_table
from faceclust.importers.keywords import people_of
from faceclust.importers.plan import Conflict
from faceclust.importers.sidecar_owner import Owners
from faceclust.importers.small_files import UnreadableError, read_small
from faceclust.importers.sources import Sources, usual_contacts
from faceclust.importers.values import Frame, Region, Unread, Words
from faceclust.people.names import clean_name
from faceclust.photos.embedded_xmp import embedded_packets
from faceclust.progress import Progress
from faceclust.types import PhotoFacts
from faceclust.xmp.packet import BadPacketError
from faceclust.xmp.read import read_packet
from faceclust.xmp.values import XmpFaces

SIDECARS, INSIDE, PICASA, TABLE = "XMP sidecars", "XMP inside photos", "Picasa", "a table"
_PACKET = 32_000_000  # bytes


@dataclass
class Gathered:
    """What was found. `unclear`: names in a file that may be of one photo or another; `elsewhere`: photos
    that are spoken of and not in the library; `nameless`: contacts of Picasa whose name stands
    nowhere; `read`: how many files of each kind had something to say of people, and how many
    "photos" were looked into."""

    words: list[Words] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    unclear: list[Conflict] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    nameless: set[str] = field(default_factory=set)
    read: Counter[str] = field(default_factory=Counter)


def gather(root: Path, photos: Mapping[str, PhotoFacts], sources: Sources, progress: Progress) -> Gathered:
    """All that is said in `sources` of the library's `photos`. Nothing is written, and of photos no
    more is read than the packet and what lies before it. Raises UsageError for a table that cannot
    be meant so."""
    return _Gathering(root, photos, progress).run(sources)


class _Gathering:
    def __init__(self, root: Path, photos: Mapping[str, PhotoFacts], progress: Progress) -> None:
        self.root, self.photos, self.progress = root, photos, progress
        self.found = Gathered()
        self._inis: dict[str, picasa.PicasaIni] = {}  # by folder
        self._owners = Owners(photos)

    def run(self, sources: Sources) -> Gathered:
        for path in sources.tables:  # first: they may stop all
            self._table(path)
        starts = tuple(f"{folder}/" if folder else "" for folder in sources.folders)
        inside = [photo for photo in self.photos if photo.startswith(starts)]
        self._photos(dict.fromkeys([*inside, *sources.photos]))
        listed = {posixpath.dirname(photo) for photo in inside}
        for folder in sorted(listed | set(sources.folders)):
            self._folder(self.root / folder, folder)
        for photo in sources.photos:
            for name in (
                f"{stem}.{ending}" for stem in (photo, posixpath.splitext(photo)[0]) for ending in ("xmp", "XMP")
            ):
                if (self.root / name).is_file() and photo in self._owners.of_sidecar(name):
                    self._sidecar(self.root / name, name)
        for file in sources.files:
            self._file(self.root / file, file)
        for mirror in sources.mirrors:
            for folder, _, _ in os.walk(mirror):
                below = Path(folder).relative_to(mirror).as_posix()
                self._folder(Path(folder), "" if below == "." else below)
        self._picasa(sources.contacts or usual_contacts(self.root))
        return self.found

    # -- XMP ------------------------------------------------------------------

    def _photos(self, photos: Collection[str]) -> None:
        self.progress.start("looking into photos for names", len(photos), "photos")
        for photo in photos:
            try:
                packets = embedded_packets(self.root / photo)
            except OSError as error:
                self.found.unread.append(Unread(photo, error.strerror or str(error)))
                packets = []
            for packet in packets:
                self._packet(packet, [photo], INSIDE, photo)
            self.found.read["photos"] += 1
            self.progress.advance(names=sum(self.found.read[source] for source in (SIDECARS, INSIDE)))
        self.progress.finish()

    def _folder(self, path: Path, below: str) -> None:
        """The sidecars and the `.picasa.ini` in a folder."""
        try:
            with os.scandir(path) as entries:
                names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        except OSError as error:
            self.found.unread.append(Unread(below or ".", error.strerror or str(error)))
            return
        for name in names:
            if name.lower().endswith(".xmp") or name.lower() in picasa.NAMES:
                self._file(path / name, posixpath.join(below, name))

    def _file(self, path: Path, below: str) -> None:
        if not path.name.lower().endswith(".xmp"):
            try:
                self._inis[posixpath.dirname(below)] = picasa.read_ini(read_small(path))
            except UnreadableError as error:
                self.found.unread.append(Unread(str(path), str(error)))
        else:
            self._sidecar(path, below)

    def _sidecar(self, path: Path, below: str) -> None:
        photos = self._owners.of_sidecar(below)
        if not photos:
            self.found.elsewhere.append(below)
            return
        try:
            self._packet(read_small(path, _PACKET), photos, SIDECARS, str(path))
        except UnreadableError as error:
            self.found.unread.append(Unread(str(path), str(error)))

    def _packet(self, packet: bytes, photos: Sequence[str], source: str, where: str) -> None:
        try:
            faces = read_packet(packet)
        except BadPacketError as error:
            self.found.unread.append(Unread(where, str(error)))
            return
        words = list(_words_of(faces, photos[0], source, where))
        if len(photos) == 1:
            self.found.words += words
        elif names := [*(region.name for one in words for region in one.regions), *people_of(faces)]:
            self._unclear(photos, names, "it may be the sidecar of this photo", where)
        self.found.read[source] += bool(words)

    def _unclear(self, photos: Sequence[str], names: Iterable[str], why: str, where: str) -> None:
        """Names that may be meant for one photo or another."""
        others = " or ".join(photo.rpartition("/")[2] for photo in photos[1:])
        told = tuple(sorted({cleaned for name in names if (cleaned := clean_name(name))}))
        if told:
            self.found.unclear.append(Conflict(photos[0], (), told, f"{why}, or of {others}", (where,)))

    # -- Picasa -----------------------------------------------------------------

    def _picasa(self, contacts: Iterable[Path]) -> None:
        if not self._inis:
            return
        others: dict[str, str] = {}
        for ini in self._inis.values():
            others |= ini.contacts
        for path in contacts:
            try:
                others |= picasa.read_contacts(read_small(path))
            except UnreadableError as error:
                self.found.unread.append(Unread(str(path), str(error)))
        for folder, ini in sorted(self._inis.items()):
            for file, faces in ini.faces.items():
                photos = self._owners.of_name(posixpath.join(folder, file))
                if not photos:
                    self.found.elsewhere.append(posixpath.join(folder, file))
                    continue
                regions, photo = [], photos[0]
                for box, contact in faces:
                    name = picasa.name_of(contact, ini.contacts, others)
                    if name is None:
                        self.found.nameless.add(contact)
                    regions.append(Region(name or "", box))
                raw = posixpath.splitext(photo)[1].lower() in RAW_ENDINGS
                frame = Frame.UPRIGHT if raw else Frame.STORED
                where = posixpath.join(folder, ".picasa.ini")
                if len(photos) == 1:
                    self.found.words.append(Words(photo, PICASA, where, regions=tuple(regions), frame=frame))
                else:
                    names = [region.name for region in regions]
                    self._unclear(photos, names, f"[{file}] may be the faces of this photo", where)
            self.found.read[PICASA] += bool(ini.faces)

    # -- tables -----------------------------------------------------------------

    def _table(self, path: Path) -> None:
        try:
            data = read_small(path)
        except UnreadableError as error:
            self.found.unread.append(Unread(str(path), str(error)))
            return
        rows: dict[str, list[Region]] = defaultdict(list)
        for row in read_table(data, path.name):
            photo = self._photo_of(row, path.parent)
            if photo is None:
                self.found.elsewhere.append(row.photo)
            else:
                rows[photo].append(Region(row.name, fractions_of(row, self.photos[photo].size, path.name), row.sure))
        for photo, regions in rows.items():
            where = str(path)
            self.found.words.append(Words(photo, TABLE, where, regions=tuple(regions), frame=Frame.UPRIGHT, sure=True))
        self.found.read[TABLE] += 1

    def _photo_of(self, row: TableRow, beside: Path) -> str | None:
        """The photo of a row: below the root, else beside the table, or anywhere."""
        for name in dict.fromkeys((row.photo, row.photo.replace("\\", "/"))):
            if (below := posixpath.normpath(name)) in self.photos:
                return below
            full = Path(os.path.normpath(beside / name))
            for root in dict.fromkeys((self.root, Path(os.path.realpath(self.root)))):
                if full.is_relative_to(root) and (below := full.relative_to(root).as_posix()) in self.photos:
                    return below
        return None


def _words_of(faces: XmpFaces, photo: str, source: str, where: str) -> Iterable[Words]:
    """A packet's words of one photo: each scheme's apart, for they may relate to different pictures."""
    people = people_of(faces)
    for scheme in ("mwg", "mp"):
        regions = [region for region in faces.regions if region.scheme == scheme]
        if regions:
            yield Words(
                photo,
                source,
                where,
                scheme,
                tuple(Region(region.name or "", region.box, region.sure) for region in regions),
                people,
                applied_to=regions[0].applied_to,
                orientation=faces.orientation,
            )
            people = ()
    if people:
        yield Words(photo, source, where, people=people)
