"""Commands under a seccomp filter that kills every process that opens an internet socket."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import tiny_models
from tests.support.labelled_photos import make_labelled_photos, write_pairs
from tests.support.sample_photos import make_library

SYSTEM_CALLS = {"x86_64": 41, "aarch64": 198}  # socket(2)

pytestmark = [
    pytest.mark.process,
    pytest.mark.linux,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() not in SYSTEM_CALLS, reason="a seccomp filter needs Linux"
    ),
]

#: Code that installs the filter, which child processes inherit, and then runs the program.
GUARD = """
import ctypes, struct, sys
socket_call = int(sys.argv.pop(1))
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, KILL_PROCESS = 0x7FFF0000, 0x80000000
program = [
    (LOAD, 0, 0, 0),                 # the system call's number
    (EQUAL, 0, 3, socket_call),      # another one: allow
    (LOAD, 0, 0, 16),                # its first argument, the address family
    (EQUAL, 2, 0, 2),                # AF_INET: kill
    (EQUAL, 1, 0, 10),               # AF_INET6: kill
    (RETURN, 0, 0, ALLOW),
    (RETURN, 0, 0, KILL_PROCESS),
]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
filter = Program(len(program), ctypes.cast(code, ctypes.c_void_p))
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, ctypes.byref(filter), 0, 0) == 0
if sys.argv[1] == "open-a-socket":
    import socket
    socket.socket(socket.AF_INET)
from faceclust.cli import main
main()
"""


def run_guarded(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    # Programs with telemetry switch it off in tests: hide that this is one.
    hidden = ("CI", "GITHUB", "GITLAB", "JENKINS", "TRAVIS", "BUILD", "TF_", "PYTEST", "ORT_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    command = [sys.executable, "-c", GUARD, str(SYSTEM_CALLS[platform.machine()]), *map(str, arguments)]
    places = {name: str(home) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env | places, cwd="/")


def test_the_guard_kills_a_program_that_opens_a_socket(tmp_path: Path) -> None:
    assert run_guarded("open-a-socket", home=tmp_path).returncode < 0


@pytest.mark.slow
def test_the_main_job_opens_no_socket_and_writes_nothing_elsewhere(tmp_path: Path) -> None:
    photos, home = tmp_path / "photos", tmp_path / "home"
    home.mkdir()
    make_library(photos, photos_each=1)
    for arguments in (
        ["scan", photos],
        ["cluster"],
        ["name", "1", "Anna"],
        ["report", "-o", tmp_path / "r.html"],
        ["doctor"],
    ):
        done = run_guarded(*arguments, home=home)
        assert done.returncode == 0, (arguments, done.returncode, done.stderr)
    small = ["cluster", "--full", "--dask", "local:1"]  # too few faces for a cluster
    assert run_guarded(*small, home=home).returncode == 0
    (photos / "new.jpg").write_bytes(next(photos.rglob("*.jpg")).read_bytes() + b"\0")
    assert run_guarded("scan", photos, "--dask", "local:1", home=home).returncode == -signal.SIGSYS
    left = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert left == {"faceclust/last-library"}


@pytest.mark.slow
def test_of_the_models_commands_only_pull_opens_a_socket(tmp_path: Path) -> None:
    for code, arguments in (
        (0, ["models", "list"]),
        (0, ["models", "show", "sface"]),
        (0, ["models", "verify"]),
        (1, ["models", "verify", "sface"]),  # not installed, and not downloaded
        (0, ["models", "pull", "sface", "--dry-run"]),
        (0, ["models", "pull", "dlib"]),
        (1, ["models", "pull", "facenet"]),
        (2, ["models", "pull", "buffalo_s"]),
        (0, ["models", "remove", "sface", "--yes"]),
        (0, ["evaluate", "--help"]),
    ):
        done = run_guarded(*arguments, home=tmp_path)
        assert done.returncode == code, (arguments, done.returncode, done.stderr)
    assert run_guarded("models", "pull", "sface", home=tmp_path).returncode == -signal.SIGSYS


@pytest.mark.slow
def test_evaluation_and_custom_models_open_no_socket(tmp_path: Path) -> None:
    photos, home, model = tmp_path / "photos", tmp_path / "home", tmp_path / "own.onnx"
    home.mkdir()
    make_labelled_photos(photos)
    tiny_models.write_embedder(model)
    pairs = write_pairs(tmp_path / "pairs.txt")
    for code, arguments in (
        (0, ["scan", photos]),
        (0, ["cluster"]),
        (0, ["name", "1", "Anna"]),
        (0, ["name", "2", "Berta"]),
        (1, ["evaluate", "library"]),  # too few people
        (0, ["evaluate", "clusters", "--truth", "folders"]),
        (0, ["evaluate", "pairs", photos, "--pairs", pairs]),
        (0, ["models", "add", model, "--template", "arcface", "--input", "rgb", "--mean", "127.5", "--scale", "128"]),
        (0, ["models", "use", "own", "--library", photos]),
        (2, ["models", "calibrate", "own", photos]),  # too few people
    ):
        done = run_guarded(*arguments, home=home)
        assert done.returncode == code, (arguments, done.returncode, done.stderr)


def test_only_a_scan_loads_the_model_runtime(tmp_path: Path) -> None:
    code = "import sys, faceclust.library.library, faceclust.library.status; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "False"
