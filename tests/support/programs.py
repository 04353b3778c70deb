"""Programs of the system that some tests measure against; pip does not bring them.

They come with `apt-get install $(cat tests/debian.txt)`. Without one its tests are skipped, but
where FACECLUST_ALL_PROGRAMS is set they fail: a check that must not be left out cannot be.
"""

from __future__ import annotations

import os
import shutil

import pytest


def find_program(name: str) -> str:
    """The path of a program; skips the test, or fails it, where there is none."""
    found = shutil.which(name)
    if found is None:
        missing = f"{name} is not installed (apt-get install $(cat tests/debian.txt))"
        if os.environ.get("FACECLUST_ALL_PROGRAMS"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found
