"""Libraries from somebody else's disk: no command leaves them, fails unexpectedly, hangs or loses a name.

`python -m tests.benchmarks.hostile_libraries` runs many more of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support.hostile_library import Command, Content, HostileLibrary
from tests.support.hostile_runs import (
    ARGUMENTS,
    HostileRuns,
    draw_library,
    kind_of,
    list_commands,
    open_hostile_runs,
    shrink,
)

pytestmark = [
    pytest.mark.linux,
    pytest.mark.skipif(sys.platform != "linux", reason="needs inotify, pidfd_open and forks"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileRuns]:
    with open_hostile_runs(tmp_path_factory.mktemp("hostile")) as runs:
        yield runs


def run_one(runs: HostileRuns, line: str) -> list[str]:
    return runs.list_problems(HostileLibrary((), (Command(tuple(line.split())),)))


def list_all_problems(runs: HostileRuns, numbers: range) -> dict[int, list[str]]:
    """Map the number of each library with problems to them."""
    found = {number: runs.list_problems(draw_library(number)) for number in numbers}
    return {number: problems for number, problems in found.items() if problems}


def test_every_command_has_arguments() -> None:
    assert {name for name, _ in list_commands()} == ARGUMENTS.keys()


def test_a_library_is_the_same_each_time_and_differs_from_others() -> None:
    assert repr(draw_library(7)) == repr(draw_library(7))
    assert len({repr(draw_library(number)) for number in range(10)}) == 10


def test_the_sandbox_notices_what_is_read_and_written_outside(runs: HostileRuns) -> None:
    """The user typed these paths, so that faceclust may use them."""
    assert not run_one(runs, "people --all -l @LIBRARY@")
    assert "victim/library/2019/collins-0.jpg was read" in str(
        run_one(runs, "identify @VICTIM@/library/2019/collins-0.jpg -l @LIBRARY@")
    )
    written = run_one(runs, "export -o @VICTIM@/new.csv -l @LIBRARY@")
    assert "victim/new.csv was moved in" in str(written)
    assert {kind_of(problem) for problem in written} == {"escape"}
    written = run_one(runs, "export -o @LINKED@/new.csv -l @LIBRARY@")
    assert "linked/new.csv has changed" in str(written)
    shown = run_one(runs, "import @VICTIM@/table.csv --dry-run --verbose -l @LIBRARY@")
    assert "canary in the output" in str(shown)


def test_a_library_is_shrunk_to_what_matters(runs: HostileRuns) -> None:
    status = Command(("status", "-l", "@LIBRARY@"))
    outside = Command(("identify", "@VICTIM@/library/2019/collins-0.jpg", "-l", "@LIBRARY@"))
    library = HostileLibrary((Content(".faceclust/last-scan", "x"),), (status, outside, status))
    assert shrink(runs, library) == HostileLibrary((), (outside,))


def test_hostile_libraries_do_no_harm(runs: HostileRuns) -> None:
    assert list_all_problems(runs, range(25)) == {}


@pytest.mark.slow
def test_more_hostile_libraries_do_no_harm(runs: HostileRuns) -> None:
    assert list_all_problems(runs, range(1000, 1020)) == {}
