"""The processor time and memory of a watch that has nothing to do.

    python tests/benchmarks/watch.py FOLDER [--folders 100] [--photos 100] [--seconds 120] [--changes 1]

Makes a library of small photos in FOLDER, which must not exist, and scans it. Then `faceclust watch` runs on it with
change events, and once more with `--poll`. Prints the processor time as a share of one core, the memory at the end,
and the seconds from a new photo, of which `--changes` arrive one after the other, to its line.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.unchanged import make_photos

PROGRAM = [sys.executable, "-m", "faceclust"]


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process until now, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def read_line(stream: object, start: str) -> None:
    """Read lines until one contains `start`. Raises EOFError if the program ends before."""
    for line in stream:  # type: ignore[attr-defined]
        if start in line:
            return
    raise EOFError(start)


def measure(root: Path, options: list[str], seconds: float, changes: int) -> str:
    """Run a watch and describe what it took."""
    command = [*PROGRAM, "watch", "--library", str(root), "--settle", "1", *options]
    watch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        read_line(watch.stderr, "watching")
        time.sleep(3)  # the first look
        used, memory = processor_seconds(watch.pid), resident_bytes(watch.pid)
        time.sleep(seconds)
        share = (processor_seconds(watch.pid) - used) / seconds
        delays = []
        source = next(root.rglob("*.jpg"))
        for number in range(changes):
            began = time.monotonic()
            new = source.with_name(f"new {len(options)} {number}.jpg")
            new.write_bytes(source.read_bytes() + bytes([len(options), number]))
            read_line(watch.stdout, "1 photo")
            delays.append(time.monotonic() - began)
        after = resident_bytes(watch.pid)
    finally:
        watch.send_signal(signal.SIGTERM)
        watch.communicate()
    told = f"a new photo after {min(delays):.1f} s (settling: 1 s), then {after / 1e6:.0f} MB" if delays else ""
    return f"{100 * share:.2f} % of one core, {memory / 1e6:.0f} MB; {told}"


def main() -> None:
    """Make the library and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--folders", type=int, default=100)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--changes", type=int, default=1)
    arguments = parser.parse_args()
    root = arguments.folder.resolve()
    make_photos(root, arguments.folders, arguments.photos)
    subprocess.run([*PROGRAM, "scan", str(root)], check=True, capture_output=True)
    for name, options in (("events", []), ("polling every 30 s", ["--poll"])):
        print(f"{name}: {measure(root, options, arguments.seconds, arguments.changes)}")


if __name__ == "__main__":
    main()
