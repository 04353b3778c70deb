"""Skipped photos by reason, explained to their owner."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from faceclust.outputs.report.values import SkipGroup
from faceclust.types import SkipReason

_MAX_LISTED_PHOTOS = 200  # for each reason
_EXPLANATIONS: dict[str, str] = {
    SkipReason.EMPTY: "These files are empty.",
    SkipReason.TRUNCATED: "These files end too early: a copy was interrupted, or the card failed.",
    SkipReason.NOT_A_PHOTO: "They are named like photos, but have other content.",
    SkipReason.NOT_A_VIDEO: "They are named like videos, but have other content.",
    SkipReason.TOO_LARGE: "They have more pixels than fit safely into memory.",
    SkipReason.TOO_SMALL: "They have too few pixels for a face.",
    SkipReason.NEEDS_RAW: "RAW photos: install faceclust[raw] and scan again.",
    SkipReason.NEEDS_JXL: "JPEG XL: install faceclust[jxl] and scan again.",
    SkipReason.NEEDS_VIDEO: "Videos: install faceclust[video] and scan again.",
    SkipReason.OUT_OF_MEMORY: "The scan ran out of memory; the next scan tries again.",
    SkipReason.UNREADABLE: "The system refused to read them; the next scan tries again.",
    SkipReason.BAD_NAME: "Rename these files, then scan again.",
    SkipReason.CRASHED: "The decoder crashed on them.",
    SkipReason.TOO_SLOW: "Decoding them took too long.",
    SkipReason.FAILED: "They are damaged, or their format cannot be decoded.",
}


def group_skips(skipped: Iterable[Mapping[str, str]]) -> tuple[SkipGroup, ...]:
    """Group skipped photos by reason, the most frequent first.

    Each item has `photo`, `reason` and `detail`.
    """
    reasons: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for skip in skipped:
        reasons[skip["reason"]].append((skip["photo"], skip["detail"] or ""))
    return tuple(
        SkipGroup(reason, len(photos), _EXPLANATIONS.get(reason, ""), tuple(sorted(photos)[:_MAX_LISTED_PHOTOS]))
        for reason, photos in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
    )
