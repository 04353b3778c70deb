"""Parsers of foreign bytes: no input raises an undocumented exception, breaks a round trip or hangs."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from tests.benchmarks.fuzz import MAX_CORPUS, fuzz
from tests.support.fuzz_targets import CORPUS_FOLDER, TARGETS, read_corpus

#: Seconds of fuzzing for each target. `.ci/run` sets a minute; a few seconds in each run of the tests find nothing new.
SECONDS = float(os.environ.get("FACECLUST_FUZZ_SECONDS", "0"))


@pytest.mark.parametrize("name", TARGETS)
def test_stored_inputs_keep_the_properties_of_the_parser(name: str, tmp_path: Path) -> None:
    for data in read_corpus(name):
        TARGETS[name].run(data, tmp_path)


def test_every_stored_corpus_has_a_target_and_is_small() -> None:
    sizes = {path.stem: path.stat().st_size for path in CORPUS_FOLDER.iterdir()}
    assert sizes.keys() <= TARGETS.keys()
    assert max(sizes.values()) <= MAX_CORPUS


@pytest.mark.slow
@pytest.mark.skipif(not SECONDS, reason="set FACECLUST_FUZZ_SECONDS to fuzz")
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris exists for Linux only")
@pytest.mark.parametrize("name", TARGETS)
def test_fuzzing_finds_nothing(name: str, tmp_path: Path) -> None:
    row, found = fuzz(name, SECONDS, tmp_path / "findings")
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "findings").glob("*.txt")]
    assert not found, "\n".join([row, *texts])
