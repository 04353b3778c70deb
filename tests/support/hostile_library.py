"""Hostile libraries: strategies for changes to a small real library, and for the commands run on it.

A library is a value: its `repr` makes it again. Texts may contain words in `@`, such as `@VICTIM@`, which
stand for paths, face ids and long texts of the sandbox that it is built in.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from PIL import Image

from tests.support.sandbox import Sandbox

#: A title of the terminal's window, a colour, and a C1 control, which is an escape sequence in one character.
ESCAPES = ("\x1b]0;OWNED\x07", "\x1b[31mOWNED", "\x9b31mOWNED")
PHOTOS = ("2019/collins-0.jpg", "2019/hopper-0.webp", "2020/collins-1.jpg", "2020/hopper-1.png", "together/both 0.jpg")
VIDEO = "together/clip.mp4"
CACHES = (
    "2019/.faceclust.mobilefacenet.parquet",
    "2020/.faceclust.mobilefacenet.parquet",
    "together/.faceclust.mobilefacenet.parquet",
)
JOURNALS = (".faceclust/people.jsonl", "2020/.faceclust/people.jsonl")
NOTES = tuple(
    f".faceclust/{name}"
    for name in (
        "last-scan",
        "seen.mobilefacenet.json",
        "lock",
        "lock.owner",
        "people.lock",
        "people.lock.owner",
        "people.torn",
    )
)
CLUSTERS = (".faceclust/clusters.parquet", ".faceclust/clusters-before.parquet")
THUMBS = tuple(f".faceclust/thumbs/@SHARD{number}@/@FACE{number}@.jpg" for number in range(4))
CONFIG = ".faceclust/config.toml"
MANIFESTS = ("@OUT@/albums/.faceclust-albums.json", "@OUT@/report/.faceclust-report.json")
SIDECARS = ("2019/collins-0.jpg.xmp", "2020/hopper-1.xmp", "together/both 0.jpg.xmp")
PICASA = ("2019/.picasa.ini", "together/.picasa.ini", "contacts.xml")
FOLDERS = (
    *(".faceclust", ".faceclust/thumbs", ".faceclust/thumbs/@SHARD0@", ".faceclust/set-aside", ".faceclust/folders"),
    ".faceclust/sent",
    *("2019", "2020/.faceclust", "together/.faceclust", "@OUT@/albums", "@OUT@/albums/Ben", "@OUT@/report"),
    *("@OUT@/report/pictures", "@OUT@/sidecars", ".faceclust/set-aside/2019", ".faceclust/folders/2019"),
)
OUTPUTS = tuple(f"@OUT@/{name}" for name in ("page.html", "map.html", "faces.parquet", "faces.sqlite", "x.csv"))
LEFTOVERS = (
    *(
        ".faceclust/.people.jsonl.tmp",
        "2019/..faceclust.mobilefacenet.parquet.tmp",
        "@OUT@/albums/.faceclust-albums.tmp",
    ),
    *("@OUT@/albums/.faceclust-albums.lock", "@OUT@/report/.faceclust-report.lock", "@OUT@/report/index.html"),
    *("faceclust-report.html", "faceclust-map.html", ".faceclust/.faceclust-home", "2020/.faceclust-home"),
    *(".faceclust/seen.sface.json", "2019/.faceclust.sface.parquet", "2019/.faceclust.x.parquet"),
)
FILES = (
    VIDEO,
    *CACHES,
    *JOURNALS,
    *NOTES,
    *CLUSTERS,
    *THUMBS,
    CONFIG,
    *MANIFESTS,
    *SIDECARS,
    *PICASA,
    *OUTPUTS,
    *LEFTOVERS,
)


class Change(Protocol):
    """A change to the library."""

    def apply(self, sandbox: Sandbox, words: Words) -> None: ...


@dataclass(frozen=True)
class Words:
    """The values of the words in `@`."""

    values: dict[str, str]

    @classmethod
    def of(cls, sandbox: Sandbox, faces: list[dict[str, Any]]) -> Words:
        """`faces`: the faces in the journal of the base library."""
        values = {"VICTIM": str(sandbox.victim), "LINKED": str(sandbox.linked), "OUT": str(sandbox.out)}
        values |= {"LIBRARY": str(sandbox.library), "LONG": "x" * 5_000_000, "NAME": "n" * 4096}
        values["UP"] = "../" * 12 + str(sandbox.victim).lstrip("/")
        for number, face in enumerate(faces):
            values |= {f"FACE{number}": face["face"], f"SHARD{number}": face["face"][:2], f"HASH{number}": face["hash"]}
        return cls(values)

    def fill(self, text: str) -> str:
        """Replace the words in a text."""
        if "@" in text:
            for word, value in self.values.items():
                text = text.replace(f"@{word}@", value)
        return text

    def fill_all(self, value: Any) -> Any:
        """Replace the words in every text of a nested value."""
        if isinstance(value, str):
            return self.fill(value)
        if isinstance(value, (list, tuple)):
            return [self.fill_all(item) for item in value]
        if isinstance(value, dict):
            return {self.fill(str(key)): self.fill_all(item) for key, item in value.items()}
        return value

    def path(self, sandbox: Sandbox, path: str) -> Path:
        """The path with its words replaced; below the library unless it is absolute. Its folder exists afterwards."""
        found = sandbox.library / self.fill(path)
        try:
            found.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError):  # another change put a file, or a link, there
            return sandbox.out / "unused"
        # A change must not go through a link that another change has made.
        real = Path(os.path.realpath(found.parent))
        inside = real.is_relative_to(sandbox.library) or real.is_relative_to(sandbox.out)
        return found if inside else sandbox.out / "unused"


@dataclass(frozen=True)
class Content:
    """A file's content, or an addition to its end."""

    path: str
    text: str | bytes
    append: bool = False

    def apply(self, sandbox: Sandbox, words: Words) -> None:
        file = words.path(sandbox, self.path)
        text = self.text
        data = words.fill(text).encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        if not self.append or not _is_plain(file):
            _remove(file)
        with file.open("ab") as stream:
            stream.write(data)


@dataclass(frozen=True)
class Damage:
    """Bytes that are overwritten, each at a fraction of the length, and the fraction of the file that is kept."""

    path: str
    edits: tuple[tuple[float, bytes], ...]
    keep: float = 1.0

    def apply(self, sandbox: Sandbox, words: Words) -> None:
        file = words.path(sandbox, self.path)
        if not _is_plain(file):
            return
        data = bytearray(file.read_bytes())
        for at, new in self.edits:
            position = int(at * len(data))
            data[position : position + len(new)] = new
        _remove(file)
        file.write_bytes(data[: int(self.keep * len(data))])


@dataclass(frozen=True)
class Link:
    """A symbolic or a hard link in the place of a file or folder."""

    path: str
    target: str
    hard: bool = False

    def apply(self, sandbox: Sandbox, words: Words) -> None:
        file = words.path(sandbox, self.path)
        _remove(file)
        (os.link if self.hard else os.symlink)(words.fill(self.target), file)


@dataclass(frozen=True)
class Special:
    """Something else in the place of a file or folder: fifo, socket, folder, empty, sparse, picture."""

    path: str
    kind: str

    def apply(self, sandbox: Sandbox, words: Words) -> None:
        file = words.path(sandbox, self.path)
        _remove(file)
        if self.kind == "fifo":
            os.mkfifo(file)
        elif self.kind == "folder":
            (file / "sub").mkdir(parents=True)
        elif self.kind == "picture":
            file.write_bytes(make_huge_picture())
        else:
            with file.open("wb") as stream:
                stream.truncate(1 << 40 if self.kind == "sparse" else 0)


@dataclass(frozen=True)
class Cells:
    """Values in a column of a Parquet file, from `first` on; with another type if they do not fit.
    No values: the column is removed."""

    path: str
    column: str
    values: tuple[Any, ...]
    first: int = 0

    def apply(self, sandbox: Sandbox, words: Words) -> None:
        file = words.path(sandbox, self.path)
        table = _read_table(file)
        if table is None or self.column not in table.column_names:
            return
        index = table.schema.get_field_index(self.column)
        if self.values:
            cells = table[self.column].to_pylist()
            for number in range(self.first, max(len(cells), 1)):
                cells[number : number + 1] = [words.fill_all(self.values[number % len(self.values)])]
            cells = cells[: len(table)]
            table = table.set_column(index, *_make_column(cells, table.schema.field(index)))
        else:
            table = table.remove_column(index)
        _write_table(file, table)


@dataclass(frozen=True)
class Rows:
    """The rows of a Parquet file, repeated, and perhaps in reverse."""

    path: str
    times: int
    reverse: bool

    def apply(self, sandbox: Sandbox, words: Words) -> None:
        file = words.path(sandbox, self.path)
        table = _read_table(file)
        if table is not None:
            table = table.take(np.tile(np.arange(len(table))[:: -1 if self.reverse else 1], self.times))
            _write_table(file, table)


@dataclass(frozen=True)
class Notes:
    """A value in the JSON of a Parquet file's metadata, or instead of it (no key)."""

    path: str
    key: str
    value: Any

    def apply(self, sandbox: Sandbox, words: Words) -> None:
        file = words.path(sandbox, self.path)
        table = _read_table(file)
        if table is None:
            return
        metadata = dict(table.schema.metadata or {})
        for name in metadata.keys() & {b"faceclust"}:
            notes = json.loads(metadata[name]) | {self.key: words.fill_all(self.value)}
            metadata[name] = json.dumps(notes if self.key else words.fill_all(self.value)).encode()
        _write_table(file, table.replace_schema_metadata(metadata))


@dataclass(frozen=True)
class Json:
    """A value somewhere in a JSON file, or in a line of a JSONL file. `where` selects a key or an item
    at each level, by its number."""

    path: str
    line: int
    where: tuple[int, ...]
    value: Any
    key: str = ""  # the key is replaced as well

    def apply(self, sandbox: Sandbox, words: Words) -> None:
        file = words.path(sandbox, self.path)
        if not _is_plain(file):
            return
        lines = file.read_text(errors="replace").splitlines() or ["{}"]
        number = self.line % len(lines)
        try:
            document = json.loads(lines[number])
        except (ValueError, RecursionError):
            return
        lines[number] = json.dumps(self._put(document, self.where, words))
        _remove(file)
        file.write_text("".join(f"{line}\n" for line in lines))

    def _put(self, node: Any, where: tuple[int, ...], words: Words) -> Any:
        if not where or not isinstance(node, (dict, list)) or not node:
            return words.fill_all(self.value)
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = keys[where[0] % len(keys)]
        node[key] = self._put(node[key], where[1:], words)
        if self.key and isinstance(node, dict) and len(where) == 1:
            node[words.fill(self.key)] = node.pop(key)
        return node


@dataclass(frozen=True)
class Renamed:
    """A photo or a folder with another name."""

    path: str
    name: str

    def apply(self, sandbox: Sandbox, words: Words) -> None:
        file = words.path(sandbox, self.path)
        if file.exists() and not file.is_symlink():
            file.rename(file.with_name(self.name + file.suffix))


@dataclass(frozen=True)
class Command:
    """A command line with words in `@`; `inside`: run in the library instead of naming it."""

    words: tuple[str, ...]
    terminal: bool = False
    inside: bool = False


@dataclass(frozen=True)
class HostileLibrary:
    """Changes to the base library, and the commands to run on it."""

    changes: tuple[Change, ...]
    commands: tuple[Command, ...]

    def build(self, sandbox: Sandbox, words: Words) -> None:
        """Build the library in the sandbox."""
        sandbox.reset()
        for change in self.changes:
            change.apply(sandbox, words)


# -- strategies ---------------------------------------------------------------------------------------------------


def make_strategy(commands: st.SearchStrategy[Command]) -> st.SearchStrategy[HostileLibrary]:
    """Return the strategy for libraries on which these commands are run."""
    # A bad configuration ends most commands, so it comes alone.
    configs = st.tuples(st.builds(Content, st.just(CONFIG), _CONFIGS, st.booleans()))
    changes = st.lists(_CHANGES, min_size=1, max_size=4).map(tuple)
    return st.builds(
        HostileLibrary,
        st.integers(0, 15).flatmap(lambda n: configs if n == 15 else changes),
        st.lists(commands, min_size=2, max_size=3).map(tuple),
    )


_NAMES = st.one_of(
    st.sampled_from(
        (
            *ESCAPES,
            *("Ben", "", ".", "..", "@UP@/id_rsa", "@VICTIM@/id_rsa", "@VICTIM@/library/2019/collins-0.jpg"),
            *("../../victim/.bashrc", "../../../victim/id_rsa", "$(touch owned).jpg", "a\0b", "a\nb\rc", "@NAME@"),
            *("=cmd|'/C calc'!A0", "<script>alert(1)</script>", "@LONG@", "\ud800", "\u202egpj.exe", "CON", "--yes"),
            *("a/b/c.jpg", "..\\..\\x.jpg", "~nouser", "@FACE0@", "0" * 16, "zz<b>", "@VICTIM@/.bashrc"),
            *("collins-0.jpg", "hopper-1.png", "@VICTIM@/evil", "javascript:alert(1)", "%s%n{0}{person.__class__}"),
        )
    ),
    st.text(max_size=12),
)
_NUMBERS = st.one_of(
    st.sampled_from((0, -1, 1, 127, 32767, 2**31 - 1, -(2**63), 2**63 - 1, 10**30, 65535, 300_000)),
    st.sampled_from((float("nan"), float("inf"), float("-inf"), -0.0, 0.5, 1e-300, 1e300, -7.0, 1e20)),
)
_SCALARS = st.one_of(_NAMES, _NUMBERS, st.none(), st.booleans())
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_BYTES = st.one_of(
    st.sampled_from((b"", b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"PAR1", b"\x80" * 9, b"\n")),
    st.binary(max_size=6),
)
_DATES = st.one_of(
    st.sampled_from(
        (datetime(1, 1, 1), datetime(1825, 1, 1), datetime(9999, 12, 31, 23, 59, 59), "9999-99-99", "0001-01-01")
    ),
    st.integers(-(2**52), 2**52).map(lambda seconds: seconds * 1000),
)


def _vectors(length: int, size: float) -> st.SearchStrategy[list[float]]:
    """Return the strategy for vectors, mostly of this length and with numbers of this size."""
    whole = st.sampled_from((0.0, size, 2 * size, 6.5e4, 1e-7, float("nan"), float("-inf"), -1.0))
    return st.one_of(
        st.lists(_NUMBERS, min_size=1, max_size=3).map(lambda numbers: [*numbers, *[size] * (length - len(numbers))]),
        whole.map(lambda number: [number] * length),
        st.just([size] * (length // 2)),
    )


_CELLS = st.one_of(
    st.tuples(st.just("photo"), _NAMES),
    st.tuples(st.just("face_id"), _NAMES),
    st.tuples(
        st.sampled_from(("photo_size", "photo_mtime_ns", "width", "height", "orientation", "min_face")), _NUMBERS
    ),
    st.tuples(st.sampled_from(("left", "top", "right", "bottom", "score", "quality", "latitude")), _NUMBERS),
    st.tuples(st.just("embedding"), _vectors(64, 0.14)),
    st.tuples(st.just("landmarks"), _vectors(10, 0.5)),
    st.tuples(st.just("taken_at"), _DATES),
    st.tuples(st.sampled_from(("status", "detail", "camera", "photo_hash")), _NAMES),
    st.tuples(
        st.sampled_from(("photo", "face_id", "status", "face", "photo_hash", "embedding", "left", "quality")), _SCALARS
    ),
)


@st.composite
def _cells(draw: st.DrawFn) -> Cells:
    path = draw(st.sampled_from((*CACHES, *CACHES, *CLUSTERS)))
    if path in CLUSTERS:
        column = draw(st.sampled_from(("face_id", "cluster", "strength", "part")))
        return Cells(path, column, tuple(draw(st.lists(_SCALARS, max_size=3))), draw(st.integers(0, 4)))
    column, value = draw(_CELLS)
    more = draw(st.lists(_SCALARS, max_size=1)) if draw(st.booleans()) else []
    values = (value, *more) if draw(st.integers(0, 15)) else ()
    return Cells(path, column, values, draw(st.integers(0, 4)))


_JOURNAL_FACES = st.lists(
    st.one_of(
        st.integers(0, 7).map(lambda n: {"face": f"@FACE{n}@", "hash": f"@HASH{n}@"}),
        st.fixed_dictionaries({"face": _SCALARS, "hash": _SCALARS}),
    ).flatmap(
        lambda face: st.fixed_dictionaries(
            {},
            optional={"photo": _NAMES, "box": st.lists(_NUMBERS, max_size=5) | _SCALARS, "taken_at": _SCALARS},
        ).map(lambda rest: {"photo": "2019/a.jpg", "box": [0.1, 0.1, 0.2, 0.2], "confirmed": True, **face, **rest})
    ),
    max_size=3,
)
_KINDS = (
    *("name", "confirm", "reject", "rename", "merge", "split", "ignore", "unignore", "forget", "undo", "found"),
    *("add", "move", "remove"),
)
_EVENTS = st.fixed_dictionaries(
    {
        "time": st.just("2026-11-29T17:00:00.000Z") | _SCALARS,
        "event": st.sampled_from(_KINDS) | _SCALARS,
        "id": st.sampled_from(("a", "b", "c")) | _SCALARS,
        "version": st.just("0.1.0") | _SCALARS,
    },
    optional={
        "name": st.sampled_from(("Ben", "Eileen", "Zoe")) | _SCALARS,
        "to": st.sampled_from(("Ben", "Eileen", "Zoe")) | _SCALARS,
        "source": _NAMES,
        "faces": _JOURNAL_FACES | _VALUES,
        "rest": _JOURNAL_FACES | _VALUES,
        "undoes": st.sampled_from(("a", "b", "c")) | _SCALARS,
        "extra": _VALUES,
    },
)
_JOURNAL_LINES = st.one_of(
    st.lists(_EVENTS, min_size=1, max_size=5).map(lambda events: "".join(f"{json.dumps(event)}\n" for event in events)),
    st.sampled_from(
        (
            "\n" * 100_000,
            "[" * 100_000,
            '{"event":"name","name":"@LONG@"}\n',
            "\0" * 1000,
            "echo $(id)\n",
            "x",
            "\ud800",
        )
    ),
    st.sampled_from(('{"event":"undo","id":"u","undoes":"x","time":"t"}\n' * 50_000, "{}\n" * 50_000)),
)
_NOTE_TEXTS = st.one_of(
    st.sampled_from(
        (
            *("", "x", "null", "[]", "[" * 100_000, "9999-99-99 00:00:00", "0001-01-01 00:00:00+14:00", "@LONG@"),
            *("2020-01-01 00:00:00", ESCAPES[0], "2020-01-01 00:00:00+00:00" * 1000, '{"schema":1}'),
            '{"schema":1,"stamp":null,"folders":{"..":["x",5,[1,2]]}}',
            '{"user":"\\u001b]0;OWNED\\u0007","host":"h","pid":1,"doing":"d","since":"","machine":"m","token":"ab"}',
            '{"user":"u","host":"h","pid":1e400,"doing":"d","since":"2020","machine":"m","token":"../../x"}',
        )
    ),
    _VALUES.map(json.dumps),
)
_OPTIONS = st.sampled_from(
    (
        *("pack", "precision", "library", "json", "cache-dir", "cluster.threshold", "cluster.algorithm", "report.out"),
        *("export.out", "export.where", "export.format", "albums.layout", "albums.link", "albums.out", "forget.yes"),
        *("cache.clear.yes", "scan.workers", "scan.cache-dir", "scan.device", "models.pull.url", "import.contacts"),
        *(
            "report.faces",
            "calibration.mobilefacenet",
            "calibration.mobilefacenet.threshold",
            "find.since",
            "map.out",
            "label.thorough",
        ),
        *("safe-libraries", "no.such.option", "journal.merge", "models.add.pack", "mode"),
    )
)
_CONFIGS = st.one_of(
    st.tuples(_OPTIONS, _NAMES | _NUMBERS | st.booleans()).map(lambda pair: _write_option(*pair)),
    st.sampled_from(
        (
            *("", "x", "[" * 5000, '"\\u001b]0;OWNED\\u0007"=1', '["\\u001b]0;OWNED\\u0007"]\na=1', 'a="@LONG@"'),
            *('[report]\nout="@VICTIM@/evil.html"', '[albums]\nlayout="../../{name}"', '[scan]\ncache-dir="@VICTIM@"'),
            *("[calibration.mobilefacenet]\nthreshold=nan", "[cluster]\nthreshold=inf", "a=1\na=1", "[a.b]\n[a]\nb=1"),
        )
    ),
)
_XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#">
<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions stDim:w="{0}" stDim:h="{0}" stDim:unit="pixel"/>
<mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource"><mwg-rs:Area stArea:x="{1}" stArea:y="0.4" stArea:w="{2}"
 stArea:h="0.4" stArea:unit="normalized"/><mwg-rs:Name>{3}</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type></rdf:li>
</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions></rdf:Description></rdf:RDF></x:xmpmeta>"""
_ENTITY = '<!DOCTYPE x [<!ENTITY e SYSTEM "file://@VICTIM@/id_rsa">]>'
_BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
_SIDECARS = st.one_of(
    st.tuples(_NUMBERS, _NUMBERS, _NUMBERS, _NAMES).map(lambda values: _XMP.format(*values)),
    st.sampled_from(
        (_ENTITY + _XMP.format(512, 0.5, 0.4, "&e;"), _BOMB + _XMP.format(512, 0.5, 0.4, "&b;"), "<" * 100_000, "")
    ),
    st.sampled_from(("<a>" * 50_000, "@LONG@", "\ud800", "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")),
)
_PICASA_FILES = st.one_of(
    st.tuples(_NAMES, _NAMES, _NAMES).map(
        lambda names: (
            f"[Contacts2]\nabc={names[0]};;\n[{names[1]}]\nfaces=rect64({names[2]}),abc;rect64(3f845bcb),abc\n"
        )
    ),
    st.sampled_from(("", "[", "[" * 100_000, "@LONG@", "[collins-0.jpg]\nfaces=rect64(),x;;;rect64(zz)\n", "\0" * 100)),
)
_TARGETS = st.sampled_from(
    (
        *(
            "@VICTIM@/.bashrc",
            "@VICTIM@/id_rsa",
            "@VICTIM@/no-newline",
            "@VICTIM@/new",
            "@VICTIM@",
            "@VICTIM@/table.csv",
        ),
        *(
            "@VICTIM@/picasa.ini",
            "@VICTIM@/config.toml",
            "@VICTIM@/list.json",
            "@VICTIM@/library",
            "@VICTIM@/out/report",
        ),
        *(
            "@VICTIM@/library/2019/.faceclust.mobilefacenet.parquet",
            "@VICTIM@/library/.faceclust/people.jsonl",
            "@VICTIM@/out/albums",
        ),
        *("@VICTIM@/library/.faceclust", "@VICTIM@/library/.faceclust/clusters.parquet", "@VICTIM@/library/2019"),
        *("@VICTIM@/library/2019/collins-0.jpg", "@VICTIM@/set-aside", "/dev/zero", "/dev/stdin", "/dev/full", "."),
        *("../../victim/id_rsa", "people.jsonl", ".faceclust", "loop", "@LIBRARY@", "@LIBRARY@/2019"),
    )
)
_HARD_TARGETS = st.sampled_from(
    ("@LINKED@/.bashrc", "@LINKED@/no-newline", "@LINKED@/list.json", "@LINKED@/config.toml", "@LINKED@/table.csv")
)
_ANY_FILE = st.sampled_from((*FILES, *PHOTOS[:2]))
_CHANGES: st.SearchStrategy[Change] = st.one_of(
    _cells(),
    _cells(),
    st.builds(Rows, st.sampled_from((*CACHES, *CLUSTERS)), st.sampled_from((0, 2, 5000)), st.booleans()),
    st.builds(
        Notes,
        st.sampled_from((*CACHES, *CLUSTERS)),
        st.sampled_from(("", "pack", "fingerprint", "dimension", "radius", "precision", "schema", "extra", "params")),
        _VALUES,
    ),
    st.builds(
        Damage,
        st.sampled_from((*CACHES, *CACHES, *CLUSTERS, *JOURNALS, *NOTES, *MANIFESTS, *THUMBS, *PHOTOS)),
        st.lists(st.tuples(st.floats(0, 1), _BYTES), max_size=5).map(tuple),
        st.sampled_from((1.0, 1.0, 1.0, 0.99, 0.5, 0.01)),
    ),
    st.builds(Content, st.sampled_from(JOURNALS), _JOURNAL_LINES, st.sampled_from((True, True, False))),
    st.builds(
        Json,
        st.sampled_from((*JOURNALS, *MANIFESTS, *MANIFESTS, ".faceclust/seen.mobilefacenet.json")),
        st.integers(0, 3),
        st.lists(st.integers(0, 8), min_size=1, max_size=4).map(tuple),
        _VALUES,
        st.just("") | _NAMES,
    ),
    st.builds(Content, st.sampled_from(NOTES), _NOTE_TEXTS),
    st.builds(Content, st.sampled_from(SIDECARS), _SIDECARS),
    st.builds(Content, st.sampled_from(PICASA), _PICASA_FILES),
    st.builds(Content, _ANY_FILE, st.one_of(_BYTES, _NAMES)),
    st.builds(Link, _ANY_FILE, _TARGETS),
    st.builds(Link, st.sampled_from(FOLDERS), _TARGETS),
    st.builds(Link, _ANY_FILE, _HARD_TARGETS, st.just(True)),
    st.builds(Special, _ANY_FILE, st.sampled_from(("fifo", "folder", "empty", "sparse"))),
    st.builds(Special, st.sampled_from(FOLDERS), st.sampled_from(("fifo", "empty", "sparse"))),
    st.builds(Special, st.sampled_from(THUMBS), st.sampled_from(("picture", "fifo", "sparse"))),
    st.builds(
        Renamed,
        st.sampled_from((*PHOTOS, "2019", "together")),
        st.sampled_from((*ESCAPES, "=cmd|'calc'!A0", "-rf", "$(id)", "a\nb", "{x}", "\udcff", "x#2", "n" * 240)),
    ),
)


def _write_option(option: str, value: Any) -> str:
    """Return the TOML of an option with its table, as in "cluster.threshold"."""
    table, _, key = option.rpartition(".")
    text = str(value).lower() if isinstance(value, (bool, float)) else json.dumps(value)
    return (f"[{table}]\n" if table else "") + f"{key} = {text}\n"


# -- building -----------------------------------------------------------------------------------------------------


@cache
def make_huge_picture() -> bytes:
    """Return a small JPEG of 400 million pixels."""
    stream = io.BytesIO()
    Image.new("L", (20_000, 20_000)).save(stream, "JPEG", quality=10)
    return stream.getvalue()


def _make_column(cells: list[Any], field: pa.Field) -> tuple[pa.Field, pa.Array]:
    """Return the cells as a column of the field's type, or of the type they have, or as texts."""
    for kind, values in ((field.type, cells), (None, cells), (pa.string(), [ascii(cell) for cell in cells])):
        try:
            column = pa.array(values, kind)
            return pa.field(field.name, column.type, (field.nullable and True) or column.null_count > 0), column
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            continue
    raise AssertionError("texts always fit")


def _read_table(file: Path) -> pa.Table | None:
    """Read a Parquet file; None if another change has destroyed it."""
    try:
        return pq.read_table(file) if _is_plain(file) else None
    except (pa.ArrowException, OSError, ValueError):
        return None


def _write_table(file: Path, table: pa.Table) -> None:
    _remove(file)
    pq.write_table(table, file)


def _is_plain(file: Path) -> bool:
    """Whether it is a file that no other change has replaced."""
    return file.is_file() and not file.is_symlink() and file.stat().st_nlink == 1 and file.stat().st_size < 1 << 25


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
