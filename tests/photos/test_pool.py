"""Photos whose file or decoder hangs: skipped alone, with a reason that tells which it was."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from faceclust.packs.manifest import load_pack
from faceclust.photos import pool
from faceclust.photos.examine import Look, Task
from faceclust.types import PASSING_REASONS, PhotoRef, SkippedPhoto, SkipReason
from tests.samples import make_library


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the name of an open file")
def test_photos_that_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patch = tmp_path / "patch/sitecustomize.py"
    patch.parent.mkdir()
    patch.write_text(
        "import os, time\n"
        "from PIL import Image\n"
        "really_open, really_read = Image.open, os.read\n"
        "def open(fp, *args, **kwargs):\n"
        "    if fp.getvalue().endswith(b'HANG'):\n"
        "        time.sleep(600)\n"
        "    return really_open(fp, *args, **kwargs)\n"
        "def read(file, count):\n"
        "    if os.readlink(f'/proc/self/fd/{file}').endswith('never comes.jpg'):\n"
        "        time.sleep(600)\n"
        "    return really_read(file, count)\n"
        "Image.open, os.read = open, read\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(patch.parent), prepend=os.pathsep)
    monkeypatch.setattr(pool, "TIME_LIMIT", 5.0)
    root = tmp_path / "photos"
    names = {*make_library(root, photos_each=1), "hang.jpg", "never comes.jpg", "pipe.jpg"}
    for name in ("hang.jpg", "never comes.jpg"):
        (root / name).write_bytes(b"\xff\xd8\xff\xe0HANG")
    os.mkfifo(root / "pipe.jpg")
    tasks = [Task(PhotoRef(name, 1, 1)) for name in sorted(names)]
    examined = pool.examine_photos(root, Look(load_pack("dlib")), tasks, 2, lambda: False)
    done = {listed.rel_path: one.photo for listed, one in examined}
    assert done.keys() == names
    assert {name: (photo.reason, photo.detail) for name, photo in done.items() if isinstance(photo, SkippedPhoto)} == {
        "hang.jpg": (SkipReason.TOO_SLOW, "it was given 5 seconds"),
        "never comes.jpg": (SkipReason.UNREADABLE, "reading it took longer than 5 seconds"),
        "pipe.jpg": (SkipReason.NOT_A_PHOTO, "it is not an ordinary file"),
    }
    assert SkipReason.UNREADABLE in PASSING_REASONS and SkipReason.TOO_SLOW not in PASSING_REASONS
