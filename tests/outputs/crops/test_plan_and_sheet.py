from __future__ import annotations

import io
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

from faceclust.outputs.crops.plan import PlannedCrop, plan_names, plan_sheet_names
from faceclust.outputs.crops.sheet import FACES_PER_SHEET, draw_sheet, format_ages
from faceclust.types import NO_FACTS, FaceOccurrence, PartialDate, PersonFacts


def make_place(face: str, photo: str, taken: datetime | None, frame_time: float | None = None) -> FaceOccurrence:
    return FaceOccurrence(face, photo, "h", (0.1, 0.1, 0.2, 0.2), (100, 100), 1.0, 1.0, taken, frame_time=frame_time)


NOON = datetime(2019, 5, 17, 14, 3, 22)


def test_names_sort_by_date_and_are_unique() -> None:
    places = [
        make_place("a", "x/party.jpg", None),
        make_place("b", "y/party.heic", NOON),
        make_place("c", "z/PARTY.jpg", NOON),
        make_place("d", "old.jpg", datetime(987, 1, 2)),
        make_place("e", 'b:a?d"\n.jpg', NOON.replace(second=23)),
        make_place("f", "clip.mp4", NOON.replace(second=24), 65.0),
        make_place("g", "clip.mp4", NOON.replace(second=24), 5.0),
    ]
    planned = plan_names(places, NO_FACTS, ".jpg")
    names = [crop.path for crop in planned]
    assert names[0] == "0987-01-02 00.00.00 old.jpg"
    assert names[1].startswith("2019-05-17 14.03.22 ") and names[2].startswith("2019-05-17 14.03.22 ")
    assert names[1].casefold() != names[2].casefold()
    assert names[3:] == [
        "2019-05-17 14.03.23 b_a_d_ .jpg",
        "2019-05-17 14.03.24 clip 0.05.jpg",
        "2019-05-17 14.03.24 clip 1.05.jpg",
        "undated party.jpg",
    ]
    assert plan_names(reversed(places), NO_FACTS, ".jpg") == planned
    assert all(crop.ages is None for crop in planned)


def test_ages_follow_from_the_date_of_birth() -> None:
    places = [make_place(str(year), f"{year}.jpg", datetime(year, 6, 1)) for year in (1986, 1988, 1990)]
    exact = plan_names(places, PersonFacts(born=PartialDate(1987, 5, 3)), ".png")
    assert [crop.ages for crop in exact] == [None, (1, 1), (3, 3)]
    vague = plan_names(places, PersonFacts(born=PartialDate(1987)), ".png")
    assert [format_ages(crop.ages) for crop in vague] == ["", "age 0-1", "age 2-3"]
    assert format_ages((4, 4)) == "age 4"


def test_names_of_sheets() -> None:
    assert plan_sheet_names(1, ".jpg") == ["sheet.jpg"]
    assert plan_sheet_names(2, ".png") == ["sheet 1.png", "sheet 2.png"]
    assert plan_sheet_names(10, ".jpg")[::9] == ["sheet 01.jpg", "sheet 10.jpg"]


def make_picture(colour: tuple[int, int, int], side: int = 40) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("count", [1, 6, 7, FACES_PER_SHEET])
def test_a_sheet_shows_all_pictures_in_rows_with_text_below(count: int) -> None:
    colours = [(10 + 4 * number, 250 - 4 * number, 90) for number in range(count)]
    crops = [PlannedCrop(f"{n}.jpg", make_place(str(n), "a.jpg", NOON), (4, 4)) for n in range(count)]
    sheet = draw_sheet(crops, [make_picture(colour) for colour in colours], "PNG")
    with Image.open(io.BytesIO(sheet)) as image:
        pixels = np.asarray(image).astype(int)
    tile, gap, caption = 248, 24, 56
    assert pixels.shape[:2] == (gap + -(-count // 6) * (tile + caption + gap), gap + min(count, 6) * (tile + gap))
    for number, colour in enumerate(colours):
        x, y = gap + number % 6 * (tile + gap), gap + number // 6 * (tile + caption + gap)
        assert (pixels[y + tile // 2, x + tile // 2] == colour).all()
        assert (pixels[y + tile : y + tile + caption, x : x + tile] < 128).any()  # the date and the age
        below = pixels[y + tile + 30 : y + tile + caption, x : x + tile]
        assert (below < 128).any(), "the age has a line of its own"
    assert sheet == draw_sheet(crops, [make_picture(colour) for colour in colours], "PNG")
