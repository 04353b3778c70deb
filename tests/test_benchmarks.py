"""Run each benchmark with tiny sizes, so that a change of the code it calls fails here."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceclust import Library
from tests.support.drawn_people import draw_photos
from tests.support.labelled_photos import make_labelled_photos, write_pairs
from tests.support.named_library import make_synthetic_library
from tests.support.page_browser import make_drawn_library
from tests.support.photo_files import encode_image
from tests.support.programs import find_program
from tests.support.recordio_files import write_records
from tests.support.sample_photos import make_scenery, save_photo

ROOT = Path(__file__).parents[1]
BENCHMARKS = sorted(path.stem for path in (ROOT / "tests" / "benchmarks").glob("[a-z]*.py"))
#: Modules that other benchmarks share.
HELPERS = {"grouping", "packs", "people_halves", "reject", "synthetic", "training_runs"}


def write_truth(library: Library, person_of: dict[str, str]) -> Path:
    """Write truth.csv beside the photos, from the faces that a scan found."""
    table = library.root / "truth.csv"
    with table.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["photo", "left", "top", "right", "bottom", "person"])
        for face in library.occurrences:
            rows.writerow([face.photo, *face.pixel_box, person_of[face.face_id]])
    return table


@dataclass(frozen=True)
class Inputs:
    """Makes the input of each benchmark on demand."""

    folder: Path
    library: Library
    name_of_face: Callable[[Library], dict[str, str]]

    @property
    def missing_folder(self) -> Path:
        """A folder that does not exist."""
        return self.folder / "new"

    def library_and_truth(self) -> list[str | Path]:
        """Return a clustered library of two people and its truth table."""
        return [self.library.root, write_truth(self.library, self.name_of_face(self.library))]

    def many_people_and_truth(self) -> list[str | Path]:
        """Return a library of many people, without photos, and its truth table."""
        library, person_of = make_synthetic_library(self.folder / "many", 300)
        return [library.root, write_truth(library, person_of)]

    def drawn_library(self) -> Path:
        """Return a clustered library with drawn faces of 130 people."""
        return make_drawn_library(self.folder / "drawn", [2] * 130, pool=5).root

    def labelled(self) -> Path:
        """Return a folder of labelled photos of two people."""
        return make_labelled_photos(self.folder / "labelled")

    def aligned_people(self) -> Path:
        """Return a folder with InsightFace's files, of 48 drawn people with four faces each."""
        faces = [(person, chip) for person in range(48) for chip in draw_photos(person, 4, (112, 112))]
        return write_records(
            self.folder / "records",
            [(person, encode_image(Image.fromarray(chip), "PNG")) for person, chip in faces],
        )

    def faceless(self) -> Path:
        """Return a folder with a picture without people."""
        return save_photo(make_scenery().resize((200, 160)), self.folder / "faceless/scenery.png").parent

    def labelled_and_pairs(self) -> list[str | Path]:
        """Return a folder of labelled photos of two people and a list of pairs."""
        return [self.labelled(), write_pairs(self.folder / "pairs.txt")]

    def embeddings(self) -> list[str | Path]:
        """Return a folder of empty photos of many people, a list of pairs, and random embeddings."""
        rng, folder, vectors = np.random.default_rng(0), self.folder / "names", []
        for person in range(50):
            count = 30 if person < 14 else 8 if person < 35 else 3 if person < 40 else 1
            centre = rng.standard_normal(16)
            (folder / f"Person{person:02d}").mkdir(parents=True)
            for number in range(1, count + 1):
                (folder / f"Person{person:02d}" / f"Person{person:02d}_{number:04d}.jpg").touch()
                vectors.append(centre + 0.3 * rng.standard_normal(16))
        embeddings = np.array(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)
        np.savez(self.folder / "embeddings.npz", mirrored=embeddings.astype(np.float32))
        pairs = self.folder / "pairs.txt"
        pairs.write_text("2\t1\n" + "Person00\t1\t2\nPerson00\t1\tPerson01\t1\n" * 2)
        return [folder, pairs, self.folder / "embeddings.npz"]


def require_browser() -> None:
    """Skip the test if the browser or its driver is missing."""
    find_program("chromium")
    find_program("chromedriver")


def require_atheris() -> None:
    """Skip the test if the fuzzer is missing."""
    pytest.importorskip("atheris", reason="atheris exists for Linux only")


ARGUMENTS: dict[str, Callable[[Inputs], list[str | Path]]] = {
    "videos": lambda inputs: ["--seconds", "4", "--rate", "2", "--width", "320", "--height", "240"],
    "albums": lambda inputs: [*inputs.library_and_truth(), "--link", "copy"],
    "bulk_ignore": lambda inputs: [inputs.missing_folder, "--faces", "300"],
    "calibrate": lambda inputs: [*inputs.many_people_and_truth(), "--people", "12", "--far", "0.01", "--confirm"],
    "cluster": lambda inputs: ["--sizes", "120"],
    "copies": lambda inputs: ["--photos", "200"],
    "crops": lambda inputs: [inputs.library.root],
    "device_pairs": lambda inputs: [
        *("--device", "cpu", "--whole", "300", "--pass", "400", "--album", inputs.labelled(), "--workers", "1")
    ],
    "drawn_boxes": lambda inputs: [inputs.labelled(), "--people", "1"],
    "embedders": lambda inputs: [inputs.labelled(), "dlib", "--workers", "1", "--splits", "1"],
    "dask": lambda inputs: [
        "--album",
        inputs.library_and_truth()[0],
        "--sizes",
        "300,400",
        "--engines",
        "local:1",
    ],
    "detection": lambda inputs: [inputs.library_and_truth()[0], "--photos", "2", "--sets", "plain,turned,wide,crowded"],
    "faults": lambda inputs: [find_program("cc"), "--only", "models use", "--points", "1"][1:],
    "local_scaling": lambda inputs: [inputs.labelled(), "--draws", "1"],
    "fit": lambda inputs: [inputs.labelled(), "--photos", "0"],
    "four_ways": lambda inputs: ["--photos", inputs.labelled(), "--rounds", "1"],
    "fuzz": lambda inputs: [require_atheris() or "tables", "--seconds", "2", "--findings", inputs.missing_folder],  # type: ignore[func-returns-value]
    "hostile_libraries": lambda inputs: ["4", "--jobs", "1"],
    "imports": lambda inputs: [find_program("exiftool"), *inputs.library_and_truth()][1:],
    "interview": lambda inputs: [*inputs.library_and_truth(), "--by-size"],
    "kills": lambda inputs: [inputs.library.root, "--kills", "2"],
    "lfw": lambda inputs: [inputs.labelled(), "--workers", "1", "--embeddings", inputs.folder / "lfw.npz"],
    "map": lambda inputs: ["layout", "100", "--method", "tsne"],
    "mutants": lambda inputs: ["--count", "4", "JPEG", *(["WMV"] if find_spec("av") else [])],
    "naming_time": lambda inputs: [*inputs.many_people_and_truth(), "--rows", "3"],
    "page_keys": lambda inputs: require_browser() or ["--groups", "24", "--questions", "4"],  # type: ignore[func-returns-value]
    "page_kills": lambda inputs: require_browser() or [inputs.drawn_library(), "--kills", "2"],  # type: ignore[func-returns-value]
    "page_scroll": lambda inputs: (  # type: ignore[func-returns-value]
        require_browser() or [inputs.drawn_library(), "--keys", "3", "--drags", "4", "--answers", "2"]
    ),
    "page_speed": lambda inputs: [inputs.missing_folder, "--faces", "150", "--named", "3", "--answers", "9"],
    "precision": lambda inputs: [*inputs.labelled_and_pairs(), "--faces", "40", "--dimension", "4"],
    "quality": lambda inputs: [
        inputs.labelled(),
        "--photos",
        "8",
        "--degraded",
        "2",
        "--plot",
        inputs.folder / "q.png",
    ],
    "recognition": lambda inputs: [*inputs.embeddings(), "--draws", "1"],
    "report": lambda inputs: [require_browser() or inputs.missing_folder, "--faces", "150", "--named", "3"],  # type: ignore[func-returns-value]
    "scan": lambda inputs: [inputs.library_and_truth()[0], "--photos", "2", "--rounds", "1", "--workers", "1"],
    "stability": lambda inputs: ["--faces", "200", "--additions", "3"],
    "survival": lambda inputs: [inputs.labelled(), "--scenarios", "2"],
    "thorough": lambda inputs: [inputs.labelled(), inputs.faceless(), "--people", "1", "--parts", "1"],
    "train": lambda inputs: [
        inputs.aligned_people(),
        "--steps",
        "1",
        "--seeds",
        "0",
        "--only",
        "mining",
        "degradation",
    ],
    "training_speed": lambda inputs: ["--images", "8", "--batch", "8", "--networks", "2"],
    "unplaced_names": lambda inputs: inputs.library_and_truth(),
    "watch": lambda inputs: [
        inputs.missing_folder,
        "--folders",
        "2",
        "--photos",
        "2",
        "--seconds",
        "1",
        "--changes",
        "0",
    ],
    "unchanged": lambda inputs: [inputs.missing_folder, "--folders", "2", "--photos", "2", "--rounds", "1"],
    "xmp": lambda inputs: [find_program("exiftool"), inputs.missing_folder, "--kind", "png"][1:],
}


@pytest.fixture
def inputs(tmp_path: Path, library: Library, name_of_face: Callable[[Library], dict[str, str]]) -> Inputs:
    return Inputs(tmp_path, library, name_of_face)


def run_benchmark(name: str, arguments: list[str | Path]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{name}", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_benchmark_has_arguments_here() -> None:
    assert ARGUMENTS.keys() | HELPERS == set(BENCHMARKS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ARGUMENTS)
def test_benchmark_runs_with_tiny_sizes(name: str, inputs: Inputs) -> None:
    output = run_benchmark(name, ARGUMENTS[name](inputs))
    assert any(character.isdigit() for character in output), output


@pytest.mark.slow
def test_benchmark_of_the_map_runs_in_a_browser() -> None:
    require_browser()
    assert "zooming in to pictures: script" in run_benchmark("map", ["browser", "60"])
