"""A pack's manifest, `<pack>.toml`: read into typed values. One that the user has put in may come
from anywhere, so nothing in it is taken on trust."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from faceclust.errors import PackError
from faceclust.packs.alignment_templates import BOX, template_points
from faceclust.packs.bundled import embedded_manifest
from faceclust.packs.pack import COLOURS, LAYOUTS, Archive, DetectorSpec, EmbedderSpec, Levels, Pack, PackFile
from faceclust.packs.toml_table import Table, check_file_name, is_number
from faceclust.packs.urls import is_secure

SCHEMA = 1
RADIUS_SOURCES = ("measured", "published", "none")
_LARGEST = 1_000_000  # bytes of a manifest
_LARGEST_FILE = 1 << 40  # bytes of a model
#: What a [[file]] of the embedded pack says to those who build it.
_FOR_BUILDING = ("converter", "distribution", "source", "source_sha256")


def read_manifest(path: Path, folder: Path | None = None) -> Pack:
    """Parse a manifest; `folder`: where the files lie, by default beside it. Raises PackError that
    names the file and what is wrong in it."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST:,} bytes")
        return parse_manifest(path.read_text(encoding="utf-8"), folder or path.parent)
    except OSError as error:
        raise PackError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise PackError(
            f"{path}: not a usable pack manifest: {error}", hint="mend it, or put the pack in again"
        ) from error


def parse_manifest(text: str, folder: Path) -> Pack:
    """The pack of a manifest's text, its files in `folder`. Raises ValueError, TypeError,
    OverflowError or RecursionError."""
    return _pack(Table(tomllib.loads(text), "the manifest"), folder)


def _pack(table: Table, folder: Path) -> Pack:
    schema = table.whole("schema", 0, 1_000_000)
    if schema != SCHEMA:
        raise ValueError(f"it is of schema {schema}, this version reads {SCHEMA}; update faceclust")
    detector, embedder = Table(table.any("detector"), "[detector]"), Table(table.any("embedder"), "[embedder]")
    pack = Pack(
        name=table.text("name", 50),
        title=table.text("title"),
        licence=table.text("licence"),
        folder=folder,
        archives=tuple(map(_archive, table.tables("archive", 8))) if table.has("archive") else (),
        files=tuple(map(_file, table.tables("file", 32))),
        detector=_detector(detector),
        embedder=_embedder(embedder),
        terms=table.text("terms", 1000) if table.has("terms") else "",
        commercial=table.flag("commercial") if table.has("commercial") else None,
        radius_source=embedder.choice("radius_source", RADIUS_SOURCES) if embedder.has("radius_source") else "measured",
        embedded=table.flag("embedded") if table.has("embedded") else False,
    )
    embedder.end()
    table.end()
    _check_files(pack)
    return pack


def _check_files(pack: Pack) -> None:
    names = [file.name.casefold() for file in pack.files]
    if len(set(names)) < len(names):
        raise ValueError("two of its files have one name")
    used = {*pack.detector.files.values(), pack.detector.landmarks or pack.embedder.file, pack.embedder.file}
    if lacking := used - {file.name for file in pack.files}:
        raise ValueError(f"no [[file]] says what {', '.join(sorted(lacking))} is")
    archives = {archive.url for archive in pack.archives}
    for file in pack.files:
        if file.member is not None and file.url not in archives:
            raise ValueError(f"{file.name} is a member of an archive, and its url is that of no [[archive]]")


def _archive(table: Table) -> Archive:
    archive = Archive(_address(table), table.sha256("sha256"), table.whole("size", 1, _LARGEST_FILE))
    check_file_name(archive.name, f"{table.where}, the end of its url")
    table.end()
    return archive


def _file(table: Table) -> PackFile:
    name = table.file_name("name")
    if table.has("embedded") and table.flag("embedded"):
        table.end()
        found = [file for file in _embedded_files() if file["name"] == name]
        if not found:
            raise ValueError(f"{name} is no file of the embedded models")
        return PackFile(name, found[0]["sha256"], found[0]["size"], found[0]["licence"], embedded=True)
    file = PackFile(
        name=name,
        sha256=table.sha256("sha256") if table.has("sha256") else None,
        size=table.whole("size", 1, _LARGEST_FILE) if table.has("size") else None,
        licence=table.text("licence"),
        url=_address(table) if table.has("url") else None,
        member=_member(table) if table.has("member") else None,
    )
    table.end(but=_FOR_BUILDING)
    return file


def _address(table: Table) -> str:
    address = table.text("url", 2000)
    if not is_secure(address):
        raise table.wrong("url", "an https:// address")
    return address


def _member(table: Table) -> str:
    """The path in the archive: it is looked up there, and never a path on the disk."""
    member = table.text("member", 500)
    if any(part in ("", ".", "..") for part in member.split("/")) or "\\" in member:
        raise table.wrong("member", "a path in the archive")
    return member


@cache
def _embedded_files() -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = tomllib.loads(embedded_manifest().read_text(encoding="utf-8"))["file"]
    return files


def _detector(table: Table) -> DetectorSpec:
    files = Table(table.any("files"), "[detector] files")
    return DetectorSpec(
        kind=table.text("kind", 50),
        long_side=table.whole("long_side", 32, 100_000),
        smallest=table.whole("smallest", 1, 10_000),
        landmarks=table.file_name("landmarks") if table.has("landmarks") else None,
        files={role: check_file_name(name, f"[detector] files {role!a}") for role, name in files.rest().items()},
        settings={key: _setting(key, value) for key, value in table.rest().items()},
    )


def _setting(key: str, value: Any) -> Any:
    """A decoder's own setting; which there are the decoder knows."""
    for one in value if isinstance(value, list) and len(value) <= 32 else [value]:
        if not (is_number(one) or isinstance(one, bool) or (isinstance(one, str) and len(one) <= 100)):
            raise ValueError(f"[detector] {key!a} = {value!r:.80} is no setting")
    return value


def _embedder(table: Table) -> EmbedderSpec:
    sides = table.numbers("chip_size", 2)
    if not all(side.is_integer() and 8 <= side <= 1024 for side in sides):
        raise table.wrong("chip_size", "a width and a height from 8 to 1024")
    width, height = map(int, sides)
    margin = table.number("margin") if table.has("margin") else None
    norm = table.numbers("norm", 2) if table.has("norm") else None
    return EmbedderSpec(
        file=table.file_name("file"),
        dimension=table.whole("dimension", 1, 65_536),
        chip_size=(width, height),
        colour=table.choice("colour", COLOURS),
        mean=_levels(table, "mean"),
        scale=_levels(table, "scale"),
        mirror=table.flag("mirror"),
        radius=table.number("radius", 1e-3, 1e3),
        sure_score=table.number("sure_score", 0, 10),
        max_asymmetry=table.number("max_asymmetry", 0, 10),
        template=_template(table, (width, height), margin),
        layout=table.choice("layout", LAYOUTS) if table.has("layout") else None,
        margin=margin,
        norm=(norm[0], norm[1]) if norm else None,
        output=table.text("output") if table.has("output") else None,
        norm_output=table.text("norm_output") if table.has("norm_output") else None,
    )


def _template(table: Table, size: tuple[int, int], margin: float | None) -> Any:
    """The landmarks of a template by name, or as they stand there; `margin` that of a box."""
    template = table.any("template")
    if isinstance(template, str):
        if (template == BOX) != (margin is not None):
            raise ValueError(f'[embedder] template = "{BOX}" and a margin go together')
        return template_points(template, size)
    points = template if isinstance(template, list) and len(template) == 5 else [None]
    if not all(isinstance(point, list) and len(point) == 2 and all(map(is_number, point)) for point in points):
        raise table.wrong("template", "a name, or a list of five points,")
    return np.array(points, dtype=np.float32)


def _levels(table: Table, key: str) -> Levels:
    if isinstance(table.any(key), list):
        first, second, third = table.numbers(key, 3)
        return first, second, third
    return table.number(key)
