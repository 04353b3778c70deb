"""A pack as text, from the record that `faceclust models show --json` prints."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

from faceclust.cli.models.common import describe_allowed_use, format_levels, format_size

_LABEL_WIDTH = 10  # columns
_WRAPPED = ("licence", "terms")  # other values are never broken: they may be copied


def describe_pack(pack: dict[str, Any]) -> list[str]:
    """The lines that describe a pack and its files."""
    width, height = pack["chip_size"]
    alignment = "aligned by five landmarks"
    if pack["margin"] is not None:
        alignment = f"the face's box with a margin of {pack['margin']:.0%}"
    landmarks = f", landmarks by {pack['landmarks']}" if pack["landmarks"] else ""
    detector, mean, scale = pack["detector"], format_levels(pack["mean"]), format_levels(pack["scale"])
    facts = {
        "state": "; ".join(filter(None, [pack["state"], pack["todo"]])),
        "licence": pack["licence"],
        "allows": describe_allowed_use(pack["commercial"]),
        "terms": pack["terms"] or "see the licence",
        "detector": f"{detector['kind']}, faces from {detector['smallest']} px in a copy of {detector['long_side']} px"
        f"{landmarks}",
        "chips": f"{width}×{height} pixels, {alignment}",
        "input": f"{pack['colour'].upper()}, (value − {mean}) / {scale}",
        "output": f"{pack['dimension']} dimensions{', mean with the mirror image' if pack['mirror'] else ''}",
        "radius": f"{pack['radius']:g}, {pack['radius_in_words']}",
        "folder": pack["folder"],
    }
    lines = [f"{pack['name']}: {pack['title']}"]
    for label, fact in facts.items():
        lines += _labelled_lines(label, fact)
    for archive in pack["archives"]:
        lines += _labelled_lines("archive", f"{archive['url']}, {format_size(archive['size'])}")
        lines += _labelled_lines("", f"SHA-256 {archive['sha256']}")
    return [*lines, *(line for file in pack["files"] for line in _describe_file(file))]


def _labelled_lines(label: str, text: str) -> Iterator[str]:
    room = max(shutil.get_terminal_size().columns - _LABEL_WIDTH, 30)
    parts = textwrap.wrap(text, room, break_on_hyphens=False) if label in _WRAPPED else [text]
    for number, part in enumerate(parts):
        yield f"{f'{label}:' if label and number == 0 else '':<{_LABEL_WIDTH}}{part}"


def _describe_file(file: dict[str, Any]) -> Iterator[str]:
    embedded = ", embedded in faceclust" if file["embedded"] else ""
    yield from _labelled_lines("file", f"{file['name']}, {format_size(file['size'])}, {file['state']}{embedded}")
    yield from _labelled_lines("", file["licence"])
    if file["url"] and not file["member"]:
        yield from _labelled_lines("", file["url"])
    yield from _labelled_lines("", f"SHA-256 {file['sha256'] or 'unknown: never published'}")
