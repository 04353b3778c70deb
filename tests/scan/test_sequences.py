"""Random changes between scans: the caches always equal those of a fresh scan.

Photos and folders are added, deleted, moved, copied and changed. After each scan the caches have
the results of examining every photo separately, and no content was examined twice.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from faceclust import Library
from faceclust.files.names import CACHE_NAME
from faceclust.photos.face_ids import content_hash
from faceclust.scan.unchanged import count_unchanged_photos
from tests.support.sample_photos import COLLINS, HOPPER
from tests.support.scan_builders import (
    compute_expected_rows,
    hash_photos,
    make_face_photo,
    make_faceless_photo,
    read_cached_rows,
    touch,
    write_photo,
)

CONTENTS = [
    make_faceless_photo(0),
    make_faceless_photo(1),
    make_faceless_photo(2),
    make_face_photo(COLLINS, 0),
    make_face_photo(HOPPER, 0),
    b"BM cut off",
    b"",
]
Rows = dict[str, list[dict[str, Any]]]

GOOD = {content_hash(content) for content in CONTENTS[:5]}
FOLDERS = ["", "a", "a/b", "c"]
NAMES = ["1.bmp", "2.bmp", "3"]
paths = st.builds(lambda folder, name: f"{folder}/{name}".lstrip("/"), st.sampled_from(FOLDERS), st.sampled_from(NAMES))
choices = st.integers(0, 1000)


class Scans(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.root = Path(self._folder.name) / "photos"
        self.root.mkdir()

    def teardown(self) -> None:
        self._check("")
        self._folder.cleanup()

    def _photos(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.name in NAMES)

    def _one(self, choice: int) -> Path:
        return self._photos()[choice % len(self._photos())]

    # -- changes by the user -------------------------------------------------

    @rule(path=paths, content=st.sampled_from(CONTENTS))
    def write(self, path: str, content: bytes) -> None:
        write_photo(self.root / path, content)

    @precondition(_photos)
    @rule(choice=choices, path=paths)
    def move(self, choice: int, path: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        self._one(choice).replace(self.root / path)

    @precondition(_photos)
    @rule(choice=choices, path=paths, with_time=st.booleans())
    def copy(self, choice: int, path: str, with_time: bool) -> None:
        old, new = self._one(choice), self.root / path
        new.parent.mkdir(parents=True, exist_ok=True)
        if old != new:
            shutil.copy2(old, new) if with_time else touch(Path(shutil.copyfile(old, new)))

    @precondition(_photos)
    @rule(choice=choices, another=choices)
    def swap(self, choice: int, another: int) -> None:
        first, second, aside = self._one(choice), self._one(another), self.root / "aside"
        if first != second:
            first.rename(aside)
            second.rename(first)
            aside.rename(second)

    @precondition(_photos)
    @rule(choice=choices)
    def touch(self, choice: int) -> None:
        touch(self._one(choice))

    @precondition(_photos)
    @rule(choice=choices)
    def delete(self, choice: int) -> None:
        self._one(choice).unlink()

    @rule(old=st.sampled_from(["a", "a/b", "c"]), new=st.sampled_from(["a", "a/b", "c", "c/b"]))
    def move_folder(self, old: str, new: str) -> None:
        if (self.root / old).is_dir() and not (self.root / new).exists() and not f"{new}/".startswith(f"{old}/"):
            (self.root / new).parent.mkdir(exist_ok=True)
            (self.root / old).rename(self.root / new)

    @rule(folder=st.sampled_from(["a", "a/b", "c"]))
    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(self.root / folder, ignore_errors=True)

    @rule(folder=st.sampled_from(FOLDERS), damage=st.sampled_from(["deleted", "truncated"]))
    def lose_cache(self, folder: str, damage: str) -> None:
        cache = self.root / folder / CACHE_NAME
        if cache.exists():
            cache.unlink() if damage == "deleted" else os.truncate(cache, cache.stat().st_size // 2)

    # -- invariants ----------------------------------------------------------

    @rule()
    def scan(self) -> None:
        self._check("")

    @rule(part=st.sampled_from(["a", "a/b", "c"]))
    def scan_part(self, part: str) -> None:
        if (self.root / part).is_dir():
            self._check(part)

    def _check(self, part: str) -> None:
        known = self._known()
        result = Library(self.root).scan([self.root / part], workers=0)
        library = Library(self.root)
        assert result.scanned == len((hash_photos(self.root / part) & GOOD) - known)
        assert result.photos == result.scanned + result.copied + result.unchanged + len(result.skipped)
        assert self._within(part, read_cached_rows(library)) == self._within(part, compute_expected_rows(library))
        assert count_unchanged_photos(library.home, [part]) == result.photos

    def _within(self, part: str, rows: Rows) -> Rows:
        return {name: found for name, found in rows.items() if not part or f"{name}/".startswith(f"{part}/")}

    def _known(self) -> set[str]:
        """Return the content hashes in readable caches."""
        known = set()
        for cache in self.root.rglob(CACHE_NAME):
            try:
                known |= hashes_in(cache)
            except (OSError, ValueError):
                continue
        return known


def hashes_in(cache: Path) -> set[str]:
    return {content for content in pq.read_table(cache, columns=["photo_hash"])["photo_hash"].to_pylist() if content}


Scans.TestCase.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestScans = Scans.TestCase
