"""Keywords of the older kind (IPTC) that a photo's file holds."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image, IptcImagePlugin

_KEYWORDS_DATASET = (2, 25)


def read_iptc_keywords(path: Path) -> tuple[str, ...]:
    """Of a file that Pillow opens; the picture is not decoded. Never raises: what cannot be read says
    nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd tags
            with Image.open(path) as image:
                found = (IptcImagePlugin.getiptcinfo(image) or {}).get(_KEYWORDS_DATASET, [])
    except Exception:  # damaged files meet Pillow with whatever exception comes first
        return ()
    texts = (_decode_keyword(raw).strip("\0 ") for raw in (found if isinstance(found, list) else [found]))
    return tuple(text for text in texts if text)


def _decode_keyword(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")
