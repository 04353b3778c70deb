"""The JSON endpoints of the page."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from faceclust.errors import FaceclustError
from faceclust.interview.more_faces import with_more_faces
from faceclust.text.json_text import to_json
from faceclust.types.frames import PICTURE_PATTERN
from faceclust.web import views
from faceclust.web.answers import (
    ANSWERS_BODY,
    LOOK_BODY,
    SKIP_BODY,
    UNDO_BODY,
    DoubtRaisedError,
    look_again,
    record_answer,
    undo_or_redo,
)
from faceclust.web.body import InvalidBodyError, read_body
from faceclust.web.session import PICTURES, StaleAnswerError, WebSession

HEARTBEAT_SECONDS = 15
_MAX_ROWS = 100

View = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


def routes(session: WebSession) -> list[Route]:
    """Return the routes of `api/…`, relative to where they are mounted."""
    api = _Api(session)
    get = {
        "state": api.read(views.library_state),
        "people": api.read(views.list_people),
        "question": api.read(views.next_question),
        "question/more": api.read(_more_pictures),
        "groups": api.read(views.list_groups),
        "review": api.read(views.list_findings),
        "rows": api.rows,
        "group/{number}": api.group,
        "person/{id}": api.person,
        "photo/{photo}": api.photo,
        "events": api.events,
    }
    post = {
        "answers": api.answers,
        "undo": api.undo,
        "skip": api.skip,
        "suggested": api.suggested,
        "look": api.look,
        "done": api.done,
    }
    return [
        *(Route(f"/api/{path}", _reporting_errors(handler), methods=["GET"]) for path, handler in get.items()),
        *(Route(f"/api/{path}", _reporting_errors(handler), methods=["POST"]) for path, handler in post.items()),
    ]


def json_response(value: View, status: int = 200) -> Response:
    """Return a value as JSON in UTF-8."""
    content = to_json(value).encode("utf-8")
    return Response(content, status, media_type="application/json")


def _reporting_errors(handler: Handler) -> Handler:
    @wraps(handler)
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except InvalidBodyError as error:
            return json_response({"error": str(error)}, error.status)
        except views.NotFoundError as error:
            return json_response({"error": str(error)}, 404)
        except DoubtRaisedError as error:
            return json_response({"doubt": error.doubt}, 422)
        except StaleAnswerError as error:
            return json_response({"error": str(error), "position": error.position}, 409)
        except FaceclustError as error:
            return json_response({"error": str(error), "hint": error.hint}, 422)

    return handle


class _Api:
    """The handlers, for one session."""

    def __init__(self, session: WebSession) -> None:
        self._session = session

    def read(self, view: Callable[[WebSession], View]) -> Handler:
        """Return a handler that answers with a view and its position."""

        async def handle(request: Request) -> Response:
            return await self._respond(lambda: view(self._session))

        return handle

    async def _respond(self, view: Callable[[], View]) -> Response:
        session = self._session

        def respond() -> Response:  # encoded on the library's thread: the event loop stays free
            value = view()
            return json_response({"position": session.position, **value})

        return await session.run(respond)

    async def rows(self, request: Request) -> Response:
        text = request.query_params.get("groups", "")
        if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", text) or text.count(",") >= _MAX_ROWS:
            raise InvalidBodyError(f"groups must be at most {_MAX_ROWS} numbers with commas between them")
        numbers = [int(number) for number in text.split(",")]
        return await self._respond(lambda: views.list_rows(self._session, numbers))

    async def group(self, request: Request) -> Response:
        number = _match(r"\d{1,9}", request.path_params["number"])
        return await self._respond(lambda: views.show_group(self._session, int(number)))

    async def person(self, request: Request) -> Response:
        id = _match("[0-9a-f]{12}", request.path_params["id"])
        return await self._respond(lambda: views.show_person(self._session, id))

    async def photo(self, request: Request) -> Response:
        photo = _match(PICTURE_PATTERN, request.path_params["photo"])
        of = request.query_params.get("of")
        kind, _, id = _match(r"person/[0-9a-f]{12}|group/\d{1,9}", of).partition("/") if of else ("", "", "")
        return await self._respond(lambda: views.show_photo(self._session, photo, (kind, id) if of else None))

    async def events(self, request: Request) -> Response:
        async def stream() -> AsyncIterator[str]:
            async for position in self._session.changes(HEARTBEAT_SECONDS):
                data = json.dumps({"position": position})
                yield ": still there\n\n" if position is None else f"event: changed\ndata: {data}\n\n"
            yield "event: bye\ndata: {}\n\n"

        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)

    async def answers(self, request: Request) -> Response:
        body = await read_body(request, **ANSWERS_BODY)
        return json_response(await record_answer(self._session, **body))

    async def undo(self, request: Request) -> Response:
        body = await read_body(request, **UNDO_BODY)
        return json_response(await undo_or_redo(self._session, **body))

    async def skip(self, request: Request) -> Response:
        id = (await read_body(request, **SKIP_BODY))["question"]
        session = self._session

        def skip() -> View:
            session.interview.skip(session.find_question(id))
            session.change_question()
            return views.next_question(session)

        return await self._respond(skip)

    async def suggested(self, request: Request) -> Response:
        await read_body(request)
        session = self._session

        def show() -> View:
            session.interview.show_suggested()
            session.change_question()
            return views.next_question(session)

        return await self._respond(show)

    async def look(self, request: Request) -> Response:
        body = await read_body(request, **LOOK_BODY)
        return json_response(await look_again(self._session, **body))

    async def done(self, request: Request) -> Response:
        await read_body(request)
        self._session.done.set()
        return Response(status_code=204)


def _match(pattern: str, text: str) -> str:
    if not re.fullmatch(pattern, text):
        raise views.NotFoundError("there is nothing at this address")
    return text


def _more_pictures(session: WebSession) -> View:
    question = session.question()
    larger = with_more_faces(session.library, question, PICTURES - 1) if question else None
    if larger is not None:
        session.show_more(larger)
    return views.next_question(session)
