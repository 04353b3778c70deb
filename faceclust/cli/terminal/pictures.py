"""Pictures of faces on a terminal: its own graphics protocol if it has one, otherwise half-blocks."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Sequence

from PIL import Image
from rich.console import Console, Group, RenderableType
from rich.table import Table

#: The least and the largest width of a face, in terminal columns.
_COLUMN_RANGES = {"graphics": (12, 18), "blocks": (16, 26)}
_MARGIN = 0.15  # of a picture's width, on each side of the face
_DEFAULT_FACES_PER_ROW = {"graphics": 6, "blocks": 4}  # on 80 columns
_TEXT_LINES = 10  # lines of text on the same screen


def faces_per_screen(console: Console) -> int:
    """The number of faces that fit on a screen: 2 to 8 side by side, in up to three rows."""
    columns = _columns_per_face(console, _DEFAULT_FACES_PER_ROW[_graphics_family(console)])
    rows = (console.height - _TEXT_LINES) // (columns // 2 + 2)
    return _faces_per_row(console) * max(1, min(3, rows))


def _faces_per_row(console: Console) -> int:
    return max(
        2,
        min(
            8,
            (console.width + 1) // (_columns_per_face(console, _DEFAULT_FACES_PER_ROW[_graphics_family(console)]) + 1),
        ),
    )


def render_faces(pictures: Sequence[tuple[bytes | None, str]], console: Console) -> RenderableType:
    """Faces in rows, each with its caption below.

    `pictures`: JPEG bytes of a square picture, or None if there is none, and the caption.
    """
    row = _faces_per_row(console)
    columns = _columns_per_face(console, min(row, len(pictures)))
    return Group(*(_render_row(pictures[i : i + row], columns, console) for i in range(0, len(pictures), row)))


def _render_row(pictures: Sequence[tuple[bytes | None, str]], columns: int, console: Console) -> RenderableType:
    from textual_image.renderable import HalfcellImage, SixelImage, TGPImage, UnicodeImage  # see _detect_graphics

    images = [Image.open(io.BytesIO(jpeg), formats=("JPEG",)).convert("RGB") if jpeg else None for jpeg, _ in pictures]
    if _graphics_family(console) == "blocks":
        images = [image and _crop_to_face(image) for image in images]
    side = next((image.width for image in images if image), columns)
    gap = max(1, side // columns)  # the width of one column
    strip = Image.new("RGB", (len(images) * (side + gap) - gap, side), (0, 0, 0))
    for i, image in enumerate(images):
        if image:
            strip.paste(image.resize((side, side)), (i * (side + gap), 0))
    renderers: dict[str, Callable[..., RenderableType]] = {
        "graphics-sixel": SixelImage,
        "graphics-tgp": TGPImage,
        "blocks": HalfcellImage,
        "plain": UnicodeImage,
    }
    width = min(console.width, len(images) * (columns + 1) - 1)
    captions = Table.grid(padding=(0, 1, 0, 0))
    for _ in pictures:
        captions.add_column(width=columns, overflow="fold")
    captions.add_row(*(f"{text} (no picture)".strip() if jpeg is None else text for jpeg, text in pictures))
    if not _knows_its_size(console):
        return captions
    return Group(renderers[_detect_graphics(console)](strip, width=width, height="auto"), captions)


def _knows_its_size(console: Console) -> bool:
    """Does the terminal know its columns and lines? textual_image divides by them."""
    try:
        return not console.is_terminal or all(os.get_terminal_size(console.file.fileno()))
    except (OSError, ValueError, AttributeError):  # closed, or not a terminal of the system
        return True


def _crop_to_face(image: Image.Image) -> Image.Image:
    """The middle of a picture: half-blocks are too coarse to show the surroundings as well."""
    edge = round(image.width * _MARGIN)
    return image.crop((edge, edge, image.width - edge, image.height - edge))


def _columns_per_face(console: Console, faces: int) -> int:
    """The width of a face in columns, with `faces` of them side by side."""
    least, most = _COLUMN_RANGES[_graphics_family(console)]
    room = min((console.width + 1) // max(faces, 1) - 1, 2 * (console.height - _TEXT_LINES))
    return max(least, min(most, room))


def _graphics_family(console: Console) -> str:
    return "graphics" if _detect_graphics(console).startswith("graphics") else "blocks"


def _detect_graphics(console: Console) -> str:
    """The kind of graphics the terminal can show."""
    # A terminal that does not answer the query for its character size is not worth a warning.
    logging.getLogger("textual_image").setLevel(logging.CRITICAL)
    from textual_image import renderable  # queries the terminal when imported, which --help must not

    if not console.is_terminal or console.no_color or console.is_dumb_terminal:
        return "plain"
    if renderable.Image is renderable.SixelImage:
        return "graphics-sixel"
    if renderable.Image is renderable.TGPImage:
        return "graphics-tgp"
    return "blocks"
