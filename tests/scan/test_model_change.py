"""What a scan says of photos that other models know already."""

from __future__ import annotations

import pytest

from faceclust import Library
from faceclust.files.names import cache_file_name
from faceclust.scan import model_change
from tests.support.pack_scenarios import install_other_boxes
from tests.support.scan_builders import nobody, put


def told(library: Library) -> list[str]:
    return [note for note in library.scan(workers=0).notes if "will be rescanned" in note or "take about" in note]


def test_it_counts_photos_also_where_the_change_was_broken_off(small: Library) -> None:
    install_other_boxes()
    other = Library(small.root, pack="second")
    asked: list[bool] = []

    def stop() -> bool:  # asked before each photo; `a` comes first
        asked.append(True)
        return len(asked) > 1

    assert other.scan(workers=0, should_stop=stop).remaining == 5
    put(small.root / "a/new.bmp", nobody(9))  # never scanned
    again = Library(small.root, pack="second")
    assert [note.partition(" will")[0] for note in told(again)] == ["5 photos scanned with dlib"]
    assert told(Library(small.root, pack="second")) == []
    put(small.root / "a/newer.bmp", nobody(8))
    assert told(Library(small.root, pack="second")) == []


def test_few_photos_that_take_long_are_told_of_as_well(small: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    install_other_boxes()
    monkeypatch.setattr(model_change, "ESTIMATE_AFTER_SECONDS", 0.0)
    said = told(Library(small.root, pack="second"))
    assert len(said) == 2 and said[1].startswith("all 6 take about") and said[1].endswith("pace of the first 1")
    for cache in small.root.rglob(cache_file_name("second")):
        cache.unlink()
    monkeypatch.setattr(model_change, "ESTIMATE_AFTER_SECONDS", 600.0)
    assert len(told(Library(small.root, pack="second"))) == 1
