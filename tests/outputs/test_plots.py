"""Plots in every format: reproducible, complete, and recognised as our own."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceclust.errors import FaceclustError
from faceclust.outputs import plots
from faceclust.outputs.plots import (
    PLOT_SUFFIXES,
    draw_degradations,
    draw_roc,
    draw_threshold_curves,
    is_own_plot,
    require_matplotlib,
)

FAR, VAL = np.array([0, 0, 0.01, 0.1, 1.0]), np.array([0, 0.6, 0.8, 0.9, 1.0])


def draw_to_bytes(ending: str) -> bytes:
    stream = io.BytesIO()
    draw_roc(stream, ending, FAR, VAL, highlighted=[(0.01, 0.8)], min_far=0.001, title="pairs.txt: AUC 0.9")
    return stream.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("ending", PLOT_SUFFIXES)
def test_the_same_curve_is_the_same_file(ending: str) -> None:
    first = draw_to_bytes(ending)
    assert first == draw_to_bytes(ending)
    assert first.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending])


def test_the_roc_curve_and_its_labels_are_drawn() -> None:
    svg = draw_to_bytes(".svg").decode()
    for text in ("pairs.txt: AUC 0.9", "80.0 %", "FAR: pairs of two people accepted", "guessing"):
        assert f"<!-- {text} -->" in svg
    with Image.open(io.BytesIO(draw_to_bytes(".png"))) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    blue = (abs(pixels - (0x1F, 0x5F, 0xA8)).sum(axis=2) < 30).nonzero()
    across, upwards = blue[1] / pixels.shape[1], blue[0] / pixels.shape[0]
    # The curve runs from the lower left to the upper right corner, above the middle.
    assert across.min() < 0.15 and across.max() > 0.95
    assert upwards[across > 0.5].max() < 0.5 and upwards[across < 0.12].max() > 0.8


def test_levels_are_drawn_with_their_values() -> None:
    stream = io.BytesIO()
    panels = [("JPEG quality", [10, 90], [0.673, 0.865]), ("face width", [40], [0.378])]
    draw_degradations(stream, ".svg", panels, baseline=0.87, title="VAL", y_label="VAL")
    svg = stream.getvalue().decode()
    for text in ("67.3", "86.5", "37.8", "JPEG quality", "face width", "10", "90"):
        assert f"<!-- {text} -->" in svg


def test_only_our_own_plots_are_recognised(tmp_path: Path) -> None:
    own, other = tmp_path / "own.png", tmp_path / "other.png"
    own.write_bytes(draw_to_bytes(".png"))
    Image.new("RGB", (300, 300)).save(other)
    assert is_own_plot(own) and not is_own_plot(other) and not is_own_plot(tmp_path / "nothing.png")
    for ending, text in ((".svg", b"<svg>faceclust</svg>"), (".pdf", b"%PDF-1.4 faceclust")):
        own, other = tmp_path / f"own{ending}", tmp_path / f"other{ending}"
        own.write_bytes(draw_to_bytes(ending))
        other.write_bytes(text)
        assert is_own_plot(own) and not is_own_plot(other)


def test_every_curve_has_its_own_colour() -> None:
    curves = [("average", [0.9, 1.1], [0.8, 0.9]), ("single", [0.9, 1.1], [0.7, 0.6]), ("HDBSCAN", [], [0.85])]
    streams = [io.BytesIO(), io.BytesIO()]
    for stream in streams:
        draw_threshold_curves(stream, ".svg", curves)
    svg = streams[0].getvalue()
    assert svg == streams[1].getvalue()
    for text in (b"<!-- HDBSCAN -->", b"<!-- BCubed F -->", b"#1f77b4", b"#ff7f0e", b"#2ca02c"):
        assert text in svg


def test_without_matplotlib_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    require_matplotlib()
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    with pytest.raises(FaceclustError) as failure:
        require_matplotlib()
    assert "pip install 'faceclust[plot]'" in str(failure.value.hint)
