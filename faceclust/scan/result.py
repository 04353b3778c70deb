"""What a scan did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faceclust.types import SkippedPhoto


@dataclass
class ScanResult:
    """Counts of photos: all there are, those unchanged since the last scan, those scanned by the
    models, copied (their content was known: they were moved, renamed, or are copies) and gone.
    `faces` were found by the models; `forgotten` ones are not among them.

    `interrupted` is true where a stop was asked: `left` photos are still to be done. `unsaved`
    photos were done, but their folder's cache could not be written; `notes` says why. The caches of
    `converted` folders have their embeddings in another precision now. `seconds`
    is processor time of the workers by stage, and of saving."""

    photos: int = 0
    unchanged: int = 0
    scanned: int = 0
    copied: int = 0
    removed: int = 0
    faces: int = 0
    forgotten: int = 0
    remaining: int = 0
    unsaved: int = 0
    converted: int = 0
    interrupted: bool = False
    elapsed_seconds: float = 0.0
    skipped: list[SkippedPhoto] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stage_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def skip_counts(self) -> dict[str, int]:
        """Photos passed by in this scan, by reason."""
        return dict(sorted(Counter(photo.reason.value for photo in self.skipped).items()))

    def add_stage_seconds(self, seconds: dict[str, float]) -> None:
        """Count processor time."""
        for stage, spent in seconds.items():
            self.stage_seconds[stage] = self.stage_seconds.get(stage, 0.0) + spent
