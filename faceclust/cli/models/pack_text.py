"""A pack as text, from the record that `faceclust models show --json` prints."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

from faceclust.cli.evaluate.formatting import format_far, format_percent
from faceclust.cli.models.common import describe_allowed_use, format_levels, format_size
from faceclust.text.plural import format_count

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
    if pack["training"]:
        for label, fact in _describe_training(pack["training"]):
            lines += _labelled_lines(label, fact)
    for archive in pack["archives"]:
        lines += _labelled_lines("archive", f"{archive['url']}, {format_size(archive['size'])}")
        lines += _labelled_lines("", f"SHA-256 {archive['sha256']}")
    return [*lines, *(line for file in pack["files"] for line in _describe_file(file))]


def _describe_training(training: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the lines about a trained embedder, each with its label."""
    backbone = _describe_part(training["backbone"], training["backbone_settings"])
    yield "trained", f"{backbone} with {_describe_part(training['head'], training['head_settings'])}"
    groups = f" of {training['people_per_batch']:,} people" if training["people_per_batch"] else ""
    yield (
        "",
        f"{format_count(training['epochs'], 'epoch')}, batches of {training['batch']:,}{groups}, "
        f"learning rate {training['learning_rate']:g}, {training['precision']}, seed {training['seed']}, "
        f"faceclust {training['version']}",
    )
    people = format_count(training["people"], "person", "people")
    held_out = f"{training['held_out_people']:,} held out"
    yield "data", f"{format_count(training['faces'], 'face')} of {people} ({training['origin']}), {held_out}"
    yield "", f"SHA-256 {training['digest']}"
    if training["measured"]:
        yield from _describe_measured(training["measured"])


def _describe_part(name: str, settings: dict[str, Any]) -> str:
    values = ", ".join(f"{key} {_format_setting(value)}" for key, value in settings.items())
    return f"{name} ({values})" if values else name


def _format_setting(value: float | bool | str) -> str:
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else f"{value:g}"


def _describe_measured(measured: dict[str, Any]) -> Iterator[tuple[str, str]]:
    people = format_count(measured["people"], "person", "people")
    (f, low, high), (difference, *ends) = measured["bcubed_f"], measured["difference"]
    yield "measured", f"on {format_count(measured['faces'], 'face')} of {people} held out, 95 % intervals in brackets:"
    yield "", f"BCubed F at 1.1: {f:.3f} ({low:.3f} to {high:.3f})"
    yield "", f"  less that of {measured['baseline']}: {difference:+.3f} ({ends[0]:+.3f} to {ends[1]:+.3f})"
    for key, label in (("accuracy", "accuracy over ten folds of pairs"), ("val", "VAL at FAR 1e-3")):
        if measured[key]:
            yield "", f"{label}: {format_percent(*measured[key])}"
    for far, tar in measured["tar"]:
        yield "", f"TAR at FAR {format_far(far)}, all pairs: {format_percent(tar)}"


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
