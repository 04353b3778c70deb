"""Many photos of equal size, as in uncompressed formats: the index and the tasks stay small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faceclust.files.names import DEFAULT_PACK
from faceclust.packs.registry import load_pack
from faceclust.scan.copies import MAX_COMPARED_CONTENTS, ContentIndex
from faceclust.scan.examine import ScanSettings
from faceclust.types import Metadata, PhotoRef, ScannedPhoto


def make_photo(number: int, size: int = 1000) -> ScannedPhoto:
    no_faces = np.empty((0, 1), np.float32)
    return ScannedPhoto(
        ref=PhotoRef(f"a/{number}.bmp", size, number),
        content_hash=f"{number:032x}",
        full_size=(100, 100),
        metadata=Metadata(),
        face_ids=(),
        boxes=no_faces.reshape(0, 4),
        landmarks=no_faces.reshape(0, 5, 2),
        scores=no_faces.reshape(0),
        quality=no_faces.reshape(0),
        embeddings=no_faces.reshape(0, 128),
    )


def test_among_many_contents_those_of_the_same_name_or_time_are_compared() -> None:
    known_photos = [make_photo(number) for number in range(5 * MAX_COMPARED_CONTENTS)]
    last = known_photos[-1]
    moved, renamed = replace(last.ref, rel_path="b/499.bmp", mtime_ns=-1), replace(last.ref, rel_path="b/x")
    new = PhotoRef("b/new.bmp", 1000, -2)
    copies = ContentIndex([moved, renamed, new], ScanSettings(load_pack(DEFAULT_PACK)))
    for one in known_photos:
        copies.add(one)
    compared = {task.ref: task.known_hashes for task in copies.iter_tasks([moved, renamed, new])}
    assert compared == {moved: {last.content_hash}, renamed: {last.content_hash}, new: frozenset()}
    assert copies.copy_for(moved, last.content_hash) == replace(last, ref=moved)


def test_no_task_has_more_hashes_than_the_limit() -> None:
    pending = [PhotoRef(f"{number}/x.bmp", 1000, 0) for number in range(3 * MAX_COMPARED_CONTENTS)]
    copies = ContentIndex(pending, ScanSettings(load_pack(DEFAULT_PACK)))
    largest = 0
    for number, task in enumerate(copies.iter_tasks(pending)):
        largest = max(largest, len(task.known_hashes))
        copies.add(replace(make_photo(number), ref=task.ref))
    assert largest == MAX_COMPARED_CONTENTS


def test_contents_that_no_pending_photo_can_have_are_not_kept() -> None:
    alone, first, second = PhotoRef("alone", 7, 0), PhotoRef("first", 8, 0), PhotoRef("second", 8, 0)
    copies = ContentIndex([alone, first, second], ScanSettings(load_pack(DEFAULT_PACK)))
    known_photos = {}
    for number, task in enumerate(copies.iter_tasks([alone, first, second])):
        known_photos[task.ref] = task.known_hashes
        copies.add(replace(make_photo(number), ref=task.ref))
    assert known_photos == {alone: frozenset(), first: frozenset(), second: {make_photo(1).content_hash}}
    for ref, number in ((alone, 0), (second, 2)):
        with pytest.raises(KeyError):
            copies.copy_for(ref, make_photo(number).content_hash)
