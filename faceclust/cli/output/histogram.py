"""Two histograms side by side, as text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.evaluation.library_calibration import DistanceHistogram

_BAR_WIDTH = 30  # columns of the longest bar, on each side


def histogram_lines(distances: DistanceHistogram, threshold: float) -> Iterator[str]:
    """Yield a line of at most 80 columns for each bin, with the threshold marked.

    Pairs of one person are on the left, pairs of two people on the right. Each side has its own scale.
    """
    ascii_only = not _can_print("█▌┄")
    middle, rule, block = ("|", "-", "#") if ascii_only else ("│", "┄", "█")
    same, different = distances.same, distances.different
    titles = (
        f"{format_count(int(same.sum()), 'pair')} of one person",
        f"{format_count(int(different.sum()), 'pair')} of two people",
    )
    yield f"{titles[0]:>{_BAR_WIDTH}}  distance  {titles[1]}"
    marked = False
    for low, high, left, right in zip(distances.edges[:-1], distances.edges[1:], same, different, strict=True):
        bars = f"{_draw_bar(left, same.max(), block):>{_BAR_WIDTH}}", _draw_bar(right, different.max(), block)
        yield f"{bars[0]} {middle} {low:4.1f}  {middle} {bars[1]}".rstrip()
        if not marked and low <= threshold < high:
            marked = True
            yield f"{rule * _BAR_WIDTH} {rule} {threshold:5.2f} {rule} {rule * (_BAR_WIDTH // 2)} threshold"


def _draw_bar(value: int, largest: int, block: str) -> str:
    """A bar in proportion to the largest value; a dot for a value too small for a block."""
    length = round(_BAR_WIDTH * value / largest) if largest else 0
    return block * length if length else "." if value else ""


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
