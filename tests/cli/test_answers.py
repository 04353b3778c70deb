"""The commands that name people: what each changes, and that it can be undone."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.command import run, run_checked

Collins = tuple[Library, int, set[str]]


def run_answer(library: Library, *arguments: str | Path) -> str:
    return run_checked(arguments[0], *arguments[1:], "--library", library.root)


def expect_refusal(library: Library, *arguments: str) -> str:
    done = run(*arguments, "--library", str(library.root))
    assert done.returncode == 2 and "Traceback" not in done.stderr and not done.stdout
    assert not library.home.journal.exists() or len(done.stderr.splitlines()) <= 3
    return done.stderr


def count_faces(library: Library) -> dict[str, tuple[int, int]]:
    """Map each name to the numbers of faces and of confirmed faces."""
    return {p.label: (len(p.face_ids), len(p.confirmed)) for p in Library(library.root).people()}


def test_name_accepts_groups_and_faces(collins: Collins) -> None:
    library, group, faces = collins
    other = 3 - group
    out = run_answer(library, "name", str(group), str(other), "Everybody", "--yes")
    assert "Everybody (12 faces)" in out and "Everybody: 12 faces, 12 confirmed (new)" in out
    run_answer(library, "undo")
    one = min(faces)
    run_answer(library, "name", one, "Eileen")
    assert count_faces(library) == {"Eileen": (6, 1)}  # the rest of her group is suggested
    assert "already a person's name" in expect_refusal(library, "name", "Eileen", "Ellen")
    assert "no group 99" in expect_refusal(library, "name", "99", "Ellen")
    assert "no face" in expect_refusal(library, "name", "0" * 16, "Ellen")


def test_rename_and_merge(collins: Collins) -> None:
    library, group, _ = collins
    run_answer(library, "name", str(group), "Ana")
    run_answer(library, "name", str(3 - group), "Grace")
    assert "Ana is now called Anna" in run_answer(library, "rename", "ana", "Anna")
    assert count_faces(library) == {"Anna": (6, 6), "Grace": (6, 6)}
    assert "faceclust merge Anna Grace" in expect_refusal(library, "rename", "Anna", "grace")
    assert "nobody is called Bob" in expect_refusal(library, "rename", "Bob", "Rob")
    assert "did you mean Anna?" in expect_refusal(library, "rename", "Annna", "Rob")
    out = run_answer(library, "merge", "Grace", "anna", "--yes")
    assert "Grace and Anna are one: Anna" in out and "Anna: 12 faces, 12 confirmed (before: 6, 6 confirmed)" in out
    assert "Grace: no faces left" in out
    assert "all of these are already Anna" in expect_refusal(library, "merge", "Anna", "anna")
    run_answer(library, "undo", "2")
    assert count_faces(library) == {"Ana": (6, 6), "Grace": (6, 6)}


def test_unnamed_groups_can_be_merged_and_then_named_together(library: Library) -> None:
    assert "one person (12 faces)" in run_answer(library, "merge", "1", "2", "--yes")
    (person,) = Library(library.root).unnamed_groups()
    assert person.clusters == (1, 2) and len(person.face_ids) == 12
    run_answer(library, "cluster")
    assert len(set(Library(library.root).group_of.values())) == 1  # and they stay together
    run_answer(library, "name", "1", "Anna")
    assert count_faces(library) == {"Anna": (12, 12)}


def test_merging_groups_into_a_person_names_them(collins: Collins) -> None:
    library, group, _ = collins
    run_answer(library, "name", str(group), "Anna")
    assert "Anna: 12 faces" in run_answer(library, "merge", str(3 - group), "Anna", "--yes")


def test_split_takes_faces_out_of_a_group_and_of_a_person(collins: Collins) -> None:
    library, group, faces = collins
    first, second, *rest = sorted(faces)
    assert "taken out of a group (2 faces)" in run_answer(library, "split", str(group), first, second)
    assert not {first, second} & set(Library(library.root).group_members[group])
    run_answer(library, "undo")
    run_answer(library, "name", str(group), "Eileen")
    assert "not Eileen (1 face)" in run_answer(library, "split", "Eileen", first)
    assert count_faces(library) == {"Eileen": (5, 5)}
    run_answer(library, "cluster")
    assert Library(library.root).group_of.get(first) != Library(library.root).group_of[rest[0]]
    assert "is not in Eileen" in expect_refusal(library, "split", "Eileen", first)
    assert "nothing would be left" in expect_refusal(library, "split", "Eileen", "Eileen")


def test_confirm_and_reject(collins: Collins) -> None:
    library, group, faces = collins
    first, second, *_ = sorted(faces)
    assert "has no name yet" in expect_refusal(library, "confirm", str(group))
    run_answer(library, "name", first, "Eileen")
    run_answer(library, "confirm", "Eileen", second)
    assert count_faces(library) == {"Eileen": (6, 2)}
    out = run_answer(library, "reject", "Eileen", second)
    assert "not Eileen (1 face)" in out and count_faces(library)["Eileen"][1] == 1
    run_answer(library, "undo")
    run_answer(library, "confirm", str(group))
    assert count_faces(library) == {"Eileen": (6, 6)}
    run_answer(library, "reject", "Eileen", second)
    run_answer(library, "confirm", "Eileen", *sorted(faces))
    assert count_faces(library)["Eileen"] == (6, 6)
    assert "already confirmed" in expect_refusal(library, "confirm", "Eileen")


def test_ignore_and_unignore(library: Library) -> None:
    run_answer(library, "ignore", "1")
    assert [p.clusters for p in Library(library.root).unnamed_groups()] == [(2,)]
    run_answer(library, "unignore", "1")
    assert len(Library(library.root).unnamed_groups()) == 2
    assert "group 1: none of the faces is ignored" in expect_refusal(library, "unignore", "1")


def test_a_group_number_never_removes_confirmed_names(collins: Collins) -> None:
    library, group, faces = collins
    first, second, *rest = sorted(faces)
    run_answer(library, "name", first, second, "Eileen")
    run_answer(library, "ignore", *rest)
    assert "ignored (4 faces)" in run_answer(library, "ignore", str(group)) and count_faces(library) == {
        "Eileen": (2, 2)
    }
    assert "no longer ignored (4 faces)" in run_answer(library, "unignore", str(group))
    run_answer(library, "name", str(3 - group), "Grace")
    for arguments in (["ignore"], ["name"]):
        tail = ["Somebody"] if arguments == ["name"] else []
        assert "is already Grace" in expect_refusal(library, *arguments, str(3 - group), *tail)
    run_answer(library, "rename", "Grace", "Grace O'Neill")
    hint = expect_refusal(library, "name", str(3 - group), "Somebody").split("faceclust rename ")[1]
    assert shlex.split(hint.partition(" NEW")[0]) == ["Grace O'Neill"]
    run_answer(library, "rename", "Grace O'Neill", "Grace")
    assert count_faces(library)["Grace"] == (6, 6)


def test_a_partly_named_group_means_only_the_faces_of_that_person(collins: Collins) -> None:
    library, group, faces = collins
    first, second, *rest = sorted(faces)
    run_answer(library, "name", first, second, "Eileen")
    run_answer(library, "ignore", *rest)
    assert "not Eileen (2 faces)" in run_answer(library, "reject", "Eileen", str(group))
    run_answer(library, "undo", "2")
    assert count_faces(library) == {"Eileen": (6, 2)}
    assert "Eileen confirmed (4 faces)" in run_answer(library, "confirm", str(group))


def test_undo_undoes_the_requested_number_of_answers(library: Library) -> None:
    run_answer(library, "name", "1", "Anna")
    run_answer(library, "rename", "Anna", "Ben")
    run_answer(library, "rename", "Ben", "Carl")
    out = run_answer(library, "undo", "2")
    assert out.index("Ben is now called Carl") < out.index("Anna is now called Ben")
    assert count_faces(library) == {"Anna": (6, 6)}
    assert "only 1 answer left to undo, not 5" in run_answer(library, "undo", "5")
    assert run("undo", "--library", str(library.root)).returncode == 1
    assert run("undo", "0", "--library", str(library.root)).returncode == 2


def test_json_lists_the_changes_of_each_command(library: Library) -> None:
    output = json.loads(run_answer(library, "name", "1", "Anna", "--json"))
    assert output["said"][0]["event"] == "name" and len(output["said"][0]["faces"]) == 6
    assert output["changed"] == [
        {"name": "Anna", "faces": {"before": 0, "after": 6}, "confirmed": {"before": 0, "after": 6}}
    ]
    undone = json.loads(run_answer(library, "undo", "--json"))
    assert undone["undone"][0]["id"] == output["said"][0]["id"] and undone["changed"][0]["faces"]["after"] == 0
    for arguments in (["merge", "1", "2", "--yes"], ["ignore", "1"], ["unignore", "1"]):
        assert json.loads(run_answer(library, *arguments, "--json"))["said"][0]["event"] == arguments[0]


def test_the_journal_is_listed_in_readable_lines(library: Library) -> None:
    assert "no answers yet" in run_answer(library, "journal")
    run_answer(library, "name", "1", "Zoë")
    run_answer(library, "name", "2", "Ben")
    run_answer(library, "undo")
    first, second = run_answer(library, "journal").splitlines()
    assert first.startswith("  20") and "Zoë (6 faces)" in first and "and 5 more" in first
    assert second.startswith("- 20") and "Ben (6 faces)" in second
    assert run_answer(library, "journal", "-n", "1") == second + "\n"
    events = json.loads(run_answer(library, "journal", "--json"))["events"]
    assert [(e["event"], e["standing"]) for e in events] == [("name", True), ("name", False), ("undo", False)]


def test_the_journal_of_a_copy_can_be_merged(library: Library, tmp_path: Path) -> None:
    import shutil

    run_answer(library, "name", "1", "Anna")
    copy = tmp_path / "copy"
    shutil.copytree(library.root, copy)
    run_checked("name", "2", "Ben", "--library", copy)
    run_answer(library, "rename", "Anna", "Anne")
    other = copy / ".faceclust/people.jsonl"
    assert "1 answer added" in run_answer(library, "journal", "--merge", other)
    assert count_faces(library) == {"Anne": (6, 6), "Ben": (6, 6)}
    assert "0 answers added" in run_answer(library, "journal", "--merge", other)
    photo = next(copy.rglob("*.jpg"))
    assert "not a journal" in expect_refusal(library, "journal", "--merge", str(photo))
    assert "cannot be read" in expect_refusal(library, "journal", "--merge", str(tmp_path / "none"))


@pytest.mark.parametrize("command", "name rename merge split confirm reject ignore unignore undo journal".split())
def test_each_command_has_examples_in_its_help(command: str) -> None:
    assert f"  faceclust {command} " in run_checked(command, "--help")


def test_the_shell_completes_names(library: Library) -> None:
    run_answer(library, "name", "1", "Anna Maria")
    words = {"_FACECLUST_COMPLETE": "bash_complete", "COMP_CWORD": "2", "FACECLUST_LIBRARY": str(library.root)}
    for command in ("find", "confirm", "forget", "rename", "together"):
        completed = run(env=words | {"COMP_WORDS": f"faceclust {command} an"}).stdout
        assert completed.splitlines() == ["plain,'Anna Maria'"], command
    for shell, word in (("zsh", "2"), ("fish", "an")):  # these shells quote the names themselves
        env = {"_FACECLUST_COMPLETE": f"{shell}_complete", "COMP_WORDS": "faceclust find an", "COMP_CWORD": word}
        output = run(env=words | env).stdout
        assert "Anna Maria" in output and "'" not in output
    assert run(env=words | {"COMP_WORDS": "faceclust find x", "FACECLUST_LIBRARY": "/none"}).stdout.strip() == ""
