"""Write a folder of labelled photos of the two people of `sample_photos`, and lists of pairs."""

from __future__ import annotations

from pathlib import Path

from tests.support.sample_photos import COLLINS, HOPPER, make_scenery, make_variant, save_photo

EXTENSIONS = ("jpg", "png", "webp", "JPG")
PEOPLE = {"Collins": COLLINS, "Hopper": HOPPER}


def make_labelled_photos(folder: Path, photos_each: int = 4) -> Path:
    """Write <person>/<person>_0001.jpg and so on, with several file name extensions."""
    for name, person in PEOPLE.items():
        for number in range(photos_each):
            save_photo(
                make_variant(person, number), folder / name / f"{name}_{number + 1:04d}.{EXTENSIONS[number % 4]}"
            )
    return folder


def add_faceless_photo(folder: Path) -> None:
    save_photo(make_scenery(), folder / "Nobody" / "Nobody_0001.jpg")


def write_pairs(file: Path, folds: int = 2, times: int = 1, *, with_faceless: bool = False) -> Path:
    """Write a list of pairs of the photos of `make_labelled_photos`.

    `with_faceless`: one pair of each fold contains a photo without a face.
    """
    lines = [f"{folds}\t{3 * times}"]
    last = "Nobody\t1" if with_faceless else "Hopper\t3"
    for _ in range(folds):
        lines += ["Collins\t1\t2", "Collins\t3\t4", "Hopper\t1\t2"] * times
        lines += ["Collins\t1\tHopper\t1", "Collins\t2\tHopper\t4", f"Collins\t3\t{last}"] * times
    file.write_text("\n".join(lines) + "\n")
    return file
