"""Photos, and blocks of pairs, that wait at a gate while they are examined, so that a test can act meanwhile.

`Gate.environment` makes Python processes do so, by a `sitecustomize` module that changes Pillow. In other
processes these are ordinary photos. `Gate.preload` is a script for `dask worker --preload`, which makes
comparisons of pairs wait. Some photos end the process that examines them instead.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.support.command import wait_for
from tests.support.sample_photos import COLLINS, HOPPER
from tests.support.scan_builders import make_face_photo, make_faceless_photo, write_photo

_PATCH = """
import os, time
from pathlib import Path
from PIL import Image

original, gate = Image.open, Path(os.environ["TEST_GATE"])

def open_gated(fp, *arguments, **options):
    ending = fp.getvalue()[-8:] if hasattr(fp, "getvalue") else b""
    if ending in (b"..GATE..", b".COUNT.."):
        with open(gate / f"seen-{os.getppid()}", "a") as log:
            log.write(".")
    if ending == b"..GATE..":
        while not (gate / "open").exists():
            time.sleep(0.02)
    if ending == b".DEADLY.":
        os.abort()
    if ending == b"NOMEMORY":
        bytearray(1 << 60)
    return original(fp, *arguments, **options)

Image.open = open_gated
"""
_PRELOAD = """
import os, time
from pathlib import Path
from faceclust.engines.dask import blocks

gate = Path(os.environ["TEST_GATE"])
work = float((gate / "work").read_text()) if (gate / "work").exists() else 0.0
original = blocks.original = getattr(blocks, "original", blocks.compare_block)  # Dask runs this file several times

def compare_block(*arguments):
    with open(gate / f"seen-{os.getpid()}", "a") as log:
        log.write(".")
    while not (gate / "open").exists():
        time.sleep(0.02)
    end = time.process_time() + work
    while time.process_time() < end:
        pass
    return original(*arguments)

blocks.compare_block = compare_block
"""
GATED, COUNTED, DEADLY, NO_MEMORY = b"..GATE..", b".COUNT..", b".DEADLY.", b"NOMEMORY"


class Gate:
    """A gate, closed at first. `environment` is that of the processes that wait at it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "patch").mkdir(parents=True)
        (folder / "patch/sitecustomize.py").write_text(_PATCH)
        self.preload = folder / "gate.py"
        self.preload.write_text(_PRELOAD)
        self.environment = {"PYTHONPATH": str(folder / "patch"), "TEST_GATE": str(folder)}

    def open(self) -> None:
        """Let all work pass, now and later."""
        (self._folder / "open").touch()

    def set_work(self, seconds: float) -> None:
        """Let each block of pairs take so much processor time more, on workers that start later."""
        (self._folder / "work").write_text(str(seconds))

    def seen(self) -> Counter[int]:
        """Return how many photos or blocks each worker has begun, by its process id."""
        return Counter(
            {int(path.name.removeprefix("seen-")): path.stat().st_size for path in self._folder.glob("seen-*")}
        )

    def wait_until_seen(self, count: int) -> None:
        """Wait until the examination of so much work has begun."""
        wait_for(lambda: self.seen().total() >= count)


def write_gated_photos(root: Path, count: int, ending: bytes = GATED) -> None:
    """Write photos with and without a face, in two folders."""
    for number in range(count):
        content = (
            make_face_photo((COLLINS, HOPPER)[number % 2], number // 4)
            if number % 4 < 2
            else make_faceless_photo(number)
        )
        write_photo(root / f"{number % 2}/{number}.bmp", content + b"%d" % number + ending)
