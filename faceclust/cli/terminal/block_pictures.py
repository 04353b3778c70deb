"""Draw pictures with block characters, in as many colours as the terminal has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from faceclust.types.arrays import UInt8

#: The quadrants of a cell that have the foreground colour: upper left, upper right, lower left, lower right. The
#: other eight characters are the same with the colours swapped.
_QUADRANTS = {" ": (0, 0, 0, 0), "▘": (1, 0, 0, 0), "▝": (0, 1, 0, 0), "▖": (0, 0, 1, 0), "▗": (0, 0, 0, 1)} | {
    "▀": (1, 1, 0, 0),
    "▌": (1, 0, 1, 0),
    "▚": (1, 0, 0, 1),
}
#: Levels of grey and their colour numbers on terminals with 256 and with 16 colours.
_GREYS = {
    "256": {0: 16, **{8 + 10 * step: 232 + step for step in range(24)}, 255: 231},
    "standard": {0: 0, 110: 8, 190: 7, 255: 15},
}
#: The braille character without dots, and the bit of each dot by row and column.
_FIRST_BRAILLE = 0x2800
#: Radius in pixels and strength in per cent. Without shades, the outlines have to show what they would.
_SHARPENING, _DOTS_SHARPENING = (1, 60), (2, 250)
_BRAILLE_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


class BlockPictures:
    """Square pictures side by side, each `columns` columns wide. One that is missing (None) is left blank.

    With all colours, they are drawn in quadrants of cells, each cell in the two colours that suit it best. With
    256 or 16 colours they are grey, because too few of those are like skin. Without colours they consist of dots.
    """

    def __init__(self, pictures: Sequence[Image.Image | None], columns: int) -> None:
        self._pictures, self._columns, self._lines = pictures, columns, max(1, columns // 2)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        system = None if console.no_color or console.is_dumb_terminal else console.color_system
        blank = [[Segment(" " * self._columns)]] * self._lines
        drawn = [self._draw(picture, system) if picture else blank for picture in self._pictures]
        for parts in zip(*drawn, strict=True):
            for number, part in enumerate(parts):
                yield from ([Segment(" ")] if number else [])
                yield from part
            yield Segment.line()

    def _draw(self, picture: Image.Image, system: str | None) -> list[list[Segment]]:
        """Return the segments of each line."""
        if system is None:
            return self._draw_dots(picture)
        if (greys := _GREYS.get("standard" if system == "windows" else system)) is None:
            return self._draw_quadrants(
                self._resize(picture, 2, 2).astype(np.float32), lambda rgb: Color.from_rgb(*rgb)
            )
        levels, numbers = np.array(list(greys)), list(greys.values())
        grey = _dither(self._resize(picture.convert("L"), 2, 2).astype(np.float32), levels)
        return self._draw_quadrants(grey, lambda value: Color.from_ansi(numbers[np.abs(levels - value).argmin()]))

    def _draw_quadrants(
        self, pixels: NDArray[np.float32], to_colour: Callable[[NDArray[np.float32]], Color]
    ) -> list[list[Segment]]:
        cells = pixels.reshape(self._lines, 2, self._columns, 2, -1).transpose(0, 2, 1, 3, 4)
        characters, colours = _choose_colours(cells.reshape(self._lines, self._columns, 4, -1))
        return [
            [
                Segment(character, Style(color=to_colour(front), bgcolor=to_colour(back)))
                for character, (back, front) in zip(*line, strict=True)
            ]
            for line in zip(np.array(list(_QUADRANTS))[characters].tolist(), colours, strict=True)
        ]

    def _draw_dots(self, picture: Image.Image) -> list[list[Segment]]:
        pixels = self._resize(picture.convert("L"), 2, 4, _DOTS_SHARPENING).astype(np.float32)
        dots = _dither(pixels, np.array([0, 255]))[..., 0] > 0
        cells = dots.reshape(self._lines, 4, self._columns, 2).transpose(0, 2, 1, 3)
        codes = _FIRST_BRAILLE + (cells * _BRAILLE_BITS).sum(axis=(2, 3))
        return [[Segment("".join(map(chr, line)))] for line in codes.tolist()]

    def _resize(
        self, picture: Image.Image, across: int, down: int, sharpening: tuple[float, int] = _SHARPENING
    ) -> UInt8:
        """Return `across` times `down` pixels for each cell, uint8 (height, width, channels)."""
        picture = ImageOps.autocontrast(picture, cutoff=1, preserve_tone=True)
        picture = picture.resize((across * self._columns, down * self._lines), Image.Resampling.LANCZOS)
        picture = picture.filter(ImageFilter.UnsharpMask(*sharpening, 0))
        return np.asarray(picture).reshape(picture.height, picture.width, -1)


def _choose_colours(cells: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Choose the character and the two colours of each cell that come nearest to its four pixels.

    `cells`: (lines, columns, 4, channels). Return the character's index in _QUADRANTS, (lines, columns), and the
    background's and the foreground's colour, (lines, columns, 2, channels).
    """
    errors, colours = [], []
    for quadrants in _QUADRANTS.values():
        front = np.array(quadrants, bool)
        means = [cells[:, :, part].mean(axis=2) if part.any() else cells[:, :, 0] * 0 for part in (~front, front)]
        drawn = np.where(front[:, None], means[1][:, :, None], means[0][:, :, None])
        errors.append(((cells - drawn) ** 2).sum(axis=(2, 3)))
        colours.append(np.stack(means, axis=2))
    best = np.argmin(errors, axis=0)
    lines, columns = np.indices(best.shape)
    return best, np.asarray(colours)[best, lines, columns]


def _dither(pixels: NDArray[np.float32], levels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Replace each pixel, float32 (height, width, 1), by one of the levels, by error diffusion (Floyd and Steinberg,
    An adaptive algorithm for spatial greyscale, 1976)."""
    padded = np.pad(pixels[..., 0], ((0, 1), (1, 1)))
    for y in range(pixels.shape[0]):
        for x in range(1, pixels.shape[1] + 1):
            level = levels[np.abs(levels - padded[y, x]).argmin()]
            error = padded[y, x] - level
            padded[y, x] = level
            padded[y, x + 1] += error * 7 / 16
            padded[y + 1, x - 1 : x + 2] += error * np.array([3, 5, 1], np.float32) / 16
    return padded[:-1, 1:-1, None]
