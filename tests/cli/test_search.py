"""The commands `faceclust find`, `together` and `people`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.files.names import CACHE_NAME
from faceclust.people.fact_changes import FactChanges
from tests.support.command import COMMAND, run, run_checked
from tests.support.sample_photos import COLLINS, HOPPER

ALONE = ["2019/collins-0.jpg", "2019/collins-3.jpg", "2020/collins-1.jpg", "2021/collins-2.jpg"]
BOTH = ["together/both 0.jpg", "together/both 1.jpg"]


@pytest.fixture
def named(collins: tuple[Library, int, set[str]]) -> Library:
    """Collins is confirmed on the photos of 2019 and on one with Hopper, who is unnamed."""
    library, _, faces = collins
    confirmed = [face for face in faces if library.occurrences_of[face][0].photo in (*ALONE[:2], BOTH[0])]
    library.name(faces, COLLINS, confirmed=confirmed)
    return library


@pytest.fixture
def both_named(named: Library, name_of_face: Callable[[Library], dict[str, str]]) -> Library:
    named.name([face for face, person in name_of_face(named).items() if person == HOPPER], HOPPER)
    return named


def find_hopper_group(library: Library) -> str:
    return str(library.unnamed_groups()[0].clusters[0])


def test_paths_work_in_the_working_folder(named: Library, tmp_path: Path) -> None:
    root = named.root
    found = ["2019/collins-0.jpg", *BOTH, "2019/collins-3.jpg", "2020/collins-1.jpg", "2021/collins-2.jpg"]
    assert run_checked("find", COLLINS, cwd=root).splitlines() == found
    from_above = run_checked("find", COLLINS.upper(), cwd=tmp_path, env={"FACECLUST_LIBRARY": "photos"})
    assert from_above.splitlines() == [f"photos/{photo}" for photo in found]
    from_below = run_checked("find", COLLINS, cwd=root / "2019").splitlines()
    assert from_below[:2] == ["collins-0.jpg", "../together/both 0.jpg"]
    (tmp_path / "elsewhere").mkdir()
    from_beside = run_checked("find", COLLINS, "--library", root, cwd=tmp_path / "elsewhere")
    assert from_beside.splitlines() == [str(root / photo) for photo in found]


def test_paths_can_end_with_nul_for_xargs(named: Library) -> None:
    command = f"{' '.join(COMMAND)} find '{COLLINS}' -0 | xargs -0 ls"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, cwd=named.root)
    assert sorted(done.stdout.splitlines()) == sorted([*ALONE, *BOTH])


def test_file_names_like_options_or_with_line_breaks_are_printed_intact(named: Library) -> None:
    odd = "-n\n ä.jpg"
    (named.root / ALONE[0]).rename(named.root / odd)
    Library(named.root).scan(workers=0)
    assert f"./{odd}" in run_checked("find", COLLINS, "-0", "--folder", ".", cwd=named.root).split("\0")


def test_all_filters_combined(both_named: Library) -> None:
    found = run_checked(
        "find", COLLINS, "--with", HOPPER, "--since", "2019-05-01", "--until", "2019", "--folder", "together",
        "--min-quality", "0.01", "--confirmed", cwd=both_named.root,
    )  # fmt: skip
    assert found.splitlines() == BOTH[:1]
    assert run_checked("find", COLLINS, "--without", HOPPER, "--alone", cwd=both_named.root).splitlines() == ALONE


def find_by(library: Library, *arguments: str) -> list[str]:
    return run_checked("find", *arguments, cwd=library.root).splitlines()


HOPPER_ALONE = ["2019/hopper-0.webp", "2019/hopper-3.png", "2020/hopper-1.png", "2021/hopper-2.webp"]


def test_photos_of_any_of_several_people(both_named: Library) -> None:
    everything = sorted([*ALONE, *BOTH, *HOPPER_ALONE])
    assert sorted(find_by(both_named, COLLINS, "--or", HOPPER)) == everything
    assert sorted(find_by(both_named, "--or", HOPPER, "--or", COLLINS)) == everything
    assert find_by(both_named, COLLINS, "--or", HOPPER, "--with", HOPPER) == find_by(both_named, HOPPER)
    assert sorted(find_by(both_named, COLLINS, HOPPER, "--or", HOPPER)) == sorted([*HOPPER_ALONE, *BOTH])
    assert sorted(find_by(both_named, COLLINS, "--or", HOPPER, "--alone")) == everything
    assert sorted(find_by(both_named, "--or", HOPPER, "--without", COLLINS)) == HOPPER_ALONE
    assert sorted(find_by(both_named, COLLINS, "--or", HOPPER, "--folder", "2019")) == sorted(
        [*ALONE[:2], *HOPPER_ALONE[:2]]
    )


def record_facts(library: Library, name: str, **changes: Any) -> None:
    library.journal.record("person", (), name=name, facts=FactChanges(**changes))
    library.invalidate_people()


def test_photos_of_people_of_an_age(both_named: Library) -> None:
    run_checked(
        "person", COLLINS, "--born", "2016-05-03", "-l", both_named.root
    )  # 2 on 2019-05-01, and 3 on 2019-05-04 and 2020-05-02
    assert find_by(both_named, COLLINS, "--age", "2") == ["2019/collins-0.jpg", *BOTH]
    assert find_by(both_named, COLLINS, "--age", "3-4") == ["2019/collins-3.jpg", "2020/collins-1.jpg"]
    assert find_by(both_named, COLLINS, "--age", "-2") == ["2019/collins-0.jpg", *BOTH]
    assert find_by(both_named, COLLINS, "--age", "5-") == ["2021/collins-2.jpg"]
    assert find_by(both_named, "--age", "2") == ["2019/collins-0.jpg", *BOTH], "anybody whose birth date is known"
    assert find_by(both_named, "--with", HOPPER, "--age", "2") == BOTH
    assert find_by(both_named, COLLINS, "--with", HOPPER, "--age", "2") == BOTH
    done = run("find", COLLINS, "--age", "40", cwd=both_named.root)
    assert (done.returncode, done.stdout) == (1, "") and "no photos match" in done.stderr
    value = json.loads(run_checked("find", COLLINS, "--folder", "together", "--json", cwd=both_named.root))
    ages = {face["name"]: face["age"] for photo in value["photos"] for face in photo["faces"]}
    assert ages == {COLLINS: 2, HOPPER: None}
    record_facts(both_named, COLLINS, born="2016")
    value = json.loads(run_checked("find", COLLINS, "--folder", "2021", "--json", cwd=both_named.root))
    assert [face["age"] for photo in value["photos"] for face in photo["faces"]] == [[4, 5]]
    assert find_by(both_named, COLLINS, "--age", "5") == ["2021/collins-2.jpg"]
    assert find_by(both_named, COLLINS, "--age", "4") == ["2020/collins-1.jpg", "2021/collins-2.jpg"]


def test_an_age_needs_a_birth_date(both_named: Library) -> None:
    for words, named in (
        ((COLLINS,), f"the birth date of {COLLINS} is not known"),
        (("--or", HOPPER), f"the birth date of {HOPPER} is not known"),
        (("--with", COLLINS), "no birth date is known"),
        ((both_named.occurrences[0].face_id,), "the birth date of"),
    ):
        done = run("find", *words, "--age", "3", cwd=both_named.root)
        assert (done.returncode, done.stdout) == (2, "") and named in done.stderr and "Traceback" not in done.stderr
        assert "hint: faceclust person" in done.stderr and "--born" in done.stderr
    done = run("find", COLLINS, "--age", "soon", cwd=both_named.root)
    assert done.returncode == 2 and "'soon' is not an age" in done.stderr and "4, 3-5" in done.stderr


def test_a_group_of_people_stands_for_any_of_them(both_named: Library) -> None:
    run_checked("person", COLLINS, "--group", "Family", "--born", "2016-05-03", "-l", both_named.root)
    both_named.invalidate_people()
    assert find_by(both_named, "family") == find_by(both_named, COLLINS)
    record_facts(both_named, HOPPER, added_groups=("Family", "2019#1"))
    assert sorted(find_by(both_named, "Family")) == sorted([*ALONE, *BOTH, *HOPPER_ALONE])
    assert sorted(find_by(both_named, "Family", "--alone")) == sorted([*ALONE, *BOTH, *HOPPER_ALONE])
    assert sorted(find_by(both_named, "2019#1", "--without", COLLINS)) == HOPPER_ALONE
    assert find_by(both_named, "Family", "--age", "2") == ["2019/collins-0.jpg", *BOTH]
    assert find_by(both_named, "Family", "--confirmed", "--without", HOPPER) == ALONE[:2]
    done = run("find", "--without", "Family", cwd=both_named.root)
    assert (done.returncode, done.stdout) == (1, "")
    both_named.journal.record("rename", (), name=HOPPER, to="Family")  # by another version: it is refused here
    assert find_by(both_named, "Family") == find_by(both_named, "2019#1"), "a name comes first"


def test_json_contains_boxes(named: Library) -> None:
    value = json.loads(run_checked("find", COLLINS, find_hopper_group(named), "--json", cwd=named.root))
    assert value["library"] == str(named.root)
    assert [photo["photo"] for photo in value["photos"]] == BOTH
    for photo, confirmed in zip(value["photos"], (True, False), strict=True):
        assert photo["path"] == str(named.root / photo["photo"])
        assert photo["taken_at"] == "2019-05-01T12:00:00"
        left, right = sorted(photo["faces"], key=lambda face: face["box"]["left"])
        assert (left["name"], left["confirmed"], left["matched"]) == (COLLINS, confirmed, True)
        assert (right["name"], right["confirmed"], right["matched"]) == (None, False, True)
        place = named.occurrences_of[left["face_id"]][0]
        assert tuple(left["box"][side] for side in ("left", "top", "right", "bottom")) == place.pixel_box
        assert left["quality"] == pytest.approx(place.quality, abs=1e-4)


def test_the_exit_code_is_1_if_no_photo_was_found(named: Library) -> None:
    done = run("find", COLLINS, "--since", "2022", cwd=named.root)
    assert (done.returncode, done.stdout) == (1, "") and "no photos match" in done.stderr
    done = run("find", COLLINS, "--since", "2022", "--json", cwd=named.root)
    assert done.returncode == 1 and json.loads(done.stdout)["photos"] == []


def test_photos_without_a_date_are_counted(collins: tuple[Library, int, set[str]]) -> None:
    library, group, _ = collins
    cache = library.root / "2019" / CACHE_NAME
    table = pq.read_table(cache)
    for name in ("taken_at", "taken_at_source"):
        field = table.schema.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, pa.nulls(len(table), field.type))
    pq.write_table(table, cache, write_page_checksum=True)
    dated = run("find", str(group), "--since", "2020", cwd=library.root)
    assert dated.returncode == 0 and "2 more photos would match, but without a known date" in dated.stderr
    undated = run("find", str(group), "--until", "2018", "--json", cwd=library.root)
    assert undated.returncode == 1 and json.loads(undated.stdout)["undated"] == 2
    assert json.loads(run_checked("find", str(group), "--json", cwd=library.root))["undated"] == 0
    library.name(group, COLLINS)
    record_facts(library, COLLINS, born="2016")
    for words in ((COLLINS,), ()):
        aged = run("find", *words, "--age", "40", "--json", cwd=library.root)
        assert aged.returncode == 1 and json.loads(aged.stdout)["undated"] == 2, "Hopper's photos would not match"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "find needs a name or an option"),
        (["Eilen Collins"], "hint: did you mean Eileen Collins?"),
        (["--without", "99"], "there is no group 99"),
        ([COLLINS, "--json", "-0"], "cannot be combined"),
    ],
)
def test_invalid_requests_get_a_hint(named: Library, arguments: list[str], words: str) -> None:
    done = run("find", *arguments, "--library", named.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"since": "2020", "until": "2019-12"}, "2019-12 is before 2020"),
        ({"since": "soon"}, "'soon' is not a date"),
        ({"min_quality": 1.5}, "must be between 0 and 1"),
        ({"min_quality": float("nan")}, "must be between 0 and 1"),
        ({"folder": "2018"}, "2018 does not exist"),
        ({"folder": "/usr"}, "/usr is not in the library"),
        ({"folder": "2019/collins-0.jpg"}, "does not exist|not a folder"),
        ({"folder": "~nobody-of-this-name"}, "there is no user nobody-of-this-name"),
    ],
)
def test_invalid_filters_are_refused(named: Library, filters: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        named.search(COLLINS, **filters)  # type: ignore[arg-type]


def test_a_folder_is_relative_to_the_working_folder_else_to_the_library(
    named: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def photos(folder: str | Path) -> list[str]:
        return [photo.photo for photo in named.search(COLLINS, folder=folder)]

    (tmp_path / "2020").mkdir()  # the same name, but outside the library
    monkeypatch.chdir(tmp_path)
    assert photos("2020") == photos("photos/2020") == photos(named.root / "2020") == ALONE[2:3]
    assert len(photos("photos")) == len(photos(named.root)) == 6
    monkeypatch.chdir(named.root / "2019")
    assert photos(".") == ALONE[:2] and photos("../2020") == ALONE[2:3]


def test_a_face_can_be_found_by_its_id(named: Library) -> None:
    face = named.occurrences[0].face_id
    assert [photo.photo for photo in named.search(face)] == [place.photo for place in named.occurrences_of[face]]


def test_suggested_faces_do_not_count_with_confirmed(named: Library) -> None:
    assert [photo.photo for photo in named.search(COLLINS, confirmed=True)] == [ALONE[0], BOTH[0], ALONE[1]]
    not_hers = {photo.photo for photo in named.search(without=[COLLINS], confirmed=True)}
    assert not_hers == set(), "nobody else is confirmed, and suggested ones of hers keep a photo out"


def test_pairs_of_people_are_counted(both_named: Library) -> None:
    value = json.loads(run_checked("together", "--json", "--library", both_named.root))
    assert value["pairs"] == [{"people": [COLLINS, HOPPER], "photos": 2, "confirmed": 1, "suggested": 1}]
    heading, line = run_checked("together", "grace  hopper", "--library", both_named.root).splitlines()
    assert heading.split() == ["photos", "confirmed", "suggested", "people"]
    assert line.split(maxsplit=3) == ["2", "1", "1", f"{HOPPER} and {COLLINS}"]
    assert [pair.photos for pair in both_named.co_occurrences(COLLINS, confirmed=True)] == [1]
    assert both_named.co_occurrences(min_photos=2) and not both_named.co_occurrences(min_photos=3)
    done = run("together", "Grace Hoper", "--library", both_named.root)
    assert done.returncode == 2 and f"hint: did you mean {HOPPER}?" in done.stderr


def test_together_without_pairs(library: Library) -> None:
    assert run_checked("together", "--library", library.root) == "no two people share 1 photo\n"


def test_people_as_json_list_confirmed_and_suggested_faces(
    named: Library, name_of_face: Callable[[Library], dict[str, str]]
) -> None:
    row, other = json.loads(run_checked("people", "--all", "--json", "--library", named.root))["people"]
    faces = {face for face, person in name_of_face(named).items() if person == COLLINS}
    confirmed = {face for face in faces if named.occurrences_of[face][0].photo in (*ALONE[:2], BOTH[0])}
    assert (set(row["confirmed_faces"]), set(row["suggested_faces"])) == (confirmed, faces - confirmed)
    assert (row["name"], row["faces"], row["confirmed"], row["suggested"], row["photos"]) == (COLLINS, 6, 3, 3, 6)
    assert (row["years"], row["first"], row["last"]) == ("2019–2021", "2019-05-01", "2021-05-04")
    best = max((named.occurrences_of[face][0] for face in confirmed), key=lambda place: place.quality)
    assert (row["best"]["face_id"], row["best"]["photo"], row["best"]["confirmed"]) == (best.face_id, best.photo, True)
    assert (other["name"], other["groups"], other["confirmed"]) == (None, [int(find_hopper_group(named))], 0)


def test_the_table_of_people_fits_a_terminal(both_named: Library) -> None:
    long = "Wolfeschlegelsteinhausenbergerdorff the Elder"
    both_named.rename(HOPPER, long)
    lines = run_checked("people", "--all", "--library", both_named.root, env={"COLUMNS": "80"}).splitlines()
    assert all(len(line) <= 80 for line in lines)
    heading, *rows = lines
    assert heading.split() == "name faces confirmed suggested photos first last".split()
    (collins_row,) = [row for row in rows if row.startswith(COLLINS)]
    assert collins_row.removeprefix(COLLINS).split() == ["6", "3", "3", "6", "2019-05-01", "2021-05-04"]
    numbers = rows[rows.index(long) + 1]
    assert numbers.split()[:4] == ["6", "6", "0", "6"]
    assert collins_row.index("2019-05-01") == numbers.index("2019-05-01") == heading.index("first")
    assert sum("best face: 20" in row or "best face: together" in row for row in rows) == 2


def test_an_unnamed_group_has_no_confirmed_or_suggested_faces(library: Library) -> None:
    _, first, *_ = run_checked("people", "--all", "--library", library.root).splitlines()
    assert first.split()[:6] == ["group", "1", "6", "–", "–", "6"]


def list_people(library: Library, *arguments: str | Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run_checked("people", *arguments, "--json", cwd=library.root))["people"]
    return rows


def test_people_of_a_folder_are_counted_there(both_named: Library) -> None:
    (collins, hopper) = list_people(both_named, "--folder", "2020")
    assert (collins["name"], collins["faces"], collins["confirmed"], collins["suggested"]) == (COLLINS, 1, 0, 1)
    assert (collins["photos"], collins["first"], collins["last"]) == (1, "2020-05-02", "2020-05-02")
    assert collins["best"]["photo"] == "2020/collins-1.jpg" and hopper["best"]["photo"].startswith("2020/hopper")
    assert len(collins["suggested_faces"]) == 1 and collins["confirmed_faces"] == []
    assert [row["name"] for row in list_people(both_named, "--folder", ".")] == [COLLINS, HOPPER]
    assert list_people(both_named, "--folder", ".") == list_people(both_named)
    assert list_people(both_named, "--folder", both_named.root / "2020") == [collins, hopper]
    table = run_checked("people", "--folder", "2020", cwd=both_named.root)
    assert table.count("2020-05-02") == 4


def test_people_of_a_folder_include_groups_with_all(named: Library) -> None:
    photo = named.root / "2019/only hers.jpg"
    (named.root / "2020/collins-1.jpg").rename(photo)
    named.scan(workers=0)
    assert [row["name"] for row in list_people(named, "--folder", "2020", "--all")] == [None]
    done = run("people", "--folder", "2020", cwd=named.root)
    assert (done.returncode, done.stdout) == (1, "nobody with a name is on the photos in 2020\n")
    assert [(row["name"], row["faces"]) for row in list_people(named, "--folder", "2019", "--all")] == [
        (COLLINS, 3),
        (None, 2),
    ]
    done = run("people", "--folder", "/usr", cwd=named.root)
    assert done.returncode == 2 and "/usr is not in the library" in done.stderr


def test_people_of_a_copied_photo_are_counted_where_it_is(both_named: Library) -> None:
    copy = both_named.root / "copies/1.jpg"
    copy.parent.mkdir()
    copy.write_bytes((both_named.root / "2020/collins-1.jpg").read_bytes())
    both_named.scan(workers=0)
    (row,) = list_people(both_named, "--folder", "copies")
    assert (row["name"], row["faces"], row["photos"], row["best"]["photo"]) == (COLLINS, 1, 1, "copies/1.jpg")
    assert list_people(both_named)[0]["photos"] == 7
