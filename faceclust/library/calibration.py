"""Measure a library's grouping on its own confirmed names, and calibrate the threshold on them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.store.calibrations import Calibration, read_calibration, save_calibration
from faceclust.store.config import require_writable_config
from faceclust.types import LOCAL_SCALING, OPERATING_POINT
from faceclust.types.arguments import require_number

if TYPE_CHECKING:
    from faceclust.evaluation.library_calibration import LibraryCalibration
    from faceclust.evaluation.library_score import LibraryScore

#: Given as a threshold: the calibrated one if there is one, else OPERATING_POINT.
AUTO_THRESHOLD = "auto"
DEFAULT_FAR = 0.001
#: The options of `cluster` that decide whether a calibration applies.
LINKAGE_OPTIONS = ("algorithm", "second_pass", "local_scaling")


def default_threshold(
    library: Catalogue, *, algorithm: str = "average", second_pass: bool = True, local_scaling: float = LOCAL_SCALING
) -> float:
    """Return the threshold that "auto" stands for: the calibrated one if it applies, else 1.1."""
    calibration = applicable_calibration(
        library, algorithm=algorithm, second_pass=second_pass, local_scaling=local_scaling
    )
    return OPERATING_POINT if calibration is None else calibration.threshold


def applicable_calibration(
    library: Catalogue, *, algorithm: str = "average", second_pass: bool = True, local_scaling: float = LOCAL_SCALING
) -> Calibration | None:
    """Return the calibration that "auto" uses with these settings, None if it is missing.

    A calibration is valid for average linkage with a second pass only, and for one weight of local scaling.
    """
    calibration = library.calibration if algorithm == "average" and second_pass else None
    return calibration if calibration is not None and calibration.local_scaling == local_scaling else None


def evaluate(library: Catalogue) -> LibraryScore:
    """Score the grouping against the confirmed names, see `evaluation.library_score`.

    Raises FaceclustError if there are too few names, or nothing is grouped.
    """
    from faceclust.evaluation.library_score import score_library

    return score_library(library)


def calibrate(library: Catalogue, far: float = DEFAULT_FAR, *, dry_run: bool = False) -> LibraryCalibration:
    """Choose the threshold that keeps the rate of wrong joins under `far`, on the confirmed names.

    It is saved in the library's configuration file and used by `cluster` from then on. Nothing is
    saved if no threshold reaches that rate, or with `dry_run`. Raises UsageError for an invalid
    rate, FaceclustError if there are too few names.
    """
    from faceclust.evaluation.library_calibration import calibrate_library

    require_number("far", far)
    if not dry_run:
        require_writable_config(library.home.config_file)
    result = calibrate_library(library, far, OPERATING_POINT)
    if result.calibrated.kept and not dry_run:
        calibration = Calibration(
            result.calibrated.threshold,
            far,
            result.people,
            result.faces,
            round(result.calibrated.held_out, 6),
            date.today(),
            library.space_digest,
            result.local_scaling,
        )
        save_calibration(library.home.writable_config_file(), library.pack.name, calibration)
    return result


def has_calibration(library: Catalogue) -> bool:
    """Return whether a calibration is saved for the pack in use, even one that cannot be read."""
    try:
        return read_calibration(library.home.config_file, library.pack.name) is not None
    except UsageError:
        return True


def reset_calibration(library: Catalogue) -> bool:
    """Delete the calibration of the pack in use. Return whether there was one."""
    existed = has_calibration(library)
    if existed:
        save_calibration(library.home.writable_config_file(), library.pack.name, None)
    return existed
