"""Number formats shared by the commands of `evaluate`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faceclust.evaluation.library_score import ConfidenceInterval

NO_VALUE = "–"


def format_percent(value: float | None, standard_error: float | None = None) -> str:
    """ "98.88 ± 0.13 %"; a dash for an unknown value."""
    if value is None or value != value:
        return NO_VALUE
    return f"{100 * value:.2f} %" if standard_error is None else f"{100 * value:.2f} ± {100 * standard_error:.2f} %"


def format_far(far: float) -> str:
    """A false accept rate: "1e-3"."""
    return f"{far:.0e}".replace("e-0", "e-")


def format_threshold(threshold: float | None) -> str:
    """A threshold: "1.103"; a dash for None."""
    return NO_VALUE if threshold is None else f"{threshold:.3f}"


def format_score(value: float) -> str:
    """A score from 0 to 1: ".962", "1.00"."""
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0") else text[:4]


def format_interval(interval: ConfidenceInterval) -> str:
    """A score with its 95 % confidence interval: ".962 (.950 to .971)"."""
    return f"{format_score(interval.value):>4} ({format_score(interval.low)} to {format_score(interval.high)})"


def finite_or_none(value: float | None) -> float | None:
    """The value for JSON, which has no infinity and no nan."""
    return value if value is not None and math.isfinite(value) else None
