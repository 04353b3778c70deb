"""Photos that were passed by, in words for those whose photos they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from faceclust.outputs.report.values import SkipGroup
from faceclust.types import SkipReason

_MAX_LISTED_PHOTOS = 200  # photos of a reason
_EXPLANATIONS: dict[str, str] = {
    SkipReason.EMPTY: "There is nothing in these files.",
    SkipReason.TRUNCATED: "These files end too early: copying them was cut short, or the card failed.",
    SkipReason.NOT_A_PHOTO: "Their names are those of photos; what is in them is not.",
    SkipReason.TOO_LARGE: "More pixels than can be held in memory safely.",
    SkipReason.TOO_SMALL: "Too few pixels for a face.",
    SkipReason.NEEDS_RAW: "RAW photos: install faceclust[raw] and scan again.",
    SkipReason.NEEDS_JXL: "JPEG XL: install faceclust[jxl] and scan again.",
    SkipReason.OUT_OF_MEMORY: "Memory was short when their turn came; the next scan tries again.",
    SkipReason.UNREADABLE: "The system did not let them be read; the next scan tries again.",
    SkipReason.BAD_NAME: "Rename these files to have them scanned.",
    SkipReason.CRASHED: "The program that decodes such files crashed on them.",
    SkipReason.TOO_SLOW: "Decoding them took too long.",
    SkipReason.FAILED: "They are damaged, or of a kind that cannot be decoded.",
}


def group_skips(skipped: Iterable[Mapping[str, str]]) -> tuple[SkipGroup, ...]:
    """By reason, the most frequent first; each item has `photo`, `reason` and `detail`."""
    reasons: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for skip in skipped:
        reasons[skip["reason"]].append((skip["photo"], skip["detail"] or ""))
    return tuple(
        SkipGroup(reason, len(photos), _EXPLANATIONS.get(reason, ""), tuple(sorted(photos)[:_MAX_LISTED_PHOTOS]))
        for reason, photos in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
    )
