"""Thresholds found for a library's own people, in its configuration file: a table for each pack."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from faceclust.errors import UsageError
from faceclust.store.config import change_config, read_config

#: The table of the configuration file; in it one for each pack.
CONFIG_TABLE = "calibration"
#: No threshold outside of these is found, or taken from a file.
MIN_THRESHOLD, MAX_THRESHOLD = 0.5, 1.6


@dataclass(frozen=True)
class Calibration:
    """`threshold`: squared L2 to group by. It keeps the rate of wrong joins under `far`; measured was
    `format_far`, on people who had no part in choosing it. `people`, `faces`: how many it is from; `made`: when;
    `space`: a digest of the models' space, in which alone it holds."""

    threshold: float
    far: float
    people: int
    faces: int
    rate: float
    made: date
    space: str


def read_calibration(file: Path, pack: str) -> Calibration | None:
    """What the file has of this pack; None where it has nothing. Raises UsageError for what is no
    calibration."""
    table = read_config(file).get(CONFIG_TABLE, {})
    found = table.get(pack) if isinstance(table, dict) else table
    if found is None:
        return None
    if problem := _find_problem(found):
        raise UsageError(f"{file}: [{CONFIG_TABLE}.{pack}] {problem}", hint="type: faceclust calibrate --reset")
    return Calibration(**{field.name: found[field.name] for field in fields(Calibration)})


def save_calibration(file: Path, pack: str, calibration: Calibration | None) -> None:
    """Write it into the file; None takes it out. Raises UsageError where the file cannot be read, CacheError
    where it cannot be written."""
    table = read_config(file).get(CONFIG_TABLE)
    if calibration is not None:
        if not (isinstance(table, dict) and isinstance(table.get(pack, {}), dict)):
            change_config(file, {(CONFIG_TABLE,): None})  # it is nothing that could be read
        change_config(file, {(CONFIG_TABLE, pack, name): value for name, value in asdict(calibration).items()})
    elif isinstance(table, dict) and table.keys() - {pack}:
        change_config(file, {(CONFIG_TABLE, pack): None})
    elif table is not None:
        change_config(file, {(CONFIG_TABLE,): None})


def _find_problem(found: Any) -> str:
    """What is wrong with a table, "" for nothing."""
    if not isinstance(found, dict):
        return "is no table"
    kinds: dict[str, type | tuple[type, ...]] = {"people": int, "faces": int, "made": date, "space": str}
    for field in fields(Calibration):
        value = found.get(field.name)
        if not isinstance(value, kinds.get(field.name, (int, float))) or isinstance(value, bool):
            return f"has no {field.name}" if value is None else f"{field.name} = {value!r} cannot be meant"
    threshold = float(found["threshold"])
    if not (math.isfinite(threshold) and MIN_THRESHOLD <= threshold <= MAX_THRESHOLD):
        return f"threshold = {threshold:g} is not between {MIN_THRESHOLD:g} and {MAX_THRESHOLD:g}"
    return ""
