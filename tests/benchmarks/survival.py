"""Which names are still on which faces after each thing that happens to a library.

    python tests/benchmarks/survival.py PHOTOS

A copy of the folder PHOTOS is scanned and grouped, every group of two faces and more gets a name,
and then, each time on a copy of that, photos are moved, edited and so on (tests/support/photo_changes.py).
Prints how many confirmed faces there were, how many have their name again, how many of those
still count as confirmed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from faceclust import Library

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support.photo_changes import SCENARIOS, names_on_photos, surviving


def main(photos: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / "named"
        shutil.copytree(photos, named, ignore=shutil.ignore_patterns(".faceclust*"))
        library = Library(named)
        library.scan()
        library.cluster()
        for number, group in enumerate(library.unnamed_groups(), start=1):
            library.name(group.face_ids, f"Person {number}")
        print(f"{len(library.people())} people on {library.table.photo_count} photos")
        for what, happens in SCENARIOS.items():
            copy = Path(folder) / "here" / "photos"
            shutil.copytree(named, copy)
            library = Library(copy)
            before = names_on_photos(library)
            confirmed, again, sure = surviving(before, happens(library))
            print(f"{what:36} {confirmed:6} {again:6} {sure:6}", flush=True)
            shutil.rmtree(copy.parent)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
