"""How good a library's grouping is by its own confirmed names, and the threshold they bear out."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING

from faceclust.errors import UsageError
from faceclust.library.naming import Answers
from faceclust.store.calibrations import Calibration, keep_calibration, read_calibration
from faceclust.store.config import check_changeable

if TYPE_CHECKING:
    from faceclust.evaluation.library_calibration import LibraryCalibration
    from faceclust.evaluation.library_score import OwnPeople

#: The models' operating point: what every pack's radius is set for.
THRESHOLD = 1.1
#: In place of a threshold: the calibrated one where there is one, else THRESHOLD.
AUTO = "auto"
FAR = 0.001


class Measuring(Answers):
    """A library that can be measured by what its user knows."""

    @property
    def calibration(self) -> Calibration | None:
        """The threshold found for the people of this library, with the models in use; None where there
        is none. Raises UsageError where the configuration file cannot be read."""
        found = read_calibration(self.home.config, self.cache_info.pack)  # the models themselves may be gone
        return found if found is not None and found.space == self._space else None

    @property
    def _space(self) -> str:
        return hashlib.blake2b(self.models.encode(), digest_size=8).hexdigest()

    def usual_threshold(self, *, algorithm: str = "average", second_pass: bool = True) -> float:
        """What "auto" stands for. A calibration is of average linkage in two passes: it says nothing of
        other ways to group."""
        if algorithm != "average" or not second_pass:
            return THRESHOLD
        known = self.calibration
        return THRESHOLD if known is None else known.threshold

    def evaluate(self) -> OwnPeople:
        """How good the grouping is, by the confirmed names: see `evaluation.library_score`. Raises
        FaceclustError where they are too few to say anything, or nothing is grouped."""
        from faceclust.evaluation.library_score import evaluate_library

        return evaluate_library(self)

    def calibrate(self, far: float = FAR, *, dry_run: bool = False) -> LibraryCalibration:
        """Find the threshold that keeps the rate of wrong joins under `far`, by the confirmed names, and
        keep it in the library's configuration file: `cluster` goes by it from then on. Nothing is
        written where no threshold keeps it, or with `dry_run`. Raises UsageError for a senseless
        rate, FaceclustError where the names are too few (nothing is written then)."""
        from faceclust.evaluation.library_calibration import calibrate_library

        if not dry_run:
            check_changeable(self.home.config)
        made = calibrate_library(self, far, THRESHOLD)
        if made.found.kept and not dry_run:
            kept = Calibration(
                made.found.threshold,
                far,
                made.people,
                made.faces,
                round(made.found.held_out, 6),
                date.today(),
                self._space,
            )
            keep_calibration(self.home.config_to_change(), self.pack.name, kept)
        return made

    def has_calibration(self) -> bool:
        """Whether there is a calibration of the models in use, if only one that cannot be read."""
        try:
            return read_calibration(self.home.config, self.pack.name) is not None
        except UsageError:
            return True

    def reset_calibration(self) -> bool:
        """Take the calibration of the models in use out; gives whether there was one."""
        there = self.has_calibration()
        if there:
            keep_calibration(self.home.config_to_change(), self.pack.name, None)
        return there
