"""What is said in the journal while a scan runs is heeded by the next one, which has no photo to look at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq

from faceclust import Library
from tests.support.sample_photos import COLLINS, HOPPER, variant


def test_forgetting_that_comes_in_from_elsewhere(tmp_path: Path) -> None:
    root, copy = tmp_path / "photos", tmp_path / "copy"
    (root / "new").mkdir(parents=True)
    variant(COLLINS, 0).save(root / "collins.jpg")
    Library(root).scan(workers=0)
    shutil.copytree(root, copy)
    elsewhere = Library(copy)
    elsewhere.name(list(elsewhere.occurrences_of), COLLINS)
    elsewhere.forget(elsewhere.plan_forget(COLLINS))
    variant(HOPPER, 0).save(root / "new/hopper.jpg")

    def merge() -> bool:
        Library(root).import_journal(elsewhere.home.journal)
        return False

    assert Library(root).scan(workers=0, should_stop=merge).scanned == 1
    Library(root).scan(workers=0)
    (row,) = pq.read_table(root / ".faceclust.parquet").to_pylist()
    assert row["face_id"] is not None and row["embedding"] is None
