"""A fault of the disk at any call of any command: an error is named, and nothing is lost or left behind.

These are samples: `tests/benchmarks/faults.py` tries every call of every command.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.fault_injector import run_with_injector
from tests.support.fault_scenarios import EXEMPT, SCENARIOS, command_names

pytestmark = [pytest.mark.linux, pytest.mark.skipif(sys.platform != "linux", reason="preloads a library")]


def drive_faults(folder: Path, *arguments: str) -> list[str]:
    """Drive the commands with faults and return the problems."""
    done = run_with_injector(folder, "tests.support.fault_drive", str(folder / "world"), *arguments)
    assert done.returncode == 0, done.stderr
    *problems, last = done.stdout.splitlines()
    summary = json.loads(last)
    assert summary["missed"] < 0.1 * sum(summary["runs"].values())
    return problems


def test_every_command_has_a_scenario_or_is_exempt() -> None:
    commands = set(command_names())
    covered = {
        next(" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in commands)
        for words in (scenario.command.split() for scenario in SCENARIOS)
    }
    assert covered | EXEMPT.keys() == commands
    assert not covered & EXEMPT.keys()


def test_a_sample_of_commands_survives_faults(tmp_path: Path) -> None:
    assert drive_faults(tmp_path, "--commands", "4", "--points", "1") == []


@pytest.mark.slow
def test_calls_where_a_fault_once_did_harm(tmp_path: Path) -> None:
    cases = {
        "cluster --undo": "failed change",
        "forget": "no space",
        "models use dlib --default": "killed half-way",
        "rename": "killed half-way",
        "export -o": "killed before",
    }
    pairs = [f"{command}={fault}" for command, fault in cases.items()]
    assert drive_faults(tmp_path, "--cases", *pairs, "--points", "8") == []


@pytest.mark.slow
def test_more_commands_survive_faults(tmp_path: Path) -> None:
    assert drive_faults(tmp_path, "--seed", "2", "--commands", "3", "--points", "1") == []
