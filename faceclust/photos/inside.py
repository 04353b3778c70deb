"""What a photo's file itself says in words: its XMP packet, and keywords of the older kind (IPTC)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import pi_heif
from PIL import Image, ImageFile, IptcImagePlugin

pi_heif.register_heif_opener(thumbnails=False)
_XMP_TAG, _KEYWORDS = 700, (2, 25)
_PNG_KEY = "XML:com.adobe.xmp"


@dataclass(frozen=True)
class Inside:
    """`xmp`: the packet; `keywords`: those of IPTC."""

    xmp: bytes | None = None
    keywords: tuple[str, ...] = ()


def read_inside(path: Path) -> Inside:
    """Of a file that Pillow opens; the picture is not decoded. Never raises: what cannot be read says
    nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd tags
            with Image.open(path) as image:
                return Inside(_xmp(image), _keywords(image))
    except Exception:  # damaged files meet Pillow with whatever exception comes first
        return Inside()


def _xmp(image: Image.Image) -> bytes | None:
    tags = getattr(image, "tag_v2", {})
    for packet in (image.info.get("xmp"), image.info.get(_PNG_KEY), tags.get(_XMP_TAG)):
        if packet:
            return packet.encode() if isinstance(packet, str) else bytes(packet)
    return None


def _keywords(image: ImageFile.ImageFile) -> tuple[str, ...]:
    found = (IptcImagePlugin.getiptcinfo(image) or {}).get(_KEYWORDS, [])
    texts = []
    for raw in found if isinstance(found, list) else [found]:
        try:
            texts.append(raw.decode())
        except UnicodeDecodeError:
            texts.append(raw.decode("cp1252", "replace"))
    return tuple(text.strip("\0 ") for text in texts if text.strip("\0 "))
