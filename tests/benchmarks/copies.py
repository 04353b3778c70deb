"""Time and memory of `faceclust duplicates` on a library that has caches but no photos.

    python tests/benchmarks/copies.py [--photos 100000]

Each photo has one or two faces. A twentieth of the photos are smaller copies of others, a tenth are shots of
bursts of five, with faces that moved.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faceclust.store.schema import encode_parquet

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support.synthetic_library import write_caches


def write_library(root: Path, photos: int) -> int:
    """Write the caches of a library. Return the number of its photos that have a copy."""
    rng = np.random.default_rng(23)
    originals = photos - photos // 20
    counts = rng.integers(1, 3, originals)
    seconds = 10**9 + 7 * rng.permutation(originals)
    in_burst = np.arange(originals) < photos // 10
    seconds[in_burst] = 5 + np.arange(in_burst.sum()) // 5
    photo = np.repeat(np.arange(originals), counts)
    embeddings = rng.standard_normal((len(photo), 128)).astype(np.float32)
    copied = rng.choice(np.flatnonzero(~in_burst), photos // 20, replace=False)
    position = np.flatnonzero(np.isin(photo, copied))
    number = np.searchsorted(np.sort(copied), photo[position])
    library = write_caches(
        root, np.concatenate([embeddings, embeddings[position]]), np.concatenate([photo, originals + number])
    )
    (file,) = (root / "photos").glob(".faceclust*.parquet")
    table = pq.read_table(file)
    photo = np.array([int(name[4:-4]) for name in table["photo"].to_pylist()])
    is_copy = photo >= originals
    source = np.where(is_copy, np.sort(copied)[np.maximum(photo - originals, 0)], photo)
    columns = {
        "taken_at": pa.array(seconds[source], pa.timestamp("s")),
        "width": pa.array(np.where(is_copy, 1000, 4000), pa.int32()),
        "height": pa.array(np.where(is_copy, 750, 3000), pa.int32()),
    }
    shift = np.where(photo < photos // 10, 0.04 * (photo % 5), 0)
    for side in ("left", "right"):
        columns[side] = pa.array((table[side].to_numpy() + shift).astype(np.float32))
    # Exports have other names than the shots of a camera.
    columns["photo"] = pa.array(
        [f"export {n}.jpg" if copy else f"IMG_{n}.jpg" for n, copy in zip(photo, is_copy, strict=True)]
    )
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        table = table.set_column(place, field, column.cast(field.type))
    file.write_bytes(encode_parquet(table.sort_by([("photo", "ascending"), ("face", "ascending")])))
    library.home.record_scan()
    return len(copied)


def main() -> None:
    """Write the library, run the command, and print its time, memory and the sets that it found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        expected = write_library(root, arguments.photos)
        command = [sys.executable, "-m", "faceclust", "duplicates", "--library", str(root)]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak, cpu = used.ru_maxrss / 1e6, used.ru_utime + used.ru_stime
    found = done.stdout.count("\n\n")
    print(f"{arguments.photos:,} photos: {seconds:.1f} s ({cpu:.1f} CPU s), {peak:.1f} GB")
    print(f"{found:,} sets, {expected:,} expected")
    print(done.stderr.splitlines()[-1])


if __name__ == "__main__":
    main()
