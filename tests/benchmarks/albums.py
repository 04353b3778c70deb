"""Are the photos in somebody's album really of them? Every link is followed and looked up.

    python tests/benchmarks/albums.py LIBRARY TRUTH.csv [--link symlink|hardlink|copy|reflink] [--confirmed]

TRUTH.csv has a row for each face: photo (below LIBRARY), left, top, right, bottom (pixels of the
upright photo), person. LIBRARY has to be scanned and grouped. Where nobody has a name in it yet,
each group of two faces or more gets that of the person most of its faces are of, as a user who
looks at the group would give it; LIBRARY has names afterwards. A photo in an album is right where
the truth says that the person is on it, whichever face brought it there. Missing are the photos
with a person who has an album that are not in it.
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
from tests.benchmarks.interview import true_names


def name_groups(library: Library, truth: dict[str, str]) -> None:
    """Each group after the person most of its faces are of; groups of nobody stay without a name."""
    for number, faces in sorted(library.group_members.items()):
        people = Counter(truth[face] for face in faces if face in truth)
        if len(faces) >= 2 and people:
            library.name(library.faces_in_group(number), people.most_common(1)[0][0], confirmed=())


def followed(library: Library, out: Path, kind: str) -> dict[str, str]:
    """Each link or file of the albums → the photo it leads to, or has the bytes of."""
    photos: dict[str, str] = {}
    if kind != "symlink":
        photos = {digest(library.root / photo): photo for photo in library.photos}
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and not path.name.startswith(".faceclust"):
            photo = path.resolve().relative_to(library.root).as_posix() if kind == "symlink" else photos[digest(path)]
            found[path.relative_to(out).as_posix()] = photo
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    ask = argparse.ArgumentParser()
    ask.add_argument("library", type=Path)
    ask.add_argument("truth", type=Path)
    ask.add_argument("--link", choices=LINK_KINDS, default="symlink")
    ask.add_argument("--confirmed", action="store_true")
    arguments = ask.parse_args()
    library = Library(arguments.library)
    truth = true_names(library, arguments.truth)
    if not library.people():
        name_groups(library, truth)
    on_photo = defaultdict(set)
    with arguments.truth.open(newline="") as stream:
        for row in csv.DictReader(stream):
            on_photo[row["photo"]].add(row["person"].replace("_", " "))
    with tempfile.TemporaryDirectory(dir=library.root.parent) as folder:
        plan = library.plan_albums(Path(folder) / "People", kind=arguments.link, confirmed=arguments.confirmed)
        left = (*plan.skipped, *library.make_albums(plan))
        links = followed(library, plan.out, arguments.link)
        assert (plan.out / ALBUMS_MARKER).exists() and not left and links.keys() == plan.make.keys()
        again = library.plan_albums(plan.out, kind=arguments.link, confirmed=arguments.confirmed)
        assert not again.make and not again.remove and again.keep.keys() == links.keys()
    label_of = {safe_name(label): label for label in plan.albums}
    shown = {(label_of[link.partition("/")[0]], photo): link for link, photo in links.items()}
    real = {(person, photo) for photo, people in on_photo.items() for person in people if person in plan.albums}
    right = shown.keys() & real
    print(f"{len(plan.albums)} albums, {len(links)} links ({arguments.link}), all of them followed")
    print(f"right: {len(right)} of {len(shown)}, precision {len(right) / max(1, len(shown)):.4f}")
    print(f"of {len(real)} photos with these people, recall {len(right) / max(1, len(real)):.4f}")
    for person, photo in sorted(shown.keys() - real):
        faces = [place.face_id for place in library.occurrences if place.photo == photo]
        mine = [truth.get(face, "no known face") for face in faces if face in library.find_person(person).face_ids]
        print(f"  wrong: {shown[person, photo]} -> {photo}: the face is of {', '.join(mine)}")
    missing = Counter(
        next(
            (
                "in another person's group" if place.face_id in library.person_of else "in no group"
                for place in library.occurrences
                if place.photo == photo and truth.get(place.face_id) == person
            ),
            "face not found by the scan",
        )
        for person, photo in sorted(real - shown.keys())
    )
    for reason, number in missing.most_common():
        print(f"  missing: {number}, {reason}")


if __name__ == "__main__":
    main()
