"""The commands that disk faults are tried on, and the small library that they work on.

Commands are written as on a command line, with names of `Places` in braces.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click

from faceclust import Library
from faceclust.cli import cli
from faceclust.people.journal import Journal
from tests.support import tiny_models
from tests.support.question_pages import send_page, write_answers
from tests.support.sample_videos import write_video
from tests.support.synthetic_people import DETECTOR_MANIFEST, draw_photo, write_detector

#: Commands without a scenario, and the reason.
EXEMPT = {
    "completion": "reads no file of a library",
    "doctor": "reports what is broken, and goes on",
    "help": "reads the manual only",
    "man": "reads the help texts only",
    "evaluate clusters": "measures; reads a library as evaluate library does",
    "evaluate pairs": "measures labelled photos",
    "evaluate quality": "measures labelled photos",
    "library dissolve": "tests/library/test_relocation.py breaks each step",
    "library move": "tests/library/test_relocation.py breaks each step",
    "models calibrate": "needs hundreds of photos; writes the manifest as models add does",
    "train": "takes seconds a run; tests/training/test_run.py and test_trainer.py fill the disk",
    "models pull": "tests/installer/test_download.py breaks each step of a download",
}
_ANNA, _BEN, _CARL, _DORA = range(4)


@dataclass(frozen=True)
class Scenario:
    """A command, tried after `change`, a change by the user, and the commands `before`.

    `keys`: what is typed, a line for each question. `error_code`: the exit code of errors. `in_steps`: a
    fault may leave part of the work done, as some photos of a scan; the same command must complete it.
    `reports_faults`: its answer names the files that cannot be read.
    """

    command: str
    before: tuple[str, ...] = ()
    change: Callable[[Path], None] | None = None
    keys: tuple[str, ...] = ()
    in_steps: bool = False
    error_code: int = 1
    reports_faults: bool = False

    @property
    def name(self) -> str:
        """The command as typed, for messages."""
        return self.command.partition(" -l ")[0]


def command_names() -> Iterator[str]:
    """Yield the name of each command of the program, as "cache prune"."""

    def walk(group: click.Group, prefix: str) -> Iterator[str]:
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from walk(command, f"{prefix}{name} ")
            else:
                yield f"{prefix}{name}"

    yield from walk(cli, "")


def build_world(world: Path) -> dict[str, str]:
    """Make a library in which Anna and Ben have names, with its user's home; return what the braces mean."""
    library_folder, given = world / "library", world / "in"
    for folder in (given, world / "out"):
        folder.mkdir(parents=True)
    _write_pack(given)
    _run("models add {in}/marks.toml --yes", {"in": str(given)})
    _run("models use marks --default", {})
    for subfolder, person in (("a", _ANNA), ("b", _BEN), ("b/c", _CARL)):
        for shot in range(2):
            _add_photo(library_folder / subfolder, person, shot)
    library = Library(library_folder)
    library.scan(workers=0)
    library.cluster()
    for photo, name in (("a/0-0.png", "Anna"), ("b/1-0.png", "Ben")):
        (face,) = [face.face_id for face in library.occurrences if face.photo == photo]
        library.name(library.faces_in_group(library.group_of[face]), name)
    _add_photo(library_folder / "a", _BEN, 2)  # a suggested face
    library.scan(workers=0)
    library.cluster()
    faces = {face.photo: face.face_id for face in library.occurrences}
    _add_photo(world / "disk", _DORA, 0)
    _write_table(given / "names.csv")
    _write_other_journal(library, given / "people.jsonl")
    group = library.group_of[faces["b/c/2-0.png"]]
    page = send_page(library, (library.faces_in_group(group), None))
    write_answers(given / "answers.json", page, {"question": 1, "name": "Carl"}, sender="Mary")
    return {
        "library": str(library_folder),
        "in": str(given),
        "out": str(world / "out"),
        "disk": str(world / "disk"),
        "copy": str(world / "copy"),
        "group": str(group),
        "ben": faces["b/1-0.png"],
        "suggested": faces["a/1-2.png"],
    }


def _write_pack(folder: Path) -> None:
    """Write a manifest with a detector of marks and an embedder of colours, which take no time."""
    write_detector(folder)
    tiny_models.write_embedder(folder / "colours.onnx")
    manifest = DETECTOR_MANIFEST.replace("dlib_resnet.onnx", "colours.onnx").replace(
        "embedded = true", 'licence = "none"'
    )
    for before, after in (
        ("dimension = 128", "dimension = 12"),
        ("[150, 150]", "[112, 112]"),
        ("mean = 0", "mean = 127.5"),
        ("scale = 1\n", "scale = 127.5\n"),
        ('template = "dlib"', 'template = "arcface"'),
    ):
        assert before in manifest, before
        manifest = manifest.replace(before, after)
    (folder / "marks.toml").write_text(manifest, encoding="utf-8")


def _add_photo(folder: Path, person: int, shot: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    photo = folder / f"{person}-{shot}.png"
    draw_photo(person, shot, variation=2.0).save(photo)
    os.utime(photo, ns=(10**18, 10**18 + (10 * person + shot) * 10**12))


def _write_table(file: Path) -> None:
    file.write_text("photo,left,top,right,bottom,name\nb/c/2-0.png,0.2,0.2,0.8,0.8,Carl\n")
    file.with_name("new.csv").write_text("photo,left,top,right,bottom,name\nb/c/2-0.png,0,0.85,0.1,1,Zoe\n")


def _write_other_journal(library: Library, file: Path) -> None:
    """Copy the journal, with one more answer."""
    shutil.copy(library.home.journal, file)
    Journal(file).record("rename", (), name="Anna", to="Hannah")


def _run(command: str, places: dict[str, str]) -> None:
    from tests.support.command import run_checked

    run_checked(*command.format(**places).split())


# -- what the user changes ----------------------------------------------------


def _add_and_delete_photos(library: Path) -> None:
    """Add a photo to each folder and a new folder, and delete one."""
    for folder, person in (("a", _ANNA), ("b/c", _CARL), ("d", _DORA)):
        _add_photo(library / folder, person, 5)
    (library / "b/1-1.png").unlink()


def _add_video(library: Path) -> None:
    """Add a video, if they can be read."""
    if find_spec("av"):
        write_video(library / "a/clip.avi", [(2.0, [])], codec="mjpeg", size=(160, 128))


def _delete_folder(library: Path) -> None:
    shutil.rmtree(library / "b/c")


def _copy_disk(library: Path) -> None:
    shutil.copytree(library.parent / "disk", library.parent / "copy")


def _delete_caches(library: Path) -> None:
    """Leave the photos only."""
    for cache in sorted(library.rglob(".faceclust*"), reverse=True):  # files before their folders
        shutil.rmtree(cache) if cache.is_dir() else cache.unlink()


def _add_people(library: Path) -> None:
    """Add ten people, whose names are in a table."""
    rows = []
    for person in range(10, 20):
        for shot in range(4):
            _add_photo(library / "d", person, shot)
            rows.append(f"d/{person}-{shot}.png,0.2,0.2,0.8,0.8,Person {person}\n")
    (library.parent / "in/people.csv").write_text("photo,left,top,right,bottom,name\n" + "".join(rows))


_L = " -l {library}"
_REGROUPED = f"cluster --min-size 3{_L}"
_ALBUMS = f"albums {{out}}/albums --link copy{_L}"
_CROPS = f"crops Ben {{out}}/crops --sheet{_L}"
_SIDECARS = f"export -f xmp --where sidecar{_L}"
_PAGES = f"report --split -o {{out}}/pages{_L}"
_MANY_NAMED = ("scan {library} -j 1", f"cluster{_L}", f"import {{in}}/people.csv{_L}")
_CALIBRATE = f"calibrate --far 0.1{_L}"
_RENAMED = f"rename Ben Benno{_L}"
_ADD_DISK = "scan {library} -j 1 --add-root {disk}"
_ANSWERS = f"journal --merge {{in}}/answers.json{_L}"

SCENARIOS = [
    Scenario("scan {library} -j 1", change=_add_and_delete_photos, in_steps=True),
    Scenario("scan {library} -j 2", change=_delete_caches, in_steps=True),
    Scenario("scan {library} -j 1"),
    Scenario("scan {library} -j 1 --precision int8", in_steps=True),
    Scenario("scan {library} -j 1 --cache-dir {out}/caches", change=_delete_caches, in_steps=True),
    Scenario("scan {library} -j 1 --videos", change=_add_video, in_steps=True),
    Scenario(_ADD_DISK, in_steps=True),
    Scenario("scan {library} -j 1 --remove-root {disk}", before=(_ADD_DISK,), in_steps=True),
    Scenario("scan {library} -j 1 --move-root {disk} {copy}", change=_copy_disk, before=(_ADD_DISK,), in_steps=True),
    Scenario(_REGROUPED),
    Scenario(f"cluster --undo{_L}", before=(_REGROUPED,)),
    Scenario(f"label{_L}", keys=("y", "q")),
    Scenario(f"label --send {{out}}/questions.html{_L}"),
    Scenario(f"watch --once -j 1{_L}", change=_add_and_delete_photos, in_steps=True),
    Scenario(f"name {{group}} Carla{_L}"),
    Scenario(f"confirm Ben{_L}"),
    Scenario(f"reject Ben {{suggested}}{_L}"),
    Scenario(_RENAMED),
    Scenario(f"person Ben --born 1987 --picture {{ben}} --alias Benno{_L}"),
    Scenario(f"person Ben{_L}"),
    Scenario(f"merge Anna Ben{_L}"),
    Scenario(f"split Ben {{ben}}{_L}"),
    Scenario(f"ignore {{group}}{_L}"),
    Scenario(f"ignore --folder {{library}}{_L}"),
    Scenario(f"unignore {{group}}{_L}", before=(f"ignore {{group}}{_L}",)),
    Scenario(f"unignore --folder {{library}}{_L}", before=(f"ignore {{group}}{_L}",)),
    Scenario(f"face add {{library}}/a/0-0.png 10,10,60,60 Carl{_L}", in_steps=True),
    Scenario(f"face move {{ben}} 10,10,60,60{_L}", in_steps=True),
    Scenario(f"face remove {{ben}}{_L}"),
    Scenario(f"undo{_L}"),
    Scenario(f"undo --dry-run{_L}"),
    Scenario(f"redo{_L}", before=(f"undo{_L}",)),
    Scenario(f"journal{_L}"),
    Scenario(f"journal --merge {{in}}/people.jsonl{_L}"),
    Scenario(_ANSWERS),
    Scenario(f"undo --source Mary{_L}", before=(_ANSWERS,)),
    Scenario(f"import {{in}}/names.csv{_L}"),
    Scenario(f"import{_L}", before=(_SIDECARS, f"undo 2{_L}"), in_steps=True),
    Scenario(f"import --add-faces {{in}}/new.csv{_L}"),
    Scenario(f"people --all{_L}"),
    Scenario(f"find Ben{_L}"),
    Scenario(f"together{_L}"),
    Scenario(f"duplicates{_L}"),
    Scenario(f"identify {{library}}/b/1-0.png{_L}"),
    Scenario(f"verify {{library}}/b/1-0.png {{library}}/b/1-1.png{_L}", error_code=2),
    Scenario(f"status{_L}"),
    Scenario(f"report -o {{out}}/report.html{_L}"),
    Scenario(_PAGES, in_steps=True),
    Scenario(_PAGES, before=(_PAGES, _RENAMED), in_steps=True),
    Scenario(f"map -o {{out}}/map.html{_L}"),
    Scenario(f"albums {{out}}/albums{_L}", in_steps=True),
    Scenario(_ALBUMS, in_steps=True),
    Scenario(f"albums {{out}}/albums --link hardlink{_L}", before=(_ALBUMS, _RENAMED), in_steps=True),
    Scenario(_CROPS, in_steps=True),
    Scenario(_CROPS, before=(_CROPS, f"name {{group}} Ben{_L}"), in_steps=True),
    Scenario(f"export{_L}"),
    Scenario(f"export -o {{out}}/faces.csv{_L}"),
    Scenario(f"export -o {{out}}/faces.parquet{_L}"),
    Scenario(f"export -o {{out}}/faces.sqlite{_L}"),
    Scenario(_SIDECARS, in_steps=True),
    Scenario(_SIDECARS, before=(_SIDECARS, _RENAMED), in_steps=True),
    Scenario(f"export -f xmp --where {{out}}/sidecars{_L}", in_steps=True),
    Scenario(f"evaluate library{_L}", change=_add_people, before=_MANY_NAMED),
    Scenario(_CALIBRATE, change=_add_people, before=_MANY_NAMED),
    Scenario(f"calibrate --reset{_L}", change=_add_people, before=(*_MANY_NAMED, _CALIBRATE)),
    Scenario(f"forget Ben --yes{_L}", in_steps=True),
    Scenario(f"forget Ben --yes{_L}", before=(_REGROUPED, f"report -o {{out}}/report.html{_L}"), in_steps=True),
    Scenario(f"cache check{_L}", reports_faults=True),
    Scenario(f"cache prune{_L}", change=_delete_folder, in_steps=True),
    Scenario(f"cache clear --yes{_L}", in_steps=True),
    Scenario("library list", reports_faults=True),
    Scenario(f"config{_L}"),
    Scenario("models list", reports_faults=True),
    Scenario("models show marks", reports_faults=True),
    Scenario("models verify", reports_faults=True),
    Scenario(f"models use dlib{_L}"),
    Scenario("models use dlib --default"),
    Scenario("models add {in}/marks.toml --name other --yes"),
    Scenario("models remove marks --yes", in_steps=True),
]
