"""Cluster the coordinates of photos into places of a few kilometres."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from faceclust.outputs.overview import format_year_range
from faceclust.outputs.report.values import GeoPlace
from faceclust.types import PhotoInfo

_CELLS_PER_DEGREE = 100  # 1.1 km from north to south
_PLACE_RADIUS_COSINE = np.cos(5 / 6371)  # 5 km, as an angle at the centre of the earth


def assign_places(photos: Iterable[PhotoInfo]) -> dict[str, int]:
    """Return the place number of each photo that has coordinates, by photo path.

    Photos are counted on a fine grid. The fullest cell takes all free cells within 5 km, then the next
    fullest free cell does the same. So a town is one place wherever the grid cuts it, and a journey
    does not become one long place.
    """
    cell_of = {
        photo.photo: (round(photo.latitude * _CELLS_PER_DEGREE), round(photo.longitude * _CELLS_PER_DEGREE))
        for photo in photos
        if photo.latitude is not None
        and photo.longitude is not None
        and _is_valid_coordinate(photo.latitude, photo.longitude)
    }
    counts = Counter(cell_of.values())
    cells = sorted(counts, key=lambda cell: (-counts[cell], cell))
    directions = _unit_vectors(np.array(cells, dtype=np.float64).reshape(-1, 2) / _CELLS_PER_DEGREE)
    number = np.full(len(cells), -1)
    for i in range(len(cells)):
        if number[i] < 0:
            number[(number < 0) & (directions @ directions[i] >= _PLACE_RADIUS_COSINE)] = i
    place_of_cell = dict(zip(cells, number.tolist(), strict=True))
    return {photo: place_of_cell[cell] for photo, cell in cell_of.items()}


def summarise_places(photos: Iterable[PhotoInfo], place_of: Mapping[str, int]) -> tuple[GeoPlace, ...]:
    """Summarise the places of these photos, the one with most photos first. Copies count once."""
    photos_at: dict[int, dict[str, PhotoInfo]] = defaultdict(dict)
    for photo in photos:
        if photo.photo in place_of:
            photos_at[place_of[photo.photo]].setdefault(photo.photo_hash, photo)
    places = []
    for number in sorted(photos_at, key=lambda number: (-len(photos_at[number]), number)):
        distinct = list(photos_at[number].values())
        north, east = _mean_coordinate(
            np.array([(photo.latitude, photo.longitude) for photo in distinct], dtype=np.float64)
        )
        places.append(GeoPlace(north, east, len(distinct), format_year_range(photo.taken_at for photo in distinct)))
    return tuple(places)


def format_coordinates(place: GeoPlace) -> str:
    """Format coordinates to about a kilometre: "48.14° N, 11.58° E"."""
    north, east = round(place.latitude, 2), round(place.longitude, 2)
    return f"{abs(north):.2f}° {'S' if north < 0 else 'N'}, {abs(east):.2f}° {'W' if east < 0 else 'E'}"


def _is_valid_coordinate(latitude: float, longitude: float) -> bool:
    return -90 <= latitude <= 90 and -180 <= longitude <= 180  # false for NaN as well


def _unit_vectors(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert latitudes and longitudes (n, 2) to unit vectors (n, 3), which have no seam at 180°."""
    north, east = np.radians(degrees).T
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)


def _mean_coordinate(degrees: NDArray[np.float64]) -> tuple[float, float]:
    x, y, z = _unit_vectors(degrees).mean(axis=0)
    return float(np.degrees(np.arctan2(z, np.hypot(x, y)))), float(np.degrees(np.arctan2(y, x)))
