"""Draw curves into files with matplotlib (extra `plot`)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import FaceclustError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The supported file name suffixes of plots.
PLOT_SUFFIXES = (".png", ".svg", ".pdf")
_SOFTWARE = "faceclust"
#: Without dates: the same curve gives the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": _SOFTWARE},
    ".svg": {"Creator": _SOFTWARE, "Date": None},
    ".pdf": {"Creator": _SOFTWARE, "Producer": _SOFTWARE, "CreationDate": None},
}
#: Bytes that identify our own plots. A PNG is identified by its metadata.
_PLOT_SIGNATURES = {
    ".svg": b"<dc:title>%b</dc:title>" % _SOFTWARE.encode(),
    ".pdf": b"/Creator (%b)" % _SOFTWARE.encode(),
}
_MAX_SIGNATURE_BYTES = 50_000_000  # read at most, to find the signature
_INK, _ACCENT, _PALE = "#222222", "#1f5fa8", "#bbbbbb"


def require_matplotlib() -> None:
    """Raises FaceclustError if matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        raise FaceclustError("matplotlib is not installed", hint="pip install 'faceclust[plot]', or leave out --plot")


def is_own_plot(file: Path) -> bool:
    """Is this file a plot written by faceclust?"""
    from PIL import Image

    try:
        if (mark := _PLOT_SIGNATURES.get(file.suffix.lower())) is not None:
            with file.open("rb") as stream:
                return mark in stream.read(_MAX_SIGNATURE_BYTES)
        with Image.open(file, formats=("PNG",)) as image:
            return image.info.get("Software") == _SOFTWARE
    except OSError:
        return False


def draw_roc(
    stream: BinaryIO,
    suffix: str,
    far: NDArray[np.float64],
    val: NDArray[np.float64],
    *,
    highlighted: Sequence[tuple[float, float]],
    min_far: float,
    title: str,
) -> None:
    """Draw the ROC curve: VAL over FAR, both (k,) and rising from 0 to 1.

    The FAR axis is logarithmic. `min_far` is the FAR of a single pair. The points of `highlighted`
    (FAR, VAL) are marked and labelled.
    """
    figure = _new_figure()
    axes = figure.add_subplot()
    start = min_far / 2
    axes.plot(np.maximum(far, start), val, color=_ACCENT, linewidth=1.8)
    diagonal = np.geomspace(start, 1, 200)
    axes.plot(diagonal, diagonal, color=_PALE, linewidth=1, linestyle="--")
    axes.annotate("guessing", (0.3, 0.3), xytext=(-6, 4), textcoords="offset points", ha="right", color="#777777")
    for x, y in highlighted:
        axes.plot(x, y, "o", color=_ACCENT, markersize=5)
        axes.annotate(f"{100 * y:.1f} %", (x, y), xytext=(4, -13), textcoords="offset points", color=_INK)
    axes.set_xscale("log")
    axes.set_xlim(start, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("FAR: pairs of two people accepted")
    axes.set_ylabel("VAL: pairs of one person accepted")
    axes.set_title(title, loc="left", fontsize=11)
    _save_figure(figure, stream, suffix)


def draw_degradations(
    stream: BinaryIO,
    suffix: str,
    panels: Sequence[tuple[str, Sequence[float], Sequence[float]]],
    *,
    baseline: float,
    title: str,
    y_label: str,
) -> None:
    """Draw the effect of degradations, one panel each, side by side.

    A panel has the label of its horizontal axis, the levels, and the share reached at each level. The
    dashed line at `baseline` is the share without degradation.
    """
    figure = _new_figure(width=4.2 * max(len(panels), 1))
    figure.suptitle(title, x=0.02, ha="left", fontsize=11)
    for number, (x, levels, values) in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), number)
        axes.axhline(baseline, color=_PALE, linewidth=1, linestyle="--")
        axes.plot(levels, values, "o-", color=_ACCENT, linewidth=1.8, markersize=5)
        for level, value in zip(levels, values, strict=True):
            axes.annotate(f"{100 * value:.1f}", (level, value), xytext=(0, 7), textcoords="offset points", ha="center")
        axes.set_xscale("log")
        axes.set_xticks(levels, [f"{level:g}" for level in levels])
        axes.minorticks_off()
        axes.set_ylim(0, 1.08)
        axes.set_xlabel(x)
        axes.set_ylabel(y_label)
    _save_figure(figure, stream, suffix)


def draw_threshold_curves(
    stream: BinaryIO, suffix: str, curves: Sequence[tuple[str, Sequence[float], Sequence[float]]]
) -> None:
    """Draw BCubed F over the threshold, one line for each curve: name, thresholds, F values.

    A curve without thresholds has one F value, drawn as a horizontal line.
    """
    figure = _new_figure(width=7.5)
    axes = figure.add_subplot()
    for number, (name, thresholds, values) in enumerate(curves):
        colour = f"C{number}"
        if thresholds:
            axes.plot(thresholds, values, label=name, marker=".", color=colour)
        else:
            axes.axhline(values[0], label=name, linestyle=":", color=colour)
    axes.set_xlabel("threshold (squared L2)")
    axes.set_ylabel("BCubed F")
    axes.legend()
    _save_figure(figure, stream, suffix)


def _new_figure(width: float = 6.4) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, 4.4), layout="constrained")


def _save_figure(figure: Figure, stream: BinaryIO, suffix: str) -> None:
    import matplotlib

    for axes in figure.axes:
        axes.grid(color="#e5e5e5", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    with matplotlib.rc_context({"svg.hashsalt": _SOFTWARE}):
        figure.savefig(stream, format=suffix[1:], dpi=150, metadata=_METADATA[suffix])
