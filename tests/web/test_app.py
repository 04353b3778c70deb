"""The application behind the guard: files of the page, pictures, and the map."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
from collections.abc import Awaitable, Callable
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from faceclust import Library
from faceclust.outputs.map import layout
from faceclust.store.thumbs import ThumbStore
from faceclust.web import map as map_module
from faceclust.web.app import create_app
from faceclust.web.pictures import PictureService
from faceclust.web.session import WebSession

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "faceclust" / "web" / "page"


def ask(library: Library, use: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    """Let `use` send requests to the application of a library."""

    async def run() -> Any:
        session = WebSession(library)
        pictures = PictureService(library.root, ThumbStore(library.home.thumbs), workers=1)
        transport = httpx.ASGITransport(create_app(session, pictures))
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await use(client)
        finally:
            await asyncio.gather(pictures.close(), session.close())

    return asyncio.run(run())


def get(library: Library, *paths: str) -> list[httpx.Response]:
    async def use(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.get(path) for path in paths]

    answers: list[httpx.Response] = ask(library, use)
    return answers


def test_every_file_of_the_page_is_served_with_its_type(library: Library) -> None:
    types = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
    files = {file.name: file.read_bytes() for file in PAGE.iterdir() if file.suffix in types}
    files["base.css"] = (resources.files("faceclust.outputs") / "web" / "base.css").read_bytes()
    answers = get(library, *(f"/page/{name}" for name in files))
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, file) for file in files.values()]
    assert [answer.headers["content-type"] for answer in answers] == [types[Path(name).suffix] for name in files]
    assert {file.suffix for file in PAGE.iterdir()} <= {*types, ".html"}


def test_files_of_the_page_are_in_wheel_and_sdist() -> None:
    for builder in (WheelBuilder(str(ROOT)), SdistBuilder(str(ROOT))):
        packed = {file.distribution_path.replace(os.sep, "/") for file in builder.recurse_included_files()}
        assert {f"faceclust/web/page/{file.name}" for file in PAGE.iterdir()} <= packed


@pytest.mark.parametrize(
    "path",
    [
        *("/page/", "/page/unknown.js", "/page/index.html", "/page/../app.py", "/page/..%2fapp.py", "/page/app.py"),
        *("/page/%2e%2e/app.py", "/page//etc/passwd", "/page/..%5capp.py", "/page/app.js%00.css", "/page/.js"),
        *("/photo/2019/collins-0.jpg", "/photo/2019%2fcollins-0.jpg", "/photo/collins-0.jpg", "/photo/.jpg"),
        *("/face/" + "0" * 16 + ".jpg", "/face/..jpg", "/photo/" + "0" * 32 + ".jpg", "/unknown", "/map/"),
    ],
)
def test_other_paths_lead_nowhere(library: Library, path: str) -> None:
    (answer,) = get(library, path)
    assert (answer.status_code, answer.json()) == (404, {"error": "not found"})


def test_pictures_are_found_by_face_and_by_content(library: Library) -> None:
    face = library.occurrences[0]
    answers = get(library, f"/face/{face.face_id}.jpg", f"/photo/{face.photo_hash}.jpg")
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert answer.content.startswith(b"\xff\xd8\xff")
        assert answer.headers["cache-control"].startswith("private")


def test_a_face_that_was_forgotten_meanwhile_has_no_picture(library: Library) -> None:
    library.name(1, "Anna")
    (anna,) = library.people()
    face = next(iter(anna.face_ids))

    async def use(client: httpx.AsyncClient) -> list[int]:
        before = await client.get(f"/face/{face}.jpg")
        Library(library.root).forget(Library(library.root).plan_forget("Anna"))
        await client.get("/api/state")  # what an open page asks for after the change
        return [before.status_code, (await client.get(f"/face/{face}.jpg")).status_code]

    assert ask(library, use) == [200, 404]
    assert ThumbStore(library.home.thumbs).get(face) is None


@pytest.mark.slow
def test_the_map_runs_its_own_script_only_and_links_back(library: Library) -> None:
    (answer,) = get(library, "/map")
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"script-src 'sha256-{digest}'" in policy and "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy and "'unsafe-inline'" not in policy.replace("style-src 'unsafe-inline'", "")
    assert '<a href="./">' in answer.text
    (block,) = re.findall(r'id="data">(.*?)</script>', answer.text, re.DOTALL)
    data = json.loads(block)
    hashes = {face.photo: face.photo_hash for face in library.occurrences}
    assert data["links"] == [f"./#/photo/{hashes[photo]}" for photo in data["photos"]]
    assert "base" not in data
    assert 'class="sheet"' in answer.text  # pictures


@pytest.mark.slow
def test_the_map_is_laid_out_again_only_for_other_faces(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    layouts = []

    def count_layouts(*arguments: Any, **options: Any) -> Any:
        layouts.append(len(arguments[0]))
        return layout.compute_layout(*arguments, **options)

    monkeypatch.setattr(map_module, "compute_layout", count_layouts)

    async def use(client: httpx.AsyncClient) -> list[bool]:
        first, second = await asyncio.gather(client.get("/map"), client.get("/map"))
        Library(library.root).name(1, "Anna")
        third = await client.get("/map")
        return [first.text == second.text, first.text == third.text, "Anna" in third.text]

    assert ask(library, use) == [True, False, True]
    assert layouts == [len(library.faces.face_ids)]


def test_a_map_of_nobody_is_a_page(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    library = Library(tmp_path / "photos")
    library.scan(workers=0)
    (answer,) = get(library, "/map")
    assert answer.status_code == 200 and "Nobody was found" in answer.text
