from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.errors import UsageError
from faceclust.outputs.albums.arrange import arrange_albums
from faceclust.outputs.albums.layout import DEFAULT_LAYOUT, FIELDS, parse_layout
from faceclust.outputs.albums.selection import Album
from tests.outputs.albums.test_safe_names import TEXTS, assert_safe
from tests.support.album_builders import make_photo_info

TAKEN = datetime(2019, 5, 1, 14, 30, 5)
PHOTO = make_photo_info("Trips/2019 Rome/IMG_1.JPG", TAKEN, "Canon EOS 80D")


def lay_out(layout: str, photo=PHOTO, person: str = "Anna") -> str:  # type: ignore[no-untyped-def]
    return "/".join(step.text for step in parse_layout(layout).build_path(person, photo))


@pytest.mark.parametrize(
    ("layout", "result"),
    [
        (DEFAULT_LAYOUT, "Anna/IMG_1.JPG"),
        ("{person}/{date:%Y}/{date:%Y-%m-%d} {name}", "Anna/2019/2019-05-01 IMG_1.JPG"),
        ("{person}/{date:%Y/%m}/{name}", "Anna/2019/05/IMG_1.JPG"),
        ("{date}/{person} {stem}.{ext}", "2019-05-01/Anna IMG_1.JPG"),
        ("{year}/{month}/{day}/{name}", "2019/05/01/IMG_1.JPG"),
        ("{date:%d %B %Y, %H.%M}/{name}", "01 May 2019, 14.30/IMG_1.JPG"),
        ("{folder}/{person}/{name}", "Trips/2019 Rome/Anna/IMG_1.JPG"),
        ("{camera}/{name}", "Canon EOS 80D/IMG_1.JPG"),
        ("all/{stem} of {person}", "all/IMG_1 of Anna.JPG"),  # keeps the suffix
        ("{{{person}}}/{name}", "{Anna}/IMG_1.JPG"),
        ("100%/{name}", "100%/IMG_1.JPG"),
        ("{date:%Y%%}/{name}", "2019%/IMG_1.JPG"),
    ],
)
def test_layouts_build_paths(layout: str, result: str) -> None:
    assert lay_out(layout) == result


@pytest.mark.parametrize(
    ("layout", "result"),
    [
        ("{person}/{date:%Y}/{date:%Y-%m-%d} {name}", "Anna/undated/_b.jpg"),
        ("{person}/{date:%Y-%m-%d} {name}", "Anna/undated _b.jpg"),
        ("{person}/{date:%Y/%m}/{name}", "Anna/undated/_b.jpg"),
        ("{year}/{month}/{stem} - {date}", "undated/_b.jpg"),
        ("{folder}/{camera}/{name}", "unknown camera/_b.jpg"),
    ],
)
def test_photos_without_date_or_folder(layout: str, result: str) -> None:
    assert lay_out(layout, make_photo_info("_b.jpg")) == result


def test_substituted_values_are_not_parsed_as_patterns() -> None:
    assert (
        lay_out("{person}/{name}", make_photo_info("{person}.jpg"), "{name} %Y {0.__class__}")
        == "{name} %Y {0.__class__}/{person}.jpg"
    )


@pytest.mark.parametrize(
    "layout",
    [
        "",
        "{person}",
        "{name}/{person}",
        "/{name}",
        "{person}//{name}",
        "{person}/{name}/",
        "../{name}",
        "./{name}",
        "{person}/../{name}",
        "~x/.hidden/{name}",
        "{person.__class__}/{name}",
        "{person[0]}/{name}",
        "{person!r}/{name}",
        "{person:>99999999999}/{name}",
        "{person:{name}}/{name}",
        "{0}/{name}",
        "{}/{name}",
        "{who}/{name}",
        "{PERSON}/{name}",
        "{person/{name}",
        "{person}}/{name}",
        "{date:%}/{name}",
        "{date:%Q}/{name}",
        "{date:%-d}/{name}",
        "{date:%c}/{name}",
        "{date:Y}/{name}",
        "{date:%H:%M}/{name}",
        "{date:/%Y}/{name}",
        "{date:%Y//%m}/{name}",
        "{date:{year}}/{name}",
        "{year:%Y}/{name}",
        "C:/{name}",
        "{person}\\{name}",
        "a\nb/{name}",
        "a\0/{name}",
        "\u202e{name}",
    ],
)
def test_an_invalid_layout_is_a_one_line_error_with_the_fields(layout: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_layout(layout)
    assert "\n" not in str(caught.value) and "layout" in str(caught.value)
    assert all(f"{{{field}}}" in str(caught.value.hint) for field in FIELDS)


@given(
    st.one_of(
        st.text(),
        st.lists(
            st.sampled_from(["{person}", "{date", "{name}", ":%Y", "}", "/", "{", "a", ".", "%", "!r", "[0]"])
        ).map("".join),
    )
)
def test_any_text_is_a_layout_or_a_usage_error(text: str) -> None:
    try:
        layout = parse_layout(text)
    except UsageError:
        return
    for photo in (PHOTO, make_photo_info("b.jpg")):
        steps = layout.build_path("Anna", photo)
        assert steps and all(isinstance(step.text, str) for step in steps)


LAYOUTS = [
    DEFAULT_LAYOUT,
    "{name}",
    "{folder}/{person}/{name}",
    "{camera}/{year}/{person} {date} {stem}",
    "{date:%Y/%m}/{name}",
]


@given(
    st.sampled_from(LAYOUTS),
    st.lists(st.tuples(TEXTS, st.lists(TEXTS, max_size=4)), max_size=5),
    st.one_of(st.none(), st.datetimes()),
    TEXTS,
)
def test_every_name_in_a_path_is_safe_and_no_photo_is_lost(
    layout: str, people: list[tuple[str, list[str]]], taken: datetime | None, camera: str
) -> None:
    photos = {f"{name}.jpg": make_photo_info(f"{name}.jpg", taken, camera) for _, names in people for name in names}
    albums = [
        Album(str(number), label, frozenset(f"{name}.jpg" for name in names))
        for number, (label, names) in enumerate(people)
    ]
    paths = arrange_albums(albums, photos, parse_layout(layout))
    assert set(paths.values()) == photos.keys()
    if "{person}" in layout:
        assert len(paths) == sum(len(album.photos) for album in albums)
    for placed in paths:
        for part in placed.split("/"):
            assert_safe(part)
    folders = {"/".join(placed.split("/")[:depth]) for placed in paths for depth in range(1, placed.count("/") + 1)}
    assert not folders & paths.keys()  # nothing is both a folder and a file
    assert arrange_albums(reversed(albums), photos, parse_layout(layout)) == paths


def test_people_with_similar_names_have_separate_folders() -> None:
    photos = {"a.jpg": make_photo_info("a.jpg"), "b.jpg": make_photo_info("b.jpg")}
    albums = [
        Album("x", "A/B", frozenset(["a.jpg"])),
        Album("y", "a:b", frozenset(["b.jpg"])),
        Album("z", "a_B", frozenset(["a.jpg"])),
    ]
    paths = arrange_albums(albums, photos, parse_layout("{person}/{name}"))
    assert len({placed.split("/")[0].casefold() for placed in paths}) == 3


def test_shared_folders_that_differ_in_case_become_one() -> None:
    photos = {photo: make_photo_info(photo) for photo in ("Rome/a.jpg", "rome/a.jpg", "ROME/b.jpg")}
    paths = arrange_albums([Album("x", "Anna", frozenset(photos))], photos, parse_layout("{folder}/{name}"))
    assert len({placed.split("/")[0] for placed in paths}) == 1 and len(paths) == 3


def test_a_photo_of_two_people_appears_once_in_a_shared_folder() -> None:
    photos = {"a.jpg": make_photo_info("a.jpg")}
    albums = [Album(name, name, frozenset(photos)) for name in ("Anna", "Ben")]
    assert arrange_albums(albums, photos, parse_layout("{year}/{name}")) == {"undated/a.jpg": "a.jpg"}


def test_long_folders_leave_room_for_the_name() -> None:
    photo = "/".join(["long folder " * 9] * 12) + "/" + "x" * 240 + ".jpg"
    (placed,) = arrange_albums(
        [Album("x", "A" * 200, frozenset([photo]))],
        {photo: make_photo_info(photo)},
        parse_layout("{person}/{folder}/{name}"),
    )
    assert len(placed.encode()) < 500 and placed.endswith(".jpg") and len(placed.split("/")[0]) == 100
    assert placed.split("/")[-1].startswith("xxxxxxxxxx")
