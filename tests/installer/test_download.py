"""Downloads from a real server that cuts off, lies, stalls, redirects and changes its files."""

from __future__ import annotations

import errno
import shutil
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import filelock
import httpx
import pytest

from faceclust.errors import PackError, UsageError
from faceclust.installer import download
from faceclust.installer.download import RetryPolicy
from faceclust.installer.pull import pull_pack
from faceclust.packs.registry import load_pack, user_models_folder
from faceclust.packs.verify import check_files, pack_state
from tests.support.http_server import (
    Proxy,
    Server,
    Trick,
    answer,
    cut_off,
    endless,
    instead,
    lead_to,
    other_range,
    rest_of_another,
    serving,
    stall,
    whole,
)
from tests.support.pack_builders import MODEL, manifest_text, put_in, zip_of

HASTY = RetryPolicy(read_timeout=0.4, connect_timeout=2, max_attempts=3, initial_delay=0.01)
HALF = len(MODEL) // 2
Disk = namedtuple("Disk", "total used free")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server({"/mine/model.onnx": MODEL})) as one:
        yield one


@pytest.fixture
def folder() -> Path:
    return put_in(manifest_text())


class Told:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.done = self.total = 0

    def start(self, what: str, total: int | None, unit: str = "") -> None:
        self.done, self.total = 0, total or 0

    def advance(self, steps: int = 1, **counts: int) -> None:
        self.done += steps

    def note(self, message: str) -> None:
        self.notes.append(message)

    def finish(self) -> None:
        pass


def pull(server: Server, *tricks: Trick, told: Told | None = None, mirror: str | None = None) -> None:
    server.tricks[:] = tricks
    pull_pack(load_pack("mine"), mirror=mirror or server.url, retry_policy=HASTY, progress=told)


def here(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


WHOLE = ["model.onnx", "pack.toml"]
BEGUN = ["model.onnx.part", "model.onnx.part.json", "pack.toml"]


def test_a_pull_brings_what_the_manifest_names(server: Server, folder: Path) -> None:
    told = Told()
    pull(server, told=told)
    assert (folder / "model.onnx").read_bytes() == MODEL
    assert here(folder) == WHOLE and told.done == told.total == len(MODEL) and not told.notes
    pack = load_pack("mine")
    assert pack_state(pack, check_files(pack)) == "installed"
    pull(server)
    assert len(server.asked) == 1  # the second time nothing is asked for


@pytest.mark.parametrize(
    ("tricks", "ranges"),
    [
        ([cut_off(HALF)], [None, f"bytes={HALF}-"]),
        ([cut_off(HALF, mark=False)], [None, f"bytes={HALF}-"]),
        ([cut_off(0)], [None, None]),
        ([cut_off(HALF), whole], [None, f"bytes={HALF}-"]),
        ([cut_off(HALF), answer(416)], [None, f"bytes={HALF}-", None]),
        ([cut_off(HALF), other_range], [None, f"bytes={HALF}-", None]),
        ([cut_off(HALF), rest_of_another], [None, f"bytes={HALF}-", None]),
        ([stall(HALF)], [None, f"bytes={HALF}-"]),
        ([stall(HALF), stall(HALF)], [None, f"bytes={HALF}-", f"bytes={HALF}-"]),
        ([answer(500), answer(503, Retry_After="0")], [None, None, None]),
        ([instead(MODEL[:HALF], length=None)], [None, f"bytes={HALF}-"]),
        ([instead(MODEL, length=None)], [None]),
    ],
)
def test_what_goes_wrong_once_is_tried_again(
    server: Server, folder: Path, tricks: list[Trick], ranges: list[str | None]
) -> None:
    pull(server, *tricks)
    assert (folder / "model.onnx").read_bytes() == MODEL and here(folder) == WHOLE
    assert server.ranges == ranges


def test_only_the_same_file_is_gone_on_with(server: Server, folder: Path) -> None:
    pull(server, cut_off(HALF))
    assert "If-Range" in server.asked[1][1]
    (folder / "model.onnx").unlink()
    old = MODEL[::-1]
    server.files["/mine/model.onnx"] = old
    with pytest.raises(PackError):
        pull(server, cut_off(HALF), answer(500), answer(500), answer(500))
    assert (folder / "model.onnx.part").read_bytes() == old[:HALF]
    server.files["/mine/model.onnx"] = MODEL  # the mark is another now: the server sends all of it
    pull(server)
    assert (folder / "model.onnx").read_bytes() == MODEL


@pytest.mark.parametrize(
    ("tricks", "words", "left"),
    [
        ([cut_off(HALF), answer(500), answer(500), answer(500)], "200,000 of 400,000 bytes: it answers '500", BEGUN),
        ([stall(10)] * 3, "it stalled", BEGUN),
        ([cut_off(HALF)] + [answer(429)] * 3, "429", BEGUN),
        ([answer(503)] * 3, "503", ["pack.toml"]),
        ([answer(401)], "401", ["pack.toml"]),
        ([answer(206)], "206", ["pack.toml"]),
        ([instead(bytes(len(MODEL)))], "another file: its SHA-256 is not", ["pack.toml"]),
        ([cut_off(HALF), rest_of_another, instead(bytes(len(MODEL)))], "it was removed", ["pack.toml"]),
        ([instead(MODEL + b"x")], "'400001' bytes", ["pack.toml"]),
        ([instead(MODEL + b"x", length=None)], "more than 400,000", ["pack.toml"]),
        ([instead(MODEL[:5])], "it is another file", ["pack.toml"]),
        ([instead(MODEL, Content_Encoding="gzip")], "packed as 'gzip'", ["pack.toml"]),
        ([answer(404), answer(404)], "is not at", ["pack.toml"]),
        ([lead_to("http://models.example/x")], "not https", ["pack.toml"]),
        ([lead_to("file:///etc/passwd")], "not https", ["pack.toml"]),
        ([lead_to("/mine/model.onnx")] * 11, "in a circle", ["pack.toml"]),
        ([cut_off(HALF)] + [answer(416), cut_off(HALF)] * 3, "another file each time", ["pack.toml"]),
    ],
)
def test_what_stays_wrong_is_one_clear_line(
    server: Server, folder: Path, tricks: list[Trick], words: str, left: list[str]
) -> None:
    with pytest.raises(PackError) as failure:
        pull(server, *tricks)
    assert words in str(failure.value) and "\n" not in str(failure.value)
    assert failure.value.hint
    assert here(folder) == left
    if left == BEGUN:
        assert "type it again" in failure.value.hint
    pull(server)  # and after all that it works
    assert here(folder) == WHOLE


def test_no_more_is_taken_than_the_file_has(server: Server, folder: Path) -> None:
    told = Told()
    with pytest.raises(PackError, match="more than 400,000"):
        pull(server, endless, told=told)
    assert told.done <= len(MODEL) and here(folder) == ["pack.toml"]


def test_redirects_are_followed(server: Server, folder: Path) -> None:
    server.files["/elsewhere"] = MODEL
    pull(server, lead_to("/elsewhere"))
    assert server.paths == ["/mine/model.onnx", "/elsewhere"] and here(folder) == WHOLE


@pytest.mark.parametrize(
    ("path", "mirror", "asked"),
    [
        ("/a/mine/model.onnx", "/a", ["/a/mine/model.onnx"]),
        ("/a/mine/model.onnx", "/a/", ["/a/mine/model.onnx"]),
        ("/a/model.onnx", "/a", ["/a/mine/model.onnx", "/a/model.onnx"]),
        ("/b/model.onnx", "/b/model.onnx", ["/b/model.onnx"]),
        ("/b/model.onnx?key=7", "/b/model.onnx?key=7", ["/b/model.onnx?key=7"]),
    ],
)
def test_where_a_mirror_has_it(server: Server, folder: Path, path: str, mirror: str, asked: list[str]) -> None:
    server.files = {path: MODEL}
    pull(server, mirror=server.url + mirror)
    assert server.paths == asked and here(folder) == WHOLE


@pytest.mark.parametrize(
    "mirror", ["http://models.example/", "ftp://127.0.0.1/", "models.example", "https://", "https://a b/", "https://é/"]
)
def test_a_mirror_is_https_or_here(folder: Path, mirror: str) -> None:
    with pytest.raises(UsageError, match="no address of a mirror"):
        pull_pack(load_pack("mine"), mirror=mirror)
    assert here(folder) == ["pack.toml"]


def test_a_mirror_of_another_file_is_said(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"none of: model\.onnx"):
        pull_pack(load_pack("mine"), mirror="http://127.0.0.1:1/other.onnx")


def test_a_password_in_an_address_is_sent_but_never_shown(server: Server, folder: Path) -> None:
    with pytest.raises(PackError) as failure:
        pull(server, answer(401), mirror=server.url.replace("//", "//anna:secret@"))
    assert server.asked[0][1]["Authorization"].startswith("Basic ")
    assert "secret" not in str(failure.value)


def test_no_password_goes_to_where_it_leads(server: Server, folder: Path) -> None:
    with serving(Server({"/x": MODEL})) as other:
        pull(server, lead_to(f"{other.url}/x"), mirror=server.url.replace("//", "//anna:secret@"))
    assert "Authorization" in server.asked[0][1] and "Authorization" not in other.asked[0][1]


def test_https_leads_to_https_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    asked: list[str] = []

    def answers(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if request.url.host == "models.example":
            return httpx.Response(302, headers={"Location": next(places)})
        return httpx.Response(200, stream=httpx.ByteStream(MODEL))

    monkeypatch.setattr(download, "_make_client", lambda patience: httpx.Client(transport=httpx.MockTransport(answers)))
    for place in ("http://cdn.example/x", "http://127.0.0.1/x"):
        places = iter([place])
        with pytest.raises(PackError, match="not https"):
            pull_pack(load_pack("mine"), retry_policy=HASTY)
    assert asked == ["https://models.example/mine/model.onnx"] * 2
    places = iter(["https://cdn.example/x?signature=1"])
    pull_pack(load_pack("mine"), retry_policy=HASTY)
    assert here(folder) == WHOLE


def test_a_proxy_is_used_and_left_out_as_the_environment_says(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Server({}, Proxy)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        pull(server)
        assert proxy.paths == [f"{server.url}/mine/model.onnx"] and len(server.asked) == 1
        (folder / "model.onnx").unlink()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        pull(server)
        assert len(proxy.asked) == 1 and len(server.asked) == 2
        (folder / "model.onnx").unlink()
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(PackError, match="could not be had"):
            pull_pack(load_pack("mine"), retry_policy=HASTY)
        assert proxy.paths[1:] == ["models.example:443"] * HASTY.max_attempts


@pytest.mark.parametrize("proxy", ["socks9://127.0.0.1:1", "http://127.0.0.1:port"])
def test_a_proxy_that_is_none_is_one_clear_line(folder: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(PackError) as failure:
        pull_pack(load_pack("mine"), retry_policy=HASTY)
    assert "ALL_PROXY" in str(failure.value.hint)


def test_a_server_that_is_not_there(folder: Path) -> None:
    told = Told()
    with pytest.raises(PackError) as failure:
        pull_pack(load_pack("mine"), mirror="http://127.0.0.1:1", retry_policy=HASTY, progress=told)
    assert "127.0.0.1" in str(failure.value) and "HTTPS_PROXY" in str(failure.value.hint)
    assert len(told.notes) == HASTY.max_attempts - 1


def test_a_pack_without_an_address_is_for_adding(folder: Path) -> None:
    put_in("\n".join(line for line in manifest_text().splitlines() if not line.startswith("url")))
    with pytest.raises(PackError, match="names no address"):
        pull_pack(load_pack("mine"))


def test_a_pack_without_known_hashes_is_for_adding(folder: Path) -> None:
    put_in(manifest_text(content=None))
    with pytest.raises(PackError, match="nobody has published") as failure:
        pull_pack(load_pack("mine"), mirror="http://127.0.0.1:1")
    assert "faceclust models add --pack mine" in str(failure.value.hint)


def test_the_embedded_pack_needs_nothing() -> None:
    assert pull_pack(load_pack("dlib")) == []


@pytest.mark.parametrize("tricks", [[], [cut_off(50)]])
def test_a_zip_is_taken_apart_and_deleted(server: Server, folder: Path, tricks: list[Trick]) -> None:
    archive = zip_of(MODEL)
    put_in(manifest_text(archive=archive))
    server.files = {"/mine/all.zip": archive}
    pull(server, *tricks)
    assert (folder / "model.onnx").read_bytes() == MODEL and here(folder) == WHOLE


def test_a_mirror_may_be_the_zip_itself(server: Server, folder: Path) -> None:
    archive = zip_of(MODEL)
    put_in(manifest_text(archive=archive))
    server.files = {"/x/all.zip": archive}
    pull(server, mirror=f"{server.url}/x/all.zip")
    assert here(folder) == WHOLE and server.paths == ["/x/all.zip"]


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (b"not a zip" * 100, "cannot be taken out"),
        (zip_of(MODEL, name="other.onnx"), r"has no in/m\.onnx in it"),
        (zip_of(bytes(50_000_000)), "larger than it should be"),
        (zip_of(bytes(len(MODEL))), "SHA-256 is another"),
        (zip_of(MODEL)[:-200], "cannot be taken out"),
        (zip_of(MODEL).replace(MODEL[:9], b"x" * 9), "cannot be taken out"),
    ],
)
def test_a_zip_that_is_not_what_it_should_be(server: Server, folder: Path, archive: bytes, words: str) -> None:
    if archive[-200:-100] != b"" and words == "cannot be taken out" and b"x" * 9 in archive:
        archive = zip_of(MODEL, method=0).replace(MODEL[:9], b"x" * 9)  # its check sum is another
    put_in(manifest_text(archive=archive))
    server.files = {"/mine/all.zip": archive}
    with pytest.raises(PackError, match=words):
        pull(server)
    assert "model.onnx" not in here(folder) and "model.onnx.part" not in here(folder)


def test_a_damaged_file_is_replaced(server: Server, folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"damaged")
    pull(server)
    assert (folder / "model.onnx").read_bytes() == MODEL


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"sha256": 1, "address": 2, "etag": 3}', "[" * 9000, None])
def test_a_part_that_nobody_knows_is_begun_again(server: Server, folder: Path, note: str | None) -> None:
    (folder / "model.onnx.part").write_bytes(b"what is this?")
    if note is not None:
        (folder / "model.onnx.part.json").write_text(note)
    pull(server)
    assert here(folder) == WHOLE and server.ranges == [None]


def test_a_part_of_another_version_is_begun_again(server: Server, folder: Path) -> None:
    with pytest.raises(PackError):
        pull(server, cut_off(HALF), *[answer(500)] * 3)
    newer = MODEL[100:]
    put_in(manifest_text(content=newer))
    server.files["/mine/model.onnx"] = newer
    pull(server)
    assert (folder / "model.onnx").read_bytes() == newer and server.ranges[-1] is None


def test_what_one_mirror_began_another_ends(server: Server, folder: Path) -> None:
    with pytest.raises(PackError):
        pull(server, cut_off(HALF), *[answer(500)] * 3)
    with serving(Server({"/mine/model.onnx": MODEL})) as other:
        pull(other)
        assert other.ranges == [f"bytes={HALF}-"] and "If-Range" not in other.asked[0][1]
    assert here(folder) == WHOLE


def test_too_little_room_is_said_beforehand(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(10**9, 10**9 - 1000, 1000))
    with pytest.raises(PackError, match="1,000 are free"):
        pull(server)
    assert not server.asked and here(folder) == ["pack.toml"]


def test_a_disk_that_fills_up_leaves_what_has_come(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, stream: object) -> None:
            self.stream, self.written = stream, 0

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.stream.close()  # type: ignore[attr-defined]

        def write(self, block: bytes) -> None:
            self.written += len(block)
            if self.written > HALF:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.stream.write(block)  # type: ignore[attr-defined]

    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, mode="r", *a, **k: Full(opened(self, mode)) if mode == "ab" else opened(self, mode)
    )
    with pytest.raises(PackError, match="No space left") as failure:
        pull(server)
    assert "make room" in str(failure.value.hint) and here(folder) == BEGUN
    monkeypatch.undo()


@pytest.mark.parametrize("wrong", ["a file", "a link to nowhere"])
def test_a_folder_that_cannot_be_one(server: Server, wrong: str) -> None:
    put_in(manifest_text())
    pack = load_pack("mine")
    shutil.rmtree(pack.folder)
    pack.folder.write_text("in the way") if wrong == "a file" else pack.folder.symlink_to("/nowhere/at/all")
    with pytest.raises(PackError, match=r"cannot be written|cannot be used"):
        pull_pack(pack, mirror=server.url, retry_policy=HASTY)
    assert not server.asked


def test_two_at_once_is_one_too_many(server: Server, folder: Path) -> None:
    with filelock.FileLock(user_models_folder() / ".mine.lock"), pytest.raises(PackError, match="another faceclust"):
        pull(server)
    assert not server.asked
    pull(server)


def test_ctrl_c_leaves_what_has_come(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Told):
        def advance(self, steps: int = 1, **counts: int) -> None:
            super().advance(steps)
            if self.done > HALF:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(server, told=Stopped())
    assert here(folder) == BEGUN and (folder / "model.onnx.part").stat().st_size > HALF
    pull(server)
    assert here(folder) == WHOLE and server.ranges[1] is not None


def test_a_crash_between_any_two_steps_is_mended(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step of the disk fails once, as if the machine had died there: what is there is then never
    a file that is not whole, and the next pull ends well."""
    replace, unlink = Path.replace, Path.unlink
    for dying in range(12):
        left = iter(range(100))

        def step(real: object, left: Iterator[int] = left, dying: int = dying) -> object:
            def one(self: Path, *arguments: object, **named: object) -> object:
                if next(left) == dying and threading.current_thread() is threading.main_thread():
                    raise SystemExit
                return real(self, *arguments, **named)  # type: ignore[operator]

            return one

        monkeypatch.setattr(Path, "replace", step(replace))
        monkeypatch.setattr(Path, "unlink", step(unlink))
        try:
            pull(server, cut_off(HALF))
        except SystemExit:
            pass
        finally:
            monkeypatch.setattr(Path, "replace", replace)
            monkeypatch.setattr(Path, "unlink", unlink)
        if (folder / "model.onnx").exists():
            assert (folder / "model.onnx").read_bytes() == MODEL
        pull(server)
        assert (folder / "model.onnx").read_bytes() == MODEL
        for path in folder.iterdir():
            if path.name != "pack.toml":
                path.unlink()
