"""--json prints valid JSON for any file name."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.command import COMMAND


@pytest.mark.slow
def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    names = [os.fsencode(tmp_path) + b"/bad\xff.jpg", os.fsencode(tmp_path) + b"/\xfefolder"]
    try:
        with open(names[0], "wb") as file:
            file.write(b"no photo")
        os.mkdir(names[1])  # noqa: PTH102
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    for command in (["scan", tmp_path], ["status", "--library", tmp_path]):
        done = subprocess.run([*COMMAND, *command, "--json"], capture_output=True, check=True)
        answer = json.loads(done.stdout)  # from bytes: the output must be UTF-8
        assert [skip["photo"] for skip in answer["skipped"]] == [r"bad\xff.jpg"]
        if command[0] == "scan":
            assert answer["notes"][0].startswith(rf"{tmp_path}/\xfefolder: skipped")
