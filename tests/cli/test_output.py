"""Where what a command prints goes is the user's business."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import COMMAND


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors")
def test_no_output_at_all_is_wanted(tmp_path: Path) -> None:
    """As by `>&-`, or from a service."""
    command = [*COMMAND, "scan", str(tmp_path)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.close(1),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, f"library: {tmp_path}\n")
