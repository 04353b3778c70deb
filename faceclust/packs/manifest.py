"""Parse pack manifests, `<pack>.toml`, into typed values. Every value is checked, because a manifest
added by the user may come from anywhere."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from faceclust.errors import PackError
from faceclust.files.bundled import embedded_manifests
from faceclust.packs.alignment_templates import BOX_TEMPLATE, template_points
from faceclust.packs.pack import COLOURS, LAYOUTS, Archive, ChannelLevels, DetectorSpec, EmbedderSpec, Pack, PackFile
from faceclust.packs.toml_table import TomlTable, check_file_name, is_number
from faceclust.packs.training_record import parse_training
from faceclust.packs.urls import is_https_url
from faceclust.text.toml_text import parse_toml

SCHEMA_VERSION = 1
REINSTALL_HINT = "correct the file, or add the pack again: faceclust models add"
RADIUS_SOURCES = ("measured", "published", "none")
_MAX_MANIFEST_SIZE = 1_000_000  # bytes of a manifest
_MAX_FILE_SIZE = 1 << 40  # bytes of a model
#: Keys of the embedded packs' [[file]] tables that only the package build uses.
_BUILD_KEYS = ("converter", "sources")


def read_manifest(path: Path, folder: Path | None = None) -> Pack:
    """Parse the manifest at `path`. The model files lie in `folder`, by default beside it. Raises
    PackError, naming the file and the fault."""
    try:
        if path.stat().st_size > _MAX_MANIFEST_SIZE:
            raise ValueError(f"it is larger than {_MAX_MANIFEST_SIZE:,} bytes")
        return parse_manifest(path.read_text(encoding="utf-8"), folder or path.parent)
    except OSError as error:
        raise PackError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise PackError(f"{path}: not a usable pack manifest: {error}", hint=REINSTALL_HINT) from error


def parse_manifest(text: str, folder: Path) -> Pack:
    """Parse a manifest's text into a pack with its files in `folder`. Raises ValueError, TypeError
    or OverflowError."""
    return _parse_pack(TomlTable(parse_toml(text), "the manifest"), folder)


def _parse_pack(table: TomlTable, folder: Path) -> Pack:
    schema = table.integer("schema", 0, 1_000_000)
    if schema != SCHEMA_VERSION:
        raise ValueError(f"its schema is {schema}, this version reads {SCHEMA_VERSION}; update faceclust")
    detector = TomlTable(table.value("detector"), "[detector]")
    embedder = TomlTable(table.value("embedder"), "[embedder]")
    pack = Pack(
        name=table.text("name", 50),
        title=table.text("title"),
        licence=table.text("licence"),
        folder=folder,
        archives=tuple(map(_parse_archive, table.tables("archive", 8))) if table.has("archive") else (),
        files=tuple(map(_parse_file, table.tables("file", 32))),
        detector=_parse_detector(detector),
        embedder=_parse_embedder(embedder),
        terms=table.text("terms", 1000) if table.has("terms") else "",
        commercial=table.flag("commercial") if table.has("commercial") else None,
        radius_source=embedder.choice("radius_source", RADIUS_SOURCES) if embedder.has("radius_source") else "measured",
        embedded=table.flag("embedded") if table.has("embedded") else False,
        former_fingerprint=table.text("fingerprint", 1000) if table.has("fingerprint") else None,
        training=parse_training(TomlTable(table.value("training"), "[training]")) if table.has("training") else None,
    )
    embedder.reject_unknown_keys()
    table.reject_unknown_keys()
    _check_file_references(pack)
    return pack


def _check_file_references(pack: Pack) -> None:
    names = [file.name.casefold() for file in pack.files]
    if len(set(names)) < len(names):
        raise ValueError("two of its files have the same name")
    used = {*pack.detector.files.values(), pack.detector.landmarks or pack.embedder.file, pack.embedder.file}
    if undeclared := used - {file.name for file in pack.files}:
        raise ValueError(f"there is no [[file]] for {', '.join(sorted(undeclared))}")
    archives = {archive.url for archive in pack.archives}
    for file in pack.files:
        if file.member is not None and file.url not in archives:
            raise ValueError(f"{file.name} has a member, but its url is not that of an [[archive]]")


def _parse_archive(table: TomlTable) -> Archive:
    archive = Archive(_parse_url(table), table.sha256("sha256"), table.integer("size", 1, _MAX_FILE_SIZE))
    check_file_name(archive.name, f"{table.location}, the end of its url")
    table.reject_unknown_keys()
    return archive


def _parse_file(table: TomlTable) -> PackFile:
    name = table.file_name("name")
    if table.has("embedded") and table.flag("embedded"):
        table.reject_unknown_keys()
        if (found := _read_embedded_files().get(name)) is None:
            raise ValueError(f"{name} is not a file of an embedded pack")
        return found
    file = PackFile(
        name=name,
        sha256=table.sha256("sha256") if table.has("sha256") else None,
        size=table.integer("size", 1, _MAX_FILE_SIZE) if table.has("size") else None,
        licence=table.text("licence"),
        url=_parse_url(table) if table.has("url") else None,
        member=_parse_member(table) if table.has("member") else None,
        former_sha256=table.sha256("former_sha256") if table.has("former_sha256") else None,
    )
    table.reject_unknown_keys(ignore=_BUILD_KEYS)
    return file


def _parse_url(table: TomlTable) -> str:
    address = table.text("url", 2000)
    if not is_https_url(address):
        raise table.invalid_value("url", "an https:// URL")
    return address


def _parse_member(table: TomlTable) -> str:
    """Return a path inside an archive. It is never used as a path on the disk."""
    member = table.text("member", 500)
    if any(part in ("", ".", "..") for part in member.split("/")) or "\\" in member:
        raise table.invalid_value("member", "a path inside the archive")
    return member


@cache
def _read_embedded_files() -> dict[str, PackFile]:
    """Return the files of the embedded packs by name."""
    tables = [parse_toml(path.read_text(encoding="utf-8")) for path in embedded_manifests()]
    own = [TomlTable(file, "[[file]]") for table in tables for file in table["file"] if not file.get("embedded")]
    return {file.name: replace(file, embedded=True) for file in map(_parse_file, own)}


def _parse_detector(table: TomlTable) -> DetectorSpec:
    files = TomlTable(table.value("files"), "[detector] files")
    return DetectorSpec(
        kind=table.text("kind", 50),
        long_side=table.integer("long_side", 32, 100_000),
        smallest=table.integer("smallest", 1, 10_000),
        landmarks=table.file_name("landmarks") if table.has("landmarks") else None,
        files={role: check_file_name(name, f"[detector] files {role!a}") for role, name in files.remaining().items()},
        settings={key: _parse_setting(key, value) for key, value in table.remaining().items()},
    )


def _parse_setting(key: str, value: Any) -> Any:
    """Check the type of a decoder setting. The decoder itself checks names and ranges."""
    for item in value if isinstance(value, list) and len(value) <= 32 else [value]:
        if not (is_number(item) or isinstance(item, bool) or (isinstance(item, str) and len(item) <= 100)):
            raise ValueError(f"[detector] {key!a} = {value!r:.80} must be a number, a flag, a text or a list of these")
    return value


def _parse_embedder(table: TomlTable) -> EmbedderSpec:
    sides = table.numbers("chip_size", 2)
    if not all(side.is_integer() and 8 <= side <= 1024 for side in sides):
        raise table.invalid_value("chip_size", "a width and a height from 8 to 1024")
    width, height = map(int, sides)
    margin = table.number("margin") if table.has("margin") else None
    norm = table.numbers("norm", 2) if table.has("norm") else None
    return EmbedderSpec(
        file=table.file_name("file"),
        dimension=table.integer("dimension", 1, 65_536),
        chip_size=(width, height),
        colour=table.choice("colour", COLOURS),
        mean=_parse_levels(table, "mean"),
        scale=_parse_levels(table, "scale"),
        mirror=table.flag("mirror"),
        radius=table.number("radius", 1e-3, 1e3),
        sure_score=table.number("sure_score", 0, 10),
        max_asymmetry=table.number("max_asymmetry", 0, 10),
        template=_parse_template(table, (width, height), margin),
        layout=table.choice("layout", LAYOUTS) if table.has("layout") else None,
        margin=margin,
        norm=(norm[0], norm[1]) if norm else None,
        output=table.text("output") if table.has("output") else None,
        norm_output=table.text("norm_output") if table.has("norm_output") else None,
    )


def _parse_template(table: TomlTable, size: tuple[int, int], margin: float | None) -> Any:
    """Return the landmarks of a named template, or the points given in the manifest."""
    template = table.value("template")
    if isinstance(template, str):
        if (template == BOX_TEMPLATE) != (margin is not None):
            raise ValueError(f'[embedder] template = "{BOX_TEMPLATE}" needs a margin, and only it takes one')
        return template_points(template, size)
    points = template if isinstance(template, list) and len(template) == 5 else [None]
    if not all(isinstance(point, list) and len(point) == 2 and all(map(is_number, point)) for point in points):
        raise table.invalid_value("template", "a name or a list of five points")
    return np.array(points, dtype=np.float32)


def _parse_levels(table: TomlTable, key: str) -> ChannelLevels:
    if isinstance(table.value(key), list):
        first, second, third = table.numbers(key, 3)
        return first, second, third
    return table.number(key)
