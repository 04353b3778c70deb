from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support import torchrun_script

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.process]


def start(folder: Path, mode: str) -> subprocess.Popen[str]:
    """Start two processes of `tests/support/torchrun_script.py`."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.Popen(
        [sys.executable, *launcher, str(ROOT / "tests/support/torchrun_script.py"), str(folder), mode],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, mode: str = "train") -> list[dict[str, Any]]:
    """Run to the end and return what each process wrote."""
    with start(folder, mode) as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return read(folder)


def read(folder: Path) -> list[dict[str, Any]]:
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the two processes of a run without a stop wrote."""
    return run(tmp_path_factory.mktemp("complete"))


def differences(first: dict[str, Any], second: dict[str, Any]) -> float:
    """Return the largest difference of two networks' weights."""
    assert first["weights"].keys() == second["weights"].keys()
    return max(float((first["weights"][name] - value).abs().max()) for name, value in second["weights"].items())


def test_two_processes_learn_what_one_learns(complete: list[dict[str, Any]], tmp_path: Path) -> None:
    first, second = complete
    assert differences(first, second) == 0
    torchrun_script.main(tmp_path, "train")
    alone = torch.load(tmp_path / "rank0.pt", weights_only=True)
    assert differences(first, alone) < 1e-5  # the network has no batch normalisation
    assert first["losses"] == pytest.approx(alone["losses"], abs=1e-5)
    assert first["losses"][-1] < first["losses"][0] and first["images"] == alone["images"] == 144


def test_a_stop_in_one_process_stops_both_and_can_be_resumed(complete: list[dict[str, Any]], tmp_path: Path) -> None:
    stopped = run(tmp_path, "stop")
    assert [(one["finished"], one["images"]) for one in stopped] == [(False, 36)] * 2
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["run"]["processes"] == 2
    first, second = run(tmp_path, "resume")
    assert first["finished"] and differences(first, second) == 0
    assert differences(first, complete[0]) == 0


def test_ctrl_c_saves_a_checkpoint_once(tmp_path: Path) -> None:
    with start(tmp_path, "wait") as process:
        assert process.stdout
        order = [process.stdout.readline() for _ in range(3)]
        assert order == ["rank 0 reads\n", "rank 1 reads\n", "under way\n"]
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all processes, and torchrun once more to its own
        process.communicate(timeout=120)
    first, second = read(tmp_path)
    assert not first["finished"] and first["images"] == second["images"] >= 60
    assert differences(first, second) == 0
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["images"] == first["images"]
