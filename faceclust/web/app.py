"""The application behind the guard: the page, its files, the map, and the JSON of `api`. Paths are relative to the
base of the page."""

from __future__ import annotations

from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from faceclust.types import FaceOccurrence, PhotoInfo
from faceclust.types.frames import split_picture_id
from faceclust.web.api import routes
from faceclust.web.map import MapPage
from faceclust.web.pictures import PictureService
from faceclust.web.session import WebSession

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def create_app(session: WebSession, pictures: PictureService) -> Starlette:
    """Return the application for a session."""
    assets, map_page, index = _read_assets(), MapPage(session, pictures), _PictureIndex(session)

    async def shell(request: Request) -> Response:
        return HTMLResponse(assets["index.html"])

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        kind = _TYPES.get(name[name.rfind(".") :])
        if kind is None or name not in assets:
            return _not_found_response()
        return Response(assets[name], media_type=kind)

    async def face_picture(request: Request) -> Response:
        face = await index.find_face(request.path_params["face"])
        return _picture_response(await pictures.face(face) if face else None)

    async def photo_picture(request: Request) -> Response:
        content, frame_time = split_picture_id(request.path_params["photo"])
        photo = await index.find_photo(content)
        return _picture_response(await pictures.photo(photo, frame_time) if photo else None)

    async def map_of_faces(request: Request) -> Response:
        html, policy = await map_page.get()
        return HTMLResponse(html, headers={"content-security-policy": policy})

    app = Starlette(
        routes=[
            Route("/", shell),
            Route("/page/{name}", asset),
            Route("/map", map_of_faces),
            Route("/face/{face}.jpg", face_picture),
            Route("/photo/{photo}.jpg", photo_picture),
            *routes(session),
        ],
        exception_handlers={404: _not_found, 405: _not_allowed, Exception: _failed},
    )
    app.router.redirect_slashes = False
    return app


class _PictureIndex:
    """Finds faces and photos by the ids in addresses. It asks the library's thread only after a change."""

    def __init__(self, session: WebSession) -> None:
        self._session, self._position = session, ""
        self._faces: dict[str, list[FaceOccurrence]] = {}
        self._infos: dict[str, PhotoInfo] = {}
        self._photos: dict[str, PhotoInfo] = {}
        self._roots = session.library.roots

    async def find_face(self, face: str) -> FaceOccurrence | None:
        """Return a place where the face with this id is; None if there is no such face, or not any more."""
        await self._update()
        places = self._faces.get(face, ())
        return next((place for place in places if self._roots.is_here(place.photo)), next(iter(places), None))

    async def find_photo(self, photo_hash: str) -> PhotoInfo | None:
        """Return a photo with this content; None if it is missing, or gone."""
        await self._update()
        return self._photos.get(photo_hash)

    async def _update(self) -> None:
        if not self._position or self._position != self._session.position:
            await self._session.run(self._read)

    def _read(self) -> None:
        library = self._session.library
        self._faces = library.occurrences_of
        if self._infos is not library.photos:
            self._infos = library.photos
            self._roots = library.roots
            infos = reversed(self._infos.values())  # of copies, the first whose disk is mounted
            self._photos = {
                info.photo_hash: info for info in sorted(infos, key=lambda info: self._roots.is_here(info.photo))
            }
        self._position = self._session.position


def _read_assets() -> dict[str, bytes]:
    """Return the files of the page by name. They are read once: no request leads to a path."""
    folder = resources.files("faceclust.web") / "page"
    assets = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    return assets | {"base.css": (resources.files("faceclust.outputs") / "web" / "base.css").read_bytes()}


def _picture_response(jpeg: bytes | None) -> Response:
    """Return a picture that this browser may keep. Its content never changes: the address is a hash of it."""
    if jpeg is None:
        return _not_found_response()
    return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600, immutable"})


def _not_found_response() -> Response:
    return JSONResponse({"error": "not found"}, 404)


async def _not_found(request: Request, error: Exception) -> Response:
    return _not_found_response()


async def _not_allowed(request: Request, error: Any) -> Response:
    return JSONResponse({"error": "method not allowed"}, 405, headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "faceclust failed: the error is in its terminal"}, 500)
