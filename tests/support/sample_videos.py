"""Make small videos of known people from the two public-domain portraits."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from faceclust.types import UInt8
from tests.support.sample_photos import load_portrait

#: Width and height of a video's frames, and frames a second.
SIZE, RATE = (480, 360), 2


@cache
def _small_portrait(person: str, height: int) -> Image.Image:
    portrait = load_portrait(person)
    return portrait.resize((round(height * portrait.width / portrait.height), height), Image.Resampling.LANCZOS)


def draw_frame(people: Sequence[str], number: int, size: tuple[int, int] = SIZE) -> UInt8:
    """Return a frame with portraits side by side over a background; they move a little with its number."""
    canvas = Image.new("RGB", size, (70 + number % 3, 90, 80))
    for place, person in enumerate(people):
        portrait = _small_portrait(person, round(size[1] * 0.85))
        x = place * size[0] // 2 + (number * 3) % 24
        canvas.paste(portrait, (x, (number * 2) % 18))
    return np.asarray(canvas)


def _write_silence(container: Any, sound: Any, seconds: float) -> None:
    """Write a soundtrack, which most videos have."""
    av = pytest.importorskip("av")
    silence = np.zeros((1, 1024 * 2), np.int16)
    for number in range(round(seconds * 48000 / 1024)):
        frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48000, number * 1024
        for packet in sound.encode(frame):
            container.mux(packet)
    for packet in sound.encode():
        container.mux(packet)


def write_video(
    path: Path,
    scenes: Sequence[tuple[float, Sequence[str]]],
    *,
    codec: str = "libx264",
    size: tuple[int, int] = SIZE,
    rate: int = RATE,
    key_interval: int = RATE,
    turn: int = 0,
    pixel_ratio: Fraction | None = None,
    texts: Mapping[str, str] | None = None,
) -> Path:
    """Write a video of scenes (seconds, people from left to right), with a key frame each `key_interval` frames.

    `turn`: degrees counter-clockwise by which a player has to turn the frames. `pixel_ratio`: of width and height.
    `texts`: metadata of the container.
    """
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(os.fspath(path), "w") as container:
        container.metadata.update(texts or {})
        options = {"g": str(key_interval), "preset": "ultrafast", "threads": "1"}
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height = size if turn % 180 == 0 else size[::-1]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        sound = container.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48000)
        if pixel_ratio:
            stream.codec_context.sample_aspect_ratio = pixel_ratio
        if turn:
            stream.set_display_rotation(turn)
        number = 0
        for seconds, people in scenes:
            for _ in range(round(seconds * rate)):
                pixels = np.ascontiguousarray(np.rot90(draw_frame(people, number, size), -turn // 90))
                for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                    container.mux(packet)
                number += 1
        for packet in stream.encode():
            container.mux(packet)
        _write_silence(container, sound, sum(seconds for seconds, _ in scenes))
    os.utime(path, ns=(10**18, 10**18))
    return path
