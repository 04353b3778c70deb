"""Try every command with a fault at each of its calls, and check what is left.

    python -m tests.support.fault_drive WORLD [--points 3] [--commands 10] [--seed 1] [--only TEXT]

It runs in a process that preloads the library of `fault_injector`. Each run is a fork of it, so that
nothing is imported twice. Without --points, the Nth call fails for N = 1 to all.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import json
import multiprocessing
import os
import pkgutil
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import faceclust
from faceclust.files.library_roots import AdditionalRoot
from faceclust.library import additional_roots
from faceclust.scan.workers import process as worker_process
from tests.support.fault_checks import find_problems, make_reference
from tests.support.fault_injector import Action, Call, Fault
from tests.support.fault_scenarios import SCENARIOS, Scenario
from tests.support.fault_world import FaultWorld

_CHANGES = Call.CREATE | Call.WRITE | Call.TRUNCATE | Call.SYNC | Call.RENAME | Call.REMOVE | Call.ATTRIBUTE
_SPACE = Call.CREATE | Call.WRITE | Call.SYNC | Call.RENAME
_READS = Call.OPEN | Call.READ | Call.STAT | Call.LIST
FAULTS = {
    "no space": Fault(_SPACE, error=errno.ENOSPC),
    "no space from then on": Fault(_SPACE, error=errno.ENOSPC, persists=True),
    "failed change": Fault(_CHANGES, error=errno.EIO),
    "failed changes from then on": Fault(_CHANGES, error=errno.EIO, persists=True),
    "failed read": Fault(_READS, error=errno.EIO),
    "no permission": Fault(Call.STEP | Call.OPEN | Call.CREATE | Call.REMOVE | Call.RENAME, error=errno.EACCES),
    "too many open files": Fault(Call.OPEN | Call.CREATE, error=errno.EMFILE),
    "too many open files from then on": Fault(Call.STEP | Call.OPEN | Call.CREATE, error=errno.EMFILE, persists=True),
    "killed before": Fault(_CHANGES, Action.KILL_BEFORE),
    "killed after": Fault(Call.RENAME | Call.REMOVE, Action.KILL_AFTER),
    "killed half-way": Fault(Call.WRITE, Action.KILL_HALF_WAY),
}


def drive_scenario(
    world: FaultWorld, scenario: Scenario, faults: list[str], points: int | None, rng: random.Random
) -> Iterator[tuple[str, int, str, list[str]]]:
    """Yield (fault, N, call, problems) for each run of a scenario."""
    reference = make_reference(world, scenario)
    for label in faults:
        fault = FAULTS[label]
        count = sum(number for call, number in reference.outcome.counts.items() if call in fault.calls)
        numbers = list(range(1, count + 1))
        if points is not None:
            numbers = sorted(rng.sample(numbers, min(points, count)))
        for nth in numbers:
            world.restore()
            outcome = world.run_command(scenario.command, fault, nth, keys=scenario.keys)
            yield label, nth, outcome.hit, list(find_problems(world, scenario, reference, fault, outcome))


def _prepare_process(world: Path) -> None:
    """Import everything once, and use a home in the world. Root ids are fixed, to compare runs."""
    variables = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    os.environ.update(dict.fromkeys(variables, str(world / "home")))
    worker_process._SPAWN_CONTEXT = multiprocessing.get_context("fork")  # type: ignore[assignment]
    additional_roots.new_root = lambda path, known: AdditionalRoot("0123abcd", path)
    for module in pkgutil.walk_packages(faceclust.__path__, "faceclust."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def main() -> None:
    """Drive all scenarios; print each problem as a line of JSON, and the number of runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("world", type=Path, help="a folder to be created")
    parser.add_argument("--points", type=int, help="calls sampled for each command and fault")
    parser.add_argument("--commands", type=int, help="commands sampled")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="commands that contain this")
    parser.add_argument("--cases", nargs="+", metavar="TEXT=FAULT", help="commands that contain this, and one fault")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    scenarios = [scenario for scenario in SCENARIOS if options.only in scenario.name]
    if options.commands:
        scenarios = rng.sample(scenarios, min(options.commands, len(scenarios)))
    cases = [(scenario, list(FAULTS)) for scenario in scenarios]
    if options.cases:
        pairs = [case.rsplit("=", 1) for case in options.cases]
        cases = [(scenario, [fault]) for text, fault in pairs for scenario in SCENARIOS if text in scenario.name]
    _prepare_process(options.world)
    world, runs, failures = FaultWorld(options.world), Counter[str](), Counter[str]()
    missed = 0  # runs that had fewer calls than the one without a fault
    for scenario, faults in cases:
        started, first = time.monotonic(), sum(runs.values())
        for label, nth, hit, problems in drive_scenario(world, scenario, faults, options.points, rng):
            runs[label] += 1
            missed += not hit
            failures[label] += bool(problems)
            for problem in problems:
                record = {"command": scenario.name, "fault": label, "nth": nth, "call": hit, "problem": problem}
                print(json.dumps(record), flush=True)
        print(
            f"{scenario.name}: {sum(runs.values()) - first} runs, {time.monotonic() - started:.1f} s",
            file=sys.stderr,
            flush=True,
        )
    print(json.dumps({"runs": runs, "failures": failures, "missed": missed}))


if __name__ == "__main__":
    main()
