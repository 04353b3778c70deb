"""How a pack's embedder was trained and measured: the `[training]` table of a manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from faceclust.packs.toml_table import TomlTable, is_number

#: Where training data come from.
ORIGINS = ("folder", "recordio", "library")
#: The value of one option of a head or a backbone.
Setting = float | int | bool | str
#: A value and the ends of its 95 % confidence interval, or of a difference's.
Interval = tuple[float, float, float]
#: A mean over folds and its standard error.
FoldMean = tuple[float, float]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
_MAX_SETTINGS = 32
_MAX_COUNT = 1 << 40


@dataclass(frozen=True)
class MeasuredFigures:
    """What was measured on `faces` of `people` that the embedder was not trained on.

    `bcubed_f` is the BCubed F of the clustering at 1.1, `difference` what it is above that of the pack `baseline` on
    the same people. `accuracy` and `val`, at a false accept rate of 0.001, are means over ten folds of pairs, None if
    there were too few people. `tar` pairs false accept rates with the true accept rates over all pairs of faces.
    """

    people: int
    faces: int
    bcubed_f: Interval
    baseline: str
    difference: Interval
    accuracy: FoldMean | None
    val: FoldMean | None
    tar: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class TrainingRecord:
    """A training run. `digest` is the SHA-256 of the sorted (person, content hash) pairs of all faces, in hex; `origin`
    is one of ORIGINS. `people` and `faces` count the training set, `held_out_people` those left out of it.
    `learning_rate` is the highest. `version` is that of faceclust. `measured` is None if too few people were held out.
    """

    digest: str
    origin: str
    people: int
    faces: int
    held_out_people: int
    backbone: str
    backbone_settings: Mapping[str, Setting]
    head: str
    head_settings: Mapping[str, Setting]
    epochs: int
    batch: int
    people_per_batch: int
    learning_rate: float
    precision: str
    seed: int
    version: str
    measured: MeasuredFigures | None = None


def parse_training(table: TomlTable) -> TrainingRecord:
    """Parse a `[training]` table; every value is checked. Raises ValueError."""
    record = TrainingRecord(
        digest=table.sha256("digest"),
        origin=table.choice("origin", ORIGINS),
        **{key: table.integer(key, 0, _MAX_COUNT) for key in ("people", "faces", "held_out_people")},
        backbone=_parse_name(table, "backbone"),
        backbone_settings=_parse_settings(table, "backbone_settings"),
        head=_parse_name(table, "head"),
        head_settings=_parse_settings(table, "head_settings"),
        **{key: table.integer(key, 0, _MAX_COUNT) for key in ("epochs", "batch", "people_per_batch", "seed")},
        learning_rate=table.number("learning_rate", 0, 1000),
        precision=table.choice("precision", ("float32", "float16", "bfloat16")),
        version=table.text("version", 50),
        measured=_parse_measured(TomlTable(table.value("measured"), "[training.measured]"))
        if table.has("measured")
        else None,
    )
    table.reject_unknown_keys()
    return record


def _parse_measured(table: TomlTable) -> MeasuredFigures:
    def optional(key: str) -> FoldMean | None:
        return _parse_numbers(table, key, 2, -1, 1) if table.has(key) else None  # type: ignore[return-value]

    figures = MeasuredFigures(
        people=table.integer("people", 0, _MAX_COUNT),
        faces=table.integer("faces", 0, _MAX_COUNT),
        bcubed_f=_parse_numbers(table, "bcubed_f", 3, 0, 1),  # type: ignore[arg-type]
        baseline=_parse_name(table, "baseline"),
        difference=_parse_numbers(table, "difference", 3, -1, 1),  # type: ignore[arg-type]
        accuracy=optional("accuracy"),
        val=optional("val"),
        tar=_parse_rates(table),
    )
    table.reject_unknown_keys()
    return figures


def _parse_name(table: TomlTable, key: str) -> str:
    name = table.text(key, 50)
    if not _NAME.fullmatch(name):
        raise table.invalid_value(key, "a name of a-z, 0-9, - and _")
    return name


def _parse_settings(table: TomlTable, key: str) -> dict[str, Setting]:
    settings = TomlTable(table.value(key), f"{table.location} {key}").remaining()
    if len(settings) > _MAX_SETTINGS:
        raise ValueError(f"{table.location} {key} has more than {_MAX_SETTINGS} settings")
    for name, value in settings.items():
        text = isinstance(value, str) and value.isprintable() and len(value) <= 100
        if not _NAME.fullmatch(name) or not (is_number(value) or isinstance(value, bool) or text):
            raise ValueError(f"{table.location} {key}: {name!a} = {value!r:.80} must be a number, a flag or a text")
    return settings


def _parse_numbers(table: TomlTable, key: str, count: int, low: float, high: float) -> tuple[float, ...]:
    numbers = table.numbers(key, count)
    if not all(low <= number <= high for number in numbers):
        raise table.invalid_value(key, f"{count} numbers from {low:g} to {high:g}")
    return numbers


def _parse_rates(table: TomlTable) -> tuple[tuple[float, float], ...]:
    rates = table.value("tar")
    if not isinstance(rates, list) or len(rates) > 10 or not all(map(_is_rate_pair, rates)):
        raise table.invalid_value("tar", "a list of at most 10 pairs of rates from 0 to 1")
    return tuple((float(far), float(tar)) for far, tar in rates)


def _is_rate_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(is_number(one) and 0 <= one <= 1 for one in value)
