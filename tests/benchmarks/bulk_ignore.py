"""The time that `ignore --seen-once` takes in a large library, and what it adds to the commands after it.

    python -m tests.benchmarks.bulk_ignore FOLDER [--faces 100000] [--all]

FOLDER is made: caches of synthetic faces in groups of the true people, without photos. --all ignores all faces of
the folder instead, as `ignore --folder` does. Each command is a program of its own. Prints a Markdown table: seconds
of each command, then the number of faces that were ignored and the size of the journal.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from faceclust import Library
from tests.benchmarks.synthetic import synthetic_faces
from tests.support.synthetic_library import write_caches, write_groups


def make_library(folder: Path, faces: int) -> Library:
    """Write a library of synthetic people, and name one of them."""
    synthetic = synthetic_faces(faces, seed=7)
    library = write_caches(folder, synthetic.embeddings, synthetic.photo)
    write_groups(library, synthetic.person)
    library.name(1, "Anna")
    return library


def run(library: Path, *words: str) -> tuple[float, str]:
    """Run a command. Return the seconds and its output."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "faceclust", *words, "-l", str(library)], capture_output=True, text=True, check=True
    )
    return time.perf_counter() - began, done.stdout


def main() -> None:
    """Print a row for each command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    library = make_library(arguments.folder, arguments.faces)
    what = ["--folder", str(library.root)] if arguments.all else ["--seen-once"]
    ignored = json.loads(run(library.root, "ignore", *what, "--dry-run", "--json")[1])["faces"]
    print("| command | seconds |\n|---|---|")
    for words in (
        ["people"],
        ["ignore", *what, "--dry-run"],
        ["ignore", *what, "--yes"],
        ["people"],
        ["undo"],
        ["redo"],
    ):
        seconds, _ = run(library.root, *words)
        print(f"| {' '.join(words)} | {seconds:.1f} |", flush=True)
    assert len(np.unique([face.face_id for face in library.journal.events()[-1].faces])) == ignored
    size = library.home.journal.stat().st_size / 1e6
    print(f"\n{ignored:,} of {arguments.faces:,} faces ignored; journal {size:.1f} MB after a redo")


if __name__ == "__main__":
    main()
