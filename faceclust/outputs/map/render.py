"""The page with the map: points, people and pictures, and the scripts that draw them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
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

#: JavaScript by others, in the order in which it is needed; vendor/vendor.toml says whose.
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
#: Named people are told apart by colour, and where there are more of them by shape too.
COLOURS, SHAPES, MUTED_COLOURS = 12, 4, 5
#: Groups without a name in the list beside the map; the map has them all.
_MAX_MAP_GROUPS = 1_000
_MAX_COORDINATE = 65_535  # points are given to the page as whole numbers up to this
_PICTURED_BIT, _CONFIRMED_BIT = 1, 2  # bits of a face's state


@dataclass(frozen=True)
class MapEntry:
    """A person or group in the list beside the map. `mark`: the classes of its sign there."""

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
    """The faces of a map in the order in which the page holds them: `points` (n, 2) from 0 to 1;
    `persons` (n,): each one's place among the persons, −1 for one that is alone."""

    occurrences: tuple[FaceOccurrence, ...]
    points: Float32
    persons: NDArray[np.int64]


def sort_by_z_order(occurrences: Sequence[FaceOccurrence], points: Float32, persons: Sequence[int]) -> MapFaces:
    """The faces such that those beside each other on the map share a sheet of pictures: along a
    Z-order curve (Morton 1966)."""
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
) -> str:
    """The page. `pictures`: JPEG by face id; `page` is where links to photos below `root` lead from.
    The same for the same arguments, to the byte."""
    progress = progress or SilentProgress()
    side = choose_side(len(pictures))
    progress.start("putting pictures together", len(pictures), "faces")
    sheets, shown = make_sheets((place.face_id for place in faces.occurrences), pictures, side, progress.advance)
    progress.finish()
    confirmed = frozenset[str]().union(*(person.confirmed for person in persons))
    photos = sorted({place.photo for place in faces.occurrences})
    number = {photo: i for i, photo in enumerate(photos)}
    taken = {place.photo: place.taken_at for place in faces.occurrences}
    state = [
        _PICTURED_BIT * (place.face_id in shown) | _CONFIRMED_BIT * (place.face_id in confirmed)
        for place in faces.occurrences
    ]
    entries = build_map_entries(faces, persons)
    data = {
        "x": _encode_array(np.rint(faces.points[:, 0] * _MAX_COORDINATE), "<u2"),
        "y": _encode_array(np.rint(faces.points[:, 1] * _MAX_COORDINATE), "<u2"),
        "who": _encode_array(faces.persons, "<i4"),
        "state": _encode_array(np.array(state), "u1"),
        "photo": _encode_array(np.array([number[place.photo] for place in faces.occurrences]), "<u4"),
        "photos": photos,
        "dates": [when.date().isoformat() if (when := taken[photo]) else "" for photo in photos],
        "people": [
            [person.label, _person_kind(person), *_colour_and_shape(i, person)] for i, person in enumerate(persons)
        ],
        "base": photo_href(root / "x", page)[:-1],
        "side": side,
        "across": CELLS_PER_ROW,
    }
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
        data=_to_json_block(data),
        sheets=[Markup(base64.b64encode(sheet).decode()) for sheet in sheets],
    )


def build_map_entries(faces: MapFaces, persons: Sequence[Person]) -> list[MapEntry]:
    """What the list says of everybody but ignored groups, in the persons' order."""
    mine: list[list[FaceOccurrence]] = [[] for _ in persons]
    for place, person in zip(faces.occurrences, faces.persons.tolist(), strict=True):
        if person >= 0:
            mine[person].append(place)
    entries = []
    for i, (person, places) in enumerate(zip(persons, mine, strict=True)):
        if person.ignored:
            continue
        colour, shape = _colour_and_shape(i, person)
        entries.append(
            MapEntry(
                number=i,
                label=person.label,
                named=person.name is not None,
                faces=len(places),
                photos=len({place.photo for place in places}),
                suggested=sum(place.face_id not in person.confirmed for place in places) if person.name else 0,
                dates=format_year_range(place.taken_at for place in places),
                marker_classes=f"s{shape} {'c' if person.name else 'm'}{colour}",
            )
        )
    return entries


def _person_kind(person: Person) -> int:
    return 0 if person.name is not None else 2 if person.ignored else 1


def _colour_and_shape(number: int, person: Person) -> tuple[int, int]:
    """Colour and shape, by the person's place."""
    if person.name is None:
        return (person.clusters[0] if person.clusters else number) % MUTED_COLOURS, 0
    return number % COLOURS, number // COLOURS % SHAPES


def _encode_array(values: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(values.astype(dtype).tobytes()).decode()


def _to_json_block(value: Any) -> Markup:
    """JSON that may stand in a script element: nothing in it can end that."""
    text = json.dumps(value, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
