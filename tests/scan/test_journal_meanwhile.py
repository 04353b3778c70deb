"""Journal entries written during a scan are applied by the next one, even if no photo has changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq

from faceclust import Library
from tests.support.sample_photos import COLLINS, HOPPER, make_variant


def test_a_face_forgotten_during_a_scan_is_removed_by_the_next(tmp_path: Path) -> None:
    root, copy = tmp_path / "photos", tmp_path / "copy"
    (root / "new").mkdir(parents=True)
    make_variant(COLLINS, 0).save(root / "collins.jpg")
    Library(root).scan(workers=0)
    shutil.copytree(root, copy)
    elsewhere = Library(copy)
    elsewhere.name(list(elsewhere.occurrences_of), COLLINS)
    elsewhere.forget(elsewhere.plan_forget(COLLINS))
    make_variant(HOPPER, 0).save(root / "new/hopper.jpg")

    def merge() -> bool:
        Library(root).import_journal(elsewhere.home.journal)
        return False

    assert Library(root).scan(workers=0, should_stop=merge).scanned == 1
    Library(root).scan(workers=0)
    (row,) = pq.read_table(root / ".faceclust.mobilefacenet.parquet").to_pylist()
    assert row["face_id"] is not None and row["embedding"] is None
