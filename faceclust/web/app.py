"""The application behind the guard: the page, its files, the map, and the JSON of `api`. Paths are relative to the
base of the page."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from faceclust.library.reporting import map_page
from faceclust.web.api import routes
from faceclust.web.session import WebSession

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
#: The map has its own policy, by the hash of its script, in a meta element. A header adds what such an element cannot
#: say.
_MAP_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')


def create_app(session: WebSession) -> Starlette:
    """Return the application for a session."""
    assets = _read_assets()

    async def shell(request: Request) -> Response:
        return HTMLResponse(assets["index.html"])

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        kind = _TYPES.get(name[name.rfind(".") :])
        if kind is None or name not in assets:
            return JSONResponse({"error": "not found"}, 404)
        return Response(assets[name], media_type=kind)

    map_cache = _MapCache(session)

    async def map_of_faces(request: Request) -> Response:
        html, policy = await map_cache.get()
        return HTMLResponse(html, headers={"content-security-policy": policy})

    app = Starlette(
        routes=[
            Route("/", shell),
            Route("/page/{name}", asset),
            Route("/map", map_of_faces),
            *routes(session),
        ],
        exception_handlers={404: _not_found, 405: _not_allowed},
    )
    app.router.redirect_slashes = False
    return app


class _MapCache:
    """The map, made again only after the position has changed: it takes seconds."""

    def __init__(self, session: WebSession) -> None:
        self._session = session
        self._position, self._page, self._policy = "", "", ""

    async def get(self) -> tuple[str, str]:
        """Return the page and its content security policy."""
        return await self._session.run(self._get)

    def _get(self) -> tuple[str, str]:
        if self._position != self._session.position:
            html = map_page(self._session.library, "map.html", served=True)
            found = _MAP_POLICY.search(html)
            assert found, "the map has no policy"
            policy = found[1].replace("&#39;", "'")
            self._page, self._policy = html, f"{policy}; frame-ancestors 'none'"
            self._position = self._session.position
        return self._page, self._policy


def _read_assets() -> dict[str, bytes]:
    """Return the files of the page by name. They are read once: no request leads to a path."""
    folder = resources.files("faceclust.web") / "page"
    assets = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    return assets | {"base.css": (resources.files("faceclust.outputs") / "web" / "base.css").read_bytes()}


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "not found"}, 404)


async def _not_allowed(request: Request, error: Any) -> Response:
    return JSONResponse({"error": "method not allowed"}, 405, headers=error.headers)
