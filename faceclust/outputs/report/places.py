"""Where photos were taken: coordinates gathered into places, without a map to name them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from faceclust.outputs.overview import date_range
from faceclust.outputs.report.values import Spot
from faceclust.types import PhotoFacts

_GRID = 100  # cells a degree: 1.1 km from north to south
_REACH = np.cos(5 / 6371)  # 5 km seen from the middle of the earth


def places_of_photos(photos: Iterable[PhotoFacts]) -> dict[str, int]:
    """Photo path → the number of its place, for photos that have coordinates.

    Photos are counted on a fine grid. The fullest cell takes all within 5 km that no other has
    taken, then the next one does: a town is one place wherever the grid cuts it, and a journey
    does not become one long place.
    """
    cell_of = {
        photo.photo: (round(photo.latitude * _GRID), round(photo.longitude * _GRID))
        for photo in photos
        if photo.latitude is not None and photo.longitude is not None and _on_earth(photo.latitude, photo.longitude)
    }
    filled = Counter(cell_of.values())
    cells = sorted(filled, key=lambda cell: (-filled[cell], cell))
    directions = _directions(np.array(cells, dtype=np.float64).reshape(-1, 2) / _GRID)
    number = np.full(len(cells), -1)
    for i in range(len(cells)):
        if number[i] < 0:
            number[(number < 0) & (directions @ directions[i] >= _REACH)] = i
    place_of_cell = dict(zip(cells, number.tolist(), strict=True))
    return {photo: place_of_cell[cell] for photo, cell in cell_of.items()}


def spots(photos: Iterable[PhotoFacts], place_of: Mapping[str, int]) -> tuple[Spot, ...]:
    """The places these photos were taken at, the most photographed first. Copies count once."""
    there: dict[int, dict[str, PhotoFacts]] = defaultdict(dict)
    for photo in photos:
        if photo.photo in place_of:
            there[place_of[photo.photo]].setdefault(photo.photo_hash, photo)
    found = []
    for number in sorted(there, key=lambda number: (-len(there[number]), number)):
        some = list(there[number].values())
        north, east = _middle(np.array([(photo.latitude, photo.longitude) for photo in some], dtype=np.float64))
        found.append(Spot(north, east, len(some), date_range(photo.taken_at for photo in some)))
    return tuple(found)


def coordinates(spot: Spot) -> str:
    """ "48.14° N, 11.58° E": to a kilometre."""
    north, east = round(spot.latitude, 2), round(spot.longitude, 2)
    return f"{abs(north):.2f}° {'S' if north < 0 else 'N'}, {abs(east):.2f}° {'W' if east < 0 else 'E'}"


def _on_earth(latitude: float, longitude: float) -> bool:
    return -90 <= latitude <= 90 and -180 <= longitude <= 180  # false for nan as well


def _directions(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors (n, 3) of latitudes and longitudes (n, 2): no edge where 180° east is 180° west."""
    north, east = np.radians(degrees).T
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)


def _middle(degrees: NDArray[np.float64]) -> tuple[float, float]:
    x, y, z = _directions(degrees).mean(axis=0)
    return float(np.degrees(np.arctan2(z, np.hypot(x, y)))), float(np.degrees(np.arctan2(y, x)))
