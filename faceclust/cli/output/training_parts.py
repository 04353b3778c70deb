"""The output of `faceclust train --list`: the heads and backbones."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from faceclust.cli.terminal.printing import print_line, print_wrapped
from faceclust.training.parts import (
    BACKBONES,
    HEADS,
    PUBLISHED,
    default_settings,
    find_backbone,
    find_head,
    is_published,
)

if TYPE_CHECKING:
    from faceclust.training.options import Setting

_MAX_WIDTH = 80  # columns of paragraphs
_NOTATION = (
    "θ_j: angle between a face's feature and the centre of class j; θ: that of its own class. "
    "The loss is the cross-entropy of the logits: T for the own class, N_j for the others, both times the scale s. "
    f"{PUBLISHED}: the paper's value for the formula chosen."
)


def parts_record() -> dict[str, Any]:
    """The heads and backbones for `--json`."""
    return {"heads": list(map(_head_record, HEADS)), "backbones": list(map(_backbone_record, BACKBONES))}


def print_parts() -> None:
    """Print each head and backbone with its settings and source."""
    print_line("heads: --head NAME, and --set head.SETTING=VALUE", bold=True)
    _print_paragraph(_NOTATION, indent="")
    for head in map(_head_record, HEADS):
        rate = f"learning rate {head['learning_rate']:g}"
        _print_part(head, [head["formula"], f"{_format_settings(head['settings'])}; {rate}"])
    print_line()
    print_line("backbones: --backbone NAME, and --set backbone.SETTING=VALUE", bold=True)
    for backbone in map(_backbone_record, BACKBONES):
        counted, published = (
            [_format_millions(backbone[origin][key]) for key in ("parameters", "multiply_adds")]
            for origin in ("counted", "published")
        )
        size = f"{backbone['size'].replace('x', '×')} pixels: {counted[0]} parameters, {counted[1]} multiply-adds"
        note = [backbone["note"]] if backbone["note"] else []
        _print_part(
            backbone,
            [f"{size} (published: {', '.join(published)})", *note, _format_settings(backbone["settings"])],
        )


def _format_millions(count: float | None) -> str:
    """ "0.99 M", "12,090 M"; "?" for an unknown count."""
    if count is None:
        return "?"
    return f"{count / 1e6:,.0f} M" if count >= 1e8 else f"{count / 1e6:.3g} M"


def _print_part(part: dict[str, Any], lines: list[str]) -> None:
    print_line()
    print_line(f"{part['name']}: {part['title']}", bold=True)
    for line in (*lines, part["paper"]):
        _print_paragraph(line, indent="    ")


def _print_paragraph(text: str, indent: str) -> None:
    print_wrapped(text, width=min(shutil.get_terminal_size().columns, _MAX_WIDTH), indent=indent)


def _head_record(name: str) -> dict[str, Any]:
    head = find_head(name)
    return {
        "name": name,
        "title": head.title,
        "formula": head.formula,
        "settings": default_settings(head),
        "learning_rate": head.learning_rate,
        "paper": head.paper,
    }


def _backbone_record(name: str) -> dict[str, Any]:
    from faceclust.training.backbones.complexity import count_default_size  # loads torch

    backbone = find_backbone(name)
    settings, published = default_settings(backbone), backbone.published
    parameters, multiply_adds = count_default_size(name)
    return {
        "name": name,
        "title": backbone.title,
        "settings": settings,
        "size": settings["size"],
        "counted": {"parameters": parameters, "multiply_adds": multiply_adds},
        "published": {"parameters": published.parameters, "multiply_adds": published.multiply_adds},
        "note": published.note,
        "paper": backbone.paper,
    }


def _format_settings(settings: dict[str, Setting]) -> str:
    return " ".join(f"{name}={_format_setting(value)}" for name, value in settings.items()) or "no settings"


def _format_setting(value: Setting) -> str:
    if is_published(value):
        return PUBLISHED
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
