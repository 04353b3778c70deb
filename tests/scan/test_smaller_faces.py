"""A closer look (`min_face`) that fails does not replace a photo's earlier result."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceclust import Library
from faceclust.photos.errors import UndecodableError
from faceclust.scan.examine import PhotoExaminer
from faceclust.types import SkipReason
from tests.support.sample_photos import COLLINS, make_variant


@pytest.mark.slow
@pytest.mark.parametrize("reason", [SkipReason.TOO_SLOW, SkipReason.OUT_OF_MEMORY, SkipReason.CRASHED])
@pytest.mark.parametrize("scanned_before", [True, False])
def test_a_failed_closer_look_keeps_the_earlier_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: SkipReason, scanned_before: bool
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise UndecodableError(reason, "many small faces")

    make_variant(COLLINS, 0).save(tmp_path / "collins.jpg")
    library = Library(tmp_path)
    if scanned_before:
        library.scan(workers=0)
        before = library.occurrences
    with monkeypatch.context() as patch:
        patch.setattr(PhotoExaminer, "_detect_faces", fail)
        result = library.scan(workers=0, min_face=10)
    assert [skip.reason for skip in result.skipped] == [reason] and result.unsaved == result.remaining == 0
    if scanned_before:
        assert library.occurrences == before
        assert Library(tmp_path).scan(workers=0).unchanged == 1
    else:
        again = Library(tmp_path).scan(workers=0)
        assert again.scanned == (reason is not SkipReason.CRASHED)
    assert Library(tmp_path).scan(workers=0).unchanged == 1
