"""Downloads from a real server that truncates, corrupts, stalls, redirects and changes its files."""

from __future__ import annotations

import errno
import shutil
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from faceclust.errors import PackError, UsageError
from faceclust.installer import download
from faceclust.installer.download import RetryPolicy
from faceclust.installer.pull import pull_pack
from faceclust.installer.staging import lock_pack
from faceclust.packs.registry import load_pack
from faceclust.packs.verify import check_files, pack_state
from tests.support.http_server import (
    Fault,
    Proxy,
    Server,
    cut_connection,
    ignore_range,
    redirect_to,
    replace_content,
    respond_with,
    run_server,
    send_endlessly,
    send_rest_of_changed_file,
    send_wrong_range,
    stall,
)
from tests.support.pack_builders import MODEL, build_manifest, install_manifest, make_zip

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
    with run_server(Server({"/mine/model.onnx": MODEL})) as one:
        yield one


@pytest.fixture
def folder() -> Path:
    return install_manifest(build_manifest())


class RecordedProgress:
    """Progress that records its calls."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.done = self.total = 0

    def start(self, stage: str, total: int | None, unit: str = "") -> None:
        self.done, self.total = 0, total or 0

    def advance(self, steps: int = 1, **counts: int) -> None:
        self.done += steps

    def note(self, message: str) -> None:
        self.notes.append(message)

    def finish(self) -> None:
        pass


def pull(server: Server, *faults: Fault, recorded: RecordedProgress | None = None, mirror: str | None = None) -> None:
    server.faults[:] = faults
    pull_pack(load_pack("mine"), mirror=mirror or server.url, retry_policy=HASTY, progress=recorded)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


COMPLETE = ["model.onnx", "pack.toml"]
PARTIAL = ["model.onnx.part", "model.onnx.part.json", "pack.toml"]


def test_pull_downloads_the_files_in_the_manifest(server: Server, folder: Path) -> None:
    recorded = RecordedProgress()
    pull(server, recorded=recorded)
    assert (folder / "model.onnx").read_bytes() == MODEL
    assert files_in(folder) == COMPLETE and recorded.done == recorded.total == len(MODEL) and not recorded.notes
    pack = load_pack("mine")
    assert pack_state(pack, check_files(pack)) == "installed"
    pull(server)
    assert len(server.requests) == 1  # the second pull makes no request


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "ranges"),
    [
        ([cut_connection(HALF)], [None, f"bytes={HALF}-"]),
        ([cut_connection(HALF, with_etag=False)], [None, f"bytes={HALF}-"]),
        ([cut_connection(0)], [None, None]),
        ([cut_connection(HALF), ignore_range], [None, f"bytes={HALF}-"]),
        ([cut_connection(HALF), respond_with(416)], [None, f"bytes={HALF}-", None]),
        ([cut_connection(HALF), send_wrong_range], [None, f"bytes={HALF}-", None]),
        ([cut_connection(HALF), send_rest_of_changed_file], [None, f"bytes={HALF}-", None]),
        ([stall(HALF)], [None, f"bytes={HALF}-"]),
        ([stall(HALF), stall(HALF)], [None, f"bytes={HALF}-", f"bytes={HALF}-"]),
        ([respond_with(500), respond_with(503, Retry_After="0")], [None, None, None]),
        ([replace_content(MODEL[:HALF], length=None)], [None, f"bytes={HALF}-"]),
        ([replace_content(MODEL, length=None)], [None]),
    ],
)
def test_errors_that_go_away_are_retried(
    server: Server, folder: Path, faults: list[Fault], ranges: list[str | None]
) -> None:
    pull(server, *faults)
    assert (folder / "model.onnx").read_bytes() == MODEL and files_in(folder) == COMPLETE
    assert server.ranges == ranges


def test_only_the_same_version_is_resumed(server: Server, folder: Path) -> None:
    pull(server, cut_connection(HALF))
    assert "If-Range" in server.requests[1][1]
    (folder / "model.onnx").unlink()
    old = MODEL[::-1]
    server.files["/mine/model.onnx"] = old
    with pytest.raises(PackError):
        pull(server, cut_connection(HALF), respond_with(500), respond_with(500), respond_with(500))
    assert (folder / "model.onnx.part").read_bytes() == old[:HALF]
    server.files["/mine/model.onnx"] = MODEL  # another ETag: the server sends the whole file
    pull(server)
    assert (folder / "model.onnx").read_bytes() == MODEL


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "words", "left"),
    [
        (
            [cut_connection(HALF), respond_with(500), respond_with(500), respond_with(500)],
            "200,000 of 400,000 bytes: the server resp",
            PARTIAL,
        ),
        ([stall(10)] * 3, "the download stalled", PARTIAL),
        ([cut_connection(HALF)] + [respond_with(429)] * 3, "429", PARTIAL),
        ([respond_with(503)] * 3, "503", ["pack.toml"]),
        ([respond_with(401)], "401", ["pack.toml"]),
        ([respond_with(206)], "206", ["pack.toml"]),
        ([replace_content(bytes(len(MODEL)))], "was removed: its SHA-256 is not", ["pack.toml"]),
        (
            [cut_connection(HALF), send_rest_of_changed_file, replace_content(bytes(len(MODEL)))],
            "was removed",
            ["pack.toml"],
        ),
        ([replace_content(MODEL + b"x")], "it has '400001' bytes", ["pack.toml"]),
        ([replace_content(MODEL + b"x", length=None)], "more than 400,000", ["pack.toml"]),
        ([replace_content(MODEL[:5])], "is another file", ["pack.toml"]),
        ([replace_content(MODEL, Content_Encoding="gzip")], "content encoding 'gzip'", ["pack.toml"]),
        ([respond_with(404), respond_with(404)], "is not at", ["pack.toml"]),
        ([redirect_to("http://models.example/x")], "not https", ["pack.toml"]),
        ([redirect_to("file:///etc/passwd")], "not https", ["pack.toml"]),
        ([redirect_to("/mine/model.onnx")] * 11, "redirects too often", ["pack.toml"]),
        (
            [cut_connection(HALF)] + [respond_with(416), cut_connection(HALF)] * 3,
            "a different file each time",
            ["pack.toml"],
        ),
    ],
)
def test_persistent_errors_give_a_one_line_error(
    server: Server, folder: Path, faults: list[Fault], words: str, left: list[str]
) -> None:
    with pytest.raises(PackError) as failure:
        pull(server, *faults)
    assert words in str(failure.value) and "\n" not in str(failure.value)
    assert failure.value.hint
    assert files_in(folder) == left
    if left == PARTIAL:
        assert "to resume" in failure.value.hint
    pull(server)  # a later pull succeeds
    assert files_in(folder) == COMPLETE


def test_downloads_stop_at_the_size_of_the_file(server: Server, folder: Path) -> None:
    recorded = RecordedProgress()
    with pytest.raises(PackError, match="more than 400,000"):
        pull(server, send_endlessly, recorded=recorded)
    assert recorded.done <= len(MODEL) and files_in(folder) == ["pack.toml"]


def test_redirects_are_followed(server: Server, folder: Path) -> None:
    server.files["/elsewhere"] = MODEL
    pull(server, redirect_to("/elsewhere"))
    assert server.paths == ["/mine/model.onnx", "/elsewhere"] and files_in(folder) == COMPLETE


@pytest.mark.parametrize(
    ("path", "mirror", "requested"),
    [
        ("/a/mine/model.onnx", "/a", ["/a/mine/model.onnx"]),
        ("/a/mine/model.onnx", "/a/", ["/a/mine/model.onnx"]),
        ("/a/model.onnx", "/a", ["/a/mine/model.onnx", "/a/model.onnx"]),
        ("/b/model.onnx", "/b/model.onnx", ["/b/model.onnx"]),
        ("/b/model.onnx?key=7", "/b/model.onnx?key=7", ["/b/model.onnx?key=7"]),
    ],
)
def test_paths_on_a_mirror(server: Server, folder: Path, path: str, mirror: str, requested: list[str]) -> None:
    server.files = {path: MODEL}
    pull(server, mirror=server.url + mirror)
    assert server.paths == requested and files_in(folder) == COMPLETE


@pytest.mark.parametrize(
    "mirror", ["http://models.example/", "ftp://127.0.0.1/", "models.example", "https://", "https://a b/", "https://é/"]
)
def test_a_mirror_must_be_https_or_local(folder: Path, mirror: str) -> None:
    with pytest.raises(UsageError, match="not a valid mirror URL"):
        pull_pack(load_pack("mine"), mirror=mirror)
    assert files_in(folder) == ["pack.toml"]


def test_a_mirror_of_another_file_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"not the URL of any of: model\.onnx"):
        pull_pack(load_pack("mine"), mirror="http://127.0.0.1:1/other.onnx")


def test_a_password_in_a_url_is_sent_but_never_shown(server: Server, folder: Path) -> None:
    with pytest.raises(PackError) as failure:
        pull(server, respond_with(401), mirror=server.url.replace("//", "//anna:secret@"))
    assert server.requests[0][1]["Authorization"].startswith("Basic ")
    assert "secret" not in str(failure.value)


def test_passwords_are_not_sent_to_redirect_targets(server: Server, folder: Path) -> None:
    with run_server(Server({"/x": MODEL})) as other:
        pull(server, redirect_to(f"{other.url}/x"), mirror=server.url.replace("//", "//anna:secret@"))
    assert "Authorization" in server.requests[0][1] and "Authorization" not in other.requests[0][1]


def test_https_redirects_to_https_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    requested: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requested.append(str(request.url))
        if request.url.host == "models.example":
            return httpx.Response(302, headers={"Location": next(targets)})
        return httpx.Response(200, stream=httpx.ByteStream(MODEL))

    monkeypatch.setattr(download, "_make_client", lambda policy: httpx.Client(transport=httpx.MockTransport(respond)))
    for target in ("http://cdn.example/x", "http://127.0.0.1/x"):
        targets = iter([target])
        with pytest.raises(PackError, match="not https"):
            pull_pack(load_pack("mine"), retry_policy=HASTY)
    assert requested == ["https://models.example/mine/model.onnx"] * 2
    targets = iter(["https://cdn.example/x?signature=1"])
    pull_pack(load_pack("mine"), retry_policy=HASTY)
    assert files_in(folder) == COMPLETE


def test_proxy_variables_of_the_environment_are_respected(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_server(Server({}, Proxy)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        pull(server)
        assert proxy.paths == [f"{server.url}/mine/model.onnx"] and len(server.requests) == 1
        (folder / "model.onnx").unlink()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        pull(server)
        assert len(proxy.requests) == 1 and len(server.requests) == 2
        (folder / "model.onnx").unlink()
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(PackError, match="could not be downloaded"):
            pull_pack(load_pack("mine"), retry_policy=HASTY)
        assert proxy.paths[1:] == ["models.example:443"] * HASTY.max_attempts


@pytest.mark.parametrize("proxy", ["socks9://127.0.0.1:1", "http://127.0.0.1:port"])
def test_an_invalid_proxy_gives_a_clear_error(folder: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(PackError) as failure:
        pull_pack(load_pack("mine"), retry_policy=HASTY)
    assert "ALL_PROXY" in str(failure.value.hint)


def test_an_unreachable_server(folder: Path) -> None:
    recorded = RecordedProgress()
    with pytest.raises(PackError) as failure:
        pull_pack(load_pack("mine"), mirror="http://127.0.0.1:1", retry_policy=HASTY, progress=recorded)
    assert "127.0.0.1" in str(failure.value) and "HTTPS_PROXY" in str(failure.value.hint)
    assert len(recorded.notes) == HASTY.max_attempts - 1


def test_a_pack_without_urls_cannot_be_pulled(folder: Path) -> None:
    install_manifest("\n".join(line for line in build_manifest().splitlines() if not line.startswith("url")))
    with pytest.raises(PackError, match="its manifest has no URLs"):
        pull_pack(load_pack("mine"))


def test_a_pack_without_hashes_cannot_be_pulled(folder: Path) -> None:
    install_manifest(build_manifest(content=None))
    with pytest.raises(PackError, match="no official hashes") as failure:
        pull_pack(load_pack("mine"), mirror="http://127.0.0.1:1")
    assert "faceclust models add --pack mine" in str(failure.value.hint)


def test_the_embedded_pack_needs_nothing() -> None:
    assert pull_pack(load_pack("dlib")) == []


@pytest.mark.parametrize("faults", [[], [cut_connection(50)]])
def test_a_zip_is_unpacked_and_deleted(server: Server, folder: Path, faults: list[Fault]) -> None:
    archive = make_zip(MODEL)
    install_manifest(build_manifest(archive=archive))
    server.files = {"/mine/all.zip": archive}
    pull(server, *faults)
    assert (folder / "model.onnx").read_bytes() == MODEL and files_in(folder) == COMPLETE


def test_a_mirror_may_be_the_zip_itself(server: Server, folder: Path) -> None:
    archive = make_zip(MODEL)
    install_manifest(build_manifest(archive=archive))
    server.files = {"/x/all.zip": archive}
    pull(server, mirror=f"{server.url}/x/all.zip")
    assert files_in(folder) == COMPLETE and server.paths == ["/x/all.zip"]


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (b"not a zip" * 100, "cannot extract"),
        (make_zip(MODEL, name="other.onnx"), r"does not contain in/m\.onnx"),
        (make_zip(bytes(50_000_000)), "larger than 400,000 bytes"),
        (make_zip(bytes(len(MODEL))), "another SHA-256 than expected"),
        (make_zip(MODEL)[:-200], "cannot extract"),
        (make_zip(MODEL).replace(MODEL[:9], b"x" * 9), "cannot extract"),
    ],
)
def test_wrong_or_damaged_zips_are_refused(server: Server, folder: Path, archive: bytes, words: str) -> None:
    if archive[-200:-100] != b"" and words == "cannot extract" and b"x" * 9 in archive:
        archive = make_zip(MODEL, method=0).replace(MODEL[:9], b"x" * 9)  # a wrong checksum
    install_manifest(build_manifest(archive=archive))
    server.files = {"/mine/all.zip": archive}
    with pytest.raises(PackError, match=words):
        pull(server)
    assert "model.onnx" not in files_in(folder) and "model.onnx.part" not in files_in(folder)


def test_a_damaged_file_is_replaced(server: Server, folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"damaged")
    pull(server)
    assert (folder / "model.onnx").read_bytes() == MODEL


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"sha256": 1, "address": 2, "etag": 3}', "[" * 9000, None])
def test_a_partial_file_of_unknown_origin_is_discarded(server: Server, folder: Path, note: str | None) -> None:
    (folder / "model.onnx.part").write_bytes(b"what is this?")
    if note is not None:
        (folder / "model.onnx.part.json").write_text(note)
    pull(server)
    assert files_in(folder) == COMPLETE and server.ranges == [None]


def test_a_partial_file_of_another_version_is_discarded(server: Server, folder: Path) -> None:
    with pytest.raises(PackError):
        pull(server, cut_connection(HALF), *[respond_with(500)] * 3)
    newer = MODEL[100:]
    install_manifest(build_manifest(content=newer))
    server.files["/mine/model.onnx"] = newer
    pull(server)
    assert (folder / "model.onnx").read_bytes() == newer and server.ranges[-1] is None


def test_another_mirror_can_resume_a_download(server: Server, folder: Path) -> None:
    with pytest.raises(PackError):
        pull(server, cut_connection(HALF), *[respond_with(500)] * 3)
    with run_server(Server({"/mine/model.onnx": MODEL})) as other:
        pull(other)
        assert other.ranges == [f"bytes={HALF}-"] and "If-Range" not in other.requests[0][1]
    assert files_in(folder) == COMPLETE


def test_too_little_space_is_reported_first(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(10**9, 10**9 - 1000, 1000))
    with pytest.raises(PackError, match="only 1,000 are free"):
        pull(server)
    assert not server.requests and files_in(folder) == ["pack.toml"]


def test_a_full_disk_keeps_the_partial_file(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert "free some space" in str(failure.value.hint) and files_in(folder) == PARTIAL
    monkeypatch.undo()


@pytest.mark.parametrize("wrong", ["a file", "a link to nowhere"])
def test_a_pack_folder_that_cannot_be_created(server: Server, wrong: str) -> None:
    install_manifest(build_manifest())
    pack = load_pack("mine")
    shutil.rmtree(pack.folder)
    pack.folder.write_text("in the way") if wrong == "a file" else pack.folder.symlink_to("/nowhere/at/all")
    with pytest.raises(PackError, match=r"cannot be written|cannot be used"):
        pull_pack(pack, mirror=server.url, retry_policy=HASTY)
    assert not server.requests


def test_a_locked_pack_is_not_pulled(server: Server, folder: Path) -> None:
    with lock_pack("mine"), pytest.raises(PackError, match="another faceclust"):
        pull(server)
    assert not server.requests
    pull(server)


def test_ctrl_c_keeps_the_partial_file(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting(RecordedProgress):
        def advance(self, steps: int = 1, **counts: int) -> None:
            super().advance(steps)
            if self.done > HALF:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(server, recorded=Interrupting())
    assert files_in(folder) == PARTIAL and (folder / "model.onnx.part").stat().st_size > HALF
    pull(server)
    assert files_in(folder) == COMPLETE and server.ranges[1] is not None


@pytest.mark.slow
def test_recovery_from_a_crash_at_any_step(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a crash at each file system operation. The installed file is never incomplete, and the
    next pull succeeds."""
    replace, unlink = Path.replace, Path.unlink
    for crash_at in range(12):
        steps = iter(range(100))

        def crash(real: object, steps: Iterator[int] = steps, crash_at: int = crash_at) -> object:
            def operation(self: Path, *arguments: object, **named: object) -> object:
                if next(steps) == crash_at and threading.current_thread() is threading.main_thread():
                    raise SystemExit
                return real(self, *arguments, **named)  # type: ignore[operator]

            return operation

        monkeypatch.setattr(Path, "replace", crash(replace))
        monkeypatch.setattr(Path, "unlink", crash(unlink))
        try:
            pull(server, cut_connection(HALF))
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
