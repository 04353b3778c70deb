"""`kill -9` at random moments while `faceclust label` is answered: no answer may be lost.

    python tests/benchmarks/kills.py LIBRARY [--kills 200] [--seed 1]

LIBRARY must be scanned, grouped and without names. Each time, `label` is started in a
pseudo-terminal, answered as fast as it asks, and killed at a random moment. Afterwards every line
of the journal must be complete. Every answer reported as saved must be in it, in order, and nothing
that was not typed. The next start continues from there.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from pathlib import Path

from faceclust import Library
from faceclust.people.events import from_record

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support.terminal import LabelTerminal


def answer_until_killed(root: Path, names: list[str], seconds: float) -> tuple[list[str], list[str]]:
    """Answer with these names, then kill the program; return the names typed and those reported as saved."""
    terminal = LabelTerminal(root)
    end = time.monotonic() + seconds
    typed: list[str] = []
    saved: list[str] = []
    while time.monotonic() < end:
        terminal.read(0.002)
        for name in re.findall(r"saved: (Name \d+)", terminal.text):
            if name not in saved:
                saved.append(name)
        if terminal.is_waiting and len(saved) == len(typed):
            # A name answers questions about one group; others are skipped.
            name = names[len(typed)]
            if "a name" in terminal.text[terminal.text.rfind("left ─") :]:
                terminal.type(name + "\r")
                typed.append(name)
            else:
                terminal.type("\r")
                terminal.read(0.2)
    terminal.child.kill(9)
    while terminal.child.isalive():
        terminal.read(0.01)
    return typed, saved


def main() -> None:
    """Kill the program many times and check the journal each time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    library = Library(options.library)
    journal = library.home.journal
    if library.journal.events():
        sys.exit(f"{options.library} has names already")
    known: list[str] = []
    reported = torn = unseen = 0
    for kill in range(1, options.kills + 1):
        names = [f"Name {kill * 1000 + number}" for number in range(900)]
        typed, saved = answer_until_killed(options.library, names, rng.uniform(0.5, 4.0))
        content = journal.read_bytes() if journal.exists() else b""
        lines, _, tail = content.rpartition(b"\n")
        events = [from_record(json.loads(line)) for line in lines.split(b"\n") if line]
        kept = [event.name for event in events if event is not None]
        assert len(kept) == len(events) and None not in kept, "a line is incomplete"
        new = [name for name in kept if name is not None][len(known) :]
        assert kept[: len(known)] == known, "earlier answers have changed"
        assert new[: len(saved)] == saved, f"lost: reported {saved}, found {new}"
        assert new == typed[: len(new)], f"never typed: {new}, typed {typed}"
        known, reported, torn = [*known, *new], reported + len(saved), torn + bool(tail)
        unseen += len(new) - len(saved)
        if len(Library(options.library).unnamed_groups()) < 20 and journal.exists():
            journal.unlink()
            known = []
        if kill % 20 == 0:
            print(f"  {kill} kills, {reported} answers reported as saved, none lost", flush=True)
    print(f"{options.kills} kills: {reported} answers reported as saved, none lost; {unseen} more were saved, but")
    print(f"killed before the report; {torn} times the journal ended in an incomplete line; no complete line was lost")


if __name__ == "__main__":
    main()
