"""`label --send` and `journal --merge` with answers, as a user runs them."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from faceclust import Library
from faceclust.people.events import effective_events
from tests.support.command import run, run_checked
from tests.support.question_pages import write_answers
from tests.support.sample_photos import COLLINS, HOPPER

PICTURE = re.compile(r'src="data:image/jpeg;base64,([A-Za-z0-9+/=]+)"')


def read_page_id(page: Path) -> str:
    (found,) = re.findall(r'data-page="([0-9a-f]{32})"', page.read_text(encoding="utf-8"))
    return str(found)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def test_the_page_holds_the_faces_asked_about_and_nothing_else(
    collins: tuple[Library, int, set[str]], page: Path
) -> None:
    library, _, faces = collins
    library.cluster(0.02)
    (largest, *_) = sorted((f for f in library.group_members.values() if set(f) <= faces), key=len, reverse=True)
    library.name(largest, COLLINS)
    library.add_whole(next(photo for photo in library.photos if "nobody" in photo), "Secret Person")
    done = run("label", "--send", page, "-l", library.root)
    assert done.returncode == 0 and f"yes or no about {COLLINS}; " in done.stdout
    assert "next: mail it; when the answers come back: faceclust journal --merge FILE" in done.stdout
    html = page.read_text(encoding="utf-8")
    text = PICTURE.sub("", html)
    assert f"Is this <bdi>{COLLINS}</bdi>?" in text and "Who is this?" in text
    ids = {*library.occurrences_of, *library.photo_of.values(), *(person.id for person in library.persons)}
    secrets = [*ids, *library.photos, str(library.root), library.root.parent.name, "Secret Person", "Canon"]
    secrets += ["2019-", "2019/", "2020-", "2020/"]
    secrets += [Path(photo).name for photo in library.photos]
    assert [secret for secret in secrets if secret in text] == []
    assert "datalist" not in text and "http://" not in text and "https://" not in text
    assert page.stat().st_mode & 0o777 == 0o600
    # The pictures are bare: pixels without a word beside them.
    pictures = [base64.b64decode(found) for found in PICTURE.findall(html)]
    assert pictures and len(pictures) == len(set(pictures))
    for content in pictures:
        with Image.open(io.BytesIO(content)) as image:
            assert image.size == (160, 160) and not image.getexif() and "comment" not in image.info
        assert not [secret for secret in secrets if secret.encode() in content]


def test_a_planted_thumbnail_brings_nothing_into_the_page(library: Library, page: Path) -> None:
    for occurrence in library.occurrences:
        out = io.BytesIO()
        exif = Image.Exif()
        exif[0x010E] = "/home/ben/secret"
        Image.new("RGB", (160, 160)).save(out, "JPEG", exif=exif, comment=b"TOP-SECRET")
        file = library.home.thumbs / occurrence.face_id[:2] / f"{occurrence.face_id}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(out.getvalue() + b"TOP-SECRET")
    run_checked("label", "--send", page, "-l", library.root)
    pictures = [base64.b64decode(found) for found in PICTURE.findall(page.read_text(encoding="utf-8"))]
    assert pictures and not [content for content in pictures if b"ecret" in content or b"SECRET" in content]


def test_the_policy_allows_the_pages_own_script_and_pictures_only(library: Library, page: Path) -> None:
    run_checked("label", "--send", page, "-l", library.root)
    (policy,) = re.findall(
        'http-equiv="Content-Security-Policy" content="([^"]*)"', page.read_text(encoding="utf-8").replace("&#39;", "'")
    )
    policy = re.sub("'sha256-[A-Za-z0-9+/]{43}='", "HASH", policy)
    sources = "default-src 'none'; img-src data:; style-src HASH; script-src HASH"
    assert policy == f"{sources}; base-uri 'none'; form-action 'none'"


def test_a_dry_run_writes_neither_the_page_nor_what_it_asks(library: Library, page: Path) -> None:
    done = run("label", "--send", page, "-n", "-l", library.root)
    assert done.returncode == 0 and "nothing was written" in done.stdout
    assert not page.exists() and not (library.home.home / "sent").exists()


def test_numbers_as_json_and_the_page_on_standard_output(library: Library, page: Path) -> None:
    value = json.loads(run_checked("label", "--send", page, "--questions", "1", "--json", "-l", library.root))
    assert value == {
        "library": str(library.root),
        "out": str(page),
        "page": read_page_id(page),
        "questions": 1,
        "pictures": 6,
        "bytes": page.stat().st_size,
        "names": [],
        "written": True,
    }
    assert run_checked("label", "--send", "-", "-l", library.root).startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--send", "PHOTO"], "it is, or is named like, a photo"),
        (["--send", "LIB/.faceclust/people.jsonl"], "faceclust keeps its data there"),
        (["--send", "LIB"], "is a folder"),
        (["--send", "/no/such/folder/p.html"], "there is no folder"),
        (["--send", "p.html", "--questions", "0"], "--questions must be a whole number from 1 to 100, not 0"),
        (["--send", "p.html", "--questions", "101"], "--questions must be a whole number from 1 to 100, not 101"),
        (["--send", "p.html", "--web"], "--send cannot be used with --web"),
        (["--send", "p.html", "--thorough"], "--send cannot be used with --thorough"),
        (["--send", "-", "--json"], "--json and the page cannot both go to standard output"),
        (["--questions", "5"], "--questions needs --send"),
        (["--dry-run"], "--dry-run needs --send"),
        (["--json"], "--json needs --send"),
    ],
)
def test_mistakes_are_explained(library: Library, tmp_path: Path, arguments: list[str], words: str) -> None:
    photo = str(library.root / next(iter(library.photos)))
    typed = [argument.replace("PHOTO", photo).replace("LIB", str(library.root)) for argument in arguments]
    done = run("label", *typed, "-l", library.root, cwd=tmp_path)
    assert done.returncode == 2 and words in done.stderr and not list(tmp_path.glob("*.html"))
    assert not (library.home.home / "sent").exists()


def test_without_a_question_no_page_is_written(library: Library, page: Path) -> None:
    for group in (1, 2):
        library.ignore(group)
    done = run("label", "--send", page, "-l", library.root)
    assert done.returncode == 1 and "there is no question to send" in done.stderr and not page.exists()


def test_answers_come_in_and_go_back_as_one(library: Library, page: Path, tmp_path: Path) -> None:
    run_checked("label", "--send", page, "-l", library.root)
    answers = [{"question": 1, "name": COLLINS}, {"question": 2, "name": HOPPER}]
    file = write_answers(tmp_path / "answers.json", read_page_id(page), *answers)
    merge = ["journal", "--merge", file, "-l", library.root]
    shown = run_checked(*merge, "--dry-run")
    assert "Aunt Mary says" in shown and "nothing was written" in shown and not library.home.journal.exists()
    shown = run_checked(*merge)
    assert re.search(rf"^{COLLINS} +6 +1$", shown, re.M) and re.search(rf"^{HOPPER} +6 +2$", shown, re.M)
    assert "next: faceclust label, which asks about these names first" in shown
    assert "faceclust undo --source 'Aunt Mary'" in shown
    assert "nothing new was suggested" in run_checked(*merge)
    assert "suggested by Aunt Mary" in run_checked("journal", "-l", library.root)
    library.name(library.faces_in_group(1)[:1], "Own answer")
    undone = run_checked("undo", "--source", "aunt mary", "-l", library.root)
    assert undone.count("undone: ") == 2
    (event,) = effective_events(Library(library.root).journal.events())
    assert event.name == "Own answer"
    done = run("undo", "--source", "Aunt Mary", "-l", library.root)
    assert done.returncode == 1 and "there is nothing from Aunt Mary to undo" in done.stderr
    assert run("undo", "3", "--source", "Aunt Mary", "-l", library.root).returncode == 2


def test_answers_as_json(library: Library, page: Path, tmp_path: Path) -> None:
    run_checked("label", "--send", page, "-l", library.root)
    answers = [{"question": 1, "name": "Ann"}, {"question": 2, "unknown": True}]
    file = write_answers(tmp_path / "answers.json", read_page_id(page), *answers)
    value = json.loads(run_checked("journal", "--merge", file, "--json", "-l", library.root))
    (answer,) = value.pop("answers")
    assert len(answer.pop("faces")) == 6
    assert answer == {"question": 1, "is": True, "name": "Ann", "contradicts": []}
    assert value == {
        "library": str(library.root),
        "page": read_page_id(page),
        "suggested_by": "Aunt Mary",
        "taken_in": 1,
        "skipped": [{"question": 2, "name": None, "reason": "does not know"}],
        "unanswered": 0,
        "written": True,
    }


def test_a_contradiction_is_shown(library: Library, page: Path, tmp_path: Path) -> None:
    run_checked("label", "--send", page, "-l", library.root)
    for name, sender in (("Ann", "Aunt Mary"), ("Joan", "Uncle Bob")):
        answer = {"question": 1, "name": name}
        file = write_answers(tmp_path / "answers.json", read_page_id(page), answer, sender=sender)
        shown = run_checked("journal", "--merge", file, "-l", library.root)
    assert "question 1: Joan, but Aunt Mary: Ann" in shown


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"faceclust-answers": 1', "it is damaged or incomplete"),
        ('{"faceclust-answers": 9}', "it was made by a page of a newer faceclust"),
        (json.dumps({"faceclust-answers": 1, "page": "0" * 32, "answers": []}), "answers to a page that was not made"),
        ("\x1b]0;OWNED\x07", "is not a journal"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_line(
    library: Library, tmp_path: Path, content: str, words: str
) -> None:
    file = tmp_path / "answers.json"
    file.write_text(content)
    done = run("journal", "--merge", file, "-l", library.root)
    assert done.returncode == 2 and words in done.stderr and "hint: " in done.stderr and "\x1b" not in done.stderr
    assert not library.home.journal.exists()


def test_hostile_names_reach_the_terminal_as_text(library: Library, page: Path, tmp_path: Path) -> None:
    run_checked("label", "--send", page, "-l", library.root)
    hostile = "\x1b]0;OWNED\x07\u202e<b>Ann</b>"
    answers = [{"question": 1, "name": hostile}, {"question": 2, "name": "??" + hostile}]
    file = write_answers(tmp_path / "answers.json", read_page_id(page), *answers, sender=hostile)
    done = run("journal", "--merge", file, "-l", library.root)
    assert done.returncode == 0 and not re.search("[\x1b\x07\u202e]", done.stdout + done.stderr)
    assert "<b>Ann</b>" in done.stdout


def test_a_journal_is_merged_as_before_and_counted_by_a_dry_run(library: Library, tmp_path: Path) -> None:
    library.name(1, "Ann")
    other = tmp_path / "people.jsonl"
    other.write_bytes(library.home.journal.read_bytes())
    library.home.journal.unlink()
    assert "1 answer would be added" in run_checked("journal", "--merge", other, "--dry-run", "-l", library.root)
    assert not library.home.journal.exists()
    assert "1 answer added" in run_checked("journal", "--merge", other, "-l", library.root)
    done = run("journal", "--dry-run", "-l", library.root)
    assert done.returncode == 2 and "--dry-run needs --merge" in done.stderr


def test_an_ended_library_takes_its_pages_with_it(library: Library, page: Path, tmp_path: Path) -> None:
    run_checked("label", "--send", page, "-l", library.root)
    run_checked("library", "dissolve", library.root, "--yes")
    assert not (library.root / ".faceclust").exists()
    file = write_answers(tmp_path / "answers.json", read_page_id(page), {"question": 1, "name": "Ann"})
    done = run("journal", "--merge", file, "-l", library.root)
    assert done.returncode == 2 and "has not been scanned" in done.stderr
