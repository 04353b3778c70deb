"""A fault at every call of every command: how many runs, and how many go wrong.

    python tests/benchmarks/faults.py [--points 3] [--commands 10] [--only "forget Ben"]

Without --points, every call on a file of the library, the home or the output fails once, in each way.
Each problem is printed as it is found.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support.fault_injector import run_with_injector


def main() -> None:
    """Drive the commands in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="faceclust-faults-") as folder:
        done = run_with_injector(
            Path(folder), "tests.support.fault_drive", f"{folder}/world", *sys.argv[1:], capture=False
        )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
