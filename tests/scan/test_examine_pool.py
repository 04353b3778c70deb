"""Photos whose file or decoder hangs or crashes are skipped, and no others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from faceclust.files.names import DEFAULT_PACK
from faceclust.packs.registry import load_pack
from faceclust.scan import examine_pool
from faceclust.scan.examine import ExamineTask, ScanSettings
from faceclust.types import TRANSIENT_REASONS, PhotoRef, ScannedPhoto, SkippedPhoto, SkipReason
from tests.support.sample_photos import make_library

pytestmark = pytest.mark.process


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the name of an open file from /proc")
def test_photos_that_hang_are_skipped_with_the_right_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patch = tmp_path / "patch/sitecustomize.py"
    patch.parent.mkdir()
    patch.write_text(
        "import os, time\n"
        "from PIL import Image\n"
        "original_open, original_read = Image.open, os.read\n"
        "def open(fp, *args, **kwargs):\n"
        "    if fp.getvalue().endswith(b'HANG'):\n"
        "        time.sleep(600)\n"
        "    return original_open(fp, *args, **kwargs)\n"
        "def read(file, count):\n"
        "    if os.readlink(f'/proc/self/fd/{file}').endswith('never comes.jpg'):\n"
        "        time.sleep(600)\n"
        "    return original_read(file, count)\n"
        "Image.open, os.read = open, read\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(patch.parent), prepend=os.pathsep)
    monkeypatch.setattr(examine_pool, "PHOTO_TIME_LIMIT", 5.0)
    root = tmp_path / "photos"
    names = {*make_library(root, photos_each=1), "hang.jpg", "never comes.jpg", "pipe.jpg"}
    for name in ("hang.jpg", "never comes.jpg"):
        (root / name).write_bytes(b"\xff\xd8\xff\xe0HANG")
    os.mkfifo(root / "pipe.jpg")
    tasks = [ExamineTask(PhotoRef(name, 1, 1)) for name in sorted(names)]
    examined = examine_pool.examine_photos(root, ScanSettings(load_pack(DEFAULT_PACK)), 2, tasks, lambda: False)
    done = {listed.rel_path: one.photo for listed, one in examined}
    assert done.keys() == names
    assert {name: (photo.reason, photo.detail) for name, photo in done.items() if isinstance(photo, SkippedPhoto)} == {
        "hang.jpg": (SkipReason.TOO_SLOW, "more than 5 seconds"),
        "never comes.jpg": (SkipReason.UNREADABLE, "reading it took more than 5 seconds"),
        "pipe.jpg": (SkipReason.NOT_A_PHOTO, "it is a pipe or device, not a regular file"),
    }
    assert SkipReason.UNREADABLE in TRANSIENT_REASONS and SkipReason.TOO_SLOW not in TRANSIENT_REASONS


def test_batches_give_the_same_results_as_single_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = sorted(make_library(tmp_path, photos_each=1))
    (tmp_path / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    tasks = [ExamineTask(PhotoRef(name, 1, 1)) for name in [*names[:2], "damaged.jpg", *names[2:], "gone.jpg"]]
    settings = ScanSettings(load_pack(DEFAULT_PACK))
    singly = dict(examine_pool.examine_photos(tmp_path, settings, 0, tasks, lambda: False))
    monkeypatch.setattr(examine_pool, "_BATCH_SIZES", {"cpu": 3})
    together = dict(examine_pool.examine_photos(tmp_path, settings, 0, tasks, lambda: False))
    assert together.keys() == singly.keys() == {task.ref for task in tasks}
    for ref, one in singly.items():
        other = together[ref].photo
        if isinstance(one.photo, SkippedPhoto):
            assert other == one.photo
        else:
            assert isinstance(one.photo, ScannedPhoto) and isinstance(other, ScannedPhoto)
            assert other.face_ids == one.photo.face_ids and other.ref == one.photo.ref
            np.testing.assert_allclose(other.embeddings, one.photo.embeddings, atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_only_the_crashing_photo_of_a_batch_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patch = tmp_path / "patch/sitecustomize.py"
    patch.parent.mkdir()
    patch.write_text(
        "import os\n"
        "from PIL import Image\n"
        "original_open = Image.open\n"
        "def open(fp, *args, **kwargs):\n"
        "    if fp.getvalue().endswith(b'DEADLY'):\n"
        "        os.abort()\n"
        "    return original_open(fp, *args, **kwargs)\n"
        "Image.open = open\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(patch.parent), prepend=os.pathsep)
    monkeypatch.setattr(examine_pool, "_BATCH_SIZES", {"cpu": 4})
    root = tmp_path / "photos"
    names = [*make_library(root, photos_each=1), "deadly.jpg"]
    (root / "deadly.jpg").write_bytes(b"\xff\xd8\xff\xe0DEADLY")
    tasks = [ExamineTask(PhotoRef(name, 1, 1)) for name in sorted(names)]
    done = dict(examine_pool.examine_photos(root, ScanSettings(load_pack(DEFAULT_PACK)), 2, tasks, lambda: False))
    lost = [ref.rel_path for ref, one in done.items() if isinstance(one.photo, SkippedPhoto)]
    assert lost == ["deadly.jpg"] and len(done) == len(names)
