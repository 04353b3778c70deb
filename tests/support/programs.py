"""Find system programs that some tests need and pip does not install.

Install them with `apt-get install $(cat tests/debian.txt)`. Tests of a missing program are skipped.
If FACECLUST_ALL_PROGRAMS is set, they fail instead, so that no check is left out unnoticed.
"""

from __future__ import annotations

import os
import shutil

import pytest


def find_program(name: str) -> str:
    """Return the path of a program. Skip the test, or fail it, if the program is missing."""
    path = shutil.which(name)
    if path is None:
        missing = f"{name} is not installed (apt-get install $(cat tests/debian.txt))"
        if os.environ.get("FACECLUST_ALL_PROGRAMS"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path
