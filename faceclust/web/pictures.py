"""Thumbnails of faces and whole photos for the page, decoded in guarded worker processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from faceclust.errors import CacheError
from faceclust.files.library_roots import LibraryRoots
from faceclust.scan.workers.persistent_worker import PersistentWorker
from faceclust.scan.workers.process import LostTask
from faceclust.store.thumbs import ThumbStore
from faceclust.types import FaceOccurrence, PhotoInfo
from faceclust.types.frames import picture_id
from faceclust.web.picture_maker import PictureMaker, Pictures, PictureTask

#: Seconds for the pictures of one photo. A scan allows more, but nobody waits for it in front of an empty frame.
TIME_LIMIT = 30.0
_CACHE_BYTES = 64_000_000
_ENTRY_BYTES = 200  # of an entry of the cache without its picture


@dataclass(eq=False)
class _Request:
    """A picture that `waiters` requests of the page wait for. `face` is None for a whole photo, or for the frame of a
    video at `frame_time`."""

    key: str
    photo: str
    face: FaceOccurrence | None
    picture: asyncio.Future[bytes | None]
    frame_time: float | None = None
    waiters: int = 0


class PictureService:
    """Makes the pictures that the page asks for, newest request first, and keeps the latest ones in memory.

    All decoding happens in `workers` processes: a photo that crashes one, or takes more than `time_limit`
    seconds, loses only its own pictures, and is not tried again. The processes start with the first
    request and live until `close`. Faces of one photo that are waited for are cut out together. A request
    whose task is cancelled is dropped, unless another waits for the same picture. All methods belong to
    one event loop.
    """

    def __init__(
        self, root: Path | LibraryRoots, thumbs: ThumbStore, workers: int = 2, time_limit: float = TIME_LIMIT
    ) -> None:
        self._thumbs = thumbs
        create_worker = partial(PictureMaker, root, thumbs)
        self._workers: list[PersistentWorker[PictureTask, Pictures]] = [
            PersistentWorker(create_worker, time_limit) for _ in range(workers)
        ]
        self._idle = list(self._workers)
        self._threads = ThreadPoolExecutor(workers, "pictures")  # each waits for a process
        self._waiting: dict[str, _Request] = {}  # oldest first
        self._begun: dict[str, _Request] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._cache = _PictureCache(_CACHE_BYTES)
        self._closed = False

    async def face(self, occurrence: FaceOccurrence) -> bytes | None:
        """Return a face's thumbnail: a JPEG of THUMBNAIL_SIDE² pixels, None if its photo cannot be read.

        It comes from the store if a valid one is there. Otherwise it is cut out of the photo and stored.
        """
        return await self._request(occurrence.face_id, occurrence.photo, occurrence)

    async def photo(self, photo: PhotoInfo, frame_time: float | None = None) -> bytes | None:
        """Return a photo, upright, sRGB, without metadata: a JPEG of at most PREVIEW_SIDE px a side, None if
        it cannot be read. Of a video, return the frame at a time in seconds, or the first one."""
        return await self._request(picture_id(photo.photo_hash, frame_time), photo.photo, None, frame_time)

    async def close(self) -> None:
        """End the worker processes and wait for their end. Requests that wait, or come later, return None."""
        self._closed = True
        for request in self._waiting.values():
            request.picture.set_result(None)
        self._waiting.clear()
        await asyncio.gather(*(asyncio.to_thread(worker.close) for worker in self._workers))
        await asyncio.gather(*self._tasks)
        self._threads.shutdown()

    async def _request(
        self, key: str, photo: str, face: FaceOccurrence | None, frame_time: float | None = None
    ) -> bytes | None:
        if self._closed or key in self._cache:
            return self._cache.get(key)
        request = self._begun.get(key)
        if request is None:
            request = self._waiting.pop(key, None) or _Request(key, photo, face, asyncio.Future(), frame_time)
            self._waiting[key] = request  # the newest
            self._assign_work()
        request.waiters += 1
        try:
            return await asyncio.shield(request.picture)
        finally:
            request.waiters -= 1
            if not request.waiters and self._waiting.get(key) is request:
                del self._waiting[key]

    def _assign_work(self) -> None:
        while self._idle and self._waiting:
            newest = next(reversed(self._waiting.values()))
            together = [
                request
                for request in self._waiting.values()
                if request is newest or (request.photo == newest.photo and request.face and newest.face)
            ]
            for request in together:
                self._begun[request.key] = self._waiting.pop(request.key)
            task = asyncio.create_task(self._make(self._idle.pop(), together))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _make(self, worker: PersistentWorker[PictureTask, Pictures], requests: list[_Request]) -> None:
        faces = tuple(request.face for request in requests if request.face)
        task = PictureTask(requests[0].photo, faces, requests[0].frame_time)
        try:
            outcome = await asyncio.get_running_loop().run_in_executor(self._threads, self._run, worker, task)
        except Exception as error:
            for request in requests:
                request.picture.set_exception(error)
        else:
            for request in requests:
                self._deliver(request, outcome)
        finally:
            for request in requests:
                del self._begun[request.key]
            self._idle.append(worker)
            self._assign_work()

    def _run(self, worker: PersistentWorker[PictureTask, Pictures], task: PictureTask) -> Pictures | LostTask:
        outcome = worker.run(task)
        if not isinstance(outcome, LostTask):
            for face, picture in outcome.cut.items():
                with contextlib.suppress(CacheError, OSError):  # it can be shown even if it cannot be stored
                    self._thumbs.put(face, picture)
        return outcome

    def _deliver(self, request: _Request, outcome: Pictures | LostTask) -> None:
        if isinstance(outcome, LostTask):
            picture = None
        elif request.face:
            picture = outcome.cached.get(request.key) or outcome.cut.get(request.key)
        else:
            picture = outcome.preview
        if picture is not None or isinstance(outcome, LostTask):  # a photo that is missing may come back
            self._cache.put(request.key, picture)
        request.picture.set_result(picture)


class _PictureCache:
    """The pictures used last, up to `max_bytes`; None for one that must not be tried again."""

    def __init__(self, max_bytes: int) -> None:
        self._pictures: OrderedDict[str, bytes | None] = OrderedDict()
        self._size, self._max_bytes = 0, max_bytes

    def __contains__(self, key: str) -> bool:
        return key in self._pictures

    def get(self, key: str) -> bytes | None:
        if key in self._pictures:
            self._pictures.move_to_end(key)
        return self._pictures.get(key)

    def put(self, key: str, picture: bytes | None) -> None:
        self._pictures[key] = picture
        self._size += _ENTRY_BYTES + len(picture or b"")
        while self._size > self._max_bytes:
            _, oldest = self._pictures.popitem(last=False)
            self._size -= _ENTRY_BYTES + len(oldest or b"")
