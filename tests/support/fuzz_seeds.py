"""Small valid inputs for each fuzz target, from which mutations start."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pillow_heif
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, PngImagePlugin

from faceclust.outputs.albums.manifest import FORMAT_VERSION
from faceclust.people.events import Event, JournalFace, to_record
from faceclust.people.journal_lines import encode_record
from faceclust.store.clusters import write_clusters
from faceclust.store.lock_owner import LockOwner
from faceclust.store.schema import CacheInfo, encode_parquet, photos_to_table
from faceclust.types import Clustering, Metadata, PhotoRef, ScannedPhoto, SkippedPhoto, SkipReason
from faceclust.xmp.region_plan import NamedBox
from faceclust.xmp.write import merge_faces
from tests.support import xmp_samples
from tests.support.catalogue_builders import (
    NamedFace,
    build_immich_asset,
    build_takeout,
    write_digikam,
    write_lightroom,
)
from tests.support.metadata_files import raw_profile
from tests.support.photo_files import build_dng, encode_image
from tests.support.recordio_files import MAGIC, encode_face
from tests.support.sample_photos import DATE_TAKEN, EXIF_IFD, MAKE, ORIENTATION
from tests.support.sample_videos import write_video
from tests.support.xmp_packets import CLUTTER, build_array, build_mwg_regions, build_region, build_sidecar

MODELS = Path(__file__).parents[2] / "models"


def _xmp() -> list[bytes]:
    sidecar = build_sidecar(
        build_mwg_regions(build_region("Anna", 0.5, 0.4, 0.2, 0.3)), build_array("dc:subject", "Anna", "sea"), CLUTTER
    )
    samples = [xmp_samples.DIGIKAM, xmp_samples.LIGHTROOM, xmp_samples.PICASA, xmp_samples.WINDOWS]
    own = merge_faces(None, [NamedBox((0.1, 0.1, 0.4, 0.4), "Zoë"), NamedBox((0.5, 0.5, 0.9, 0.9), "B", False)], (9, 9))
    return [sidecar.encode(), sidecar.encode("utf-16"), own.data, *samples]


def _photos() -> list[bytes]:
    """Return tiny photos of each format, with EXIF, XMP and IPTC."""
    picture = Image.new("RGB", (16, 16), "red")
    exif = Image.Exif()
    exif[MAKE], exif[ORIENTATION] = "Canon", 6
    exif.get_ifd(EXIF_IFD)[DATE_TAKEN] = "2019:07:20 21:15:03"
    exif.get_ifd(0x8825).update({1: "S", 2: (33.0, 51.0, 24.0), 3: "W", 4: (70.0, 30.0, 0.0)})
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp.decode(), zip=True)
    jpeg = encode_image(picture, "JPEG", exif=exif, xmp=xmp, quality=10)
    keywords = b"\x1c\2\x19\0\3sea\x1c\2\x19\0\5Anna "
    iptc = b"Photoshop 3.0\x008BIM\4\4\0\0" + struct.pack(">I", len(keywords)) + keywords
    app13 = b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc
    profiles = PngImagePlugin.PngInfo()
    for name, content in (("exif", exif.tobytes()), ("xmp", xmp), ("iptc", iptc)):
        profiles.add_text(f"Raw profile type {name}", raw_profile(name, content).decode(), zip=name == "exif")
    profiles.add_text("Creation Time", "2019:07:20 21:15:03")
    guid = b"0123456789ABCDEF0123456789ABCDEF"
    extension = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", len(xmp), 0) + xmp
    app1 = b"\xff\xe1" + struct.pack(">H", len(extension) + 2) + extension
    heif = io.BytesIO()
    pillow_heif.from_pillow(picture).save(heif, quality=10, exif=exif.tobytes(), xmp=xmp)
    return [
        jpeg,
        jpeg[:2] + app13 + app1 + jpeg[2:],
        encode_image(picture, "PNG", exif=exif, pnginfo=text),
        encode_image(picture, "PNG", pnginfo=profiles),
        encode_image(picture, "WEBP", exif=exif, xmp=xmp),
        encode_image(picture, "TIFF", exif=exif, tiffinfo={700: xmp, 33723: keywords}),
        encode_image(picture, "AVIF", exif=exif, xmp=xmp),
        heif.getvalue(),
        encode_image(picture, "JXL", lossless=True, usecontainer=True),
        encode_image(picture, "JXL", lossless=True, usecontainer=False),
        encode_image(picture, "BMP"),
        encode_image(picture, "GIF"),
        build_dng(picture, encode_image(picture, "JPEG", quality=10), orientation=6),
        exif.tobytes(),
    ]


def _picasa() -> list[bytes]:
    return [
        b"[Picasa]\nname=x\n[a.jpg]\nfaces=rect64(3f845bcb59418507),8e62398ebda8c1a5;"
        b"rect64(9eb15e89b6b584c1),ffffffffffffffff\nbackuphash=1\n[Contacts2]\n8e62398ebda8c1a5=Ben;;\n",
        "\ufeff[a.jpg]\r\nfaces=rect64(1),2;\r\n".encode("utf-16-le"),
        b'<?xml version="1.0"?><contacts><contact id="8e62398ebda8c1a5" name="Ben" modified_time="2010"/></contacts>',
    ]


def _tables() -> list[bytes]:
    return [
        b'photo,left,top,right,bottom,name\na.jpg,0.1,0.1,0.5,0.5,Ben\n"b,c.jpg",10,10,50,50,"A ""x"" B"\n',
        b"file;left;top;right;bottom;person;confirmed\na;1.5;2;3;4;x;no\n",
        b"a.jpg\t1\t2\t3\t4\tAnna\n",
        b"face_id,person\n0123456789abcdef,Anna\n",
        b"2\t1\nAnna\t1\t2\nAnna\t1\tBen\t1\nBen\t1\t2\nAnna\t2\tBen\t1\n",
        b"1\nAnna 1 2\nAnna 1 Ben 1\n",
    ]


def _onnx() -> list[bytes]:
    """Return a model with weights in an initializer, in a node, in a branch and in a function."""
    plain = numpy_helper.from_array(np.zeros(3, np.float32), "w")
    external = onnx.TensorProto(data_type=TensorProto.FLOAT, dims=[3], name="w", data_location=TensorProto.EXTERNAL)
    external.external_data.add(key="location", value="secret.bin")
    value = helper.make_tensor_value_info("w", TensorProto.FLOAT, [3])
    models = []
    for tensor in (plain, external):
        constant = helper.make_node("Constant", [], ["w"], value=tensor)
        branch = helper.make_graph([constant], "b", [], [value])
        nodes = [helper.make_node("If", ["y"], ["w"], then_branch=branch), helper.make_node("f", [], ["w"], domain="o")]
        function = helper.make_function("o", "f", [], ["w"], [constant], [])
        for graph, functions in (
            (helper.make_graph([], "g", [], [value], [tensor]), []),
            (helper.make_graph([constant], "g", [], [value]), []),
            (helper.make_graph(nodes[:1], "g", [], [value]), []),
            (
                helper.make_graph(nodes[1:], "g", [], [value]),
                [function],
            ),
        ):
            models.append(helper.make_model(graph, functions=functions).SerializeToString())
    return models


def _manifests() -> list[bytes]:
    return [(MODELS / f"{name}.toml").read_bytes() for name in ("buffalo_l", "dlib", "facenet")]


def _configs() -> list[bytes]:
    return [
        b'library = "~/x"\njson = true\npack = "dlib"\n[cluster] # how alike\nthreshold = 1.05\nsecond-pass = false\n'
        b"[calibration.dlib]\nthreshold = 1.0\nfar = 0.001\npeople = 5\nfaces = 5\nrate = 0.0\nmade = 2020-01-01\n"
        b'space = "x"\n[scan]\nworkers = 2\n',
        b'scan.precision = "int8"\r\nscan.workers = 1\r\n',
        b"scan = {workers = 1, min-face = 20}\n[[other]]\na = '''\nx'''\n",
    ]


def _pickles() -> list[bytes]:
    """Return pickles of pairs in all protocols, and some that name functions."""
    from tests.support.fuzz_targets import forbidden_call

    class Caller:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return forbidden_call, ("x",)

    arrays = ([np.frombuffer(b"abc", np.uint8)] * 2, np.array([True]))
    valid = [pickle.dumps(([b"jpg1", b"jpg2"], [True]), protocol) for protocol in range(6)]
    valid += [pickle.dumps(arrays, protocol) for protocol in (2, 4, 5)]
    return [*valid, *(pickle.dumps(([Caller(), b"x"], [True]), protocol) for protocol in (0, 2, 4))]


def _embeddings() -> list[bytes]:
    vectors = np.eye(3, 4, dtype=np.float32)
    outs = [io.BytesIO(), io.BytesIO()]
    np.savez(outs[0], embeddings=vectors, labels=np.array(["a", "b", "b"]))
    np.savez_compressed(outs[1], embeddings=vectors.astype(np.float16), face_ids=np.arange(3))
    table = pa.table({"embedding": list(vectors), "label": ["a", "b", None]})
    outs.append(io.BytesIO())
    pq.write_table(table, outs[2])
    return [out.getvalue() for out in outs]


def _journals() -> list[bytes]:
    face = JournalFace("0123456789abcdef", "ab" * 16, "a/b.jpg", (0.1, 0.1, 0.4, 0.4), True, "2019-07-20T21:15:03")
    other = JournalFace("fedcba9876543210", "cd" * 16, "c.jpg", (0.5, 0.5, 0.9, 0.9), False)
    answers: list[dict[str, Any]] = [
        {"kind": "name", "faces": (face,), "rest": (other,), "name": "Zoë"},
        {"kind": "rename", "name": "Zoë", "to": "Zoe"},
        {"kind": "merge", "faces": (face, other)},
        {"kind": "ignore", "faces": (other,)},
        {"kind": "found", "faces": (face,), "rest": (other,)},
        {"kind": "split", "faces": (face,), "rest": (other,)},
        {"kind": "reject", "faces": (face,), "name": "Ben", "source": "Picasa"},
        {"kind": "add", "faces": (face,), "name": "Ida"},
        {"kind": "move", "faces": (face,), "rest": (other,)},
        {"kind": "remove", "faces": (other,)},
        {"kind": "undo", "undoes": "000000000003"},
    ]
    events = [
        Event(f"{number:012}", f"2026-01-01T00:00:0{number}.000Z", **answer) for number, answer in enumerate(answers)
    ]
    lines = [encode_record(to_record(event)) for event in events]
    return [*lines, b"".join(lines), lines[0] + b'{"event":"unknown"}\n\nbroken\n' + lines[1][:-9]]


def _notes() -> list[bytes]:
    link = {"kind": "symlink", "photo": "a.jpg", "to": "../a.jpg", "size": 1, "mtime_ns": 1}
    albums = {
        "format": FORMAT_VERSION,
        "library": "..",
        "folders": ["Anna"],
        "links": {"Anna/a.jpg": link},
        "making": {},
    }
    snapshot = {"schema": 1, "stamp": "x", "folders": {"a": ["d", 3, [10, 20]], "b": ["d", 0, None]}}
    origin = {"sha256": "ab" * 32, "address": "https://example.org/x", "etag": None}
    return [
        LockOwner.current_process("scanning").encoded,
        *(json.dumps(note).encode() for note in (albums, snapshot, origin)),
    ]


def _caches() -> list[bytes]:
    scanned = ScannedPhoto(
        ref=PhotoRef("a.jpg", 1, 2),
        content_hash="ab" * 16,
        full_size=(200, 100),
        metadata=Metadata(camera="Canon", orientation=1),
        face_ids=("0123456789abcdef",),
        boxes=np.array([[0.1, 0.1, 0.4, 0.4]], np.float32),
        landmarks=np.full((1, 5, 2), 0.2, np.float32),
        scores=np.array([0.9], np.float32),
        quality=np.array([0.5], np.float32),
        embeddings=np.ones((1, 4), np.float32),
        min_face=20,
    )
    skipped = SkippedPhoto(PhotoRef("b.jpg", 1, 2), SkipReason.TRUNCATED, "damaged")
    infos = [CacheInfo("dlib", "dlib x", 4, 2.0, precision) for precision in ("float32", "float16", "int8")]
    ids, numbers = np.array(["0123456789abcdef", "fedcba9876543210"]), np.array([1, 1], np.int32)
    values = np.array([0.5, 1.0], np.float32)
    clustering = Clustering(ids, numbers, values, numbers, values, numbers, models="dlib", highest_number=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve() / "clusters.parquet"
        write_clusters(path, clustering)
        clusters = path.read_bytes()
    return [*(bytes(encode_parquet(photos_to_table([scanned, skipped], info))) for info in infos), clusters]


def _catalogues() -> list[bytes]:
    faces = [NamedFace("2019/a.jpg", "Anna", (1, 2, 30, 40)), NamedFace("c.jpg", "Ben", (5, 5, 9, 9), confirmed=False)]
    fractional = [NamedFace("2019/a.jpg", "Anna", (0.1, 0.2, 0.3, 0.4))]
    people = [("2019/b.jpg", "Cleo")]
    answer = {"assets": {"items": [build_immich_asset("/data/2019/a.jpg", fractional)]}}
    with tempfile.TemporaryDirectory() as folder:
        databases = [
            write_digikam(Path(folder) / "digikam4.db", faces, size=(200, 100), people=people).read_bytes(),
            write_lightroom(Path(folder) / "catalogue.lrcat", fractional, people=people).read_bytes(),
        ]
    return [*databases, json.dumps(answer).encode(), build_takeout("IMG_1.jpg", "Anna", "Ben").encode()]


def build_records() -> bytes:
    """Return a small `train.rec`: one record of several parts, and one without a picture."""
    return b"".join([encode_face((2, 3), b""), encode_face(2, b"ab"), encode_face((1, 0), b"abcd" + MAGIC + b"efg")])


def _records() -> list[bytes]:
    return [build_records(), b"0\t0\n1\t40\n", b"3,112,112"]


def _videos() -> list[bytes]:
    """Return a tiny video of each container, with metadata."""
    texts = {"creation_time": "2019-05-17T12:34:56Z", "location": "+52.5200+013.4050/"}
    kinds = (("v.mp4", "libx264"), ("v.webm", "libvpx"), ("v.avi", "mpeg4"), ("v.wmv", "wmv2"), ("v.mov", "mjpeg"))
    with tempfile.TemporaryDirectory() as folder:
        return [
            write_video(
                Path(folder) / name, [(2.0, [])], codec=codec, size=(128, 128), rate=1, texts=texts
            ).read_bytes()
            for name, codec in kinds
        ]


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "xmp": _xmp,
    "boxes": _photos,
    "exif": _photos,
    "tables": lambda: [*_tables(), *_picasa()],
    "toml": lambda: [*_manifests(), *_configs()],
    "onnx": _onnx,
    "pickle": lambda: [*_pickles(), *_embeddings()],
    "cache": _caches,
    "json": lambda: [*_journals(), *_notes()],
    "catalogues": _catalogues,
    "recordio": _records,
    "videos": _videos,
}
