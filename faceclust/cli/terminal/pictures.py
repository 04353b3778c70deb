"""Pictures of faces on a terminal: its own graphics protocol if it has one, otherwise block characters."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Sequence

from PIL import Image
from rich.console import Console, Group, RenderableType
from rich.table import Table

from faceclust.cli.terminal.block_pictures import BlockPictures

#: The least, the usual and the largest width of a face, in terminal columns. Blocks show less than a graphics protocol,
#: so that a face needs more of them.
_COLUMN_RANGES = {"graphics": (12, 12, 18), "blocks": (12, 26, 40)}
_MARGIN = 0.15  # of a picture's width, on each side of the face
_TEXT_LINES = 10  # lines of text on the same screen


def faces_per_screen(console: Console) -> int:
    """The number of faces that fit on a screen: at least 2, in up to three rows of up to 8."""
    columns, per_row = _columns_per_face(console, 8), _faces_per_row(console)
    rows = (console.height - _TEXT_LINES) // (columns // 2 + 2)
    return max(2, per_row * max(1, min(3, rows)))


def _faces_per_row(console: Console) -> int:
    usual = _COLUMN_RANGES[_graphics_family(console)][1]
    return max(1, min(8, (console.width + 1) // (usual + 1)))


def _columns_per_face(console: Console, faces: int) -> int:
    """The width of a face in columns, with `faces` of them to show; at most as many side by side as fit."""
    least, _, most = _COLUMN_RANGES[_graphics_family(console)]
    per_row = max(1, min(faces, _faces_per_row(console)))
    room = min((console.width + 1) // per_row - 1, 2 * (console.height - _TEXT_LINES))
    return max(1, min(max(least, min(most, room)), console.width))


def describe_better_pictures(console: Console) -> str:
    """Say how to see faces better, if the terminal shows no pictures, or not in colour; else ""."""
    if _graphics_family(console) == "graphics":
        return ""
    words = "This terminal shows faces as blocks. For pictures: faceclust label --web"
    if console.no_color or console.color_system in (None, "truecolor"):
        return words
    return f"{words}\nFaces are grey. If your terminal has all colours: export COLORTERM=truecolor"


def render_faces(pictures: Sequence[tuple[bytes | None, str]], console: Console) -> RenderableType:
    """Faces in rows, each with its caption below.

    `pictures`: JPEG bytes of a square picture, or None if there is none, and the caption.
    """
    row = _faces_per_row(console)
    columns = _columns_per_face(console, min(row, len(pictures)))
    return Group(*(_render_row(pictures[i : i + row], columns, console) for i in range(0, len(pictures), row)))


def _render_row(pictures: Sequence[tuple[bytes | None, str]], columns: int, console: Console) -> RenderableType:
    images = [Image.open(io.BytesIO(jpeg), formats=("JPEG",)).convert("RGB") if jpeg else None for jpeg, _ in pictures]
    captions = Table.grid(padding=(0, 1, 0, 0))
    for _ in pictures:
        captions.add_column(width=columns, overflow="fold")
    captions.add_row(*(f"{text} (no picture)".strip() if jpeg is None else text for jpeg, text in pictures))
    if not _knows_its_size(console):
        return captions
    if _graphics_family(console) == "blocks":
        return Group(BlockPictures([image and _crop_to_face(image) for image in images], columns), captions)
    return Group(_render_strip(images, columns, console), captions)


def _render_strip(images: Sequence[Image.Image | None], columns: int, console: Console) -> RenderableType:
    """Faces as one picture, drawn by the terminal's graphics protocol."""
    from textual_image.renderable import SixelImage, TGPImage  # see _detect_graphics

    side = next((image.width for image in images if image), columns)
    gap = max(1, side // columns)  # the width of one column
    strip = Image.new("RGB", (len(images) * (side + gap) - gap, side), (0, 0, 0))
    for i, image in enumerate(images):
        if image:
            strip.paste(image.resize((side, side)), (i * (side + gap), 0))
    renderers: dict[str, Callable[..., RenderableType]] = {"graphics-sixel": SixelImage, "graphics-tgp": TGPImage}
    width = min(console.width, len(images) * (columns + 1) - 1)
    return renderers[_detect_graphics(console)](strip, width=width, height="auto")


def _knows_its_size(console: Console) -> bool:
    """Does the terminal know its columns and lines? textual_image divides by them."""
    try:
        return not console.is_terminal or all(os.get_terminal_size(console.file.fileno()))
    except (OSError, ValueError, AttributeError):  # closed, or not a terminal of the system
        return True


def _crop_to_face(image: Image.Image) -> Image.Image:
    """The middle of a picture: blocks are too coarse to show the surroundings as well."""
    edge = round(image.width * _MARGIN)
    return image.crop((edge, edge, image.width - edge, image.height - edge))


def _graphics_family(console: Console) -> str:
    return "graphics" if _detect_graphics(console).startswith("graphics") else "blocks"


def _detect_graphics(console: Console) -> str:
    """The kind of graphics the terminal can show."""
    # A terminal that does not answer the query for its character size is not worth a warning.
    logging.getLogger("textual_image").setLevel(logging.CRITICAL)
    from textual_image import renderable  # queries the terminal when imported, which --help must not

    if not console.is_terminal or console.no_color or console.is_dumb_terminal:
        return "blocks"
    if renderable.Image is renderable.SixelImage:
        return "graphics-sixel"
    if renderable.Image is renderable.TGPImage:
        return "graphics-tgp"
    return "blocks"
