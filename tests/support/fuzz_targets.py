"""The parsers of foreign bytes as fuzz targets, for tests/test_fuzz.py and tests/benchmarks/fuzz.py.

Each target is a function of the bytes and of a scratch folder. It swallows the documented exceptions only,
and asserts what must hold for any bytes: round trips, ranges, and that nothing is imported or called.
"""

from __future__ import annotations

import math
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from struct import error as StructError

import onnx

from faceclust.errors import CacheError, FaceclustError, PackError, UsageError
from faceclust.evaluation.embedding_files import read_embedding_file
from faceclust.evaluation.ground_truth import read_persons_by_face_id
from faceclust.evaluation.pair_lists import holds_pictures, read_pair_list, read_picture_pairs
from faceclust.evaluation.safe_pickle import UnsafePickleError, read_pickle
from faceclust.files.names import ALBUMS_MARKER
from faceclust.importers.catalogue_files import collect_catalogue
from faceclust.importers.csv_table import read_table, to_fractional_box
from faceclust.importers.picasa import read_contacts, read_ini, resolve_contact
from faceclust.importers.small_files import UnreadableFileError
from faceclust.installer.partial_file import PartialFile
from faceclust.outputs.albums.manifest import read_albums_manifest
from faceclust.packs.manifest import read_manifest
from faceclust.packs.onnx_file import check_onnx
from faceclust.people.journal import Journal
from faceclust.people.journal_lines import merge_journals
from faceclust.people.replay import replay_events
from faceclust.photos.embedded_metadata import MAX_BLOCK_BYTES, read_embedded_metadata
from faceclust.photos.errors import UndecodableError
from faceclust.photos.formats import HEAD_BYTES, Format, detect_format, is_raw_tiff
from faceclust.photos.heif import read_heif_orientation
from faceclust.photos.iso_boxes import bytes_reader, iter_boxes
from faceclust.photos.iso_metadata import iter_iso_blocks
from faceclust.photos.jxl import read_jxl_orientation
from faceclust.photos.limits import reject_decompression_bombs
from faceclust.photos.live_photos import is_movie_of_photo
from faceclust.photos.metadata import read_metadata
from faceclust.photos.orientation import read_orientation
from faceclust.photos.takeout import (
    BadTakeoutError,
    belongs_to_photo,
    find_takeout_json,
    index_takeout_names,
    read_takeout,
)
from faceclust.photos.videos import MAX_FRAME_PIXELS, hash_video, open_video, read_frames
from faceclust.store.calibrations import read_calibration
from faceclust.store.clusters import read_clusters
from faceclust.store.config import change_config, read_config
from faceclust.store.folder_cache import UnusableCacheError, may_hold_forgotten, read_any_cache, read_cache
from faceclust.store.lock_owner import LockOwner
from faceclust.store.scan_snapshot import read_scan_snapshot
from faceclust.store.schema import read_cached_photos, read_scanned_photos
from faceclust.training.data.recordio import RecordFile, check_property, select_indexed
from faceclust.types import PhotoInfo, PhotoRef
from faceclust.types.frames import MAX_FRAME_TIME, MAX_FRAMES
from faceclust.xmp.new_packet import build_new_packet
from faceclust.xmp.packet import BadPacketError, parse_packet
from faceclust.xmp.read import read_packet
from faceclust.xmp.region_plan import NamedBox
from faceclust.xmp.write import merge_faces, strip_own_data
from tests.support.fuzz_seeds import SEEDS, build_records
from tests.support.recordio_files import MAGIC

CORPUS_FOLDER = Path(__file__).parents[1] / "data" / "fuzz"
_FACES = (NamedBox((0.1, 0.1, 0.4, 0.4), "Zoë"), NamedBox((0.5, 0.5, 0.9, 0.9), "Ben & <x>", confirmed=False))
_SIZE = (400, 300)


@dataclass(frozen=True)
class FuzzTarget:
    """Parsers under test.

    `instrumented` are the modules and packages whose code guides the mutations. `tokens` are byte strings
    that mutations insert.
    """

    checks: tuple[Callable[[bytes, Path], None], ...]
    instrumented: tuple[str, ...]
    tokens: tuple[bytes, ...]

    def run(self, data: bytes, folder: Path) -> None:
        for check in self.checks:
            check(data, folder)


def read_corpus(name: str) -> list[bytes]:
    """Return the seeds of a target, and its stored inputs: one for each part of the code that fuzzing reached."""
    stored = CORPUS_FOLDER / f"{name}.zip"
    if not stored.exists():
        return SEEDS[name]()
    with zipfile.ZipFile(stored) as archive:
        return [*SEEDS[name](), *map(archive.read, archive.namelist())]


def _write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def check_xmp(data: bytes, folder: Path) -> None:
    """Read a packet, and edit it: editing twice changes nothing more, and its faces can be read back."""
    with suppress(BadPacketError):
        found = read_packet(data)
        assert all(0 <= region.box[0] < region.box[2] <= 1 for region in found.regions)
        assert all(0 <= region.box[1] < region.box[3] <= 1 for region in found.regions)
        assert found.orientation in (None, *range(1, 9))
    with suppress(BadPacketError):
        _check_edit(data)
    with suppress(BadPacketError):
        new = build_new_packet([data], ["Zoë", "\0"])
        parse_packet(new)
        _check_edit(new)


def _check_edit(packet: bytes) -> None:
    merged = merge_faces(packet, _FACES, _SIZE)
    assert merge_faces(merged.data, _FACES, _SIZE).data == merged.data
    again = {(region.name or "").casefold() for region in read_packet(merged.data).regions}
    missing = {str(face.name).casefold() for face in _FACES} - {name.casefold() for name, _ in merged.conflicts}
    assert missing <= again, missing - again
    stripped = strip_own_data(merged.data)
    if stripped is not None:
        parse_packet(stripped)
        assert strip_own_data(stripped) == stripped


def check_embedded_xmp(data: bytes, folder: Path) -> None:
    """Find the metadata in a photo, in memory bounded by the limit."""
    found = read_embedded_metadata(_write(folder, "photo", data))
    assert sum(map(len, found.xmp + found.exif + found.iptc)) <= MAX_BLOCK_BYTES + 1
    for packet in found.xmp:
        with suppress(BadPacketError):
            read_packet(packet)


def check_boxes(data: bytes, folder: Path) -> None:
    """Walk the boxes of HEIC, AVIF and JPEG XL, and the headers that are checked before decoding."""
    found = list(iter_boxes(bytes_reader(data), 0, len(data), 1000))
    assert all(0 < box.start <= box.end <= len(data) for box in found)
    with suppress(StructError):
        assert sum(len(block) for _, block in iter_iso_blocks(bytes_reader(data), len(data), 1_000_000)) <= 1_000_000
    with _write(folder, "photo", data).open("rb") as file, suppress(ValueError):
        assert read_heif_orientation(file) in range(1, 9)
    with suppress(UndecodableError):
        assert read_jxl_orientation(data) in range(1, 9)
    is_raw_tiff(data)
    for format in Format:
        with suppress(UndecodableError):
            reject_decompression_bombs(data, format)
    with suppress(UndecodableError):
        detect_format(data[:HEAD_BYTES])


def check_picasa(data: bytes, folder: Path) -> None:
    """Read a `.picasa.ini` and a `contacts.xml`."""
    ini = read_ini(data)
    for box, contact in (face for faces in ini.faces.values() for face in faces):
        assert 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1
        resolve_contact(contact, ini.contacts, {})
    with suppress(UnreadableFileError):
        assert all(map(str.strip, read_contacts(data).values()))


def check_tables(data: bytes, folder: Path) -> None:
    """Read a table of names, of true persons, and a list of pairs."""
    with suppress(UsageError):
        for row in read_table(data, "table"):
            assert row.name and row.photo
            box = to_fractional_box(row, _SIZE, "table")
            assert all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3]
    path = _write(folder, "table.csv", data)
    with suppress(UsageError):
        read_persons_by_face_id(path)
    with suppress(UsageError):
        pairs = read_pair_list(path)
        assert len(pairs.left) == len(pairs.right) == len(pairs.same) == len(pairs.folds)


def check_catalogue(data: bytes, folder: Path) -> None:
    """Read a program's database, or a saved answer, of a library with two photos."""
    photos = {
        name: PhotoInfo(name, name, _SIZE, 6, None, None, None, None) for name in ("2019/a.jpg", "2019/b.jpg", "c.jpg")
    }
    for name in ("digikam4.db",) if data.startswith(b"SQLite") else ("immich.json",):
        with suppress(UsageError):
            _, found, _ = collect_catalogue(_write(folder, name, data), folder, photos)
            for names in found:
                assert all(map(math.isfinite, (side for region in names.regions for side in region.box)))
                assert all(region.box[0] < region.box[2] and region.box[1] < region.box[3] for region in names.regions)
        assert not list(folder.glob("digikam4.db-*"))


def check_takeout(data: bytes, folder: Path) -> None:
    """Read the JSON of a photo from Google Takeout, and look for the JSON of a photo named like its title."""
    with suppress(BadTakeoutError):
        if facts := read_takeout(data):
            assert all(map(str.strip, facts.people))
            name = f"{facts.title}.json"
            assert find_takeout_json(facts.title, index_takeout_names([name])) in (name, None)
            assert not facts.title or belongs_to_photo(facts, name, facts.title)


def check_exif(data: bytes, folder: Path) -> None:
    """Read the metadata, keywords and orientation of a photo or an EXIF block, which never raise."""
    for source in (data, b"Exif\0\0" + data):
        metadata = read_metadata(source)
        assert metadata.latitude is None or abs(metadata.latitude) <= 90
        assert metadata.longitude is None or abs(metadata.longitude) <= 180
        assert metadata.taken_at is None or metadata.taken_at.year >= 1826
        assert metadata.camera is None or metadata.camera.isprintable()
    path = _write(folder, "photo", data)
    embedded = read_embedded_metadata(path)
    assert all(map(str.strip, embedded.iptc_keywords + embedded.windows_keywords))
    assert embedded.orientation in range(1, 9)
    assert all(date is None or date.year >= 1826 for date in (embedded.iptc_date, embedded.png_date))
    found = read_orientation(path)
    assert found is None or found.orientation in range(1, 9)


def check_onnx_file(data: bytes, folder: Path) -> None:
    """Accept no ONNX file in which onnx itself finds a reference to another file."""
    try:
        check_onnx(data, PurePath("model"))
    except PackError:
        return
    try:
        model = onnx.load_model_from_string(data)
    except Exception:  # ONNX Runtime refuses it as well
        return
    assert not any(_references_files(graph) for graph in _graphs(model))


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    yield model.graph
    for training in model.training_info:
        yield from (training.initialization, training.algorithm)
    for function in model.functions:
        yield onnx.GraphProto(node=function.node)


def _references_files(graph: onnx.GraphProto) -> bool:
    tensors = [*graph.initializer, *(part for sparse in graph.sparse_initializer for part in (sparse.values,))]
    graphs: list[onnx.GraphProto] = []
    for node in graph.node:
        for attribute in node.attribute:
            tensors += [attribute.t, *attribute.tensors]
            graphs += [attribute.g, *attribute.graphs] if attribute.HasField("g") else [*attribute.graphs]
    return any(tensor.external_data or tensor.data_location for tensor in tensors) or any(
        map(_references_files, graphs)
    )


def check_manifest(data: bytes, folder: Path) -> None:
    """Parse a pack manifest; the pack has only files in its own folder."""
    with suppress(PackError):
        pack = read_manifest(_write(folder, "pack.toml", data))
        assert all(pack.path(file.name).parent == folder for file in pack.own_files)
        assert pack.fingerprint.isprintable()


def check_config(data: bytes, folder: Path) -> None:
    """Read a configuration file, and change it: the other values stay as they are."""
    path = _write(folder, "config.toml", data)
    with suppress(UsageError):
        read_calibration(path, "dlib")
    with suppress(UsageError):
        expected = read_config(path)
        change_config(path, {("scan", "precision"): "int8", ("pack",): None})
        expected.setdefault("scan", {})["precision"] = "int8"
        expected.pop("pack", None)
        assert read_config(path) == expected


def check_pickle(data: bytes, folder: Path) -> None:
    """Read a pickle of pairs: nothing is imported or called, and the result has plain values only."""
    modules = len(sys.modules)
    with suppress(UnsafePickleError):
        values = [read_pickle(data)]
        seen: set[int] = set()
        while values:
            value = values.pop()
            assert type(value) in (list, tuple, bytes, bool, int, str, type(None)), type(value)
            if isinstance(value, list | tuple) and id(value) not in seen:
                seen.add(id(value))
                values += value
    with suppress(UsageError):
        path = _write(folder, "pairs.bin", data)
        holds_pictures(path)
        pairs = read_picture_pairs(path)
        assert len(pairs.left) == len(pairs.right) == len(pairs.same)
    assert len(sys.modules) == modules


def forbidden_call(*arguments: object) -> None:
    """Fail the check if a pickle calls this function, which seeds of the target name."""
    raise AssertionError("a pickle called a function")


def check_embeddings(data: bytes, folder: Path) -> None:
    """Read an .npz or .parquet file of embeddings."""
    name = "faces.parquet" if data[:4] == b"PAR1" else "faces.npz"
    with suppress(UsageError):
        saved = read_embedding_file(_write(folder, name, data), None, 1.2)
        assert len(saved.faces.face_ids) == len(saved.faces.embeddings)


def check_journal(data: bytes, folder: Path) -> None:
    """Read a journal, replay it, append to it, and merge it with itself: no answer is lost."""
    path = _write(folder, "people.jsonl", data)
    journal = Journal(path)
    with suppress(CacheError):
        events = journal.events()
        replay_events(events, [])
        if all(character < "\ud800" or character > "\udfff" for event in events for character in event.id):
            journal.undo()
            assert len(Journal(path).events()) >= len(events)
        merged = _write(folder, "merged.jsonl", merge_journals([data, data]))
        assert [event.id for event in Journal(merged).events()] == [event.id for event in events]


def check_notes(data: bytes, folder: Path) -> None:
    """Read the small JSON files: lock owner, last scan, albums' manifest, origin of a partial download."""
    owner = LockOwner.parse(data)
    assert owner.describe().isprintable() and owner.token.isprintable() and "/" not in owner.token
    read_scan_snapshot(_write(folder, "snapshot.json", data))
    _write(folder, ALBUMS_MARKER, data)
    with suppress(FaceclustError):
        manifest = read_albums_manifest(folder)
        assert not any(".." in path.split("/") or path[:1] == "/" for path in (*manifest.links, *manifest.making))
    _write(folder, "model.onnx.part.json", data)
    PartialFile(folder / "model.onnx").read_origin()


def check_cache(data: bytes, folder: Path) -> None:
    """Read a folder cache and a clustering."""
    path = _write(folder, ".faceclust.mobilefacenet.parquet", data)
    with suppress(CacheError, UnusableCacheError):
        may_hold_forgotten(path)
    with suppress(CacheError, UnusableCacheError):
        info, rows = read_any_cache(path)
        assert rows.equals(read_cache(path, info))
        read_cached_photos(rows)
        list(read_scanned_photos(rows, None, info))
    with suppress(CacheError):
        read_clusters(path)


def check_recordio(data: bytes, folder: Path) -> None:
    """Read a `train.rec`, and the same bytes as its `train.idx` and `property`."""
    with suppress(UsageError):
        file = RecordFile(_write(folder, "train.rec", data))
        table = file.list_records()
        assert (table.offsets[1:] > table.offsets[:-1]).all() and (table.labels >= -1).all()
        pictures = [file.read_picture(int(offset)) for offset in table.offsets]
        assert [bool(picture) for picture in pictures] == (table.labels >= 0).tolist()
        assert sum(map(len, pictures)) <= len(data)
    table = RecordFile(_write(folder, "train.rec", build_records())).list_records()
    path = _write(folder, "train.idx", data)
    with suppress(UsageError):
        assert len(select_indexed(table, path).offsets) <= len(table.offsets)
    with suppress(UsageError):
        check_property(table, path)


def check_videos(data: bytes, folder: Path) -> None:
    """Decode the frames of a video as a scan does, and read the first one again for a picture."""
    path = _write(folder, "video.mp4", data)
    is_movie_of_photo(path, path)
    with suppress(UndecodableError):
        hash_video(path, PhotoRef(path.name, len(data), 0))
        with open_video(path) as video:
            metadata = video.metadata
            assert metadata.latitude is None or abs(metadata.latitude) <= 90
            frames = [(frame.time, frame.pixels.shape) for frame in video.sample_frames()]
        assert len(frames) <= MAX_FRAMES
        assert all(0 <= time <= MAX_FRAME_TIME and h * w <= MAX_FRAME_PIXELS for time, (h, w, _) in frames)
        list(read_frames(path, [time for time, _ in frames[:1]]))


_XML = (b"<!-- -->", b"<![CDATA[x]]>", b"<!DOCTYPE x>", b'<!ENTITY a "b">', b"&amp;", b"&#0;", b"&#xD800;")
_RDF = (b"rdf:parseType='Resource'", b"<rdf:Bag>", b"<rdf:li>", b"<rdf:value>", b"<rdf:Description>", b"rdf:about=''")
_NUMBERS = tuple(rb"nan inf -1 1e999 99999999999999999999 0.5 1,5 \ud800 \u0000".split())
_JSON = (*rb'null true NaN Infinity 1e999 [] {} "" -1 \ud800 [[[[[[[[ "undoes" "forget"'.split(), b"\n")
_TIFF = (b"II*\0", b"MM\0*", b"Exif\0\0", b"\x69\x87\4\0", b"\x25\x88\4\0", b"\xbc\2", b"8BIM\4\4", b"\x1c\2\x19\0")
_ISO = (
    *b"ftypheic meta iinf infe iloc idat iprp ipco ipma irot imir pitm jxlc jxlp uuid".split(),
    *(b"\0\0\0\x08", b"\0\0\0\1", b"xml ", b"http://ns.adobe.com/xmp/extension/\0"),
)
_PILLOW = ("PIL.Image", "PIL.IptcImagePlugin", "PIL.JpegImagePlugin", "PIL.TiffImagePlugin")
_TABLES = (*b'face_id person confirmed " rect64( faces= [Contacts2]'.split(), b"\t", b"\r")
_SQLITE = (b"SQLite format 3\0", b"CREATE TABLE", b"CREATE VIEW", b"tagRegion", b"<rect x=", b"autodetectedPerson")
_TOML = (*b"[[file]] ../ [scan] scan. [[scan]] {} ''' # nan [detector]".split(), b"embedded = true", b"\r\n", b'"""')
_RECORDS = (MAGIC, b"\0\0\0\x20", b"\0\0\0\x40", b"\0\0\0\x60", b"\0\0\xc0\x7f", b"0\t0\n", b"3,112,112")
_VIDEOS = (
    *b"moov trak mdia stbl stsz stsc stts stco ctts elst tkhd mvhd moof trun avc1 mdat idx1 strf movi".split(),
    *(b"\x1aE\xdf\xa3", b"\x1fC\xb6u", b"\x1cS\xbbk", b"\xff\xff\xff\xff", b"\xff\xd8\xff\xc0", b"#EXTM3U\n"),
)
_PICKLES = (b"c_codecs\nencode\n", b"cnumpy\nndarray\n", b"cbuiltins\nexec\n", b"\x93NUMPY\1\0", b"{'descr': '<f4', ")

TARGETS = {
    "xmp": FuzzTarget((check_xmp,), ("faceclust.xmp",), (*_XML, *_RDF, *_NUMBERS)),
    "boxes": FuzzTarget((check_embedded_xmp, check_boxes), ("faceclust.photos",), (*_ISO, *_TIFF)),
    "exif": FuzzTarget((check_exif,), ("faceclust.photos", "exifread", *_PILLOW), _TIFF),
    "tables": FuzzTarget(
        (check_tables, check_picasa), ("faceclust.importers", "faceclust.evaluation"), (*_NUMBERS, *_XML, *_TABLES)
    ),
    "toml": FuzzTarget((check_manifest, check_config), ("faceclust.packs", "faceclust.store", "tomlkit"), _TOML),
    "onnx": FuzzTarget((check_onnx_file,), ("faceclust.packs",), (b"EPContext", b"\x6a\0", b"\x70\1", b"location")),
    "pickle": FuzzTarget((check_pickle, check_embeddings), ("faceclust.evaluation",), _PICKLES),
    "cache": FuzzTarget((check_cache,), ("faceclust.store",), (b"PAR1", b"faceclust", b"ARROW:schema")),
    "json": FuzzTarget(
        (check_journal, check_notes), ("faceclust.people", "faceclust.store", "faceclust.outputs.albums"), _JSON
    ),
    "recordio": FuzzTarget((check_recordio,), ("faceclust.training.data",), _RECORDS),
    "videos": FuzzTarget(
        (check_videos,),
        ("faceclust.photos.videos", "faceclust.photos.video_metadata", "faceclust.photos.live_photos"),
        (*_VIDEOS, *_NUMBERS),
    ),
    "catalogues": FuzzTarget(
        (check_catalogue, check_takeout), ("faceclust.importers", "faceclust.photos.takeout"), (*_JSON, *_SQLITE)
    ),
}
