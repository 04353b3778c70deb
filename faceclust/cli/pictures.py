"""Faces on the terminal: its own graphics where it has them, half-blocks otherwise."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_GAP = 6  # px between two faces
_GRAPHIC_COLUMNS, _BLOCK_COLUMNS = 12, 26  # terminal columns a face takes


def faces_that_fit(console: Console) -> int:
    """How many faces go side by side."""
    return max(1, min(8, (console.width + 1) // (_columns(console) + 1)))


def face_strip(pictures: Sequence[bytes], console: Console) -> RenderableType:
    """JPEG pictures of faces, all square and of one size, side by side."""
    from PIL import Image
    from textual_image.renderable import HalfcellImage, SixelImage, TGPImage, UnicodeImage

    images = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    side = images[0].width
    background = (0, 0, 0)
    strip = Image.new("RGB", (len(images) * (side + _GAP) - _GAP, side), background)
    for i, image in enumerate(images):
        strip.paste(image, (i * (side + _GAP), 0))
    kind = _kind(console)
    width = min(console.width, len(images) * (_columns(console) + 1) - 1)
    known: dict[str, Callable[..., RenderableType]] = {
        "graphics-sixel": SixelImage,
        "graphics-tgp": TGPImage,
        "blocks": HalfcellImage,
        "plain": UnicodeImage,
    }
    return known[kind](strip, width=width, height="auto")


def _columns(console: Console) -> int:
    return _GRAPHIC_COLUMNS if _kind(console).startswith("graphics") else _BLOCK_COLUMNS


def _kind(console: Console) -> str:
    """What this terminal can show. The library asks the terminal itself, once, on import."""
    # It asks the terminal for the size of a character; one that keeps silent is no news.
    logging.getLogger("textual_image").setLevel(logging.CRITICAL)
    from textual_image import renderable

    if not console.is_terminal or console.no_color or console.is_dumb_terminal:
        return "plain"
    if renderable.Image is renderable.SixelImage:
        return "graphics-sixel"
    if renderable.Image is renderable.TGPImage:
        return "graphics-tgp"
    return "blocks"
