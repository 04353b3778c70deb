"""The pictures of the page, made by processes that really crash and hang."""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceclust.photos.thumbnails import THUMBNAIL_SIDE, is_thumbnail
from faceclust.store.thumbs import ThumbStore
from faceclust.types import WHOLE_PHOTO, Box, FaceOccurrence, PhotoInfo
from faceclust.web import pictures
from faceclust.web.picture_maker import PictureMaker, Pictures, PictureTask
from faceclust.web.pictures import PictureService
from tests.support.sample_photos import COLLINS, load_portrait, save_photo
from tests.support.scripted_worker import has_exited, wait_for

pytestmark = pytest.mark.process

#: The face of the portrait, in fractions of its sides.
FACE: Box = (0.34, 0.12, 0.54, 0.38)
SIZE = (512, 512)
POSIX_ONLY = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


class ScriptedMaker(PictureMaker):
    """Crashes or hangs on photos of these names; "NAME.log" in the folder has the tasks, one a line."""

    def work(self, task: PictureTask, prepared: None) -> Pictures:
        with (self._root / "tasks.log").open("a") as log:
            log.write(" ".join([task.photo, *(face.face_id for face in task.faces)]) + "\n")
        match task.photo:
            case "crash.jpg":
                os.abort()
            case "hang.jpg":
                time.sleep(600)
            case "bug.jpg":
                raise ValueError("a bug")
            case "slow.jpg":
                wait_for((self._root / "go on").exists)
        return super().work(task, prepared)


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "library"
    for name in ("a.jpg", "b.jpg", "slow.jpg", "crash.jpg", "hang.jpg", "bug.jpg"):
        save_photo(load_portrait(COLLINS), root / name)
    return root


@pytest.fixture
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "PictureMaker", ScriptedMaker)


def face(photo: str, number: int = 0, box: Box = FACE, turn: int = 0) -> FaceOccurrence:
    return FaceOccurrence(f"{number:016x}", photo, "0" * 32, box, SIZE, 1.0, 1.0, None, turn)


def photo_info(photo: str) -> PhotoInfo:
    return PhotoInfo(photo, photo.encode().hex().rjust(32, "0"), SIZE, 1, None, None, None, None)


def store(root: Path) -> ThumbStore:
    return ThumbStore(root.parent / "thumbs")


def serve(
    root: Path, use: Callable[[PictureService], Awaitable[None]], workers: int = 1, time_limit: float = 60.0
) -> None:
    async def run() -> None:
        service = PictureService(root, store(root), workers, time_limit)
        try:
            await use(service)
        finally:
            await service.close()

    asyncio.run(run())


def read_tasks(root: Path) -> list[str]:
    return (root / "tasks.log").read_text().splitlines()


async def eventually(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_for, condition)


def to_pixels(jpeg: bytes | None) -> np.ndarray:
    assert jpeg is not None
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        assert not image.getexif()
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize(
    ("name", "transpose", "orientation"),
    [("plain.jpg", None, None), ("turned.jpg", Image.Transpose.ROTATE_90, 6), ("a.heic", None, None)],
)
def test_a_face_is_cut_upright_out_of_its_photo_and_stored(
    root: Path, name: str, transpose: Image.Transpose | None, orientation: int | None
) -> None:
    portrait = load_portrait(COLLINS)
    save_photo(portrait if transpose is None else portrait.transpose(transpose), root / name, orientation=orientation)
    left, top, right, bottom = (side * 512 for side in FACE)
    side = (bottom - top) * 1.6
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    expected = portrait.resize((THUMBNAIL_SIDE,) * 2, Image.Resampling.LANCZOS, box=(x, y, x + side, y + side))

    async def use(service: PictureService) -> None:
        thumbnail = await service.face(face(name))
        assert np.abs(to_pixels(thumbnail) - np.asarray(expected)).mean() < 6
        assert store(root).get(face(name).face_id) == thumbnail
        whole = to_pixels(await service.photo(photo_info(name)))
        assert np.abs(whole - np.asarray(portrait)).mean() < 6

    serve(root, use)


def test_a_stored_thumbnail_is_used_if_it_is_one(root: Path) -> None:
    other = io.BytesIO()
    Image.new("RGB", (THUMBNAIL_SIDE, THUMBNAIL_SIDE), "red").save(other, "JPEG")
    store(root).put(face("", 0).face_id, other.getvalue())
    store(root).put(face("", 1).face_id, b"\xff\xd8\xff damaged")

    async def use(service: PictureService) -> None:
        assert await service.face(face("missing.jpg", 0)) == other.getvalue()
        thumbnail = await service.face(face("a.jpg", 1))
        assert thumbnail is not None and is_thumbnail(thumbnail)
        assert store(root).get(face("", 1).face_id) == thumbnail

    serve(root, use)


@pytest.mark.parametrize(("width", "height"), [(900, 300), (300, 900)])
def test_a_person_without_a_face_is_shown_by_the_whole_photo_in_a_square(root: Path, width: int, height: int) -> None:
    wide = Image.new("RGB", (900, 300), "blue")
    wide.paste("red", (300, 0, 600, 300))
    (wide if width > height else wide.rotate(90, expand=True)).save(root / "c.png")

    async def use(service: PictureService) -> None:
        whole = FaceOccurrence("f" * 16, "c.png", "0" * 32, WHOLE_PHOTO, (width, height), 0.0, 1.0, None, by_hand=True)
        pixels = to_pixels(await service.face(whole))
        edge = pixels[80, 5] if width > height else pixels[5, 80]
        assert pixels.shape == (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)
        for pixel, colour in ((pixels[80, 80], (254, 0, 0)), (edge, (0, 0, 254)), (pixels[2, 2], (128, 128, 128))):
            assert np.abs(pixel - colour).max() < 12

    serve(root, use)


def test_what_is_no_photo_of_the_library_has_no_picture(root: Path) -> None:
    outside = root.parent / "outside"
    save_photo(load_portrait(COLLINS), outside / "private.jpg")
    (root / "link.jpg").symlink_to("../outside/private.jpg")
    (root / "folder").symlink_to("../outside")
    (root / "text.jpg").write_text("<svg onload=alert(1)>")
    names = ("link.jpg", "folder/private.jpg", "../outside/private.jpg", f"{outside}/private.jpg", "text.jpg", "no.jpg")

    async def use(service: PictureService) -> None:
        requests = [service.face(face(name, number)) for number, name in enumerate(names)]
        requests += [service.photo(photo_info(name)) for name in names]
        assert await asyncio.gather(*requests) == [None] * 12

    serve(root, use)
    assert not list(store(root).face_ids())


def test_a_thumbnail_that_cannot_be_stored_is_shown(root: Path) -> None:
    (root.parent / "thumbs").symlink_to(root)
    before = sorted(root.parent.rglob("*"))

    async def use(service: PictureService) -> None:
        assert await service.face(face("a.jpg"))

    serve(root, use)
    assert sorted(root.parent.rglob("*")) == before


@POSIX_ONLY
@pytest.mark.usefixtures("_scripted")
def test_a_crash_and_a_hang_lose_only_their_photo_and_are_not_repeated(root: Path) -> None:
    async def use(service: PictureService) -> None:
        assert await service.face(face("a.jpg", 1))  # the time limit is not for the start
        for worker in service._workers:
            worker._time_limit = 0.5
        for _ in range(2):
            assert await service.photo(photo_info("hang.jpg")) is None
        for worker in service._workers:
            worker._time_limit = 60.0
        for _ in range(2):
            lost = [service.face(face("crash.jpg", 2)), service.photo(photo_info("crash.jpg"))]
            assert await asyncio.gather(*lost, service.face(face("b.jpg", 3))) != [None] * 3
            assert await service.photo(photo_info("b.jpg"))

    serve(root, use)
    tasks = read_tasks(root)
    assert (tasks.count("hang.jpg"), tasks.count("crash.jpg")) == (1, 2)  # a crash is retried once


@pytest.mark.usefixtures("_scripted")
def test_an_error_of_the_program_is_raised_and_the_next_picture_made(root: Path) -> None:
    async def use(service: PictureService) -> None:
        with pytest.raises(ValueError, match="a bug"):
            await service.photo(photo_info("bug.jpg"))
        assert await service.face(face("a.jpg"))

    serve(root, use)


@pytest.mark.usefixtures("_scripted")
def test_requests_share_work_newest_first_and_abandoned_ones_are_dropped(root: Path) -> None:
    async def use(service: PictureService) -> None:
        first = asyncio.create_task(service.photo(photo_info("slow.jpg")))
        await eventually((root / "tasks.log").exists)  # the only process is busy
        requests = [service.face(face("a.jpg", number % 2)) for number in range(40)]
        requests += [service.photo(photo_info("slow.jpg")), service.photo(photo_info("a.jpg"))]
        requests += [service.face(face("b.jpg", 5)), service.face(face("b.jpg", 6))]
        tasks = [asyncio.create_task(request) for request in requests]
        abandoned = [asyncio.create_task(service.face(face("b.jpg", 5 + number % 2))) for number in range(2)]
        gone = [asyncio.create_task(service.photo(photo_info("b.jpg"))) for _ in range(3)]
        await asyncio.sleep(0)
        for task in (*abandoned, *gone):
            task.cancel()
        await asyncio.gather(*abandoned, *gone, return_exceptions=True)
        (root / "go on").touch()
        assert None not in await asyncio.gather(first, *tasks)
        made = len(read_tasks(root))
        assert None not in await asyncio.gather(service.face(face("a.jpg", 0)), service.photo(photo_info("a.jpg")))
        assert len(read_tasks(root)) == made  # from memory

    serve(root, use)
    a, b = (f"{number:016x}" for number in (0, 1)), (f"{number:016x}" for number in (5, 6))
    assert read_tasks(root) == ["slow.jpg", " ".join(["b.jpg", *b]), "a.jpg", " ".join(["a.jpg", *a])]


def test_the_pictures_in_memory_are_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_CACHE_BYTES", 20_000)

    async def use(service: PictureService) -> None:
        faces = [face("a.jpg", number, (0.3, 0.1, 0.5 + number / 100, 0.4)) for number in range(8)]
        thumbnails = await asyncio.gather(*(service.face(each) for each in faces))
        kept = [len(service._cache.get(each.face_id) or b"") for each in faces]
        assert all(thumbnails) and 0 < kept.count(0) < 8 and sum(kept) <= 20_000
        assert await service.face(faces[kept.index(0)]) == thumbnails[kept.index(0)]

    serve(root, use)


@pytest.mark.usefixtures("_scripted")
def test_closing_while_busy_ends_all_requests_and_processes(root: Path) -> None:
    pids: list[int] = []

    async def run() -> None:
        service = PictureService(root, store(root), 2)
        requests = [service.photo(photo_info(name)) for name in ("slow.jpg", "hang.jpg", "a.jpg")]
        tasks = [asyncio.create_task(request) for request in requests]
        await eventually(lambda: (root / "tasks.log").exists() and len(read_tasks(root)) == 2)
        pids.extend(child.pid or 0 for child in multiprocessing.active_children())
        await service.close()
        assert await asyncio.gather(*tasks) == [None] * 3
        assert await service.photo(photo_info("a.jpg")) is None
        await service.close()

    asyncio.run(run())
    assert len(pids) == 2 and all(has_exited(pid) for pid in pids)


_PROGRAM = """
import asyncio, sys
from pathlib import Path
from faceclust.store.thumbs import ThumbStore
from faceclust.types import PhotoInfo
from faceclust.web.pictures import PictureService

async def main():
    service = PictureService(Path(sys.argv[1]), ThumbStore(Path(sys.argv[2])))
    photos = [PhotoInfo("a.jpg", f"{n:032x}", (512, 512), 1, None, None, None, None) for n in range(100_000)]
    try:
        assert await service.photo(photos[0])
        print(*[worker._process.process.pid for worker in service._workers if worker._process], flush=True)
        await asyncio.gather(*(service.photo(photo) for photo in photos))
    finally:
        await service.close()

asyncio.run(main())
"""


@pytest.mark.slow
@POSIX_ONLY
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_and_no_temporary_file_outlives_the_program(root: Path, number: signal.Signals) -> None:
    """With Ctrl-C, which the terminal sends to all processes, the program closes the service; killed, it cannot."""
    before = sorted(root.rglob("*"))
    program = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, root, root.parent / "thumbs"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout is not None
    pids = [int(pid) for pid in program.stdout.readline().split()]
    assert pids
    if number == signal.SIGINT:
        os.killpg(program.pid, number)
    else:
        program.kill()
    _, errors = program.communicate(timeout=60)
    assert program.returncode == -number and "multiprocessing" not in errors and "retrieved" not in errors
    wait_for(lambda: all(has_exited(pid) for pid in pids))
    assert sorted(root.rglob("*")) == before
