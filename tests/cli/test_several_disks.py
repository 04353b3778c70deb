"""A library with photos on several disks, each of which may be away."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faceclust import Library
from faceclust.catalogue.catalogue import Catalogue
from faceclust.cli.output.photos import print_away
from faceclust.engines.dask.address import DaskOptions
from faceclust.errors import UsageError
from faceclust.files.own_files import walk_own
from faceclust.library import additional_roots, scanning
from faceclust.outputs.albums.existing import DISK_AWAY
from faceclust.store.home import JOURNAL_NAME
from faceclust.store.roots_file import ROOTS_FILE_NAME
from faceclust.store.settings import user_config_file
from tests.support.command import run
from tests.support.sample_photos import COLLINS, HOPPER
from tests.support.scan_builders import make_face_photo, touch, write_photo


def succeed(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = run(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


class Disks:
    """The folder of a library, `own`, and one on another disk, `other`, which can be unmounted."""

    def __init__(self, folder: Path) -> None:
        self.own, self.other = folder / "Pictures", folder / "disk" / "Photos"
        self._unmounted = folder / "unmounted"
        write_photo(self.own / "2019" / "1.bmp", make_face_photo(COLLINS, 0))
        write_photo(self.own / "2019" / "2.bmp", make_face_photo(HOPPER, 0))
        write_photo(self.other / "2019" / "1.bmp", make_face_photo(COLLINS, 1))  # the same path and another photo
        write_photo(self.other / "2.bmp", make_face_photo(HOPPER, 1))
        write_photo(self.other / "copy.bmp", make_face_photo(HOPPER, 0))  # the same content

    def unmount(self) -> None:
        shutil.move(self.other, self._unmounted)

    def mount(self, at: Path | None = None) -> None:
        shutil.move(self._unmounted, at or self.other)

    def path(self, name: str) -> str:
        return (self.other / name).as_posix()

    def library(self) -> Library:
        return Library(self.own)


@pytest.fixture
def disks(tmp_path: Path) -> Disks:
    """Two disks, not scanned."""
    return Disks(tmp_path)


@pytest.fixture
def scanned(disks: Disks) -> Disks:
    """Two disks in one library, in which both people have names."""
    library = disks.library()
    library.scan(workers=0)
    library.add_root(disks.other)
    library.scan(workers=0)
    library.cluster()
    named = {
        COLLINS: ("2019/1.bmp", disks.path("2019/1.bmp")),
        HOPPER: ("2019/2.bmp", disks.path("2.bmp"), disks.path("copy.bmp")),
    }
    for person, photos in named.items():
        library.name(sorted({one.face_id for one in library.occurrences if one.photo in photos}), person)
    return disks


def photos_of(disks: Disks, person: str) -> set[str]:
    return {photo.photo for photo in disks.library().search(person)}


def listing(folder: Path) -> dict[str, int]:
    """Every file below a folder with its modification time."""
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*")}


# -- add, scan, find ----------------------------------------------------------------


def test_a_folder_on_another_disk_is_added_and_scanned_and_nothing_is_written_there(disks: Disks) -> None:
    succeed("scan", disks.own, "-j", "1")
    before = listing(disks.other)
    done = succeed("scan", "--add-root", disks.other, "-j", "1", cwd=disks.own)
    assert f"{disks.other} is now a part of the library\n" in done.stderr
    assert done.stdout.startswith("5 photos: 2 scanned, 2 unchanged, 1 moved or copied")
    assert {one.photo for one in disks.library().occurrences} == {
        *("2019/1.bmp", "2019/2.bmp"),
        *map(disks.path, ("2019/1.bmp", "2.bmp", "copy.bmp")),
    }
    assert succeed("scan", cwd=disks.own).stdout.startswith("5 photos: 0 scanned, 5 unchanged")
    assert listing(disks.other) == before
    again = succeed("scan", "--add-root", disks.other, cwd=disks.own)
    assert "is already a part of the library" in again.stderr


def test_one_command_makes_a_library_of_two_disks(disks: Disks) -> None:
    refused = run("scan", disks.own, disks.other)
    hint = f"faceclust scan {disks.own} --add-root {disks.other}"
    assert refused.returncode == 2 and hint in refused.stderr
    assert succeed(*shlex.split(hint)[1:], "-j", "1").stdout.startswith("5 photos")
    assert succeed("scan", disks.own, disks.other).stdout.startswith("5 photos: 0 scanned, 5 unchanged")
    assert succeed("scan", disks.other / "2019").stdout.startswith("1 photo: 0 scanned, 1 unchanged")


def test_a_folder_that_is_no_part_of_the_library_has_a_hint(disks: Disks) -> None:
    disks.library().scan(workers=0)
    refused = run("scan", disks.own, disks.other)
    assert refused.returncode == 2 and f"--add-root {disks.other} --library {disks.own}" in refused.stderr


def test_commands_in_a_folder_on_the_other_disk_find_the_library(scanned: Disks) -> None:
    done = succeed("find", COLLINS, cwd=scanned.other / "2019")
    assert done.stderr.startswith(f"library: {scanned.own}")
    assert set(done.stdout.splitlines()) == {scanned.path("2019/1.bmp"), str(scanned.own / "2019" / "1.bmp")}
    found = succeed("find", COLLINS, "--folder", ".", cwd=scanned.other)
    assert found.stdout.splitlines() == [scanned.path("2019/1.bmp")]
    found = succeed("find", COLLINS, "--folder", ".", cwd=scanned.own)
    assert found.stdout.splitlines() == ["2019/1.bmp"]


def test_photos_are_typed_by_their_paths(scanned: Disks) -> None:
    library = scanned.library()
    faces = {one.photo: one.face_id for one in library.occurrences}
    other = scanned.path("2019/1.bmp")
    assert library.find_face(f"{other}#1") == faces[other]
    assert library.find_face("2019/1.bmp#1") == faces["2019/1.bmp"] != faces[other]
    assert library.find_face("copy.bmp#1") == faces[scanned.path("copy.bmp")]  # the end of a path
    assert library.path_of(other) == Path(other) and library.path_of("2019/1.bmp") == scanned.own / "2019" / "1.bmp"
    with pytest.raises(UsageError, match="there is no photo"):
        library.find_face(f"{scanned.other.parent}/2019/1.bmp#1")


# -- a disk is away -----------------------------------------------------------------


@pytest.mark.parametrize("empty_mount_point", [False, True])
def test_nothing_is_forgotten_while_a_disk_is_away(
    scanned: Disks, empty_mount_point: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {person: photos_of(scanned, person) for person in (COLLINS, HOPPER)}
    people = succeed("people", cwd=scanned.own).stdout
    scanned.unmount()
    if empty_mount_point:
        scanned.other.mkdir()
    for _ in range(2):  # the second scan finds nothing changed
        done = succeed("scan", cwd=scanned.own)
        assert f"{scanned.other} is away: 3 photos stay known\n" in done.stderr
        assert done.stdout == "2 photos: 0 scanned, 2 unchanged\n"
    assert json.loads(succeed("scan", "--json", cwd=scanned.own).stdout)["away"] == {str(scanned.other): 3}
    assert f"{scanned.other} is away" in succeed("watch", "--once", "-j1", cwd=scanned.own).stderr
    succeed("cluster", "--full", cwd=scanned.own)
    assert succeed("people", cwd=scanned.own).stdout == people
    assert {person: photos_of(scanned, person) for person in (COLLINS, HOPPER)} == known
    done = succeed("find", HOPPER, cwd=scanned.own)
    assert scanned.path("copy.bmp") in done.stdout and "2 of them are on a disk that is away\n" in done.stderr
    capsys.readouterr()
    print_away([photo for photo in done.stdout.splitlines() if photo.endswith("copy.bmp")], Library(scanned.own).roots)
    assert capsys.readouterr().err == "it is on a disk that is away\n"
    found = json.loads(succeed("find", HOPPER, "--json", cwd=scanned.own).stdout)["photos"]
    assert {photo["photo"]: photo["is_here"] for photo in found} == {
        "2019/2.bmp": True,
        scanned.path("2.bmp"): False,
        scanned.path("copy.bmp"): False,
    }
    checked = succeed("cache", "check", cwd=scanned.own).stdout
    assert "3 photos on a disk that is away: not looked for" in checked and "deleted" not in checked
    assert "nothing to prune" in succeed("cache", "prune", cwd=scanned.own).stdout
    if empty_mount_point:
        scanned.other.rmdir()
    scanned.mount()
    assert succeed("scan", cwd=scanned.own).stdout == "5 photos: 0 scanned, 5 unchanged\n"
    assert succeed("scan", cwd=scanned.own).stdout == "5 photos: 0 scanned, 5 unchanged\n"


def test_status_and_doctor_list_the_folders(scanned: Disks) -> None:
    own = {"path": str(scanned.own), "photos": 2, "state": "here"}
    for state in ("here", "away"):
        status = json.loads(succeed("status", "--json", cwd=scanned.own).stdout)
        assert status["roots"] == [own, {"path": str(scanned.other), "photos": 3, "state": state}]
        assert f"{scanned.other}: 3 photos, {state}" in succeed("status", cwd=scanned.own).stdout
        assert f"{scanned.other}, which is {state}" in succeed("doctor", cwd=scanned.own).stdout
        if state == "here":
            scanned.unmount()


def test_what_changed_on_a_disk_is_found_when_it_is_back(scanned: Disks) -> None:
    scanned.unmount()
    succeed("scan", cwd=scanned.own)
    scanned.mount()
    write_photo(scanned.other / "new.bmp", make_face_photo(COLLINS, 2))
    (scanned.other / "2.bmp").rename(scanned.other / "2019" / "moved.bmp")
    (scanned.other / "copy.bmp").unlink()
    done = succeed("scan", "-j", "1", cwd=scanned.own).stdout
    assert done.startswith("5 photos: 1 scanned, 3 unchanged, 1 moved or copied (same content), 1 deleted")
    assert photos_of(scanned, HOPPER) == {"2019/2.bmp", scanned.path("2019/moved.bmp")}


@pytest.mark.parametrize("start", ["", "2019"])
def test_another_disk_in_the_same_place_does_not_delete_photos(scanned: Disks, start: str) -> None:
    scanned.unmount()
    write_photo(scanned.other / "2019" / "9.bmp", make_face_photo(COLLINS, 9))
    starts = [scanned.path(start)] if start else []
    result = scanned.library().scan(starts, workers=0)
    assert (result.removed, result.scanned) == (0, 0)
    (note,) = result.notes
    assert "is another disk mounted?" in note
    states = [root["state"] for root in json.loads(succeed("status", "--json", cwd=scanned.own).stdout)["roots"]]
    assert states == ["here", "another disk"]
    shutil.rmtree(scanned.other)
    scanned.mount()
    again = scanned.library().scan(workers=0)
    assert (again.scanned, again.photos) == (0, 5)


def test_photos_that_were_all_moved_on_a_disk_are_found(scanned: Disks) -> None:
    (scanned.other / "new").mkdir()
    for name in ("2019/1.bmp", "2.bmp", "copy.bmp"):
        (scanned.other / name).rename(scanned.other / "new" / Path(name).name)
    result = scanned.library().scan(workers=0)
    assert (result.scanned, result.copied, result.removed) == (0, 3, 0)


def test_pictures_come_from_copies_that_are_here(scanned: Disks) -> None:
    scanned.unmount()
    library = scanned.library()
    hopper = library.find_person(HOPPER).face_ids
    (copied,) = {one.face_id for one in library.occurrences if one.photo == "2019/2.bmp"}
    assert library.viewable_occurrence(copied).photo == "2019/2.bmp"
    assert library.thumbnails([library.occurrences_of[face][0] for face in hopper]).keys() == {copied}
    assert {face.path for face in library.confirmed_faces()} == {
        scanned.own / "2019" / "1.bmp",
        scanned.own / "2019" / "2.bmp",
    }


def test_pictures_that_were_cut_stay_in_the_report(scanned: Disks, tmp_path: Path) -> None:
    page = tmp_path / "people.html"
    succeed("report", "--out", page, cwd=scanned.own)
    before = page.read_text()
    link = Path(scanned.path("2019/1.bmp")).as_uri()
    assert f'href="{link}"' in before and before.count("data:image/jpeg") > 4
    scanned.unmount()
    page.unlink()
    succeed("report", "--out", page, cwd=scanned.own)
    assert page.read_text().count("data:image/jpeg") == before.count("data:image/jpeg")


def test_photos_that_are_away_are_not_called_missing(scanned: Disks, tmp_path: Path) -> None:
    photo = scanned.path("2019/1.bmp")
    succeed("crops", COLLINS, tmp_path / "crops", cwd=scanned.own)
    crops = listing(tmp_path / "crops").keys()
    scanned.unmount()
    for arguments in (("identify", photo), ("scan", "--again", photo), ("verify", photo, "2019/1.bmp")):
        refused = run(*arguments, cwd=scanned.own)
        assert refused.returncode and "on a disk that is away" in refused.stdout + refused.stderr, arguments
    succeed("scan", "--again", scanned.path("copy.bmp"), "-j", "1", cwd=scanned.own)  # its copy is here
    done = succeed("crops", COLLINS, tmp_path / "crops", cwd=scanned.own)
    assert "\n1 face on a disk that is away: pictures from earlier runs stay\n" in f"\n{done.stderr}"
    assert "no picture" not in done.stderr and listing(tmp_path / "crops").keys() == crops
    done = succeed("report", "--out", tmp_path / "page.html", cwd=scanned.own)
    assert "3 photos on a disk that is away" in done.stderr


# -- albums, sidecars, tables -------------------------------------------------------


def test_albums_keep_their_links_to_a_disk_that_is_away(scanned: Disks, tmp_path: Path) -> None:
    out = tmp_path / "People"
    assert "on a disk that is away" not in succeed("albums", out, cwd=scanned.own).stderr
    links = sorted(out.rglob("*.bmp"))
    assert len(links) == 5 and all(link.exists() for link in links)
    targets = {str(link.readlink()) for link in links}
    assert {scanned.path(name) for name in ("2019/1.bmp", "2.bmp", "copy.bmp")} < targets
    scanned.unmount()
    assert "on a disk that is away" in succeed("albums", out, cwd=scanned.own).stderr
    assert sorted(out.rglob("*.bmp")) == links
    scanned.mount()
    assert all(link.exists() for link in links)


def test_copies_in_albums_stay_while_a_disk_is_away(scanned: Disks, tmp_path: Path) -> None:
    out = tmp_path / "People"
    scanned.unmount()
    library = scanned.library()
    library.make_albums(plan := library.plan_albums(out, kind="copy"))
    assert len(plan.make) == 2 and {skip.reason for skip in plan.skipped} == {DISK_AWAY}
    scanned.mount()
    library.invalidate()
    library.make_albums(library.plan_albums(out, kind="copy"))
    copies = listing(out)
    scanned.unmount()
    library.invalidate()
    plan = library.plan_albums(out, kind="copy")
    assert not (plan.make or plan.remove) and len(plan.keep) == 5
    library.make_albums(plan)
    assert listing(out).keys() == copies.keys()


def test_sidecars_lie_beside_the_photos_of_both_disks(scanned: Disks) -> None:
    done = succeed("export", "--format", "xmp", "--where", "sidecar", cwd=scanned.own)
    assert "made 5" in done.stdout
    for folder in (scanned.own, scanned.other):
        sidecar = (folder / "2019" / "1.bmp.xmp").read_text()
        assert COLLINS in sidecar and HOPPER not in sidecar
    scanned.unmount()
    done = succeed("export", "--format", "xmp", "--where", "sidecar", cwd=scanned.own)
    assert "unchanged 2" in done.stdout and "left out: 3 photos on a disk that is away" in done.stderr


def test_a_tree_of_sidecars_can_be_imported_again(scanned: Disks, tmp_path: Path) -> None:
    succeed("export", "--format", "xmp", "--where", tmp_path / "xmp", cwd=scanned.own)
    below = scanned.other.relative_to("/")
    assert (tmp_path / "xmp" / below / "2019" / "1.bmp.xmp").is_file()
    scanned.library().home.journal.unlink()
    succeed("import", tmp_path / "xmp", cwd=scanned.own)
    assert photos_of(scanned, COLLINS) == {"2019/1.bmp", scanned.path("2019/1.bmp")}


def test_names_in_sidecars_on_the_other_disk_are_imported(scanned: Disks) -> None:
    succeed("export", "--format", "xmp", "--where", "sidecar", cwd=scanned.own)
    scanned.library().home.journal.unlink()
    succeed("import", scanned.other, cwd=scanned.own)
    assert photos_of(scanned, COLLINS) >= {scanned.path("2019/1.bmp")}


def test_the_table_has_absolute_paths_and_can_be_imported(scanned: Disks, tmp_path: Path) -> None:
    table = tmp_path / "faces.csv"
    table.write_text(succeed("export", cwd=scanned.own).stdout)
    assert f"\n{scanned.path('2019/1.bmp')}," in table.read_text()
    scanned.library().home.journal.unlink()
    succeed("import", table, cwd=scanned.own)
    assert photos_of(scanned, HOPPER) == {"2019/2.bmp", scanned.path("2.bmp"), scanned.path("copy.bmp")}


# -- remove, move, forget -----------------------------------------------------------


def test_a_folder_is_taken_off_and_its_names_return_with_it(scanned: Disks) -> None:
    before = listing(scanned.other)
    done = succeed("scan", "--remove-root", scanned.other, cwd=scanned.own)
    assert "is no longer a part of the library: 3 photos; names stay in the journal" in done.stderr
    assert listing(scanned.other) == before
    assert photos_of(scanned, HOPPER) == {"2019/2.bmp"}
    home = scanned.library().home.home
    assert not list(home.glob("roots/*/folders")) and not (home / ROOTS_FILE_NAME).exists()
    refused = run("scan", "--remove-root", scanned.other, cwd=scanned.own)
    assert refused.returncode == 2 and "is not an additional folder of the library" in refused.stderr
    succeed("scan", "--add-root", scanned.other, "-j", "1", cwd=scanned.own)
    assert photos_of(scanned, HOPPER) == {"2019/2.bmp", scanned.path("2.bmp"), scanned.path("copy.bmp")}


def test_a_folder_is_taken_off_while_its_disk_is_away(scanned: Disks) -> None:
    scanned.unmount()
    succeed("scan", "--remove-root", scanned.other, cwd=scanned.own)
    assert not scanned.library().roots.additional


def test_a_disk_at_another_path_is_recognised_and_moved(scanned: Disks, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere"
    scanned.unmount()
    scanned.mount(there)
    refused = run("scan", "--add-root", there, cwd=scanned.own)
    move = f"faceclust scan --move-root {scanned.other} {there}"
    assert refused.returncode == 2 and move in refused.stderr
    done = succeed(*shlex.split(move)[1:], cwd=scanned.own)
    assert done.stdout.startswith("5 photos: 0 scanned, 5 unchanged")
    assert photos_of(scanned, COLLINS) == {"2019/1.bmp", (there / "2019" / "1.bmp").as_posix()}


def test_a_disk_with_other_photos_is_not_taken_for_one_that_is_away(scanned: Disks, tmp_path: Path) -> None:
    scanned.unmount()
    write_photo(tmp_path / "else" / "2.bmp", make_face_photo(COLLINS, 3) + b" ")
    refused = run("scan", "--move-root", scanned.other, tmp_path / "else", cwd=scanned.own)
    assert refused.returncode == 2 and "does not hold the photos of" in refused.stderr
    succeed("scan", "--add-root", tmp_path / "else", "-j", "1", cwd=scanned.own)
    assert len(scanned.library().roots.additional) == 2


def test_forget_erases_the_faces_of_a_disk_that_is_away(scanned: Disks) -> None:
    scanned.unmount()
    succeed("forget", COLLINS, "--yes", cwd=scanned.own)
    home = scanned.library().home
    assert COLLINS not in home.journal.read_text()
    scanned.mount()
    succeed("scan", cwd=scanned.own)
    library = scanned.library()
    assert {one.photo for one in library.table.forgotten_occurrences()} == {"2019/1.bmp", scanned.path("2019/1.bmp")}
    assert not {one.photo for one in library.occurrences} & {"2019/1.bmp", scanned.path("2019/1.bmp")}


def test_clear_keeps_what_is_known_of_a_disk_that_is_away(scanned: Disks) -> None:
    scanned.unmount()
    succeed("cache", "clear", "--yes", cwd=scanned.own)
    succeed("scan", "-j", "1", cwd=scanned.own)
    assert len(scanned.library().occurrences) == 5


# -- what cannot be added -----------------------------------------------------------


def test_folders_that_cannot_be_added(scanned: Disks, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(scanned.own)
    for path, message in (
        (scanned.own / "2019", "is in the library"),
        (scanned.own, "is in the library"),
        (tmp_path / "link", "is in the library"),
        (tmp_path, "contains the library"),
        (scanned.other / "2019", "as a part of"),
        (scanned.other.parent, "which is a part of the library"),
        (tmp_path / "empty", "is empty"),
        (tmp_path / "missing", "does not exist"),
        (scanned.own / "2019" / "1.bmp", "is not a folder"),
        (Path("/"), "cannot be a part of a library"),
    ):
        done = run("scan", "--add-root", path, "--library", scanned.own)
        assert done.returncode == 2 and re.search(f"error: .*{re.escape(message)}", done.stderr), (path, done.stderr)
        assert "hint: " in done.stderr
    assert len(scanned.library().roots.additional) == 1


def test_the_names_of_a_library_on_the_other_disk_are_taken_over(disks: Disks) -> None:
    former = Library(disks.other)
    former.scan(workers=0)
    former.name([one.face_id for one in former.occurrences if one.photo == "2019/1.bmp"], COLLINS)
    before = listing(disks.other)
    disks.library().scan(workers=0)
    done = succeed("scan", "--add-root", disks.other, cwd=disks.own)
    assert "with 1 answer of libraries there" in done.stderr
    assert done.stdout.startswith("5 photos: 0 scanned, 5 unchanged")  # its caches are used, and copied
    assert listing(disks.other) == before
    disks.unmount()
    succeed("scan", cwd=disks.own)
    assert photos_of(disks, COLLINS) == {disks.path("2019/1.bmp")}
    assert len(disks.library().occurrences) == 5


def test_the_new_disk_is_searched_before_the_library_is_locked(
    disks: Disks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The search may take minutes, and other commands work meanwhile."""
    library = disks.library()
    library.scan(workers=0)
    former = Library(disks.other)
    former.scan(workers=0)
    former.name([former.occurrences[0].face_id], COLLINS)
    searched = []

    def walk_unlocked(folder: Path, on_error: Callable[[OSError], None]) -> Iterator[Any]:
        with disks.library().home.lock("searching"):  # raises LibraryBusyError if add_root holds it
            searched.append(folder)
        return walk_own(folder, on_error)

    monkeypatch.setattr(additional_roots, "walk_own", walk_unlocked)
    assert library.add_root(disks.other).answers == 1 and searched == [disks.other]
    assert not library.add_root(disks.other).is_new and len(searched) == 1


# -- a cluster ----------------------------------------------------------------------


def test_a_cluster_does_not_scan_additional_folders(scanned: Disks, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = run("scan", scanned.other / "2019", "--dask", "local:1")
    assert refused.returncode == 2 and f"a Dask cluster scans {scanned.own} only, not {scanned.other}" in refused.stderr
    assert "hint: to scan that folder, type the command without --dask" in refused.stderr
    refused = run("scan", "--again", scanned.other / "2.bmp", "--dask", "local:1")
    assert refused.returncode == 2 and f"only, not {scanned.path('2.bmp')}" in refused.stderr
    for folder in (scanned.own, scanned.other):
        write_photo(folder / "new.bmp", make_face_photo(COLLINS, 5 if folder == scanned.own else 6))
    prepare = scanning._prepare

    def prepare_without_cluster(library: Catalogue, *arguments: Any) -> Any:
        assert isinstance(arguments[-1], DaskOptions)
        return prepare(library, "cpu", None, 0, None)

    with monkeypatch.context() as patch:
        patch.setattr(scanning, "_prepare", prepare_without_cluster)
        result = scanned.library().scan(dask="local:1")
    (note,) = [note for note in result.notes if "left out" in note]
    assert result.scanned == 1 and f"next, without --dask: faceclust scan {scanned.other}" in note
    again = scanned.library().scan(workers=0)
    assert (again.photos, again.scanned) == (7, 1) and not again.notes


# -- hostile libraries --------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("below", ["", "2019"])
def test_a_library_of_another_user_on_the_new_disk_adds_no_names(
    disks: Disks, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    former = Library(disks.other / below)
    former.scan(workers=0)
    former.name([one.face_id for one in former.occurrences if one.photo.endswith("1.bmp")], COLLINS)
    os.chown(former.home.home, 4711, 4711)
    library = disks.library()
    library.scan(workers=0)
    with pytest.raises(UsageError, match=f"{re.escape(str(former.root))} is not used: .* another user") as raised:
        library.add_root(disks.other)
    hint = str(raised.value.hint)
    assert f'safe-libraries = ["{former.root}"]' in hint and "--library" not in hint
    assert not library.roots.additional and not library.journal.events()
    user_config_file().parent.mkdir(parents=True, exist_ok=True)
    user_config_file().write_text(f'safe-libraries = ["{former.root}"]')
    assert library.add_root(disks.other).answers == 1


def test_the_journals_on_the_new_disk_are_limited_while_they_are_read(
    disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later journals are not even opened."""
    homes = []
    for number in range(3):
        former = Library(write_photo(disks.other / str(number) / "1.bmp", make_face_photo(COLLINS, number)).parent)
        former.scan(workers=0)
        former.name([former.occurrences[0].face_id], COLLINS)
        homes.append(former.home.home)
    monkeypatch.setattr(additional_roots, "MAX_JOURNAL_SIZE", (homes[0] / JOURNAL_NAME).stat().st_size * 3 // 2)
    opened = []
    read = additional_roots.read_journal
    monkeypatch.setattr(additional_roots, "read_journal", lambda path: opened.append(path) or read(path))
    library = disks.library()
    with pytest.raises(UsageError, match="cannot be taken over: the journal would be larger"):
        library.add_root(disks.other)
    assert 1 <= len(opened) <= 2 and not library.roots.additional


def write_roots(disks: Disks, content: object) -> None:
    home = disks.library().home
    home.create()
    (home.home / ROOTS_FILE_NAME).write_text(content if isinstance(content, str) else json.dumps(content))


def test_a_library_from_elsewhere_cannot_name_folders_to_read(disks: Disks, tmp_path: Path) -> None:
    disks.library().scan(workers=0)
    secret = disks.other
    write_roots(disks, {"schema": 1, "roots": [{"id": "0123abcd", "path": str(secret)}]})
    assert succeed("scan", cwd=disks.own).stdout == "2 photos: 0 scanned, 2 unchanged\n"
    root = disks.library().roots.additional[0]
    assert (root.is_added, root.is_here, root.state) == (False, False, "not added")
    with pytest.raises(OSError, match="was not added on this machine"):
        disks.library().path_of(f"{secret}/2.bmp")
    assert "not added on this machine" in succeed("status", cwd=disks.own).stdout
    succeed("scan", "--add-root", secret, "-j", "1", cwd=disks.own)
    assert disks.library().roots.additional[0].id == "0123abcd"
    assert len(disks.library().occurrences) == 5


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[" * 100_000,
        "[]",
        {"schema": 2, "roots": []},
        {"schema": 1, "roots": [{"id": "../..", "path": "/x"}]},
        {"schema": 1, "roots": [{"id": "0123abcd", "path": "x"}]},
        {"schema": 1, "roots": [{"id": "0123abcd", "path": "/x/../y"}]},
        {"schema": 1, "roots": [{"id": "0123abcd", "path": "/x\0y"}]},
        {"schema": 1, "roots": [{"id": "0123abcd", "path": "/x\ud800"}]},
        {"schema": 1, "roots": [{"id": "0123abcd", "path": "/"}]},
        {"schema": 1, "roots": [{"id": "0123abcd", "path": "/x"}] * 2},
        {"schema": 1, "roots": [{"id": f"{number:08x}", "path": f"/x{number}"} for number in range(101)]},
        {"schema": 1, "roots": [None]},
    ],
)
def test_a_damaged_list_of_folders_is_one_clear_error(disks: Disks, content: object) -> None:
    disks.library().scan(workers=0)
    write_roots(disks, content)
    for command in (("scan",), ("status",), ("find", "Anna")):
        done = run(*command, cwd=disks.own)
        assert done.returncode == 1 and f"{ROOTS_FILE_NAME} is damaged: " in done.stderr
        assert "Traceback" not in done.stderr and "hint: " in done.stderr


def test_a_symlink_in_place_of_a_disk_is_not_followed(scanned: Disks, tmp_path: Path) -> None:
    scanned.unmount()
    scanned.other.symlink_to(tmp_path / "unmounted")
    assert not scanned.library().roots.additional[0].is_here
    assert "is away: 3 photos stay known" in succeed("scan", cwd=scanned.own).stderr


def test_photos_edited_on_the_other_disk_keep_their_names(scanned: Disks) -> None:
    photo = scanned.other / "2019" / "1.bmp"
    photo.write_bytes(photo.read_bytes() + b" ")
    touch(photo)
    succeed("scan", "-j", "1", cwd=scanned.own)
    assert photos_of(scanned, COLLINS) == {"2019/1.bmp", scanned.path("2019/1.bmp")}


def test_moving_the_library_keeps_its_folders(scanned: Disks) -> None:
    (scanned.own / "2019" / "deep").mkdir()
    moved = scanned.own / "2019"
    succeed("library", "move", scanned.own, moved)
    library = Library(moved)
    assert [root.path for root in library.roots.additional] == [str(scanned.other)]
    assert {photo.photo for photo in library.search(COLLINS)} == {"1.bmp", scanned.path("2019/1.bmp")}
    refused = run("library", "move", moved, scanned.own.parent)
    assert refused.returncode == 2 and "--remove-root" in refused.stderr
