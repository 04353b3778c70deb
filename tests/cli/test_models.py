"""`faceclust models` with a local HTTP server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from click.testing import CliRunner

from faceclust.cli import cli
from faceclust.installer.staging import find_bundled_manifest
from faceclust.packs.registry import load_pack, pack_names, user_models_folder
from tests.support.command import COMMAND, run, run_checked, wait_for
from tests.support.http_server import Server, run_server, stall
from tests.support.pack_builders import MODEL, build_manifest, install_manifest


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
    """The folder of the pack `mine`, which has a manifest but no files yet."""
    return install_manifest(build_manifest())


def list_file_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_list_shows_all_packs_and_the_one_in_use(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(MODEL)
    install_manifest("nonsense", "broken")
    install_manifest(build_manifest("halfway"), "halfway")
    (user_models_folder() / "halfway/model.onnx").write_bytes(b"damaged")
    record = json.loads(run_checked("models", "list", "--json"))
    assert record["in_use"] == "mobilefacenet"
    states = {pack["name"]: pack["state"] for pack in record["packs"]}
    assert states == {
        "adaface": "can be pulled",
        "auraface": "can be pulled",
        "broken": "unreadable",
        "buffalo_l": "can be pulled",
        "buffalo_s": "can be pulled",
        "dlib": "embedded",
        "facenet": "add only",
        "halfway": "damaged",
        "magface": "add only",
        "mine": "installed",
        "mobilefacenet": "embedded",
        "sface": "can be pulled",
    }
    output = run_checked("models", "list")
    assert max(map(len, output.splitlines())) <= 80
    assert "* mobilefacenet" in output and "no commercial use" in output and "\x1b" not in output
    assert all(f" {name} " in output for name in states)


@pytest.mark.parametrize("name", [name for name in pack_names() if find_bundled_manifest(name)])
def test_show_describes_a_pack(name: str) -> None:
    pack = load_pack(name)
    output, printed = (
        CliRunner().invoke(cli, ["models", "show", name, *options]).stdout for options in ([], ["--json"])
    )
    record = json.loads(printed)
    for file in pack.files:
        assert file.name in output and (file.sha256 or "unknown: never published") in output
        assert file.url is None or file.url in output
    assert " ".join(output.split()).count(pack.terms) == 1 and f"{pack.embedder.radius:g}, " in output
    assert record["radius_source"] == pack.radius_source and len(record["files"]) == len(pack.files)
    assert [record["mean"], record["scale"]] == [pack.embedder.mean, pack.embedder.scale]


def test_pull_verify_remove(server: Server, folder: Path) -> None:
    assert "would download 0.4 MB" in run_checked("models", "pull", "mine", "--url", server.url, "--dry-run")
    assert not server.requests
    assert run("models", "verify", "mine").returncode == 1
    output = run_checked("models", "pull", "mine", "--url", server.url)
    assert f"mine: 1 file in {folder}" in output and "faceclust models use mine" in output
    assert "nothing to download" in run_checked("models", "pull", "mine", env={"FACECLUST_MODELS_URL": server.url})
    assert len(server.requests) == 1
    assert "mine: installed" in run_checked("models", "verify")
    (folder / "model.onnx").write_bytes(MODEL[::-1])
    done = run("models", "verify")
    assert done.returncode == 1 and "damaged  " in done.stdout and "faceclust models pull mine" in done.stdout
    assert json.loads(run("models", "verify", "--json").stdout)["wrong"] == ["mine"]
    record = json.loads(run_checked("models", "pull", "mine", "--json", env={"FACECLUST_MODELS_URL": f"{server.url}/"}))
    assert record["written"] and record["files"] == [str(folder / "model.onnx")] and record["bytes"] == len(MODEL)
    assert "no problems found" in run_checked("doctor")
    (folder / "diary.txt").write_text("mine")
    assert "nothing was written" in run_checked("models", "remove", "mine", "--dry-run")
    assert len(list_file_names(folder)) == 3
    assert "2 files deleted; names and found faces are kept" in run_checked("models", "remove", "mine", "--yes")
    assert list_file_names(folder) == ["diary.txt"]
    assert run("models", "verify", "mine").returncode == 1


def test_verify_reports_missing_packs(folder: Path) -> None:
    install_manifest(build_manifest("alone", None), "alone")
    done = run("models", "verify")
    assert done.returncode == 1 and "alone: add only" in done.stdout and "mine: can be pulled" in done.stdout
    for name in ("alone", "mine"):
        shutil.rmtree(user_models_folder() / name)
    assert "sface" not in run_checked("models", "verify")
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "faceclust" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('pack = "sface"\n')
    done = run("models", "verify")
    assert done.returncode == 1 and "sface: can be pulled" in done.stdout


def test_remove_deletes_all_files_of_a_pack(folder: Path) -> None:
    for name in ("model.onnx", "model.onnx.part", "model.onnx.part.json", "agreed-to.txt"):
        (folder / name).write_bytes(b"x")
    (folder / ".faceclust-0123456789abcdef.tmp").write_bytes(b"x")
    record = json.loads(run_checked("models", "remove", "mine", "--yes", "--json"))
    assert len(record["files"]) == 6 and record["written"] and not folder.exists()


def test_remove_does_not_follow_symlinks(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(MODEL)
    (folder / "model.onnx").symlink_to(tmp_path / "model.onnx")
    run_checked("models", "remove", "mine", "--yes")
    assert (tmp_path / "model.onnx").read_bytes() == MODEL and not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["show", "nobody"], 1, "known packs: "),
        (["show", "../../etc/passwd"], 1, "no model pack"),
        (["pull", "nobody"], 1, "no model pack"),
        (["pull", "facenet"], 1, "faceclust models add --pack facenet FILE"),
        (["pull", "mine", "--url", "http://models.example"], 2, "not a valid mirror URL"),
        (["pull", "mine", "--url", "http://127.0.0.1:1/other.onnx"], 2, "not the URL of any of: model.onnx"),
        (["pull", "buffalo_s"], 2, "add --yes"),
        (["pull", "buffalo_s", "--json"], 2, "add --yes"),
        (["verify", "nobody"], 1, "no model pack"),
        (["remove", "dlib", "--yes"], 2, "is part of faceclust"),
        (["remove", "mine"], 2, "--yes or --dry-run"),
        (["remove", "mine", "--json"], 2, "--json cannot ask for confirmation"),
        (["list", "--library", "/no/such/folder"], 2, "/no/such/folder does not exist"),
    ],
)
def test_invalid_input_gets_one_clear_line(folder: Path, arguments: list[str], code: int, words: str) -> None:
    done = run("models", *arguments)
    assert done.returncode == code and words in done.stderr and done.stdout.count("error") == 0
    assert "Traceback" not in done.stderr and "bug in faceclust" not in done.stderr
    assert list_file_names(folder) == ["pack.toml"]


def test_licence_terms_are_asked_once(server: Server) -> None:
    folder = install_manifest(build_manifest(commercial=False))
    pull = [*COMMAND[1:], "models", "pull", "mine", "--url", server.url]
    terminal = pexpect.spawn(COMMAND[0], pull, encoding="utf-8", timeout=60)
    terminal.expect("You may not sell")  # the line is wrapped
    terminal.expect("Do you accept these terms")
    terminal.sendline("n")
    terminal.expect("nothing was installed")
    terminal.wait()
    assert terminal.exitstatus == 1 and not server.requests and list_file_names(folder) == ["pack.toml"]
    terminal = pexpect.spawn(COMMAND[0], pull, encoding="utf-8", timeout=60)
    terminal.expect("Do you accept these terms")
    terminal.sendline("y")
    terminal.expect("next: faceclust models use mine")
    terminal.wait()
    (folder / "model.onnx").unlink()
    run_checked("models", "pull", "mine", "--url", server.url)  # without a terminal, so nothing is asked
    (folder / "model.onnx").unlink()
    install_manifest(build_manifest(commercial=False).replace("not sell", "neither keep nor sell"))
    assert run("models", "pull", "mine", "--url", server.url).returncode == 2  # the terms have changed
    run_checked("models", "pull", "mine", "--url", server.url, "--yes")
    assert list_file_names(folder) == ["agreed-to.txt", "model.onnx", "pack.toml"]


def start_pull(server: Server) -> subprocess.Popen[str]:
    """Start a pull in its own process from a server that stalls halfway."""
    server.faults[:] = [stall(len(MODEL) // 2)]
    return subprocess.Popen(
        [*COMMAND, "models", "pull", "mine", "--url", server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("sent_signal", "code", "words"),
    [(signal.SIGKILL, -signal.SIGKILL, ""), (signal.SIGINT, 130, "run the command again to resume")],
)
def test_killed_pull_resumes(server: Server, folder: Path, sent_signal: signal.Signals, code: int, words: str) -> None:
    program = start_pull(server)
    part = folder / "model.onnx.part"
    wait_for(lambda: part.exists() and part.stat().st_size > len(MODEL) // 4)
    busy = run("models", "pull", "mine", "--url", server.url)
    assert busy.returncode == 1 and "another faceclust is changing" in busy.stderr
    busy = run("models", "remove", "mine", "--yes")
    assert busy.returncode == 1 and "another faceclust is changing" in busy.stderr and part.exists()
    program.send_signal(sent_signal)
    _, errors = program.communicate(timeout=30)
    assert program.returncode == code and words in errors and "Traceback" not in errors
    downloaded = part.stat().st_size
    assert list_file_names(folder) == ["model.onnx.part", "model.onnx.part.json", "pack.toml"]
    run_checked("models", "pull", "mine", "--url", server.url)
    assert server.ranges == [None, f"bytes={downloaded}-"]
    assert (folder / "model.onnx").read_bytes() == MODEL and list_file_names(folder) == ["model.onnx", "pack.toml"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root can write everywhere")
def test_unwritable_pack_folder(server: Server, folder: Path) -> None:
    folder.chmod(0o500)
    try:
        done = run("models", "pull", "mine", "--url", server.url)
    finally:
        folder.chmod(0o700)
    assert done.returncode == 1 and "cannot be written" in done.stderr


@pytest.mark.parametrize("wrong", ["a file where the folder should be", "a device"])
def test_unwritable_models_folder(server: Server, wrong: str) -> None:
    shutil.rmtree(user_models_folder(), ignore_errors=True)
    user_models_folder().parent.mkdir(parents=True, exist_ok=True)
    user_models_folder().symlink_to("/dev/full" if "device" in wrong else __file__)
    done = run("models", "pull", "sface", "--url", server.url)
    assert done.returncode == 1 and "cannot be written" in done.stderr and "Traceback" not in done.stderr


def test_pack_names_are_completed() -> None:
    env = {"_FACECLUST_COMPLETE": "bash_complete", "COMP_WORDS": "faceclust models pull buff", "COMP_CWORD": "3"}
    assert run_checked(env=env).split() == ["plain,buffalo_l", "plain,buffalo_s"]


@pytest.mark.parametrize("name", ["list", "show", "pull", "verify", "remove"])
def test_help_of_each_command_has_an_example(name: str) -> None:
    output = run_checked("models", name, "--help")
    assert "Example" in output and f"faceclust models {name}" in output
