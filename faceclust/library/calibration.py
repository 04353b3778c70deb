"""How good a library's grouping is by its own confirmed names, and the threshold they bear out."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING

from faceclust.errors import UsageError
from faceclust.library.naming import Answers
from faceclust.store.calibrations import Calibration, read_calibration, save_calibration
from faceclust.store.config import require_writable_config
from faceclust.types import OPERATING_POINT

if TYPE_CHECKING:
    from faceclust.evaluation.library_calibration import LibraryCalibration
    from faceclust.evaluation.library_score import LibraryScore

#: In place of a threshold: the calibrated one where there is one, else OPERATING_POINT.
AUTO_THRESHOLD = "auto"
DEFAULT_FAR = 0.001


class Measuring(Answers):
    """A library that can be measured by what its user knows."""

    @property
    def calibration(self) -> Calibration | None:
        """The threshold found for the people of this library, with the models in use; None where there
        is none. Raises UsageError where the configuration file cannot be read."""
        found = read_calibration(self.home.config_file, self.cache_info.pack)  # the models themselves may be gone
        return found if found is not None and found.space == self._space_digest else None

    @property
    def _space_digest(self) -> str:
        return hashlib.blake2b(self.embedding_space.encode(), digest_size=8).hexdigest()

    def default_threshold(self, *, algorithm: str = "average", second_pass: bool = True) -> float:
        """What "auto" stands for. A calibration is of average linkage in two passes: it says nothing of
        other ways to group."""
        if algorithm != "average" or not second_pass:
            return OPERATING_POINT
        known = self.calibration
        return OPERATING_POINT if known is None else known.threshold

    def evaluate(self) -> LibraryScore:
        """How good the grouping is, by the confirmed names: see `evaluation.library_score`. Raises
        FaceclustError where they are too few to say anything, or nothing is grouped."""
        from faceclust.evaluation.library_score import score_library

        return score_library(self)

    def calibrate(self, far: float = DEFAULT_FAR, *, dry_run: bool = False) -> LibraryCalibration:
        """Find the threshold that keeps the rate of wrong joins under `far`, by the confirmed names, and
        keep it in the library's configuration file: `cluster` goes by it from then on. Nothing is
        written where no threshold keeps it, or with `dry_run`. Raises UsageError for a senseless
        rate, FaceclustError where the names are too few (nothing is written then)."""
        from faceclust.evaluation.library_calibration import calibrate_library

        if not dry_run:
            require_writable_config(self.home.config_file)
        made = calibrate_library(self, far, OPERATING_POINT)
        if made.calibrated.kept and not dry_run:
            kept = Calibration(
                made.calibrated.threshold,
                far,
                made.people,
                made.faces,
                round(made.calibrated.held_out, 6),
                date.today(),
                self._space_digest,
            )
            save_calibration(self.home.writable_config_file(), self.pack.name, kept)
        return made

    def has_calibration(self) -> bool:
        """Whether there is a calibration of the models in use, if only one that cannot be read."""
        try:
            return read_calibration(self.home.config_file, self.pack.name) is not None
        except UsageError:
            return True

    def reset_calibration(self) -> bool:
        """Take the calibration of the models in use out; gives whether there was one."""
        there = self.has_calibration()
        if there:
            save_calibration(self.home.writable_config_file(), self.pack.name, None)
        return there
