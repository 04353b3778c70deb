"""The notes of a scan about photos that were scanned with another pack."""

from __future__ import annotations

import pytest

from faceclust import Library
from faceclust.files.names import cache_file_name
from faceclust.scan import model_change
from tests.support.pack_scenarios import install_other_detector
from tests.support.scan_builders import make_faceless_photo, write_photo


def model_notes(library: Library) -> list[str]:
    return [note for note in library.scan(workers=0).notes if "will be rescanned" in note or "take about" in note]


def test_an_interrupted_model_change_counts_the_remaining_photos(small_library: Library) -> None:
    install_other_detector()
    other = Library(small_library.root, pack="second")
    calls: list[bool] = []

    def stop() -> bool:  # called before each photo; `a` comes first
        calls.append(True)
        return len(calls) > 1

    assert other.scan(workers=0, should_stop=stop).remaining == 5
    write_photo(small_library.root / "a/new.bmp", make_faceless_photo(9))  # never scanned
    again = Library(small_library.root, pack="second")
    assert [note.partition(" will")[0] for note in model_notes(again)] == ["5 photos scanned with mobilefacenet"]
    assert model_notes(Library(small_library.root, pack="second")) == []
    write_photo(small_library.root / "a/newer.bmp", make_faceless_photo(8))
    assert model_notes(Library(small_library.root, pack="second")) == []


def test_the_estimate_comes_after_few_photos_if_they_take_long(
    small_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_other_detector()
    monkeypatch.setattr(model_change, "ESTIMATE_AFTER_SECONDS", 0.0)
    notes = model_notes(Library(small_library.root, pack="second"))
    assert len(notes) == 2 and notes[1].startswith("all 6 take about") and notes[1].endswith("pace of the first 1")
    for cache in small_library.root.rglob(cache_file_name("second")):
        cache.unlink()
    monkeypatch.setattr(model_change, "ESTIMATE_AFTER_SECONDS", 600.0)
    assert len(model_notes(Library(small_library.root, pack="second"))) == 1
