"""The map of faces as a page of the server."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from faceclust.library.reporting import MappedFaces, list_mapped_faces
from faceclust.outputs.map.layout import compute_layout
from faceclust.outputs.map.render import render_map, sort_by_z_order
from faceclust.outputs.map.sprites import choose_map_pictures
from faceclust.types import Float32
from faceclust.web.pictures import PictureService
from faceclust.web.session import WebSession

T = TypeVar("T")
_MAX_PICTURES = 20_000
_PICTURE_SECONDS = 20.0  # for pictures that have to be cut out of photos; the map comes without the others
#: The page's own policy, by the hash of its script.
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')


class MapPage:
    """Makes the map, and again after the position has changed.

    The library's thread only lists the faces. The layout takes minutes for 100,000 faces, so that another
    thread computes it, and only if there are other faces.
    """

    def __init__(self, session: WebSession, pictures: PictureService) -> None:
        self._session, self._pictures = session, pictures
        self._lock = asyncio.Lock()
        self._position, self._html, self._policy = "", "", ""
        self._ids: list[str] = []
        self._points: Float32 | None = None

    async def get(self) -> tuple[str, str]:
        """Return the page and its content security policy for the header, which can say more than the page's own."""
        async with self._lock:
            await self._session.run(lambda: None)  # take in what others have changed
            if not self._html or self._position != self._session.position:
                position, faces = await self._session.run(self._list_faces)
                pictures = await self._find_pictures(faces)
                self._html = await _run_in_daemon_thread(lambda: self._render(faces, pictures))
                found = _POLICY.search(self._html)
                assert found, "the map has no policy"
                self._policy = found[1].replace("&#39;", "'") + "; frame-ancestors 'none'"
                self._position = position
            return self._html, self._policy

    def _list_faces(self) -> tuple[str, MappedFaces]:
        return self._session.position, list_mapped_faces(self._session.library)

    async def _find_pictures(self, faces: MappedFaces) -> dict[str, bytes]:
        """Return JPEGs by face id, as far as they are found in time."""
        shown = choose_map_pictures(faces.occurrences, faces.persons, _MAX_PICTURES)
        chosen = [occurrence for occurrence in faces.occurrences if occurrence.face_id in shown]
        if not chosen:
            return {}
        tasks = {asyncio.ensure_future(self._pictures.face(occurrence)): occurrence.face_id for occurrence in chosen}
        done, late = await asyncio.wait(tasks, timeout=_PICTURE_SECONDS)
        for task in late:
            task.cancel()
        return {tasks[task]: jpeg for task in done if task.exception() is None and (jpeg := task.result())}

    def _render(self, faces: MappedFaces, pictures: dict[str, bytes]) -> str:
        ids = [occurrence.face_id for occurrence in faces.occurrences]
        if self._points is None or ids != self._ids:
            threads = max(1, (os.cpu_count() or 1) - 1)  # answers go on meanwhile
            self._ids, self._points = ids, compute_layout(faces.embeddings, threads=threads)
        mapped, root = sort_by_z_order(faces.occurrences, self._points, faces.persons), self._session.library.root
        return render_map(str(root), "tsne", mapped, faces.everybody, pictures, root, Path("map"), served=True)


async def _run_in_daemon_thread(function: Callable[[], T]) -> T:
    """Call a long function in a thread that does not keep the program from ending."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def deliver(value: T | None, error: BaseException | None) -> None:
        if result.cancelled():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def call() -> None:
        value, error = None, None
        try:
            value = function()
        except BaseException as raised:
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(deliver, value, error)

    threading.Thread(target=call, daemon=True).start()
    return await result
