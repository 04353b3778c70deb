"""The benchmarks are run by hand; that they still start is seen here."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = sorted(path.stem for path in (Path(__file__).parent / "benchmarks").glob("[a-z]*.py"))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_imports_what_there_is(name: str) -> None:
    importlib.import_module(f"tests.benchmarks.{name}")
