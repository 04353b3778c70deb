"""`kill -9` at random moments while people are named on the page: no answer shown as saved may be lost.

    python -m tests.benchmarks.page_kills LIBRARY [--kills 50] [--seed 1]

LIBRARY must be scanned, grouped and without names. Each time, `faceclust label --web` is started, a browser signs
in, and keys name the rows of the wall of groups faster than the page can save them, until the server is killed.
Afterwards every name that the page showed on a green row must be in the journal, in the order typed, and every
line must be complete. The next start continues from there.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import threading
from pathlib import Path

from selenium.webdriver import Chrome, Keys

from faceclust import Library
from faceclust.people.events import from_record
from tests.support.browser import open_browser
from tests.support.page_browser import PageBrowser
from tests.support.web import serve_page

_BURST = 4  # names typed before the page is looked at
#: Keeps each name that a row shows once it is green; rows far from the viewport are used again.
_NOTE_GREEN = """
window.green = [];
new MutationObserver(() => {
  for (const row of document.querySelectorAll(".row.saved")) {
    const name = row.querySelector("bdi")?.textContent;
    if (name && !window.green.includes(name)) window.green.push(name);
  }
}).observe(document.querySelector("#rows"), { subtree: true, childList: true, attributeFilter: ["class"] });
"""


def answer_until_killed(driver: Chrome, root: Path, names: list[str], seconds: float) -> tuple[list[str], list[str]]:
    """Answer with these names, and kill the server this long after the first; return those typed and the green ones."""
    typed: list[str] = []
    with serve_page(root) as process:
        page = PageBrowser(driver, process, root)
        page.go("groups", ".row .tile img")
        page.script(_NOTE_GREEN)
        timer = threading.Timer(seconds, process.process.send_signal, [signal.SIGKILL])
        timer.start()
        while process.process.poll() is None and len(typed) + _BURST <= len(names):
            burst = names[len(typed) : len(typed) + _BURST]
            page.press(*(key for name in burst for key in (name, Keys.ENTER)))
            typed += burst
        timer.join()
        process.process.wait(30)
        page.wait_text("#problem", "No connection")
        green = page.script("return window.green")
        driver.get("about:blank")
    return typed, green


def main() -> None:
    """Kill the server many times and check the journal each time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, library = random.Random(options.seed), Library(options.library)
    journal = library.home.journal
    if library.journal.events():
        sys.exit(f"{options.library} has names already")
    known: list[str] = []
    shown = torn = unseen = 0
    with open_browser() as driver:
        for kill in range(1, options.kills + 1):
            names = [f"Person {kill % 100:02d}{number:02d}" for number in range(100)]
            typed, green = answer_until_killed(driver, options.library, names, rng.uniform(0.1, 3.0))
            content = journal.read_bytes() if journal.exists() else b""
            lines, _, tail = content.rpartition(b"\n")
            events = [from_record(json.loads(line)) for line in lines.split(b"\n") if line]
            kept = [event.name for event in events if event is not None]
            assert len(kept) == len(events) and None not in kept, "a line is incomplete"
            new = [name for name in kept if name is not None][len(known) :]
            assert kept[: len(known)] == known, "earlier answers have changed"
            assert set(green) <= set(new), f"lost: green {green}, found {new}"
            assert new == typed[: len(new)], f"never typed, or not in order: {new}, typed {typed}"
            known, shown, torn, unseen = (
                [*known, *new],
                shown + len(green),
                torn + bool(tail),
                unseen + len(new) - len(green),
            )
            if len(Library(options.library).unnamed_groups()) < 120 and kill < options.kills and journal.exists():
                journal.unlink()
                known = []
            if kill % 10 == 0:
                print(f"  {kill} kills, {shown} green rows, none lost", flush=True)
    assert [event.name for event in Library(options.library).journal.events()] == known
    print(f"{options.kills} kills: {shown} green rows, none lost; {unseen} more answers were saved, but the server was")
    print(f"killed before the page knew; {torn} times the journal ended in an incomplete line")


if __name__ == "__main__":
    main()
