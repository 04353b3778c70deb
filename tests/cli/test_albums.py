"""The command `faceclust albums`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.outputs.albums import FIELDS, split_names
from tests.support.command import run, run_checked
from tests.support.sample_photos import COLLINS, HOPPER

ALONE = ["2019/collins-0.jpg", "2019/collins-3.jpg", "2020/collins-1.jpg", "2021/collins-2.jpg"]
BOTH = ["together/both 0.jpg", "together/both 1.jpg"]


@pytest.fixture
def named(library: Library, name_of_face: Callable[[Library], dict[str, str]]) -> Library:
    """Both people are named; Collins is confirmed on the photos of 2019."""
    faces = name_of_face(library)
    for person in (COLLINS, HOPPER):
        own = [face for face, name in faces.items() if name == person]
        confirmed = [face for face in own if library.occurrences_of[face][0].photo in ALONE[:2]]
        library.name(own, person, confirmed=confirmed)
    return library


def read_links(out: Path) -> dict[str, str]:
    """Map each link to the path of its photo, relative to the library."""
    links = [path for path in out.rglob("*") if path.is_symlink()]
    return {path.relative_to(out).as_posix(): "/".join(path.resolve().parts[-2:]) for path in links}


def list_photos(out: Path, folder: str) -> list[str]:
    return sorted(photo for link, photo in read_links(out).items() if link.startswith(f"{folder}/"))


@pytest.mark.slow
def test_a_layout_with_dates(named: Library, tmp_path: Path) -> None:
    out, layout = tmp_path / "People", "{person}/{date:%Y}/{date:%Y-%m-%d} {name}"
    planned = run_checked("albums", out, "--library", named.root, "--layout", layout, "-n")
    assert f"make    {COLLINS}/2019/2019-05-01 collins-0.jpg -> 2019/collins-0.jpg\n" in planned and not out.exists()
    output = run_checked("albums", out, "--library", named.root, "--layout", layout)
    assert "2 albums; made 12, removed 0, kept 0 (symlink)" in output
    assert read_links(out)[f"{COLLINS}/2020/2020-05-02 collins-1.jpg"] == "2020/collins-1.jpg"
    again = run_checked("albums", out, "--library", named.root, "--layout", layout, "--dry-run")
    assert again.splitlines() == [f"{out}: 2 albums; would be made 0, would be removed 0, kept 12 (symlink)"]


def test_what_somebody_put_in_place_of_an_album_or_a_link_is_left_alone(named: Library, tmp_path: Path) -> None:
    out, other = tmp_path / "People", tmp_path / "other"
    run_checked("albums", out, "-l", named.root)
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    first, second, third = sorted(path for path in out.rglob("*") if path.is_symlink())[:3]
    for path in (first, second, third):
        path.unlink()
    first.mkdir()
    (first / "mine.txt").write_text("mine")
    second.symlink_to(other)
    third.symlink_to(tmp_path / "nothing")
    hopper = out / HOPPER
    shutil.rmtree(hopper)
    hopper.symlink_to(other)
    for options in ((), (COLLINS,), (HOPPER,)):
        done = run("albums", out, "-l", named.root, *(f"--person={name}" for name in options))
        assert done.returncode == 0 and done.stderr.count("\nskipped: ") >= 3
        assert (first / "mine.txt").read_text() == "mine" and list(other.iterdir()) == [other / "mine.txt"]
        assert second.readlink() == other == hopper.readlink() and third.readlink() == tmp_path / "nothing"


def test_options_select_people_and_photos(named: Library, tmp_path: Path) -> None:
    def albums(*options: str) -> Path:
        out = tmp_path / "People"
        run_checked("albums", out, "--library", named.root, *options)
        return out

    assert list_photos(albums("--person", "eileen collins"), COLLINS) == sorted(ALONE + BOTH)
    assert sorted(path.name for path in albums("--person", COLLINS).iterdir() if path.name[0] != ".") == [COLLINS]
    number = str(named.group_of[named.find_person(COLLINS).face_ids[0]])
    assert list_photos(albums("--person", number), COLLINS) == sorted(ALONE + BOTH)
    assert list_photos(albums("--confirmed"), COLLINS) == ALONE[:2] and not list_photos(albums("--confirmed"), HOPPER)
    out = albums("--together", f"{COLLINS},{HOPPER}")
    assert set(list_photos(out, f"{COLLINS} + {HOPPER}")) == set(BOTH) == set(read_links(out).values())
    assert list_photos(albums("--since", "2020", "--until", "2020-12"), COLLINS) == ["2020/collins-1.jpg"]
    best = max(place.quality for place in named.occurrences if place.face_id in named.find_person(COLLINS).face_ids)
    assert 1 <= len(list_photos(albums("--min-quality", str(best)), COLLINS)) < 6
    assert read_links(albums("--min-quality", "1", "--confirmed")) == {}


def test_json_lists_the_plan_and_the_reasons_for_skipped_paths(named: Library, tmp_path: Path) -> None:
    out = tmp_path / "People"
    (out / COLLINS).mkdir(parents=True)
    (out / COLLINS / "collins-0.jpg").write_text("mine")
    record = json.loads(run_checked("albums", out, "--library", named.root, "--json", "--dry-run"))
    assert record["library"] == str(named.root) and record["out"] == str(out) and record["dry_run"]
    assert record["left_alone"] == [{"path": f"{COLLINS}/collins-0.jpg", "reason": "not made by faceclust"}]
    assert {"path": f"{HOPPER}/both 0.jpg", "photo": BOTH[0], "replace": False} in record["make"]
    assert record["albums"] == [COLLINS, HOPPER] and not record["keep"] and not record["remove"]
    done = run("albums", out, "--library", named.root)
    assert "skipped: " in done.stderr and "not made by faceclust" in done.stderr and done.returncode == 0
    record = json.loads(run_checked("albums", out, "--library", named.root, "--json", "--link", "copy"))
    assert len(record["make"]) == 11 and all(one["replace"] for one in record["make"]) and record["link"] == "copy"
    record = json.loads(
        run_checked("albums", out, "--library", named.root, "--json", "--person", HOPPER, "--link", "copy")
    )
    assert len(record["keep"]) == 6 and len(record["remove"]) == 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--layout", "{who}/{name}"], "there is no field {who}"),
        (["--layout", "{person.__class__.__mro__}/{name}"], "there is no field"),
        (["--layout", "../{name}"], "layout"),
        (["--layout", "{person}/"], "layout"),
        (["--person", "Nobody"], "nobody is called Nobody"),
        (["--person", "99"], "there is no group 99"),
        (["--together", COLLINS], "must name at least two people"),
        (["--together", f"{COLLINS},Nobody"], "nobody is called Nobody"),
        (["--together", f"{COLLINS},eileen collins"], "twice"),
        (["--min-quality", "2"], "must be between 0 and 1"),
        (["--min-quality", "nan"], "must be between 0 and 1"),
        (["--since", "soon"], "is not a date"),
        (["--since", "2020", "--until", "2019"], "2019 is before 2020"),
        (["--link", "junction"], "junction"),
    ],
)
def test_invalid_options_get_one_line_and_change_nothing(
    named: Library, tmp_path: Path, options: list[str], words: str
) -> None:
    done = run("albums", tmp_path / "People", "--library", named.root, *options)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "People").exists()


def test_an_invalid_layout_gets_the_list_of_fields(named: Library, tmp_path: Path) -> None:
    done = run("albums", tmp_path / "People", "--library", named.root, "--layout", "{who}/{name}")
    assert all(f"{{{field}}}" in done.stderr for field in FIELDS)


def test_scans_skip_albums_and_hostile_names_are_made_safe(named: Library) -> None:
    named.rename(COLLINS, "../../CON")
    named.rename(HOPPER, "-rf .")
    out = named.root / "People"
    run_checked("albums", out, "--library", named.root, "--link", "copy")
    assert sorted(path.name for path in out.iterdir() if path.name[0] != ".") == ["_.._CON", "_rf"]
    assert "11 unchanged" in run_checked("scan", named.root)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Anna,Ben", ["Anna", "Ben"]),
        ("Anna , Ben,Carl", ["Anna", "Ben", "Carl"]),
        ('"Doe, Jane",Ben', ["Doe, Jane", "Ben"]),
        ('Ben, "Doe, Jane"', ["Ben", "Doe, Jane"]),
        ("O'Brien,Ben", ["O'Brien", "Ben"]),
    ],
)
def test_a_list_of_names_is_split_at_commas(text: str, names: list[str]) -> None:
    assert split_names(text) == names


@pytest.mark.parametrize("text", ["", "Anna", "Anna,", ",", '"Anna,Ben"', '"Anna,Ben', "a\nb,c"])
def test_fewer_than_two_names_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="at least two people"):
        split_names(text)
