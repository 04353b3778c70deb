"""Time and memory of `faceclust crops`, for all groups of a library.

    python tests/benchmarks/crops.py LIBRARY [--size 256] [--groups 10]

LIBRARY must be scanned and grouped. The crops go to a temporary folder.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from faceclust import Library


def main() -> None:
    """Write the crops of the largest groups, with contact sheets, and print the rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--groups", type=int, default=10)
    arguments = parser.parse_args()
    library = Library(arguments.library)
    groups = [person.clusters[0] for person in library.persons if person.clusters][: arguments.groups]
    start, faces, failed = time.perf_counter(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for group in groups:
            plan = library.plan_crops(group, Path(folder) / str(group), size=arguments.size, sheet=True)
            written = library.write_crops(plan)
            faces += len(written.crops)
            failed += len(written.failed)
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6
    print(f"{faces:,} faces of {len(groups)} groups: {seconds:.1f} s ({cpu:.1f} CPU s), {peak:.2f} GB")
    print(f"{failed} faces could not be cut out")


if __name__ == "__main__":
    main()
