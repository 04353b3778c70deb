"""The names that survive each change to a library.

    python tests/benchmarks/survival.py PHOTOS [--scenarios N]

A copy of the folder PHOTOS is scanned and grouped, and every group of at least two faces gets a name.
Each scenario of tests/support/photo_changes.py (photos moved, edited …) then runs on a copy of that. Prints
the number of confirmed faces, of those that have their name again, and of those still confirmed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from faceclust import Library

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support.photo_changes import SCENARIOS, count_surviving_names, list_names_on_photos


def main() -> None:
    """Run each scenario on a copy, and print the surviving names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--scenarios", type=int, default=len(SCENARIOS), help="only the first so many")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / "named"
        shutil.copytree(options.photos, named, ignore=shutil.ignore_patterns(".faceclust*"))
        library = Library(named)
        library.scan()
        library.cluster()
        for number, group in enumerate(library.unnamed_groups(), start=1):
            library.name(group.face_ids, f"Person {number}")
        print(f"{len(library.people())} people on {library.table.photo_count} photos")
        for title, change in list(SCENARIOS.items())[: options.scenarios]:
            copy = Path(folder) / "copy" / "photos"
            shutil.copytree(named, copy)
            library = Library(copy)
            before = list_names_on_photos(library)
            confirmed, named_again, still_confirmed = count_surviving_names(before, change(library))
            print(f"{title:36} {confirmed:6} {named_again:6} {still_confirmed:6}", flush=True)
            shutil.rmtree(copy.parent)


if __name__ == "__main__":
    main()
