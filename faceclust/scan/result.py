"""The result of a scan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faceclust.types import SkippedPhoto


@dataclass
class ScanResult:
    """Counts of photos by outcome, and of faces.

    `photos`: all in the folders. `unchanged`: since the last scan. `scanned`: examined by the models. `copied`: known
    content that was moved, renamed or copied. `removed`: gone. `remaining`: left to do after an interruption.
    `unsaved`: examined, but the cache could not be written (see `notes`). `videos`: those of the photos that are
    videos. `frames`: looked at in this scan. `movies_of_photos`: movies that belong to a photo and are not scanned
    themselves. `unreadable`: folders that could not be listed. `unwritten`: folders whose cache could not be written.

    `faces`: found by the models, except the `forgotten` ones. `converted`: folders whose embeddings
    were stored in another precision. `interrupted`: a stop was requested. `stage_seconds`: CPU time
    of the workers by stage, and of saving. `away`: by the path of each additional root that is away, the number
    of its photos, which stay known.
    """

    photos: int = 0
    videos: int = 0
    frames: int = 0
    movies_of_photos: int = 0
    unchanged: int = 0
    scanned: int = 0
    copied: int = 0
    removed: int = 0
    faces: int = 0
    forgotten: int = 0
    remaining: int = 0
    unsaved: int = 0
    unreadable: int = 0
    unwritten: int = 0
    converted: int = 0
    interrupted: bool = False
    elapsed_seconds: float = 0.0
    skipped: list[SkippedPhoto] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stage_seconds: dict[str, float] = field(default_factory=dict)
    away: dict[str, int] = field(default_factory=dict)

    @property
    def skip_counts(self) -> dict[str, int]:
        """Number of photos skipped in this scan, by reason."""
        return dict(sorted(Counter(photo.reason.value for photo in self.skipped).items()))

    def add_stage_seconds(self, seconds: dict[str, float]) -> None:
        """Add CPU seconds by stage."""
        for stage, spent in seconds.items():
            self.stage_seconds[stage] = self.stage_seconds.get(stage, 0.0) + spent
