"""Calibrated thresholds in a library's configuration file, one table per pack."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from faceclust.errors import UsageError
from faceclust.store.config import change_config, read_config

#: The table of the configuration file that holds a table per pack.
CONFIG_TABLE = "calibration"
#: The range of thresholds that calibration searches and accepts from a file, squared L2.
MIN_THRESHOLD, MAX_THRESHOLD = 0.5, 1.6
_MAX_COUNT = 10**12


@dataclass(frozen=True)
class Calibration:
    """A calibrated grouping threshold, in squared L2.

    It keeps the false join rate below `far`; `rate` is the rate measured on people held out from the
    choice. `people` and `faces` count the data it was chosen on, `made` is its date. It is valid only
    in the embedding space with the digest `space`, and with this weight of `local_scaling`.
    """

    threshold: float
    far: float
    people: int
    faces: int
    rate: float
    made: date
    space: str
    local_scaling: float = 0.0  # older versions had none


def read_calibration(file: Path, pack: str) -> Calibration | None:
    """Read the calibration of a pack; None if the file has none. Raises UsageError if it is invalid."""
    table = read_config(file).get(CONFIG_TABLE, {})
    found = table.get(pack) if isinstance(table, dict) else table
    if found is None:
        return None
    if problem := _find_problem(found):
        raise UsageError(f"{file}: [{CONFIG_TABLE}.{pack}] {problem}", hint="faceclust calibrate --reset")
    return Calibration(**{field.name: found[field.name] for field in fields(Calibration) if field.name in found})


def save_calibration(file: Path, pack: str, calibration: Calibration | None) -> None:
    """Write the calibration of a pack into the file; None removes it. Raises UsageError if the file
    cannot be read, CacheError if it cannot be written."""
    table = read_config(file).get(CONFIG_TABLE)
    if calibration is not None:
        if not (isinstance(table, dict) and isinstance(table.get(pack, {}), dict)):
            change_config(file, {(CONFIG_TABLE,): None})  # an invalid value, replaced below
        change_config(file, {(CONFIG_TABLE, pack, name): value for name, value in asdict(calibration).items()})
    elif isinstance(table, dict) and table.keys() - {pack}:
        change_config(file, {(CONFIG_TABLE, pack): None})
    elif table is not None:
        change_config(file, {(CONFIG_TABLE,): None})


def _find_problem(found: Any) -> str:
    """Describe what is wrong with a calibration table; "" if it is valid."""
    if not isinstance(found, dict):
        return "is not a table"
    kinds: dict[str, type | tuple[type, ...]] = {"people": int, "faces": int, "made": date, "space": str}
    for field in fields(Calibration):
        value = found.get(field.name, None if field.default is MISSING else field.default)
        if not isinstance(value, kinds.get(field.name, (int, float))) or isinstance(value, bool):
            return f"has no {field.name}" if value is None else f"{field.name} = {value!r} has the wrong type"
    for name in ("far", "people", "faces", "rate", "local_scaling"):
        if not 0 <= found.get(name, 0) <= _MAX_COUNT:  # false for NaN
            return f"{name} = {found[name]!r} is not possible"
    threshold = found["threshold"]
    if not MIN_THRESHOLD <= threshold <= MAX_THRESHOLD:
        return f"threshold must be from {MIN_THRESHOLD:g} to {MAX_THRESHOLD:g}, not {threshold!r}"
    return ""
