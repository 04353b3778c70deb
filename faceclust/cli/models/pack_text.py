"""A pack in words, from what `faceclust models show --json` prints."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

from faceclust.cli.models.common import describe_allowed_use, format_size


def describe_pack(pack: dict[str, Any]) -> list[str]:
    """The lines that tell all of a pack."""
    width, height = pack["chip_size"]
    aligned = "by five landmarks" if pack["margin"] is None else f"the face's box and {pack['margin']:.0%} of it around"
    landmarks = f", landmarks by {pack['landmarks']}" if pack["landmarks"] else ""
    eye = pack["detector"]
    facts = {
        "state": "; ".join(filter(None, [pack["state"], pack["todo"]])),
        "licence": pack["licence"],
        "allows": describe_allowed_use(pack["commercial"]),
        "it means": pack["terms"] or "look at the licence",
        "finds": f"{eye['kind']}, faces of {eye['smallest']} px or more on a copy of {eye['long_side']} px{landmarks}",
        "cuts": f"{width}×{height} pixels, {aligned}",
        "feeds": f"{pack['colour'].upper()}, (value − {_format_level_values(pack['mean'])}) / "
        f"{_format_level_values(pack['scale'])}",
        "gives": f"{pack['dimension']} numbers a face{', mean with the mirror image' if pack['mirror'] else ''}",
        "radius": f"{pack['radius']:g}, {pack['radius_in_words']}",
        "folder": pack["folder"],
    }
    columns = shutil.get_terminal_size().columns
    lines = [f"{pack['name']}: {pack['title']}"]
    for name, fact in facts.items():
        prose = name in ("licence", "it means")  # what may be copied is never broken
        parts = textwrap.wrap(fact, max(columns - 10, 30), break_on_hyphens=False) if prose else [fact]
        lines += [f"{start:<10}{part}" for start, part in zip([f"{name}:", *[""] * len(parts)], parts, strict=False)]
    for archive in pack["archives"]:
        lines += [
            f"comes in  {archive['url']}, {format_size(archive['size'])}",
            f"          SHA-256 {archive['sha256']}",
        ]
    return [*lines, *(line for file in pack["files"] for line in _pack_file_lines(file))]


def _pack_file_lines(file: dict[str, Any]) -> Iterator[str]:
    where = ", one of the embedded ones" if file["embedded"] else ""
    yield f"file:     {file['name']}, {format_size(file['size'])}, {file['state']}{where}"
    yield f"          {file['licence']}"
    if file["url"] and not file["member"]:
        yield f"          {file['url']}"
    yield f"          SHA-256 {file['sha256'] or 'not known: nobody has published it'}"


def _format_level_values(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else f"({', '.join(f'{one:g}' for one in value)})"
