"""Run commands on hostile libraries and list what went wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from hypothesis import strategies as st

from faceclust.cli import cli
from tests.support.command_server import CommandServer, Finished
from tests.support.hostile_library import ESCAPES, PHOTOS, Command, HostileLibrary, Words
from tests.support.sample_photos import make_library
from tests.support.sandbox import Sandbox, contains_canary

#: The arguments that each command is run with. Slow commands have one row, so that they are rare.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "scan": ("@LIBRARY@ -j1", "@LIBRARY@ -j1", "@LIBRARY@/2019 -j1", "@LIBRARY@ -j1 --precision int8"),
    "cluster": ("", "--full", "--undo", "--dry-run", "--algorithm hdbscan", "--json"),
    "label": ("", "--thorough"),
    "name": ("1 Dora", "@FACE0@ Dora", "2 Ben"),
    "confirm": ("Ben",),
    "reject": ("Ben @FACE1@",),
    "rename": ("Ben Benno",),
    "merge": ("Ben Eileen", "1 2"),
    "split": ("Ben @FACE1@",),
    "ignore": ("2", "Ben"),
    "unignore": ("2",),
    "undo": ("", "3"),
    "journal": ("", "--json", "--merge @LIBRARY@/2020/.faceclust/people.jsonl"),
    "import": ("", "--dry-run --verbose", "--keywords", "--contacts @LIBRARY@/contacts.xml", "@OUT@/x.csv"),
    "people": ("", "--all", "--json"),
    "find": ("Ben", "", "--json", "Ben -0"),
    "together": ("", "--json"),
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
    "export": (
        *("", "--format jsonl", "-o @OUT@/faces.parquet", "-o @OUT@/faces.sqlite", "-o @OUT@/x.csv"),
        *("--format xmp --where sidecar", "--format xmp --where @OUT@/sidecars"),
    ),
    "evaluate pairs": ("@LIBRARY@ --pairs @OUT@/pairs.txt",),
    "evaluate clusters": ("--truth @OUT@/x.csv",),
    "evaluate quality": ("@LIBRARY@ --pairs @OUT@/pairs.txt --photos 1",),
    "evaluate library": ("",),
    "calibrate": ("", "--dry-run"),
    "models list": ("",),
    "models show": ("dlib",),
    "models pull": ("sface --dry-run",),
    "models use": ("dlib", ""),
    "models add": ("@LIBRARY@/2019/.faceclust.parquet --dry-run --yes",),
    "models calibrate": ("dlib @LIBRARY@ --dry-run",),
    "models verify": ("",),
    "models remove": ("none --yes",),
    "forget": ("Ben --yes", "Ben --dry-run", "Eileen --confirmed --yes"),
    "cache check": ("", "--hash"),
    "cache prune": ("", "--dry-run"),
    "cache clear": ("--yes",),
    "config": ("", "--all"),
    "doctor": ("",),
    "help": ("files",),
    "completion": ("bash",),
    "man": ("",),
}
#: Exit codes: success, failure, mistake, stopped, the reader has gone.
EXIT_CODES = (0, 1, 2, 130, 141)
TIME_LIMIT = 10  # seconds
_TYPED = "Zoe\ry\r2\rn\ru\rq\r"  # answers to the questions of `label`


def list_commands(group: click.Group = cli, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command of the program with its full name."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from list_commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def make_commands(names: frozenset[str] = frozenset(ARGUMENTS)) -> st.SearchStrategy[Command]:
    """Return the strategy for command lines of these commands."""
    with_library = {name for name, command in list_commands() if any(p.name == "library" for p in command.params)}
    lines = [
        (*name.split(), *arguments.split(), *(["-l", "@LIBRARY@"] if name in with_library else []))
        for name in sorted(names)
        for arguments in ARGUMENTS[name]
    ]
    return st.builds(Command, st.sampled_from(lines), st.integers(0, 3).map(lambda n: n == 3), st.booleans())


def kind_of(problem: str) -> str:
    """Return the kind of a problem: escape, fault, hang or loss."""
    text = problem.partition(": ")[2]
    kinds = {"fault:": "fault", "exit code": "fault", "hang:": "hang", "lost:": "loss", "the photo": "loss"}
    return next((kind for start, kind in kinds.items() if text.startswith(start)), "escape")


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
            if command.words[0] != "forget" and (lost := lines - self._read_journals()):
                found.append(f"lost: {min(lost):.300}")
            problems += [f"{' '.join(command.words)}: {problem}" for problem in found]
        problems += [f"canary in {path}" for path in sorted(self._sandbox.find_canaries())]
        after = self._read_photos()
        return problems + [f"{path}: the photo has changed" for path in photos if photos[path] != after.get(path)]

    def _run(self, command: Command) -> Finished:
        words = [self._words.fill(word) for word in command.words]
        cwd = self._sandbox.out
        if command.inside and words[-2:-1] == ["-l"]:
            words, cwd = words[:-2], self._sandbox.library
        typed = _TYPED if command.terminal else ""
        done = self._server.run(words, cwd, terminal=command.terminal, typed=typed, seconds=TIME_LIMIT)
        self.commands += 1
        self.seconds += done.seconds
        return done

    def _judge(self, done: Finished) -> Iterator[str]:
        text = done.output + done.errors
        if done.code is None:
            yield f"hang: more than {TIME_LIMIT} s"
        elif done.code not in EXIT_CODES:
            yield f"exit code {done.code}: {text[-300:]!r}"
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
                file = self._sandbox.library / folder / name
                if file.is_file() and not file.is_symlink() and file.stat().st_size < 1 << 25:
                    found.update(line.strip() for line in file.read_text(errors="replace").split("\n"))
        return found

    def _read_photos(self) -> dict[str, tuple[int, bytes]]:
        files = [self._sandbox.library / photo for photo in PHOTOS]
        plain = [file for file in files if file.is_file() and not file.is_symlink() and file.stat().st_size < 1 << 25]
        return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in plain}


@contextmanager
def open_hostile_runs(folder: Path) -> Iterator[HostileRuns]:
    """Prepare a sandbox in `folder` and a server that runs commands in it."""
    sandbox = Sandbox(folder)
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
    library, out = str(sandbox.library), str(sandbox.out)
    (sandbox.out / "pairs.txt").write_text("1\t1\ncollins\t0\t1\ncollins\t0\thopper\t0\n")
    (sandbox.library / "2019/.picasa.ini").write_text("[collins-0.jpg]\nfaces=rect64(3f845bcb59418507),abc\n")
    for line in (
        f"scan {library} -j1",
        f"cluster -l {library}",
        f"name 1 Ben -l {library}",
        f"name 2 Eileen -l {library}",
        f"cluster --threshold 1.0 -l {library}",
        f"report --split -o {out}/report -l {library}",
        f"albums {out}/albums -l {library}",
        f"export -o {out}/x.csv -l {library}",
        f"export --format xmp --where {out}/sidecars -l {library}",
    ):
        done = server.run(line.split(), sandbox.out, seconds=120)
        assert done.code == 0, (line, done)
    journal = sandbox.library / ".faceclust/people.jsonl"
    part = sandbox.library / "2020/.faceclust"
    part.mkdir()
    (part / "people.jsonl").write_text(journal.read_text().splitlines()[0].replace("Ben", "Part") + "\n")
    sandbox.keep_as_base()
    os.utime(sandbox.library)
    return [face for line in journal.read_text().splitlines() for face in json.loads(line)["faces"]]
