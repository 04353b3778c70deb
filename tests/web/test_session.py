"""The position of the page: no answer counts that was given to another state of the library."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import threading
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from faceclust import Library
from faceclust.interview.session import Interview
from faceclust.store.clusters import write_clusters
from faceclust.web import api
from faceclust.web.session import WebSession
from tests.support.four_people import make_four_people
from tests.support.page_client import PageClient, records

CARL = {"kind": "ignore", "groups": [3]}


def append_in_another_process(journal: Path, lines: str) -> None:
    script = "import sys; open(sys.argv[1], 'a', encoding='utf-8').write(sys.argv[2])"
    subprocess.run([sys.executable, "-c", script, str(journal), lines], check=True, timeout=10)


def test_an_answer_to_another_position_is_refused(page: PageClient) -> None:
    root = page.session.library.root
    position, question = page.get("state")["position"], page.get("question")["question"]
    Library(root).name(1, "Anna")
    answer = {"kind": "question", "question": question["id"], "name": "Berta"}
    status, refused = page.answer(answer, position=position)
    assert status == 409 and refused["position"] == page.get("state")["position"] != position
    assert [record["name"] for record in records(page.session.library)] == ["Anna"]
    # The question is another one now, and the old one cannot be answered at the new position either.
    assert page.get("question")["question"]["id"] != question["id"]
    assert page.answer(answer)[0] == 422
    status, refused = page.post("undo", {"position": position})
    assert status == 409 and len(records(page.session.library)) == 1


def test_the_journal_is_looked_at_once_more_with_the_lock_held(
    page: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line written between the first look and the lock is noticed."""
    library = page.session.library
    position = page.get("state")["position"]
    lock = library.home.lock_journal

    @contextlib.contextmanager
    def wait_for_the_lock() -> Any:
        monkeypatch.undo()
        Library(library.root).name(1, "Anna")
        with lock():
            yield

    monkeypatch.setattr(library.home, "lock_journal", wait_for_the_lock)
    status, refused = page.answer(CARL, position=position)
    assert status == 409 and refused["position"] == page.get("state")["position"] != position
    assert [record["event"] for record in records(library)] == ["name"]
    assert page.answer(CARL)[0] == 200


def test_two_tabs_with_the_same_position_do_not_both_win(page: PageClient) -> None:
    position = page.get("state")["position"]

    async def answer_at_once() -> list[int]:
        body = {"position": position, "answer": CARL}
        sent = [page.send("POST", "answers", json=body) for _ in range(5)]
        return [response.status_code for response in await asyncio.gather(*sent)]

    statuses = page.runner.run(answer_at_once())
    assert sorted(statuses) == [200, 409, 409, 409, 409] and len(records(page.session.library)) == 1


def test_a_clustering_changes_the_position_and_the_groups(page: PageClient) -> None:
    library = page.session.library
    before, groups = page.get("state")["position"], page.get("groups")["groups"]
    other = Library(library.root)
    assert other.clustering is not None
    labels = other.clustering.labels.copy()
    labels[labels == 4] = -1
    write_clusters(library.home.clusters, other.clustering.restrict_to(other.clustering.face_ids[labels >= 0]))
    after = page.get("groups")
    assert after["position"] != before and after["groups"] == [line for line in groups if line[0] != 4]
    assert page.answer({"kind": "ignore", "groups": [4]})[0] == 422
    assert page.get("question")["question"]


def answer_as_tab(root: Path, number: int, accepted: list[tuple[str, str]]) -> None:
    """Name groups at the positions that the page shows. Keep (answer before, answer) of each one accepted."""
    rng = random.Random(number)
    with PageClient(Library(root)) as tab:
        for turn in range(8):
            state = tab.get("state")
            last = state["undo"]["event"] if state["undo"] else ""
            answer = {"kind": "name", "name": f"{'ABCDE'[turn % 5] * 5} {number}", "groups": [rng.randint(1, 4)]}
            status, answered = tab.answer(answer, position=state["position"])
            if status == 200:
                accepted.append((last, answered["event"]))
            else:
                assert status in (409, 422), answered


def answer_in_terminal(root: Path) -> None:
    interview = Interview(Library(root), pictures_per_row=4)
    for name in ("Gustav", "Heinrich", "Ida"):
        if question := interview.next_question():
            interview.answer(question, name if question.accepts_name else "n")


def test_two_servers_and_a_terminal_answer_at_once(tmp_path: Path) -> None:
    """Every accepted answer is in the journal, right after the last answer that its page showed."""
    root = make_four_people(tmp_path / "photos")[0].root
    accepted: list[list[tuple[str, str]]] = [[], []]
    tabs = [threading.Thread(target=answer_as_tab, args=(root, i, kept)) for i, kept in enumerate(accepted)]
    threads = [*tabs, threading.Thread(target=answer_in_terminal, args=(root,))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    order = ["", *(event.id for event in Library(root).journal.events())]
    won = [pair for kept in accepted for pair in kept]
    assert won and {event for _, event in won} <= set(order)
    assert [(last, order[order.index(event) - 1]) for last, event in won] == [(last, last) for last, _ in won]


# -- events -----------------------------------------------------------------------


class EventStream:
    """An open `api/events` of an application, as its server runs it."""

    def __init__(self, page: PageClient) -> None:
        self._app, self._sent = page.app, asyncio.Queue[MutableMapping[str, Any]]()
        self.disconnected = asyncio.Event()

    async def __aenter__(self) -> EventStream:
        scope = {"type": "http", "method": "GET", "path": "/api/events", "headers": [], "query_string": b""}
        self.task = asyncio.create_task(self._app(scope, self._receive, self._send))
        start = await self._sent.get()
        assert start["status"] == 200 and (b"content-type", b"text/event-stream; charset=utf-8") in start["headers"]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.disconnected.set()
        await self.task

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        await self._sent.put(message)

    async def _receive(self) -> dict[str, Any]:
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    async def next(self) -> str:
        message = await asyncio.wait_for(self._sent.get(), 5)
        return str(message["body"].decode())


def parse(event: str) -> tuple[str, Any]:
    kind, data = event.strip().split("\n")
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_a_stream_tells_of_the_lines_that_anybody_writes(page: PageClient, twin: Library) -> None:
    twin.name(1, "Anna")
    journal, lines = page.session.library.home.journal, twin.home.journal.read_text(encoding="utf-8")

    async def watch() -> None:
        async with EventStream(page) as stream:
            position = (await page.send("GET", "state")).json()["position"]
            assert parse(await stream.next()) == ("changed", {"position": position})
            assert page.session.page_count == 1
            answered = await page.send("POST", "answers", json={"position": position, "answer": CARL})
            assert parse(await stream.next()) == ("changed", {"position": answered.json()["position"]})
            await asyncio.to_thread(append_in_another_process, journal, lines)
            kind, data = parse(await stream.next())
            state = (await page.send("GET", "state")).json()
            assert (kind, data["position"]) == ("changed", state["position"]) and state["counts"]["people"] == 1
        assert page.session.page_count == 0

    page.runner.run(watch())


def test_a_quiet_stream_has_a_heartbeat_and_ends_with_the_server(
    page: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "HEARTBEAT_SECONDS", 0.05)

    async def watch() -> None:
        async with EventStream(page) as one, EventStream(page) as other:
            for stream in (one, other):
                assert parse(await stream.next())[0] == "changed"
                assert await stream.next() == ": still there\n\n"
            await page.session.close()
            for stream in (one, other):
                while (event := await stream.next()).startswith(":"):
                    pass
                assert parse(event) == ("bye", {})
                await stream.task
        assert page.session.page_count == 0

    page.runner.run(watch())
    assert [task for task in asyncio.all_tasks(page.runner.get_loop()) if not task.done()] == []


def test_done_ends_the_server(page: PageClient) -> None:
    assert not page.session.done.is_set()
    assert page.post("done", {}) == (204, None) and page.session.done.is_set()


def test_notes_are_kept_for_the_page(tmp_path: Path) -> None:
    library = make_four_people(tmp_path / "photos")[0]
    library.name(1, "Anna")
    with library.home.journal.open("a") as journal:
        journal.write("{damaged\n")
    with PageClient(Library(library.root)) as page:
        assert page.get("state")["notes"] == [f"{library.home.journal}:2: skipped a damaged line"]


def test_closing_waits_for_what_follows_an_answer(tmp_path: Path) -> None:
    session = WebSession(make_four_people(tmp_path / "photos")[0])

    async def answer_and_close() -> None:
        await session.run(lambda: None)
        await session.answer(session.position, lambda: session.library.name(1, "Anna"))
        await session.close()

    asyncio.run(answer_and_close())
    assert [person.label for person in session.library.people()] == ["Anna"]
