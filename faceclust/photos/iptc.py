"""IPTC keywords in photo files, the predecessor of XMP keywords."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image, IptcImagePlugin

from faceclust.photos.formats import HEAD_BYTES, Format, detect_format
from faceclust.photos.reading import open_photo

_KEYWORDS_DATASET = (2, 25)
#: Formats in which Pillow finds IPTC data. Other decoders are not started: damaged HEIC files crash theirs.
_FORMATS = (Format.JPEG, Format.TIFF)


def read_iptc_keywords(path: Path) -> tuple[str, ...]:
    """Return the keywords of a JPEG or TIFF, without decoding the picture.

    Never raises: unreadable files have no keywords.
    """
    try:
        with open_photo(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about unusual tags
            format = detect_format(file.read(HEAD_BYTES))
            if format not in _FORMATS:
                return ()
            file.seek(0)
            with Image.open(file, formats=[format.value]) as image:
                found = (IptcImagePlugin.getiptcinfo(image) or {}).get(_KEYWORDS_DATASET, [])
    except Exception:  # damaged files make Pillow raise exceptions of any type
        return ()
    texts = (_decode_keyword(raw).strip("\0 ") for raw in (found if isinstance(found, list) else [found]))
    return tuple(text for text in texts if text)


def _decode_keyword(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")
