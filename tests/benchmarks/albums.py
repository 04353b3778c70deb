"""Precision and recall of albums, with every link followed.

    python tests/benchmarks/albums.py LIBRARY TRUTH.csv [--link symlink|hardlink|copy|reflink] [--confirmed]

TRUTH.csv has a row for each face: photo (below LIBRARY), left, top, right, bottom (pixels of the
upright photo), person. LIBRARY must be scanned and grouped. If it has no names yet, each group of at
least two faces gets the name of its most frequent person, as a user would give it; the names stay in
LIBRARY. A photo in an album is right if the truth names the person on it, whichever face put it there. A
photo is missing if it shows a person with an album but is not in it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from faceclust import Library
from faceclust.files.names import ALBUMS_MARKER
from faceclust.outputs.albums import LINK_KINDS
from faceclust.outputs.albums.safe_names import safe_name

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.interview import read_true_names


def name_groups(library: Library, truth: dict[str, str]) -> None:
    """Name each group after its most frequent person; groups without a known person stay unnamed."""
    for number, faces in sorted(library.group_members.items()):
        people = Counter(truth[face] for face in faces if face in truth)
        if len(faces) >= 2 and people:
            library.name(library.faces_in_group(number), people.most_common(1)[0][0], confirmed=())


def follow_links(library: Library, out: Path, kind: str) -> dict[str, str]:
    """Map each link or file of the albums to the photo it leads to or is a copy of."""
    photos: dict[str, str] = {}
    if kind != "symlink":
        photos = {hash_file(library.root / photo): photo for photo in library.photos}
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and not path.name.startswith(".faceclust"):
            photo = (
                path.resolve().relative_to(library.root).as_posix() if kind == "symlink" else photos[hash_file(path)]
            )
            found[path.relative_to(out).as_posix()] = photo
    return found


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Make the albums and print their precision and recall."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--link", choices=LINK_KINDS, default="symlink")
    parser.add_argument("--confirmed", action="store_true")
    arguments = parser.parse_args()
    library = Library(arguments.library)
    truth = read_true_names(library, arguments.truth)
    if not library.people():
        name_groups(library, truth)
    on_photo = defaultdict(set)
    with arguments.truth.open(newline="") as stream:
        for row in csv.DictReader(stream):
            on_photo[row["photo"]].add(row["person"].replace("_", " "))
    with tempfile.TemporaryDirectory(dir=library.root.parent) as folder:
        plan = library.plan_albums(Path(folder) / "People", kind=arguments.link, confirmed=arguments.confirmed)
        left = (*plan.skipped, *library.make_albums(plan))
        links = follow_links(library, plan.out, arguments.link)
        assert (plan.out / ALBUMS_MARKER).exists() and not left and links.keys() == plan.make.keys()
        again = library.plan_albums(plan.out, kind=arguments.link, confirmed=arguments.confirmed)
        assert not again.make and not again.remove and again.keep.keys() == links.keys()
    label_of = {safe_name(label): label for label in plan.albums}
    link_of = {(label_of[link.partition("/")[0]], photo): link for link, photo in links.items()}
    real = {(person, photo) for photo, people in on_photo.items() for person in people if person in plan.albums}
    right = link_of.keys() & real
    print(f"{len(plan.albums)} albums, {len(links)} links ({arguments.link}), all followed")
    print(f"right: {len(right)} of {len(link_of)}, precision {len(right) / max(1, len(link_of)):.4f}")
    print(f"photos with these people: {len(real)}, recall {len(right) / max(1, len(real)):.4f}")
    for person, photo in sorted(link_of.keys() - real):
        faces = [place.face_id for place in library.occurrences if place.photo == photo]
        owners = [truth.get(face, "no known face") for face in faces if face in library.find_person(person).face_ids]
        print(f"  wrong: {link_of[person, photo]} -> {photo}: the face is of {', '.join(owners)}")
    missing = Counter(
        next(
            (
                "in another person's group" if place.face_id in library.person_of else "in no group"
                for place in library.occurrences
                if place.photo == photo and truth.get(place.face_id) == person
            ),
            "face not found by the scan",
        )
        for person, photo in sorted(real - link_of.keys())
    )
    for reason, number in missing.most_common():
        print(f"  missing: {number}, {reason}")


if __name__ == "__main__":
    main()
