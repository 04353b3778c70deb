"""The places of files and their permissions: read-only libraries, a cache folder, any umask."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.command import COMMAND
from tests.support.sample_photos import make_library

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def user_sandbox(tmp_path: Path) -> Iterator[tuple[Path, Run]]:
    """A folder with a library `photos`, and a function that runs the program as an ordinary user.

    The user's own folders are below `home`.
    """
    base = tmp_path / "base"
    base.mkdir()
    (base / "home").mkdir()
    make_library(base / "photos", photos_each=1)
    folders = {name: str(base / "home" / name) for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")}
    # Root may write everywhere: drop that capability.
    plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"] if os.geteuid() == 0 else []

    def run(*arguments: str | Path, umask: int = 0o022, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*plain, *COMMAND, *map(str, arguments)],
            env=os.environ | folders | {"HOME": str(base / "home")} | env,
            cwd="/",
            umask=umask,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    if plain and (shutil.which("setpriv") is None or run("--version").returncode):
        pytest.skip("run by root, who cannot drop its capabilities here")
    yield base, run
    for path in (base, *base.rglob("*")):
        if path.is_dir():
            path.chmod(0o700)


def read_times_and_modes(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


def expect_success(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("umask", "with_cache_dir"), [(0, False), (0o777, True)], ids=["0", "777 and a cache folder"])
def test_files_are_private_whatever_the_umask(user_sandbox: tuple[Path, Run], umask: int, with_cache_dir: bool) -> None:
    base, run = user_sandbox
    photos, before = base / "photos", set(base.rglob("*"))
    chosen = ["--cache-dir", base / "deep" / "caches"] if with_cache_dir else []
    expect_success(run("scan", photos, "-j", "1", *chosen, umask=umask))
    expect_success(run("cluster", umask=umask))
    expect_success(run("name", "1", "Anna", umask=umask))
    expect_success(run("report", "-o", base / "home/out.html", umask=umask))  # writes face pictures
    created = set(base.rglob("*")) - before - {base / "home/out.html"}
    assert {"people.jsonl", "clusters.parquet", "lock", "last-library"} < {path.name for path in created}
    assert any(path.suffix == ".jpg" for path in created)
    assert {stat.S_IMODE(path.stat().st_mode) for path in created if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in created if path.is_file()} == {0o600}


@pytest.mark.slow
def test_a_library_without_write_permission_needs_no_option(user_sandbox: tuple[Path, Run]) -> None:
    base, run = user_sandbox
    photos = base / "photos"
    for folder in (photos, *(path for path in photos.rglob("*") if path.is_dir())):
        folder.chmod(0o555)
    before = read_times_and_modes(photos)
    assert "5 scanned" in expect_success(run("scan", photos, "-j", "1"))
    expect_success(run("cluster"))
    expect_success(run("name", "1", "Anna"))
    assert "5 unchanged" in expect_success(run("scan", photos, "-j", "1"))
    assert "Anna" in expect_success(run("people"))
    assert "no problems found" in expect_success(run("cache", "check", "--hash"))
    assert read_times_and_modes(photos) == before
    assert len(list((base / "home").rglob(".faceclust.mobilefacenet.parquet"))) == 2


@pytest.mark.slow
def test_a_read_only_disk_needs_no_option(user_sandbox: tuple[Path, Run]) -> None:
    base, _ = user_sandbox
    photos = base / "photos"
    mounted = f'mount --bind "{photos}" "{photos}" && mount -o remount,bind,ro "{photos}" && ! touch "{photos}/x" && '
    inside = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    try:
        possible = subprocess.run([*inside, mounted + "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        possible = False
    if not possible:
        pytest.skip("mounting is not possible here")
    program = f"{sys.executable} -m faceclust"
    commands = f'{program} scan -j 1 "{photos}" && {program} cluster && {program} name 1 Anna && {program} people'
    done = subprocess.run([*inside, mounted + commands], cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Anna" in done.stdout, done.stderr
    assert not list(photos.rglob(".faceclust*"))


@pytest.mark.slow
def test_the_cache_folder_holds_everything_and_is_remembered(user_sandbox: tuple[Path, Run]) -> None:
    base, run = user_sandbox
    photos, caches = base / "photos", base / "caches"
    before = read_times_and_modes(photos)
    expect_success(run("scan", photos, "-j", "1", FACECLUST_CACHE_DIR=str(caches)))
    expect_success(run("cluster"))  # the last scanned library; the option is remembered
    expect_success(run("name", "1", "Anna", "-l", photos))
    assert "5 unchanged" in expect_success(run("scan", photos, "-j", "1"))
    assert "Anna" in expect_success(run("people", "-l", photos))
    assert read_times_and_modes(photos) == before
    assert {path.parent.parent for path in caches.rglob("people.jsonl")} == {caches}
    caches.rename(base / "away")
    without_cache = run("people", "-l", photos)
    assert without_cache.returncode == 1 and "mounted" in without_cache.stderr
    assert f"the cache directory {caches} of the library {photos} is missing" in without_cache.stderr
    assert run("scan", photos).returncode == 1 and read_times_and_modes(photos) == before
    inside = run("scan", photos, "--cache-dir", photos / "2019")
    assert inside.returncode == 2 and "lies in the library" in inside.stderr
