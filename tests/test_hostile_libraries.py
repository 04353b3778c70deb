"""Libraries from somebody else's disk: no command leaves them, fails unexpectedly, hangs or loses a name."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support.hostile_runs import (
    ARGUMENTS,
    HostileRuns,
    draw_library,
    list_commands,
    open_hostile_runs,
)

pytestmark = [
    pytest.mark.linux,
    pytest.mark.skipif(sys.platform != "linux", reason="needs inotify and forks"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileRuns]:
    with open_hostile_runs(tmp_path_factory.mktemp("hostile")) as runs:
        yield runs


def test_every_command_has_arguments() -> None:
    assert {name for name, _ in list_commands()} == ARGUMENTS.keys()


@pytest.mark.parametrize("number", range(20))
def test_a_hostile_library_does_no_harm(number: int, runs: HostileRuns) -> None:
    library = draw_library(number)
    assert not runs.list_problems(library), library


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1000, 1100))
def test_more_hostile_libraries_do_no_harm(number: int, runs: HostileRuns) -> None:
    library = draw_library(number)
    assert not runs.list_problems(library), library
