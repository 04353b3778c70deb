"""Run commands on hostile libraries and list what went wrong."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import click
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from faceclust.cli import cli
from tests.support.command_server import PROCESSOR_LIMIT, TIME_LIMIT, CommandServer, Finished
from tests.support.hostile_library import ESCAPES, PHOTOS, VIDEO, Command, HostileLibrary, Words, make_strategy
from tests.support.question_pages import write_answers
from tests.support.sample_photos import COLLINS, make_library
from tests.support.sample_videos import write_video
from tests.support.sandbox import Sandbox, contains_canary

#: The arguments that each command is run with. Slow commands have one row, so that they are rare.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "scan": (
        *("@LIBRARY@ -j1", "@LIBRARY@ -j1", "@LIBRARY@/2019 -j1", "@LIBRARY@ -j1 --precision int8"),
        "@LIBRARY@ -j1 --videos",
    ),
    "cluster": ("", "--full", "--undo", "--dry-run", "--algorithm hdbscan", "--json", "--full --dask local:1"),
    "label": ("", "--thorough", "--send @OUT@/questions.html"),
    "watch": ("--once -j1",),
    "name": ("@FACE0@ Dora", "@FACE1@ @FACE2@ Dora", "@FACE2@ Ben", "2019/collins-0.jpg#1 Dora --new --yes"),
    "confirm": ("Eileen",),
    "reject": ("Ben @FACE1@", "Ben collins-0.jpg#1"),
    "rename": ("Ben Benno",),
    "person": ("Ben --born 1987 --note x --alias Benno", "Eileen --group Family --json", "Ben"),
    "merge": ("Ben Eileen", "Ben Eileen --yes", "@FACE0@ Eileen"),
    "split": ("Ben @FACE1@",),
    "ignore": (
        *("@FACE0@", "Ben", "--seen-once --yes", "--folder @LIBRARY@ --yes"),
        "--others-on 2019/collins-0.jpg --json --yes",
    ),
    "unignore": ("@FACE0@", "--folder @LIBRARY@ --yes"),
    "face add": ("2019/collins-0.jpg 10,10,60,60 Dora --new --yes", "2019/collins-0.jpg --whole Dora --new --yes"),
    "face move": ("2019/collins-0.jpg#1 10,10,60,60", "@FACE0@ 10,10,60,60"),
    "face remove": ("@FACE1@", "2019/collins-0.jpg#1 @FACE0@"),
    "undo": ("", "3", "9 --dry-run", "9 --yes"),
    "redo": ("", "3"),
    "journal": ("", "--json", "--merge @LIBRARY@/2020/.faceclust/people.jsonl", "--merge @OUT@/answers.json"),
    "import": (
        "",
        "--dry-run --verbose",
        "--keywords",
        "--add-faces",
        "--contacts @LIBRARY@/contacts.xml",
        "@OUT@/x.csv",
    ),
    "people": ("", "--all", "--json", "--folder @LIBRARY@/2019 --all"),
    "find": ("Ben", "--without Ben", "--since 2019 --json", "Eileen -0", "Ben --or Eileen --json", "--age 3-5"),
    "together": ("", "--json"),
    "duplicates": ("", "--json", "-0 --omit-first"),
    "identify": ("@LIBRARY@/together/nobody.jpg", "@LIBRARY@/2019/collins-0.jpg --json"),
    "verify": ("@FACE0@ @FACE1@",),
    "status": ("", "--json"),
    "report": ("-o @OUT@/page.html", "-o @OUT@/page.html", "--split -o @OUT@/report", "-o -", ""),
    "map": ("-o @OUT@/map.html",),
    "albums": (
        "@OUT@/albums",
        "@OUT@/albums --link copy",
        "@OUT@/albums --link hardlink",
        "@OUT@/new --layout {person}/{camera}/{year}/{name} --link copy --unnamed",
    ),
    "crops": ("Ben @OUT@/crops --sheet", "Eileen @OUT@/new-crops --json", "@FACE0@ @OUT@/crops -n"),
    "export": (
        *("", "--format jsonl --embeddings", "-o @OUT@/faces.parquet", "-o @OUT@/faces.sqlite", "-o @OUT@/x.csv"),
        *("--format xmp --where sidecar", "--format xmp --where @OUT@/sidecars"),
    ),
    "evaluate pairs": ("@LIBRARY@ --pairs @OUT@/pairs.txt",),
    "evaluate clusters": ("--truth @OUT@/x.csv",),
    "evaluate quality": ("@LIBRARY@ --pairs @OUT@/pairs.txt --photos 4",),
    "evaluate library": ("",),
    "calibrate": ("", "--dry-run"),
    "models list": ("",),
    "models show": ("dlib",),
    "models pull": ("sface --dry-run",),
    "models use": ("dlib", ""),
    "models add": ("@LIBRARY@/m.onnx --template arcface --input rgb --mean 0 --scale 1 --dry-run --yes",),
    "models calibrate": ("dlib @LIBRARY@ --dry-run",),
    "models verify": ("",),
    "models remove": ("none --yes",),
    "train": ("--confirmed --epochs 1 --batch 2", "@LIBRARY@ --epochs 1 --batch 2"),
    "forget": ("Ben --yes", "Ben --dry-run", "Eileen --confirmed --yes"),
    "cache check": ("", "--hash"),
    "cache prune": ("", "--dry-run"),
    "cache clear": ("--yes",),
    "library list": ("", "--json"),
    "library move": ("@LIBRARY@/2020 @LIBRARY@", "@LIBRARY@ @LIBRARY@/2019"),
    "library dissolve": ("@LIBRARY@ --yes", "@LIBRARY@/2020 --yes"),
    "config": ("", "--all"),
    "doctor": ("",),
    "help": ("files",),
    "completion": ("bash",),
    "man": ("",),
}
#: Commands that are slow, or read little of a library.
RARE = frozenset(
    (
        *("map", "help", "completion", "man", "doctor", "config", "models list", "models show", "models pull"),
        *(
            "library list",
            "library move",
            "library dissolve",
            "models add",
            "models calibrate",
            "models verify",
            "models remove",
            "evaluate pairs",
            "evaluate quality",
            "train",
        ),
    )
)
#: Exit codes: success, failure, mistake, stopped, the reader has gone.
EXIT_CODES = (0, 1, 2, 130, 141)
_TYPED = "Zoe\ry\r2\rn\ru\rq\r"  # answers to the questions of `label`


def list_commands(group: click.Group = cli, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command of the program with its full name."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from list_commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


@cache
def make_libraries() -> st.SearchStrategy[HostileLibrary]:
    """Return the strategy for libraries and the commands to run on them."""
    with_library = {name for name, command in list_commands() if any(p.name == "library" for p in command.params)}
    common: list[tuple[str, ...]] = []
    rare: list[tuple[str, ...]] = []
    for name, rows in ARGUMENTS.items():
        option = ["-l", "@LIBRARY@"] if name in with_library else []
        lines = [(*name.split(), *row.split(), *option) for row in rows]
        (rare if name in RARE else common).extend(lines)
    words = st.integers(0, 19).flatmap(lambda n: st.sampled_from(rare if n == 19 else common))
    commands = st.builds(Command, words, st.integers(0, 3).map(lambda n: n == 3), st.booleans())
    return make_strategy(commands)


def draw_library(number: int) -> HostileLibrary:
    """Draw the library of this number, which is the same each time."""
    drawn: list[HostileLibrary] = []

    # The first example is the simplest of all, the second one is random.
    @seed(number)
    @settings(
        max_examples=2, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(make_libraries())
    def draw(library: HostileLibrary) -> None:
        drawn.append(library)

    draw()
    return drawn[-1]


def shrink(runs: HostileRuns, library: HostileLibrary) -> HostileLibrary:
    """Leave out changes and commands as long as the problems are of the same kinds."""
    kinds = {kind_of(problem) for problem in runs.list_problems(library)}
    for field in ("commands", "changes"):
        for item in getattr(library, field):
            smaller = replace(
                library, **{field: tuple(other for other in getattr(library, field) if other is not item)}
            )
            if {kind_of(problem) for problem in runs.list_problems(smaller)} == kinds:
                library = smaller
    return library


def kind_of(problem: str) -> str:
    """Return the kind of a problem: escape, fault, hang or loss."""
    kinds = {"fault: ": "fault", "hang: ": "hang", "loss: ": "loss"}
    return next((kind for start, kind in kinds.items() if start in problem), "escape")


class HostileRuns:
    """Builds hostile libraries in a folder, one after the other, and runs commands on them."""

    def __init__(self, sandbox: Sandbox, server: CommandServer) -> None:
        self._sandbox, self._server = sandbox, server
        self.libraries = self.commands = 0
        self.seconds = 0.0
        self._words = Words.of(sandbox, _make_base(sandbox, server))

    def list_problems(self, library: HostileLibrary) -> list[str]:
        """Build the library, run its commands, and describe each escape, fault, hang and lost name."""
        library.build(self._sandbox, self._words)
        self.libraries += 1
        self._sandbox.find_changes()
        photos, problems = self._read_photos(), []
        for command in library.commands:
            lines = self._read_journals()
            done = self._run(command)
            found = [*self._judge(done), *sorted(self._sandbox.find_changes())]
            if command.words[0] not in ("forget", "library") and (lost := lines - self._read_journals()):
                found.append(f"loss: {min(lost):.300}")
            problems += [f"{' '.join(command.words)}: {problem}" for problem in found]
        problems += [f"canary in {path}" for path in sorted(self._sandbox.find_canaries())]
        after = self._read_photos()
        return problems + [f"loss: {path} has changed" for path in photos if photos[path] != after.get(path)]

    def _run(self, command: Command) -> Finished:
        words = [self._words.fill(word) for word in command.words]
        cwd = self._sandbox.out
        if command.inside and words[-2:-1] == ["-l"]:
            words, cwd = words[:-2], self._sandbox.library
        terminal = command.terminal or words[0] == "label"
        done = self._server.run(words, cwd, terminal=terminal, typed=_TYPED if terminal else "")
        self.commands += 1
        self.seconds += done.seconds
        return done

    def _judge(self, done: Finished) -> Iterator[str]:
        text = done.output + done.errors
        if done.code is None:
            yield f"hang: more than {PROCESSOR_LIMIT} s of processor time, or {TIME_LIMIT} s: {text[-200:]!r}"
        elif done.code not in EXIT_CODES:
            yield f"fault: exit code {done.code}: {text[-300:]!r}"
        elif "Traceback (most recent" in text or "this is a bug in faceclust" in text:
            yield f"fault: {text[-400:]!r}"
        if contains_canary(text.encode(errors="replace")):
            yield "canary in the output"
        shown = text if done.on_terminal else done.errors
        if any(escape in shown for escape in ESCAPES):
            yield "a raw escape sequence on the terminal"

    def _read_journals(self) -> set[str]:
        """Return the whole lines of the library's journals, and what was cut off from them."""
        found: set[str] = set()
        for folder in (".faceclust", "2020/.faceclust"):
            for name in ("people.jsonl", "people.torn"):
                if data := self._read_own(f"{folder}/{name}"):
                    found.update(line.strip() for line in data.decode(errors="replace").split("\n"))
        return found

    def _read_photos(self) -> dict[str, tuple[float, bytes]]:
        """Return the modification time and the content of the photos that no change has replaced."""
        contents = {photo: self._read_own(photo) for photo in PHOTOS}
        times = {photo: (self._sandbox.library / photo).stat().st_mtime for photo in PHOTOS if contents[photo]}
        return {photo: (times[photo], content) for photo, content in contents.items() if content}

    def _read_own(self, path: str) -> bytes:
        """Read a file of the library; nothing if it, or a folder on the way, is a link or something else."""
        file = self._sandbox.library / path
        is_own = os.path.realpath(file) == str(file) and file.is_file() and file.stat().st_size < 1 << 25
        return file.read_bytes() if is_own else b""


@contextmanager
def open_hostile_runs(folder: Path) -> Iterator[HostileRuns]:
    """Prepare a sandbox in `folder` and a server that runs commands in it."""
    sandbox = Sandbox(folder.resolve())
    with CommandServer(sandbox.environment) as server:
        try:
            yield HostileRuns(sandbox, server)
        finally:
            sandbox.close()


def _make_base(sandbox: Sandbox, server: CommandServer) -> list[dict[str, object]]:
    """Make a library with names and everything that commands write. Return the faces in its journal."""
    for folder in (sandbox.out, sandbox.user, sandbox.linked):
        folder.mkdir(parents=True)
    make_library(sandbox.library, 2)
    if find_spec("av"):
        write_video(sandbox.library / VIDEO, [(2.0, [COLLINS])], size=(160, 128))
    library, out = str(sandbox.library), str(sandbox.out)
    (sandbox.out / "pairs.txt").write_text("1\t1\ncollins\t0\t1\ncollins\t0\thopper\t0\n")
    (sandbox.library / "contacts.xml").write_text('<contacts><contact id="abc" name="Ben"/></contacts>')
    (sandbox.library / "2019/.picasa.ini").write_text("[collins-0.jpg]\nfaces=rect64(3f845bcb59418507),abc\n")
    for line in (
        f"scan {library} -j1",
        f"cluster -l {library}",
        f"label --send {out}/questions.html -l {library}",
        f"name 1 Ben -l {library}",
        f"export -o {out}/x.csv -l {library}",
    ):
        _run_checked(server, line, sandbox.out)
    # One face of the second group is named, so that this person has suggested faces.
    with (sandbox.out / "x.csv").open(newline="") as stream:
        face = next(row["face_id"] for row in csv.DictReader(stream) if row["cluster"] == "2")
    for line in (
        f"name {face} Eileen -l {library}",
        f"cluster --threshold 0.001 --full -l {library}",
        f"cluster --full -l {library}",  # keeps the other one for --undo
        f"report --split -o {out}/report -l {library}",
        f"albums {out}/albums -l {library}",
        f"export --format xmp --where {out}/sidecars -l {library}",
    ):
        _run_checked(server, line, sandbox.out)
    (page,) = (sandbox.library / ".faceclust/sent").iterdir()
    write_answers(sandbox.out / "answers.json", page.stem, {"question": 1, "name": "Dora"})
    journal = sandbox.library / ".faceclust/people.jsonl"
    part = sandbox.library / "2020/.faceclust"
    part.mkdir()
    (part / "people.jsonl").write_text(
        json.dumps({**json.loads(journal.read_text().splitlines()[0]), "id": "0"}) + "\n"
    )
    sandbox.keep_as_base()
    return [face for line in journal.read_text().splitlines() for face in json.loads(line)["faces"]]


def _run_checked(server: CommandServer, line: str, cwd: Path) -> None:
    done = server.run(line.split(), cwd)
    assert done.code == 0, (line, done)
