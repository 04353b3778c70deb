"""Render the map page: points, people and pictures, with the scripts that draw them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from faceclust.outputs.html_page import photo_href, render_page
from faceclust.outputs.map.sprites import CELLS_PER_ROW, choose_side, make_sheets
from faceclust.outputs.overview import format_year_range
from faceclust.progress import Progress, SilentProgress
from faceclust.types import FaceOccurrence, Float32, Person
from faceclust.types.face_numbers import number_faces

#: Third-party scripts in the order in which they are needed; see vendor/vendor.toml.
VENDORED = tuple(
    f"vendor/{name}"
    for name in (
        "licence.js",
        *(
            f"d3-{part}.min.js"
            for part in "dispatch selection color interpolate ease timer drag transition zoom quadtree".split()
        ),
    )
)
#: Named people differ by colour; if there are more people than colours, by shape as well.
COLOURS, SHAPES, MUTED_COLOURS = 12, 4, 5
#: Groups without a name in the list beside the map; the map shows all.
_MAX_MAP_GROUPS = 1_000
_MAX_COORDINATE = 65_535  # coordinates are stored as 16-bit integers
_PICTURED_BIT, _CONFIRMED_BIT = 1, 2  # flags in a face's state


@dataclass(frozen=True)
class MapEntry:
    """A person or group in the list beside the map. `marker_classes`: CSS classes of its marker."""

    number: int
    label: str
    named: bool
    faces: int
    photos: int
    suggested: int
    dates: str
    marker_classes: str


@dataclass(frozen=True)
class MapFaces:
    """The faces of a map in the order of the page.

    `points`, float32 (n, 2), are from 0 to 1. `persons`, int64 (n,), has the index of each face's
    person, −1 for a face that is alone.
    """

    occurrences: tuple[FaceOccurrence, ...]
    points: Float32
    persons: NDArray[np.int64]


def sort_by_z_order(occurrences: Sequence[FaceOccurrence], points: Float32, persons: Sequence[int]) -> MapFaces:
    """Sort faces along a Z-order curve (Morton 1966): neighbours on the map then share a sprite sheet."""
    cells = np.minimum(points * 256, 255).astype(np.int64)
    key = np.zeros(len(points), np.int64)
    for bit in range(8):
        key |= (cells[:, 0] >> bit & 1) << (2 * bit) | (cells[:, 1] >> bit & 1) << (2 * bit + 1)
    order = np.argsort(key, kind="stable")
    return MapFaces(tuple(occurrences[i] for i in order), points[order], np.array(persons, np.int64)[order])


def render_map(
    library: str,
    method: str,
    faces: MapFaces,
    persons: Sequence[Person],
    pictures: Mapping[str, bytes],
    root: Path,
    page: Path,
    progress: Progress | None = None,
    *,
    served: bool = False,
) -> str:
    """Render the page; equal arguments give equal bytes.

    `pictures` has JPEGs by face id. Links lead from `page` to the photos below `root`; if the page is `served` by
    `faceclust label --web`, to its screens.
    """
    progress = progress or SilentProgress()
    side = choose_side(len(pictures))
    progress.start("drawing sprite sheets", len(pictures), "faces")
    sheets, shown = make_sheets((face.face_id for face in faces.occurrences), pictures, side, progress.advance)
    progress.finish()
    entries = _build_map_entries(faces, persons)
    named = [entry for entry in entries if entry.named]
    groups = [entry for entry in entries if not entry.named]
    return render_page(
        "map.html.j2",
        styles=["base.css", "map.css"],
        scripts=[*VENDORED, "map.js"],
        library=library,
        method=method,
        faces=len(faces.occurrences),
        alone=int(np.count_nonzero(faces.persons < 0)),
        named=named,
        groups=groups[:_MAX_MAP_GROUPS],
        group_count=len(groups),
        pictures=len(shown),
        data=_to_json_block(
            _build_data(faces, persons, shown, side) | _build_links(faces, persons, root, page, served=served)
        ),
        served=served,
        sheets=[Markup(base64.b64encode(sheet).decode()) for sheet in sheets],
    )


def _build_data(faces: MapFaces, persons: Sequence[Person], pictured: Set[str], side: int) -> dict[str, object]:
    """Build the data of the script; arrays are base64 of little-endian bytes."""
    confirmed = frozenset[str]().union(*(person.confirmed for person in persons))
    photos = sorted({face.photo for face in faces.occurrences})
    number_of = {photo: i for i, photo in enumerate(photos)}
    number_on_photo = number_faces(faces.occurrences)
    taken_at = {face.photo: face.taken_at for face in faces.occurrences}
    state = [
        _PICTURED_BIT * (face.face_id in pictured) | _CONFIRMED_BIT * (face.face_id in confirmed)
        for face in faces.occurrences
    ]
    return {
        "x": _encode_array(np.rint(faces.points[:, 0] * _MAX_COORDINATE), "<u2"),
        "y": _encode_array(np.rint(faces.points[:, 1] * _MAX_COORDINATE), "<u2"),
        "who": _encode_array(faces.persons, "<i4"),
        "state": _encode_array(np.array(state), "u1"),
        "photo": _encode_array(np.array([number_of[face.photo] for face in faces.occurrences]), "<u4"),
        "number": _encode_array(np.array([number_on_photo[face.face_id] for face in faces.occurrences]), "<u2"),
        "photos": photos,
        "dates": [taken.date().isoformat() if (taken := taken_at[photo]) else "" for photo in photos],
        "people": [
            [person.label, _person_kind(person), *_colour_and_shape(i, person)] for i, person in enumerate(persons)
        ],
        "side": side,
        "across": CELLS_PER_ROW,
    }


def _build_links(
    faces: MapFaces, persons: Sequence[Person], root: Path, page: Path, *, served: bool
) -> dict[str, object]:
    """Build what the script makes links of: the href of the library; or those of the screens of each photo, in the
    order of `photos`, and of each person, empty for groups."""
    if not served:
        return {"base": photo_href(root / "x", page)[:-1]}
    hashes = {face.photo: face.photo_hash for face in faces.occurrences}
    return {
        "links": [f"./#/photo/{hashes[photo]}" for photo in sorted(hashes)],
        "screens": [f"./#/person/{person.id}" if person.name is not None else "" for person in persons],
    }


def _build_map_entries(faces: MapFaces, persons: Sequence[Person]) -> list[MapEntry]:
    """Build the entries of the list, in the order of `persons`, without ignored groups."""
    faces_of: list[list[FaceOccurrence]] = [[] for _ in persons]
    for face, number in zip(faces.occurrences, faces.persons.tolist(), strict=True):
        if number >= 0:
            faces_of[number].append(face)
    entries = []
    for i, (person, own_faces) in enumerate(zip(persons, faces_of, strict=True)):
        if person.ignored:
            continue
        colour, shape = _colour_and_shape(i, person)
        entries.append(
            MapEntry(
                number=i,
                label=person.label,
                named=person.name is not None,
                faces=len(own_faces),
                photos=len({face.photo for face in own_faces}),
                suggested=sum(face.face_id not in person.confirmed for face in own_faces) if person.name else 0,
                dates=format_year_range(face.taken_at for face in own_faces),
                marker_classes=f"s{shape} {'c' if person.name else 'm'}{colour}",
            )
        )
    return entries


def _person_kind(person: Person) -> int:
    return 0 if person.name is not None else 2 if person.ignored else 1


def _colour_and_shape(number: int, person: Person) -> tuple[int, int]:
    """Return the numbers of a person's colour and shape."""
    if person.name is None:
        return (person.clusters[0] if person.clusters else number) % MUTED_COLOURS, 0
    return number % COLOURS, number // COLOURS % SHAPES


def _encode_array(values: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(values.astype(dtype).tobytes()).decode()


def _to_json_block(value: Any) -> Markup:
    """Format JSON for a script element, with all characters escaped that could end the element."""
    text = json.dumps(value, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
