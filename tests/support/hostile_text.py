"""Text that a terminal would obey, a library full of it, and a check that none arrives."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq

from faceclust import Library
from tests.support.xmp_packets import build_array, build_mwg_regions, build_region, build_sidecar

#: A window title, a bell, a colour, a C1 colour, a line that looks like our own, and direction marks.
HOSTILE = "\x1b]0;OWNED\x07\x1b[31mRED\x9b31m\x85\nerror: forged\r\x7f\u202egpj\u2066\u2028\u200f"
#: The part of it that XML can hold.
HOSTILE_XML = "Zoe\x9b31m\x85\x7f\u202egpj\u2066\u2028\u200f"
#: The same as a string of TOML or JSON.
HOSTILE_QUOTED = json.dumps(HOSTILE)
_DIRECTION_MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
#: Sequences that we and the libraries that draw send to a terminal: colours, cursor movements, queries, a step back.
_OWN_SEQUENCES = re.compile(r"\x1b\[[?>]?[0-9;]*[A-HJKhlmnqtcu]|\x1b_G[^\x1b]*\x1b\\|\x08")


def find_controls(text: str, *, terminal: bool = False) -> list[str]:
    """Return what a terminal would obey, each with the text around it. `terminal`: our own colours are allowed."""
    found = [text[place.start() : place.start() + 40] for place in re.finditer(r"\x1b\[31mRED|\x1b\]0;OWNED", text)]
    found += re.findall("(?m)^error: forged.*", text)
    if terminal:
        text = _OWN_SEQUENCES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return found + [
        text[max(0, place - 40) : place + 20]
        for place, character in enumerate(text)
        if (unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTION_MARKS)
        and character != "\n"
    ]


def list_commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command of the program with the words that call it, from the command table."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from list_commands(command, (*path, name))
        else:
            yield (*path, name), command


def make_hostile_library(photos: Path) -> Path:
    """Put hostile text into each place of a scanned and grouped library. Return its new folder."""
    root = photos.with_name(f"library{HOSTILE}")
    photos.rename(root)
    folder = root / f"folder{HOSTILE}"
    (root / "2019").rename(folder)
    for number, photo in enumerate(sorted(folder.glob("*.*g"))):
        photo.rename(photo.with_name(f"{number}{HOSTILE}{photo.suffix}"))
    for name in (f"broken{HOSTILE}.jpg", os.fsdecode(b"byte\x9b31m.jpg")):
        (folder / name).write_bytes(b"\xff\xd8\xff\xe0broken")
    library = Library(root)
    library.scan(workers=0)
    library.cluster()
    library.name([face for face, group in library.group_of.items() if group == 1][:2], "Anna")
    _add_hostile_cells(root / "2020/.faceclust.mobilefacenet.parquet")
    _add_hostile_answers(library.home.journal)
    photo = next(folder.glob("0*"))
    regions = build_mwg_regions(
        build_region(HOSTILE_XML, 0.5, 0.5, 0.4, 0.4), build_region(HOSTILE_XML, 0.1, 0.1, 0.1, 0.1)
    )
    keywords = build_array("dc:subject", f"People|{HOSTILE_XML}", HOSTILE_XML)
    (folder / f"{photo.name}.xmp").write_text(build_sidecar(regions, keywords), encoding="utf-8")
    (folder / f"{HOSTILE}.xmp").write_text("<broken")
    (folder / ".picasa.ini").write_text(
        f"[Contacts2]\n1={HOSTILE_XML};;\n[{photo.name}]\nfaces=rect64({HOSTILE_XML}),1\n"
    )
    (root / f"{HOSTILE}.csv").write_text(
        f"photo,left,top,right,bottom,name\n{HOSTILE_XML},1,2,3,4,{HOSTILE_XML}\nx,{HOSTILE_XML}\n"
    )
    return root


def _add_hostile_cells(cache: Path) -> None:
    """Write hostile text into the columns that a scan fills from photos and errors."""
    table = pq.read_table(cache)
    for name in ("camera", "detail"):
        number = table.schema.get_field_index(name)
        table = table.set_column(
            number, table.field(number), pa.array([HOSTILE] * len(table), table.field(number).type)
        )
    pq.write_table(table, cache)


def _add_hostile_answers(journal: Path) -> None:
    """Append answers with hostile text in each field."""
    named = json.loads(journal.read_bytes().split(b"\n")[-2])
    face = named["faces"][0]

    def answer(number: int, **fields: Any) -> dict[str, Any]:
        return {**named, "id": f"{number:012x}", **fields}

    lines = [
        answer(1, name=f"Zoe{HOSTILE}"),
        answer(2, source=HOSTILE),
        answer(3, time=HOSTILE),
        answer(4, id=HOSTILE),
        answer(5, faces=[{**face, "face": HOSTILE, "hash": HOSTILE, "photo": HOSTILE}], name="Carl"),
        answer(6, event=HOSTILE),
        answer(7, event="rename", faces=[], to=f"Yann{HOSTILE}", name=f"Zoe{HOSTILE}"),
        answer(8, event="undo", faces=[], name=None, undoes=HOSTILE),
        answer(9, faces=[{**face, "box": [HOSTILE, 0, 1, 1]}]),
    ]
    with journal.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in lines)
        stream.write(HOSTILE_XML + "\n")
