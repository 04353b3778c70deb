"""Commands on hostile libraries: escapes, faults, hangs and lost names.

    python -m tests.benchmarks.hostile_libraries [COUNT] [--first 0] [--jobs 2] [--library REPR]

Each library is a small real one with random changes to its files: see `tests/support/hostile_library.py`.
They come in batches of 50 with a seed each, so that a batch can be made again (`--first SEED 50`). A library
with a problem is printed as a value, which `--library` runs again. Prints a row of figures, and exits with 1
after any problem. Linux only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.support import hostile_library
from tests.support.hostile_runs import HostileRuns, kind_of, make_commands, open_hostile_runs

BATCH = 50
Problem = tuple[int, str, hostile_library.HostileLibrary]


def run_batch(runs: HostileRuns, number: int, count: int = BATCH) -> list[Problem]:
    """Run one batch of libraries and return the problems, with the library that each came from."""
    problems: list[Problem] = []

    @seed(number)
    @settings(max_examples=count, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=HealthCheck)
    @given(hostile_library.make_strategy(make_commands()))
    def run(library: hostile_library.HostileLibrary) -> None:
        problems.extend((number, problem, library) for problem in runs.list_problems(library))

    run()
    return problems


def run_batches(numbers: list[int], count: int, results: multiprocessing.SimpleQueue[tuple[list[Problem], int, int]]) -> None:
    """Run batches in a process of its own, in memory where the system has such a folder."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        with open_hostile_runs(Path(folder)) as runs:
            for number in numbers:
                before, libraries = runs.commands, runs.libraries
                problems = run_batch(runs, number, count)
                results.put((problems, runs.libraries - libraries, runs.commands - before))


def main() -> None:
    """Run the batches, print each problem as it is found, and a row of figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first batch")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--library", help="the value that was printed for a library: run this one only")
    args = parser.parse_args()
    if args.library:
        sys.exit(run_one(args.library))
    began, kinds, libraries, commands = time.monotonic(), Counter[str](), 0, 0
    batches = list(range(args.first, args.first - (-args.count // BATCH)))
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    jobs = [
        context.Process(target=run_batches, args=(batches[job :: args.jobs], min(BATCH, args.count), results))
        for job in range(args.jobs)
    ]
    for job in jobs:
        job.start()
    for _ in batches:
        problems, more_libraries, more_commands = results.get()
        libraries, commands = libraries + more_libraries, commands + more_commands
        kinds.update(kind_of(problem) for _, problem, _ in problems)
        for number, problem, library in problems:
            print(f"batch {number}: {problem}\n    {library!r:.3000}", file=sys.stderr, flush=True)
        print(f"{libraries} libraries, {commands} commands, {dict(kinds)}", file=sys.stderr, flush=True)
    for job in jobs:
        job.join()
    print("| libraries | commands | escapes | faults | hangs | names lost | minutes |")
    print("|---|---|---|---|---|---|---|")
    counts = " | ".join(str(kinds[kind]) for kind in ("escape", "fault", "hang", "loss"))
    print(f"| {libraries:,} | {commands:,} | {counts} | {(time.monotonic() - began) / 60:.0f} |")
    sys.exit(bool(kinds))


def run_one(text: str) -> int:
    """Run the library that this expression makes, and print its problems."""
    library = eval(text, vars(hostile_library) | {"nan": float("nan"), "inf": float("inf")})
    with tempfile.TemporaryDirectory() as folder, open_hostile_runs(Path(folder)) as runs:
        problems = runs.list_problems(library)
    print("\n".join(problems) or "no problem")
    return bool(problems)


if __name__ == "__main__":
    main()
