"""Scans and groupings on Dask workers, compared with the threads and processes of one machine.

    python tests/benchmarks/dask.py [--album ALBUM] [--sizes 100000,300000,1000000]
        [--engines threads,local:1,local:2] [--dimension 128] [--rounds 1] [--model 10000000]

ALBUM is a folder of photos. It is scanned into new caches by two processes of this machine and by each
engine of Dask; the faces must be equal to the bit. The groupings are of the faces of synthetic.py, in a
mapped file, with the faces of a photo kept apart; all engines must give the same clustering to the bit.
Each measurement runs in a process of its own, where possible in a network of its own, so that the bytes
counted are its own.

Prints Markdown tables. "Client" is the process of the command, which also runs the scheduler of a local
cluster; "workers" are all its child processes. "Start" is the time of both until the grouping begins.
Memory is the client's peak without mapped files. "Sent" is everything that went over the network, twice if
it went through the scheduler. The last table is a model of a larger library: power laws through the two
largest sizes of the last engine, with what limits each part.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

sys.path.pop(0)  # this folder, where this file would be found as the package `dask`
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.synthetic import face_table, synthetic_faces

ROOT = str(Path(__file__).parents[2])
_TASK_SECONDS = 0.004  # of the scheduler, for a task (measured with 20,000 empty ones)
_NETWORK = 1.25e8  # bytes a second: gigabit Ethernet
_MALLOC = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


@dataclass(frozen=True)
class Cost:
    """What a grouping cost. `pairs`: compared in the first pass and in rebuilding lists. Times in seconds.

    `client_comparing` is the client's CPU time while it waits for pairs, merges them and schedules tasks.
    """

    engine: str
    faces: int
    elapsed: float
    client: float
    client_comparing: float
    workers: float
    startup: float
    sent: float
    memory: float
    pairs: tuple[float, float]
    answer: str


class CountingEngine:
    """An engine that counts the pairs it compares, and the processor time that the client spends meanwhile."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.pairs, self.seconds = [0.0, 0.0], 0.0

    def compare_all(self, *arguments: Any) -> Any:
        """Compare by the engine."""
        count = float(len(arguments[1]))
        return self._count(0, count * (count - 1) / 2, lambda: self._engine.compare_all(*arguments))

    def compare_some(self, *arguments: Any) -> Any:
        """Compare by the engine."""
        pairs = float(len(arguments[1])) * len(arguments[2])
        return self._count(1, pairs, lambda: self._engine.compare_some(*arguments))

    def _count(self, kind: int, pairs: float, compare: Callable[[], Any]) -> Any:
        before = time.process_time()
        self.pairs[kind] += pairs
        found = compare()
        self.seconds += time.process_time() - before
        return found


@contextmanager
def open_engine(name: str, count: int, dimension: int) -> Iterator[CountingEngine]:
    """Open an engine for a number of faces, by name: "threads", or an address of Dask."""
    from faceclust.engines.local_engine import choose_local_engine

    if name == "threads":
        yield CountingEngine(choose_local_engine(count, dimension, "cpu"))
        return
    from faceclust.engines.dask.address import DaskOptions
    from faceclust.engines.dask.connection import open_cluster
    from faceclust.engines.dask.pairs import DaskPairEngine

    with open_cluster(DaskOptions(name), print_note) as cluster:
        yield CountingEngine(DaskPairEngine(cluster, print_note, str, 1))


def print_note(message: str) -> None:
    """Print what an engine tells."""
    print(message, file=sys.stderr)


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Measure the most memory without mapped files that this process holds meanwhile, in bytes, as the last item."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            peak.append(max(peak.pop(), anonymous_memory()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def anonymous_memory() -> float:
    """Return the bytes of memory that this process holds, without mapped files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return 1024.0 * int(line.split()[1])
    return 0.0


def loopback_bytes() -> float:
    """Return the bytes that this machine, or this network namespace, has sent to itself."""
    (line,) = (line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:"))
    return float(line.partition(":")[2].split()[0])


def measure(engine_name: str, faces_file: Path) -> Cost:
    """Group the faces of a file in this process."""
    from faceclust.cluster.constraints import Constraints, same_photo_exclusions
    from faceclust.cluster.group import group_faces
    from faceclust.types import ClusterParams

    embeddings = np.load(faces_file, mmap_mode="r")
    photo = np.load(faces_file.with_suffix(".photos.npy"))
    faces = face_table(np.arange(len(photo)), embeddings, photo)
    constraints = Constraints(exclusions=same_photo_exclusions(faces.photo_ids))
    with open_engine(engine_name, *embeddings.shape) as engine:
        startup = time.process_time() + children_seconds_now()
        started, before, sent = time.perf_counter(), time.process_time(), loopback_bytes()
        workers = children_seconds_now()
        with peak_memory() as memory:
            clustering = group_faces(faces, ClusterParams(), constraints, engine=engine).clustering
        elapsed, client = time.perf_counter() - started, time.process_time() - before
        workers, sent = children_seconds_now() - workers, loopback_bytes() - sent
    parts = [np.asarray(getattr(clustering, one.name)) for one in fields(clustering) if one.name != "params"]
    return Cost(
        engine_name,
        len(photo),
        elapsed,
        client,
        engine.seconds,
        workers,
        startup,
        sent if engine_name != "threads" else 0.0,
        memory[0],
        (engine.pairs[0], engine.pairs[1]),
        hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest(),
    )


def children_seconds_now() -> float:
    """Return the processor time of all child processes up to now."""
    from psutil import Process  # Dask needs it too

    return sum(sum(child.cpu_times()[:2]) for child in Process().children(recursive=True))


def own_network() -> list[str]:
    """Return words before a command that run it in a network of its own; empty without the right to make one."""
    words = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$0" "$@"']
    if shutil.which("unshare") and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
        return words
    return []


def run_one(network: list[str], engine: str, file: Path) -> Cost:
    """Measure in a process of its own."""
    words = [*network, sys.executable, "-m", "tests.benchmarks.dask", "--one", engine, str(file)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=environment())
    values = json.loads(done.stdout)
    return Cost(**{**values, "pairs": tuple(values["pairs"])})


def environment() -> dict[str, str]:
    """Return an environment in which processes use this source tree."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])}


def write_faces(folder: Path, count: int, dimension: int) -> Path:
    """Write the embeddings and photos of made-up faces."""
    faces, path = synthetic_faces(count, dimension=dimension), folder / f"{count}.npy"
    np.save(path, faces.embeddings)
    np.save(path.with_suffix(".photos.npy"), faces.photo)
    return path


def measure_groupings(arguments: argparse.Namespace, folder: Path) -> list[Cost]:
    """Print a table of groupings. Return the cheapest round of each."""
    network, costs = own_network(), list[Cost]()
    print(f"\nBytes counted {'in a network of their own' if network else 'with those of other programs'}; ", end="")
    settings = [f"{name}={os.environ.get(name, 'unset')}" for name in _MALLOC]
    print(f"memory allocator of the client: {', '.join(settings)}.\n")
    print(
        "| faces | engine | elapsed s | client CPU s | workers CPU s | all CPU | start CPU s | sent | client memory |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for count in map(int, arguments.sizes.split(",")):
        file, answers, least = write_faces(folder, count, arguments.dimension), set(), 0.0
        for engine in arguments.engines.split(","):
            rounds = [run_one(network, engine, file) for _ in range(arguments.rounds)]
            answers |= {cost.answer for cost in rounds}
            cost = min(rounds, key=lambda cost: cost.client + cost.workers)
            total = cost.client + cost.workers
            least = least or total
            costs.append(cost)
            print(
                f"| {count:,} | {engine} | {cost.elapsed:.1f} | {cost.client:.1f} | {cost.workers:.1f} | "
                f"{100 * total / least:.0f} % | {cost.startup:.1f} | {cost.sent / 1e6:,.0f} MB | "
                f"{cost.memory / 1e9:.2f} GB, {cost.memory / count:,.0f} B a face |",
                flush=True,
            )
        assert len(answers) == 1, "the engines gave different clusterings"
        file.unlink()
    return costs


def print_model(costs: list[Cost], faces: int) -> None:
    """Print a model of a larger library from the two largest sizes of the last engine."""
    engine = costs[-1].engine
    sizes = sorted((cost for cost in costs if cost.engine == engine), key=lambda cost: cost.faces)[-2:]
    if len(sizes) < 2 or engine == "threads":
        return

    def extrapolate(value: Callable[[Cost], float]) -> float:
        (small, large) = (max(value(cost), 1e-9) for cost in sizes)
        power = np.log(large / small) / np.log(sizes[1].faces / sizes[0].faces)
        return float(large * (faces / sizes[1].faces) ** power)

    last = sizes[-1]
    pair_seconds = last.workers / sum(last.pairs)
    first, rebuilt = faces * (faces - 1) / 2, extrapolate(lambda cost: cost.pairs[1])
    merging, alone = (
        extrapolate(lambda cost: cost.client_comparing),
        extrapolate(lambda cost: cost.client - cost.client_comparing),
    )
    sent, memory = extrapolate(lambda cost: cost.sent), extrapolate(lambda cost: cost.memory)
    print(f"\nModel of {faces:,} faces from {sizes[0].faces:,} and {last.faces:,} faces on {engine}: hours, and what")
    print(f"limits the comparisons. Client memory {memory / 1e9:.1f} GB, sent {sent / 1e9:.0f} GB.\n")
    print("| workers | first pass | rebuilt lists | merging on the client | scheduler | network | client alone | sum |")
    print("|---|---|---|---|---|---|---|---|")
    for workers in (8, 32, 128):
        side = 50_000 if workers > 64 else 25_000
        parts = {
            "workers": (first + rebuilt) * pair_seconds / workers,
            "merging": merging,
            "scheduler": _TASK_SECONDS * (first + rebuilt) / side**2,
            "network": sent / _NETWORK,
        }
        limit = max(parts, key=lambda name: parts[name])
        hours = [first * pair_seconds / workers, rebuilt * pair_seconds / workers, *list(parts.values())[1:], alone]
        cells = " | ".join(f"{seconds / 3600:.2f}" for seconds in hours)
        print(f"| {workers} | {cells} | {(parts[limit] + alone) / 3600:.1f}, limited by {limit} |")


def measure_scans(album: Path, engines: list[str], folder: Path) -> None:
    """Print a table of scans of an album."""
    print("| photos | engine | elapsed s | photos/s | CPU s, all processes | faces equal |\n|---|---|---|---|---|---|")
    expected: list[Any] = []
    for number, engine in enumerate(["2 processes", *(engine for engine in engines if engine != "threads")]):
        caches, words = folder / f"caches-{number}", [sys.executable, "-m", "faceclust", "scan", str(album)]
        words += ["--cache-dir", str(caches), *(("--dask", engine) if number else ("--workers", "2"))]
        started, before = time.perf_counter(), children_seconds()
        subprocess.run(words, check=True, stdout=sys.stderr, env=environment())
        elapsed, rows = time.perf_counter() - started, read_caches(caches)
        expected = expected or rows
        assert rows == expected, "the engines found different faces"
        photos = len({row["photo"] for row in rows})
        speed, seconds = photos / elapsed, children_seconds() - before
        print(f"| {photos:,} | {engine} | {elapsed:.1f} | {speed:.1f} | {seconds:.1f} | yes |", flush=True)


def read_caches(caches: Path) -> list[dict[str, Any]]:
    """Return all rows of the folder caches, sorted, with the bits of each number."""
    tables = [
        pq.read_table(path) for path in sorted(caches.rglob("*.parquet")) if "photo" in pq.read_schema(path).names
    ]
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (row["photo"], row["face"] or 0))


def children_seconds() -> float:
    """Return the processor time of all ended children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure scans, then groupings, and print a model of a larger library."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--album", type=Path, help="a folder of photos")
    parser.add_argument("--sizes", default="100000,300000,1000000", help="faces, separated by commas")
    parser.add_argument("--engines", default="threads,local:1,local:2", help="separated by commas")
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=1, help="of each grouping; the cheapest one counts")
    parser.add_argument("--model", type=int, default=10_000_000, help="faces of the modelled library")
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(asdict(measure(arguments.one[0], Path(arguments.one[1])))))
        return
    with tempfile.TemporaryDirectory() as folder:
        if arguments.album:
            measure_scans(arguments.album, arguments.engines.split(","), Path(folder))
        if arguments.sizes:
            print_model(measure_groupings(arguments, Path(folder)), arguments.model)


if __name__ == "__main__":
    main()
