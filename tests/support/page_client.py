"""Requests to the page's JSON endpoints, in process."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.applications import Starlette

from faceclust import Library
from faceclust.people.events import Event, to_record
from faceclust.web.api import routes
from faceclust.web.session import WebSession

Answer = dict[str, Any]


class PageClient:
    """A page of its own session, on an event loop of its own. Use it in a `with` statement."""

    def __init__(self, library: Library, **options: Any) -> None:
        self.session = WebSession(library, **options)
        self.app = Starlette(routes=list(routes(self.session)))
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://page")
        self.runner = asyncio.Runner()

    def __enter__(self) -> PageClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.runner.run(self._close())
        self.runner.close()

    async def _close(self) -> None:
        await self.session.close()
        await self._client.aclose()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and wait for the response."""
        return self.runner.run(self.send(method, path, **options))

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request, on this client's event loop."""
        return await self._client.request(method, f"/api/{path}", **options)

    def get(self, path: str) -> Any:
        """Return what an address answers, which must succeed."""
        response = self.request("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Answer) -> tuple[int, Any]:
        """Return status and answer of a POST."""
        response = self.request("POST", path, json=body)
        return response.status_code, response.json() if response.content else None

    def answer(self, answer: Answer, *, position: str | None = None, **more: Any) -> tuple[int, Any]:
        """Answer at the present position."""
        position = position or self.get("state")["position"]
        return self.post("answers", {"position": position, "answer": answer, **more})


def records(library: Library) -> list[dict[str, Any]]:
    """Return the lines of a library's journal, without what differs from run to run."""
    events = Library(library.root).journal.events()
    number = {event.id: i for i, event in enumerate(events)}
    return [_comparable(event, number) for event in events]


def _comparable(event: Event, number: dict[str, int]) -> dict[str, Any]:
    record = {field: value for field, value in to_record(event).items() if field not in ("time", "id")}
    return record | {field: number[record[field]] for field in ("undoes", "redoes") if field in record}
