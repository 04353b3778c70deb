"""The command `faceclust person`: facts about people, aliases and groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.people.events import from_record
from faceclust.types import FaceOccurrence, PartialDate, PersonFacts
from tests.support.command import run, run_checked
from tests.support.picasa_files import format_rect64
from tests.support.xmp_packets import build_mwg_regions, build_region, build_sidecar


@pytest.fixture
def named(library: Library) -> Library:
    for number, name in ((1, "Anna"), (2, "Grace")):
        library.name(number, name)
    return library


def person(library: Library, *arguments: str) -> str:
    return run_checked("person", *arguments, "-l", library.root)


def refused(library: Library, *arguments: str) -> str:
    done = run(*arguments, "-l", library.root)
    assert done.returncode == 2 and not done.stdout and "Traceback" not in done.stderr
    return done.stderr


def test_facts_are_recorded_shown_undone_and_redone(named: Library) -> None:
    face = named.address_of(named.find_person("Anna").face_ids[0])
    facts = ("Anna", "--born", "1987-5-03", "--group", "Family", "--group", "Chess", "--alias", "Anni", "--favourite")
    said = "Anna: born 1987-05-03, a chosen picture, a favourite, in Family, Chess, also called Anni"
    assert person(named, *facts, "--picture", face, "--dry-run") == f"would record: {said}\n"
    assert "no facts yet" in person(named, "Anna")
    assert person(named, *facts, "--picture", face) == f"{said}\n"
    assert person(named, *facts) == "Anna: known already; nothing was recorded\n"
    anna = named.find_person("Anna")
    person(named, "Anni", "--note", "two\nlines\x1b[31m", "--died", "2020", "--no-group", "CHESS", "--no-picture")
    assert person(named, "anni").splitlines() == [
        "Anna",
        "  born         1987-05-03",
        "  died         2020",
        "  favourite    yes",
        "  groups       Family",
        "  also called  Anni",
        "  note         two",
        "               lines [31m",
        f"  faces        {len(anna.face_ids)}, {len(anna.confirmed)} confirmed",
    ]
    assert said in run_checked("journal", "-l", named.root)
    assert "undone: Anna: died 2020, a note, no chosen picture, not in Chess" in run_checked("undo", "-l", named.root)
    value = json.loads(person(named, "Anna", "--json"))
    assert value["name"] == "Anna" and value["facts"]["groups"] == ["Family", "Chess"]
    assert value["facts"] | {"age": None} == {
        "born": "1987-05-03", "died": None, "age": None, "note": None, "favourite": True,
        "picture": named.find_face(face), "groups": ["Family", "Chess"], "aliases": ["Anni"],
    }  # fmt: skip
    assert "redone" in run_checked("redo", "-l", named.root)
    cleared = json.loads(person(named, "Anna", "--born", "", "--died", "", "--note", "", "--json"))
    assert cleared["written"] and cleared["before"]["died"] == "2020" and cleared["facts"]["died"] is None
    assert json.loads(person(named, "Anna", "--born", "1990", "--dry-run", "--json"))["written"] is False


REFUSED = [
    (["--born", "1987-02-30"], "write a year, month or day: 1987, 1987-05, 1987-05-03"),
    (["--born", "2999"], "2999 is in the future"),
    (["--born", "1990", "--died", "1989-12"], "the death, 1989-12, would be before the birth, 1990"),
    (["--alias", "grace"], "grace is already a person"),
    (["--alias", "Amazing"], "Amazing is already another name of Grace"),
    (["--alias", "ANNA"], "ANNA is the name itself"),
    (["--alias", "12"], "cannot be a name"),
    (["--alias", "Chess"], "Chess is a group of people"),
    (["--alias", "collins-0.jpg#1"], "collins-0.jpg#1 is a face"),
    (["--group", "Grace"], "Grace is a person, not a group"),
    (["--group", "Amazing"], "Amazing is another name of Grace"),
    (["--group", "A", "--no-group", "A"], "Anna is not in A"),
    (["--no-alias", "Anni"], "Anna is not called Anni"),
    (["--picture", "nobody.jpg#7"], "nobody.jpg has no faces"),
    (["--picture", "1"], "1 is not one face"),
    (["--picture", "collins-0.jpg#1", "--no-picture"], "contradict each other"),
    (["--note", "x" * 1001], "at most 1,000 characters, not 1,001"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_facts_that_cannot_be_are_refused(named: Library, arguments: list[str], message: str) -> None:
    named.set_facts("Grace", aliases="Amazing", groups="Chess")
    lines = len(named.journal.events())
    assert message in refused(named, "person", "Anna", *arguments)
    assert len(Library(named.root).journal.events()) == lines


def test_control_characters_are_left_out_of_typed_texts(named: Library) -> None:
    face = named.find_person("Anna").face_ids[0]
    hostile = "a\x1b]0;\x07\x9b\r\x08\u202eb"
    run_checked("rename", "Anna", f"Ann {hostile}", "-l", named.root)
    person(named, "Ann a ]0; b", "--alias", hostile, "--group", f"Us {hostile}", "--note", hostile)
    anna = Library(named.root).person_of[face]
    assert (anna.name, anna.facts.aliases, anna.facts.groups) == ("Ann a ]0; b", ("a ]0; b",), ("Us a ]0; b",))
    assert not set("\x1b\x07\x9b\r\x08\u202e").intersection(anna.facts.note)


def test_the_picture_is_a_face_of_the_person(named: Library) -> None:
    grace = named.address_of(named.find_person("Grace").face_ids[0])
    assert f"{grace} is not a face of Anna\nhint: it is a face of Grace" in refused(
        named, "person", "Anna", "--picture", grace
    )
    named.undo()
    assert "makes it one" in refused(named, "person", "Anna", "--picture", grace)
    assert "nobody is called Bob" in refused(named, "person", "Bob", "--born", "1987")


def test_every_command_finds_a_person_by_an_alias(named: Library) -> None:
    person(named, "Anna", "--alias", "Anni", "--alias", "Mum #1", "--alias", "Annabel")
    photos = run_checked("find", "Anna", "-l", named.root)
    assert run_checked("find", "anni", "-l", named.root) == run_checked("find", "Mum #1", "-l", named.root) == photos
    assert run_checked("together", "Anni", "-l", named.root) == run_checked("together", "Anna", "-l", named.root)
    face = named.find_person("Anna").face_ids[0]
    run_checked("reject", "Anni", face, "-l", named.root)
    run_checked("name", face, "Anni", "-l", named.root)
    assert [(event.kind, event.name) for event in Library(named.root).journal.events()][-2:] == [
        ("reject", "Anna"),
        ("name", "Anna"),
    ]
    assert "Anni is another name of Anna" in refused(named, "rename", "Grace", "Anni")
    assert "would be a new person beside Anna" in refused(named, "name", face, "Annabell")
    run_checked("rename", "Mum #1", "Anni", "-l", named.root)
    assert Library(named.root).find_person("Anni").facts.aliases == ("Mum #1", "Annabel")
    assert "to be removed: Anni, Anna" in run("forget", "mum #1", "--dry-run", "-l", named.root).stdout.replace(
        "would remove", "to be removed"
    )


def test_people_lists_favourites_first_and_their_facts(named: Library) -> None:
    first, second = (one.label for one in named.people())
    person(named, second, "--favourite", "--died", "1990", "--born", "1920", "--group", "Family", "--alias", "Gigi")
    lines = run_checked("people", "-l", named.root).splitlines()
    assert lines[1].startswith(f"{second} (favourite)") and "    born 1920, died 1990; Family; also Gigi" in lines
    rows = json.loads(run_checked("people", "--json", "-l", named.root))["people"]
    assert [row["name"] for row in rows] == [second, first] and rows[0]["facts"]["died"] == "1990"


def test_a_merge_keeps_the_aliases_of_both(named: Library) -> None:
    named.set_facts("Anna", aliases="Anni")
    named.set_facts("Grace", aliases=["Gigi", "Amazing"])
    run_checked("merge", "Gigi", "Anni", "--yes", "-l", named.root)
    (anna,) = Library(named.root).people()
    assert (anna.name, anna.facts.aliases) == ("Anna", ("Anni", "Gigi", "Amazing"))
    named.undo()
    assert Library(named.root).find_person("Amazing").name == "Grace"


def test_facts_of_people_on_missing_photos_are_kept(named: Library, tmp_path: Path) -> None:
    person(named, "Anna", "--born", "1987", "--alias", "Anni")
    away = tmp_path / "away"
    for photo in {one.photo for face in named.find_person("Anna").face_ids for one in named.occurrences_of[face]}:
        (away / photo).parent.mkdir(parents=True, exist_ok=True)
        (named.root / photo).rename(away / photo)
    named.scan(workers=0)
    assert person(named, "Anni").splitlines()[-1].split() == ["faces", "on", "missing", "photos"]
    person(named, "Anna", "--note", "gone")
    for photo in away.rglob("*.*"):
        photo.rename(named.root / photo.relative_to(away))
    named.scan(workers=0)
    expected = PersonFacts(PartialDate(1987), note="gone", aliases=("Anni",))
    assert Library(named.root).find_person("Anni").facts == expected


def test_a_group_of_people_is_found_in_any_spelling(named: Library) -> None:
    named.set_facts("Anna", groups="Family")
    named.set_facts("Grace", groups=["family", "Chess"])
    assert named.find_group(" FAMILY ") == named.people() and named.find_group("Anna") is None
    assert [one.label for one in named.find_group("chess") or ()] == ["Grace"]
    with pytest.raises(UsageError, match="Family is a group of people, not a person"):
        named.rename("Grace", "Family")
    assert run_checked("together", "chess", "-l", named.root) == run_checked("together", "Grace", "-l", named.root)
    assert len(named.co_occurrences("Family")) == len(named.co_occurrences())


def test_people_of_a_group_are_listed(named: Library) -> None:
    named.set_facts("Grace", groups="Chess")
    listed = json.loads(run_checked("people", "--group", "chess", "--json", "-l", named.root))["people"]
    assert [one["name"] for one in listed] == ["Grace"] and listed[0]["facts"]["groups"] == ["Chess"]
    assert "Anna" not in run_checked("people", "--group", "Chess", "-l", named.root)
    assert "hint: the groups are: Chess" in refused(named, "people", "--group", "Golf")
    assert "contradict each other" in refused(named, "people", "--group", "Chess", "--all")
    rows = map(json.loads, run_checked("export", "-f", "jsonl", "-l", named.root).splitlines())
    assert {(row["person"], row["groups"]) for row in rows} >= {("Grace", "Chess"), ("Anna", None)}


def test_scripts_set_facts(named: Library) -> None:
    event = named.set_facts("Anna", born="1987-05", favourite=True)
    assert event is not None and event.kind == "person" and named.set_facts("Anna", born="1987-05") is None
    assert named.facts_of("anna") == ("Anna", PersonFacts(PartialDate(1987, 5), favourite=True))
    for invalid in ({"born": 1987}, {"favourite": "yes"}, {"groups": 3}, {"note": b"x"}, {}):
        with pytest.raises(UsageError):
            named.set_facts("Anna", **invalid)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at most 100 groups, not 101"):
        named.set_facts("Anna", groups=[f"g{number}" for number in range(101)])


def test_journals_of_two_machines_have_the_facts_of_both(named: Library, tmp_path: Path) -> None:
    other = tmp_path / "people.jsonl"
    named.set_facts("Anna", born="1987", groups="Family")
    other.write_bytes(named.home.journal.read_bytes())
    line = json.loads(other.read_bytes().splitlines()[-1])
    later = line | {"id": "other", "time": "2999-01-01T00:00:00.000Z", "facts": {"born": "1988", "groups": ["Chess"]}}
    assert from_record(later) is not None
    other.write_text(other.read_text() + json.dumps(later) + "\n")
    run_checked("journal", "--merge", other, "-l", named.root)
    assert Library(named.root).find_person("Anna").facts == PersonFacts(PartialDate(1988), groups=("Family", "Chess"))


def write_table(library: Library, face: FaceOccurrence, name: str) -> list[str]:
    table = library.root.parent / "names.csv"
    table.write_text(f"photo,left,top,right,bottom,name\n{face.photo},{','.join(map(str, face.pixel_box))},{name}\n")
    return [str(table)]


def write_sidecar(library: Library, face: FaceOccurrence, name: str) -> list[str]:
    left, top, right, bottom = face.box
    region = build_region(name, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    regions = build_mwg_regions(region, size=library.photos[face.photo].size)
    (library.root / f"{face.photo}.xmp").write_text(build_sidecar(regions), encoding="utf-8")
    return []


def write_picasa(library: Library, face: FaceOccurrence, name: str) -> list[str]:
    photo = library.root / face.photo
    lines = ("[Contacts2]", f"2a={name};;", f"[{photo.name}]", f"faces=rect64({format_rect64(face.box)}),2a")
    photo.with_name(".picasa.ini").write_text("\n".join(lines))
    return []


@pytest.mark.parametrize("write", [write_table, write_sidecar, write_picasa])
def test_imported_names_may_be_aliases(
    library: Library, write: Callable[[Library, FaceOccurrence, str], list[str]]
) -> None:
    one, other = library.faces_in_group(1)[:2]
    library.name(1, "Anna", confirmed=[one])
    library.set_facts("Anna", aliases="Eileen")
    sources = write(library, library.occurrences_of[other][0], "EILEEN")
    run_checked("import", *sources, "-l", library.root)
    (anna,) = Library(library.root).people()
    assert anna.label == "Anna" and anna.confirmed == {one, other}


def test_a_sidecar_with_an_alias_of_the_person_is_no_conflict(library: Library) -> None:
    library.name(1, "Anna")
    face = library.occurrences_of[library.faces_in_group(1)[0]][0]
    write_sidecar(library, face, "Anni")
    folder = face.photo.rpartition("/")[0]
    (conflicting,) = (one for one in library.plan_xmp(folder=folder).sidecars if one.photo == face.photo)
    assert conflicting.conflicts == (("Anna", "Anni"),)
    library.set_facts("Anna", aliases="Anni")
    (sidecar,) = (one for one in library.plan_xmp(folder=folder).sidecars if one.photo == face.photo)
    assert sidecar.conflicts == () and sidecar.action == "change", "the name goes into the keywords"


def test_albums_of_groups_have_the_photos_of_anybody_in_them(named: Library, tmp_path: Path) -> None:
    for name in ("Anna", "Grace"):
        named.set_facts(name, groups="Family")
    run_checked("albums", tmp_path / "out", "--groups", "-l", named.root)
    folders = {folder.name: {one.name for one in folder.iterdir()} for folder in (tmp_path / "out").glob("[!.]*")}
    assert folders.keys() == {"Anna", "Grace", "Family"}
    assert folders["Family"] == folders["Anna"] | folders["Grace"]


def test_the_report_shows_facts_and_the_chosen_picture(named: Library, tmp_path: Path) -> None:
    best = {one.person.label: one.best.face_id for one in named.overviews() if one.best}["Anna"]
    face = next(face for face in named.find_person("Anna").face_ids if face != best)
    note = "<b>one</b>\ntwo"
    named.set_facts("Anna", born="2018-01-01", note=note, aliases="Anni", groups="Us", favourite=True, picture=face)
    overview = next(one for one in Library(named.root).overviews() if one.person.label == "Anna")
    assert overview.best is not None and overview.best.face_id == face
    html = named.report_page(tmp_path / "r.html").content.decode()
    assert "&lt;b&gt;one&lt;/b&gt;\ntwo" in html and "also <bdi>Anni</bdi>" in html and "(favourite)" in html
    assert 'data-also="Anni Us"' in html and "16 months" in html and "born 2018-01-01, " in html
    named.reject(face, "Anna")
    overview = next(one for one in named.overviews() if one.person.label == "Anna")
    assert overview.best is not None and overview.best.face_id == best


def test_rejecting_by_an_alias_records_the_name(named: Library) -> None:
    face = named.address_of(named.find_person("Anna").face_ids[0])
    person(named, "Anna", "--alias", "Anni")
    run_checked("reject", "Anni", face, "-l", named.root)
    assert Library(named.root).journal.events()[-1].name == "Anna"


@pytest.mark.parametrize("how", ["ignore", "reject"])
def test_facts_of_a_name_without_faces_are_kept_and_noted(named: Library, how: str) -> None:
    named.set_facts("Anna", born="1987")
    run_checked(*(("ignore", "Anna") if how == "ignore" else ("reject", "Anna", "1")), "-l", named.root)
    shown = person(named, "anna")
    assert "  born   1987, " in shown and "  faces  none; the facts are kept" in shown
    face = named.find_person("Grace").face_ids[0]
    given = run("name", face, "Anna", "--new", "-l", named.root)
    note = "note: facts about Anna were recorded earlier and apply again (faceclust person Anna)"
    assert given.returncode == 0 and note in given.stderr
    assert "recorded earlier" not in run("confirm", "Anna", face, "-l", named.root).stderr
    for _ in range(3):
        run_checked("undo", "-l", named.root)
    assert Library(named.root).find_person("Anna").facts.born == PartialDate(1987)


def test_a_rename_to_a_name_with_kept_facts_is_noted_and_they_can_be_cleared(named: Library) -> None:
    named.set_facts("Anna", born="1987")
    named.ignore("Anna")
    assert "facts about Anna were recorded earlier" in run("rename", "Grace", "Anna", "-l", named.root).stderr
    run_checked("undo", "-l", named.root)
    person(named, "Anna", "--born", "")
    assert "nobody is called Anna" in refused(named, "person", "Anna")
    assert "recorded earlier" not in run("rename", "Grace", "Anna", "-l", named.root).stderr
