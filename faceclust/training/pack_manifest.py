"""The manifest of a trained pack: inputs, radius, licence, and the record of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import tomlkit

from faceclust.evaluation.library_score import ConfidenceInterval
from faceclust.files.names import DEFAULT_PACK
from faceclust.installer.manifest_text import UNCALIBRATED_RADIUS, UserModel, build_manifest
from faceclust.packs.training_record import FoldMean, Interval, MeasuredFigures, TrainingRecord
from faceclust.training.measure import Calibration, Comparison
from faceclust.training.report import EMBEDDER_NAME

#: The pack whose detector cut the training chips, and finds the faces for the trained embedder.
DETECTOR_PACK = DEFAULT_PACK
#: The alignment of the training chips.
TEMPLATE = "arcface"
_DIGITS = 5  # of measured figures


def build_trained_manifest(
    name: str,
    title: str,
    *,
    dimension: int,
    chip_size: tuple[int, int],
    levels: tuple[float, float],
    file: tuple[str, int],
    licence: str,
    calibration: Calibration | None,
    use_norm: bool,
    record: TrainingRecord,
) -> str:
    """Write the manifest of a trained pack.

    `chip_size` is (width, height), px; RGB chips enter as (value − mean) / scale by `levels`. `file` has the SHA-256
    and the size of the embedder. `licence` is that of the data, and so of the weights. `use_norm` makes the norms of
    the calibration part of quality. Without a `calibration` the radius is a guess.
    """
    mean, scale = levels
    model = UserModel(
        name=name,
        file=EMBEDDER_NAME,
        dimension=dimension,
        chip_size=chip_size,
        template=TEMPLATE,
        colour="rgb",
        mean=mean,
        scale=scale,
        layout="nchw",
        radius=calibration.radius if calibration else UNCALIBRATED_RADIUS,
        detector=DETECTOR_PACK,
        licence=licence,
        title=title,
        command="faceclust train",
    )
    document: Any = tomlkit.parse(build_manifest(model, {EMBEDDER_NAME: file}))
    document["embedder"]["radius_source"] = calibration.source if calibration else "none"
    if use_norm and calibration and calibration.norms:
        document["embedder"]["norm"] = [float(f"{norm:.6g}") for norm in calibration.norms]
    document["training"] = _training_table(record)
    return tomlkit.dumps(document)


def _training_table(record: TrainingRecord) -> Any:
    table = tomlkit.table()
    for key, value in asdict(record).items():
        if key.endswith("_settings"):
            table[key] = tomlkit.inline_table()
            table[key].update(value)
        elif key != "measured":
            table[key] = value
    if record.measured:
        table["measured"] = _without_missing(asdict(record.measured))
    return table


def _without_missing(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values in types that TOML has, without those that are None."""
    return {
        key: [list(one) if isinstance(one, tuple) else one for one in value] if isinstance(value, tuple) else value
        for key, value in values.items()
        if value is not None
    }


def measured_figures(comparison: Comparison) -> MeasuredFigures:
    """Return the figures of a new pack that its manifest records."""
    new, pairs = comparison.new, comparison.new.pairs
    return MeasuredFigures(
        people=comparison.people,
        faces=comparison.faces,
        bcubed_f=_interval(new.f),
        baseline=comparison.baseline.pack,
        difference=_interval(comparison.difference),
        accuracy=_fold_mean(pairs.accuracy, pairs.accuracy_error) if pairs else None,
        val=_fold_mean(pairs.val, pairs.val_error) if pairs else None,
        tar=tuple((rate.target, round(rate.tar, _DIGITS)) for rate in new.all_pairs.rates if rate.tar is not None),
    )


def _interval(found: ConfidenceInterval) -> Interval:
    return round(found.value, _DIGITS), round(found.low, _DIGITS), round(found.high, _DIGITS)


def _fold_mean(mean: float | None, error: float | None) -> FoldMean | None:
    return None if mean is None or error is None else (round(mean, _DIGITS), round(error, _DIGITS))
