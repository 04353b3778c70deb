"""Commands on hostile libraries: escapes, faults, hangs and losses.

    python -m tests.benchmarks.hostile_libraries [COUNT] [--first 0] [--jobs 2] [--shrink]

Each library is a small real one with random changes to its files: see `tests/support/hostile_library.py`.
It is made from its number, so `--first NUMBER 1` makes it again; `--shrink` then leaves out changes and
commands that do not matter. Prints each problem as it is found and a row of figures at the end, and exits
with 1 after any problem. Linux only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import queue
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.support.hostile_runs import draw_library, kind_of, open_hostile_runs, shrink


def run_libraries(numbers: range, shrinks: bool, results: Any) -> None:
    """Run these libraries in a process of its own, in memory where the system has such a folder."""
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        open_hostile_runs(Path(folder)) as runs,
    ):
        for number in numbers:
            before = runs.commands
            library = draw_library(number)
            problems = runs.list_problems(library)
            if problems and shrinks:
                library = shrink(runs, library)
                problems = runs.list_problems(library)
            parts = [f"{part!r:.400}" for part in (*library.changes, *library.commands)]
            results.put((number, parts, problems, runs.commands - before))


def wait_for_result(results: Any, processes: Sequence[BaseProcess]) -> Any:
    """Return the next result. Ends the program if a process has ended without its results."""
    while True:
        try:
            return results.get(timeout=1)
        except queue.Empty:
            if any(process.exitcode for process in processes):
                sys.exit("a process ended before its results were in")


def main() -> None:
    """Run the libraries, print their problems and a row of figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first library")
    parser.add_argument("--jobs", type=int, default=2, help="number of processes")
    parser.add_argument("--shrink", action="store_true", help="shrink libraries with a problem")
    args = parser.parse_args()
    began, kinds, commands = time.monotonic(), Counter[str](), 0
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    numbers = range(args.first, args.first + args.count)
    processes = [
        context.Process(target=run_libraries, args=(numbers[job :: args.jobs], args.shrink, results), daemon=True)
        for job in range(args.jobs)
    ]
    for process in processes:
        process.start()
    for done in range(1, args.count + 1):
        number, parts, problems, more = wait_for_result(results, processes)
        commands += more
        kinds.update({kind_of(problem) for problem in problems})
        if problems:
            print(f"library {number}:", *parts, *(f"* {problem}" for problem in problems), sep="\n    ", flush=True)
        if done % 100 == 0:
            print(f"{done} libraries, {commands} commands, {dict(kinds)}", file=sys.stderr, flush=True)
    print("| libraries | commands | escapes | faults | hangs | losses | minutes |")
    print("|---|---|---|---|---|---|---|")
    counts = " | ".join(str(kinds[kind]) for kind in ("escape", "fault", "hang", "loss"))
    print(f"| {args.count:,} | {commands:,} | {counts} | {(time.monotonic() - began) / 60:.0f} |")
    sys.exit(bool(kinds))


if __name__ == "__main__":
    main()
