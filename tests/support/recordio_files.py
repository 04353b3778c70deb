"""Write RecordIO files in InsightFace's layout, by the format's description and not by our reader."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

MAGIC = struct.pack("<I", 0xCED7230A)


def encode_part(kind: int, content: bytes) -> bytes:
    return MAGIC + struct.pack("<I", kind << 29 | len(content)) + content + bytes(-len(content) % 4)


def encode_record(content: bytes) -> bytes:
    """Return the record; it has several parts if the magic number occurs in it at a multiple of four."""
    parts, start = [], 0
    for at in range(0, len(content) - 3, 4):
        if content[at : at + 4] == MAGIC:
            parts.append(content[start:at])
            start = at + 4
    parts.append(content[start:])
    if len(parts) == 1:
        return encode_part(0, content)
    return b"".join(encode_part(1 if i == 0 else 3 if i == len(parts) - 1 else 2, part) for i, part in enumerate(parts))


def encode_face(labels: float | Sequence[float], picture: bytes, number: int = 0) -> bytes:
    """Return a record with one label in its header, or with several after it."""
    if isinstance(labels, Sequence):
        return encode_record(
            struct.pack("<IfQQ", len(labels), 0, number, 0) + struct.pack(f"<{len(labels)}f", *labels) + picture
        )
    return encode_record(struct.pack("<IfQQ", 0, labels, number, 0) + picture)


def write_records(
    folder: Path, faces: Iterable[tuple[int, bytes]], *, index: bool = True, people: int | None = None
) -> Path:
    """Write faces (label, picture) with the first record, the people's records and the files that InsightFace has."""
    faces = list(faces)
    labels = sorted({label for label, _ in faces})
    people = len(labels) if people is None else people
    records = [encode_face((len(faces) + 1, len(faces) + 1 + len(labels)), b"")]
    records += [encode_face(label, picture, i) for i, (label, picture) in enumerate(faces, 1)]
    records += [encode_face((1, 2), b"", i) for i in range(len(faces) + 1, len(faces) + 1 + len(labels))]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.rec").write_bytes(b"".join(records))
    (folder / "property").write_text(f"{people},112,112")
    if index:
        offsets = [sum(map(len, records[:i])) for i in range(len(records))]
        (folder / "train.idx").write_text("".join(f"{i}\t{offset}\n" for i, offset in enumerate(offsets)))
    return folder
