"""Photos whose file or decoder hangs: skipped alone, with a reason that tells which it was."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.photos import pool
from faceclust.types import PASSING_REASONS, PhotoRef, SkippedPhoto, SkipReason
from tests.samples import make_library


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of POSIX")
def test_photos_that_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patch = tmp_path / "patch/sitecustomize.py"
    patch.parent.mkdir()
    patch.write_text(
        "import time\n"
        "from PIL import Image\n"
        "real = Image.open\n"
        "def open(fp, *args, **kwargs):\n"
        "    if fp.getvalue() == b'HANG':\n"
        "        time.sleep(600)\n"
        "    return real(fp, *args, **kwargs)\n"
        "Image.open = open\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(patch.parent), prepend=os.pathsep)
    monkeypatch.setattr(pool, "TIME_LIMIT", 5.0)
    root = tmp_path / "photos"
    photos = [PhotoRef(name, 1, 1) for name in (*make_library(root, photos_each=1), "hang.jpg", "never comes.jpg")]
    (root / "hang.jpg").write_bytes(b"HANG")
    os.mkfifo(root / "never comes.jpg")  # reading it waits for a writer for ever
    done = [examined.photo for examined in pool.examine_photos(root, Library(root).pack, photos, 2, lambda: False)]
    assert {photo.ref for photo in done} == set(photos)
    assert {photo.ref.name: (photo.reason, photo.detail) for photo in done if isinstance(photo, SkippedPhoto)} == {
        "hang.jpg": (SkipReason.TOO_SLOW, "it was given 5 seconds"),
        "never comes.jpg": (SkipReason.UNREADABLE, "reading it took longer than 5 seconds"),
    }
    assert SkipReason.UNREADABLE in PASSING_REASONS and SkipReason.TOO_SLOW not in PASSING_REASONS
