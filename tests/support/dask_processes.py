"""Start a Dask cluster of real processes, and harm it: kill, stop, slow down, and cut off the network.

`DaskProcesses` starts `dask scheduler` and `dask worker` as a user does. All processes of a cluster have a
mark in their environment, so that those are found, too, whose parents are gone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.command import COMMAND, wait_for
from tests.support.programs import find_program

_TREE = Path(__file__).parents[2]
_MARK = "FACECLUST_TEST_PROCESSES"
_WORKER_ENVIRONMENT = {
    "DASK_DISTRIBUTED__WORKER__DAEMON": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "False",
}
_WITH_CONSTANTS = """
import json, sys
from importlib import import_module
for name, value in json.loads(sys.argv.pop(1)).items():
    module, _, attribute = name.rpartition(".")
    assert hasattr(import_module(module), attribute), name
    setattr(import_module(module), attribute, value)
from faceclust.cli import main
main()
"""


class DaskProcesses:
    """A scheduler, its workers, and the commands that use them. As a context manager it ends them all.

    `folder` receives the logs. `environment` is added to that of all processes.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None, host: str = "127.0.0.1") -> None:
        self.folder, self.host, self.address = folder, host, ""
        self._mark = uuid.uuid4().hex
        self._environment = {**(environment or {}), _MARK: self._mark}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._schedulers: set[subprocess.Popen[bytes]] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> DaskProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.find_all():
            _signal(pid, signal.SIGKILL)
        for process in self._processes:
            process.wait(30)

    def start(self, name: str, words: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
        """Start a process whose output goes to the log of this name."""
        paths = [_TREE, *filter(None, [self._environment.get("PYTHONPATH"), environment.get("PYTHONPATH")])]
        own = {**self._environment, **environment, "PYTHONPATH": os.pathsep.join(map(str, reversed(paths)))}
        with open(self.log_of(name), "ab") as log:
            process = subprocess.Popen(
                words, env=os.environ | own, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._processes.append(process)
        return process

    def log_of(self, name: str) -> Path:
        """Return the file that a process writes its output to."""
        return self.folder / f"{name}.log"

    def start_scheduler(self, port: int = 0, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a scheduler and wait until it has an address."""
        told = self.folder / f"scheduler-{len(self._processes)}.json"
        host = ("--host", self.host, "--port", str(port), "--dashboard-address", f"{self.host}:0")
        words = [sys.executable, "-m", "dask", "scheduler", *host, "--scheduler-file", str(told), *options]
        process = self.start("scheduler", words, **environment)
        self._schedulers.add(process)
        self._wait_while_alive(process, "scheduler", lambda: told.exists() and told.read_text().rstrip().endswith("}"))
        self.address = json.loads(told.read_text())["address"]
        return process

    def start_worker(
        self, name: str, *options: str, before: Sequence[str] = (), host: str | None = None, **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker below its nanny, without waiting for it.

        `before` are words in front of the command, such as those that enter a network namespace.
        """
        host = host or self.host
        words = [sys.executable, "-m", "dask", "worker", self.address, "--name", name, "--nthreads", "1"]
        words += ["--host", host, "--dashboard-address", f"{host}:0", "--local-directory", str(self.folder / name)]
        return self.start(name, [*before, *words, *options], **_WORKER_ENVIRONMENT, **environment)

    def start_workers(self, *names: str, options: Sequence[str] = ()) -> list[subprocess.Popen[bytes]]:
        """Start several workers and wait until they are connected."""
        processes = [self.start_worker(name, *options) for name in names]
        for name in names:
            self.wait_for_worker(name)
        return processes

    def wait_for_worker(self, name: str, times: int = 1) -> None:
        """Wait until a worker has registered; `times` counts its restarts too."""
        log = self.log_of(name)
        wait_for(lambda: log.exists() and log.read_bytes().count(b"Registered to:") >= times)

    def start_command(
        self,
        name: str,
        *arguments: str | Path,
        constants: Mapping[str, object] | None = None,
        before: Sequence[str] = (),
        **environment: str,
    ) -> subprocess.Popen[bytes]:
        """Start a faceclust command on this cluster; its output goes to the log of this name.

        `constants` of modules, such as time limits, are changed in its process. `before` is as for `start_worker`.
        """
        words = self.command(*arguments, "--dask", self.address)
        if constants:
            words[1:3] = ["-c", _WITH_CONSTANTS, json.dumps(constants)]
        return self.start(name, [*before, *words], **environment)

    @staticmethod
    def command(*arguments: str | Path) -> list[str]:
        """Return the words of a faceclust command."""
        return [*COMMAND, *map(str, arguments)]

    def finish(self, process: subprocess.Popen[bytes], name: str, seconds: float = 180) -> tuple[int, str]:
        """Wait for the end of a process; return its exit code and output."""
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{name} is still running:\n{self.log_of(name).read_text()}") from None
        return code, self.log_of(name).read_text()

    def find_all(self) -> dict[int, str]:
        """Return the command of each running process of this cluster, by process id."""
        return {pid: _read_command(pid) for pid in _list_pids() if _has_mark(pid, self._mark) and is_running(pid)}

    @property
    def port(self) -> int:
        """That of the scheduler."""
        return int(self.address.rpartition(":")[2])

    def kill_scheduler(self) -> None:
        """Kill the scheduler by SIGKILL."""
        for process in self._schedulers:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """End everything as a user does, by SIGINT, the schedulers last; wait until no process is left."""
        for some in (set(self._processes) - self._schedulers, self._schedulers):
            for process in some:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
            for process in some:
                process.wait(30)
        self.wait_for_no_process()

    def wait_for_no_process(self, seconds: float = 30) -> None:
        """Wait until all processes have ended. Raises AssertionError, which names them, if one has not."""
        with suppress(AssertionError):
            wait_for(lambda: not self.find_all(), seconds)
        left = self.find_all()
        assert not left, "\n".join(f"{pid}: {command}" for pid, command in left.items())

    def _wait_while_alive(self, process: subprocess.Popen[bytes], name: str, condition: object) -> None:
        assert callable(condition)
        wait_for(lambda: condition() or process.poll() is not None)
        assert process.poll() is None, self.log_of(name).read_text()


def worker_below(nanny: int) -> int:
    """Return the process id of the worker that a nanny has started."""
    (worker,) = [pid for pid in children_of(nanny) if b"spawn_main" in _read_raw_command(pid)]
    return worker


def children_of(parent: int) -> list[int]:
    """Return the process ids of the children of a process."""
    return [pid for pid in _list_pids() if _parent_of(pid) == parent]


def descendants_of(parent: int) -> list[int]:
    """Return the process ids of all processes below a process."""
    parents = {pid: _parent_of(pid) for pid in _list_pids()}
    found, new = list[int](), [parent]
    while new:
        new = [pid for pid, above in parents.items() if above in new]
        found += new
    return found


def is_running(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    return _read_stat(pid)[:1] not in ([], ["Z"], ["X"])


@contextmanager
def paused(pids: Iterable[int]) -> Iterator[None]:
    """Stop processes by SIGSTOP, and let them go on afterwards."""
    pids = list(pids)
    for pid in pids:
        _signal(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


@contextmanager
def slowed_down(parent: int, factor: int, period: float = 0.2) -> Iterator[None]:
    """Let a process and all below it run for 1/factor of the time only."""
    done = threading.Event()

    def alternate() -> None:
        while not done.is_set():
            with paused([parent, *descendants_of(parent)]):
                done.wait(period * (1 - 1 / factor))
            done.wait(period / factor)

    thread = threading.Thread(target=alternate)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def kill(*pids: int) -> None:
    """Kill processes by SIGKILL."""
    for pid in pids:
        _signal(pid, signal.SIGKILL)


def listening_sockets(pids: Iterable[int]) -> set[tuple[str, int]]:
    """Return address and port of each TCP socket that these processes listen on."""
    found: set[tuple[str, int]] = set()
    for pid in pids:
        with suppress(OSError):
            own = set(_read_links(Path(f"/proc/{pid}/fd")))
            for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
                for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                    columns = line.split()
                    if columns[3] == "0A" and f"socket:[{columns[9]}]" in own:
                        address, _, port = columns[1].partition(":")
                        found.add((_decode_address(family, address), int(port, 16)))
    return found


def _read_links(folder: Path) -> Iterator[str]:
    for link in folder.iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            yield str(link.readlink())


def _decode_address(family: socket.AddressFamily, text: str) -> str:
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]  # little-endian words
    return socket.inet_ntop(family, b"".join(words))


class Hosts:
    """Network namespaces that stand for computers, joined by a bridge with the address `gateway`.

    Skips the test without the right to make network namespaces. As a context manager it removes them.
    """

    def __init__(self, *names: str) -> None:
        find_program("ip")
        self._key = uuid.uuid4().hex[:6]
        part = int(self._key, 16)
        self._net = f"10.{64 + part % 64}.{part // 64 % 250}"
        self.gateway = f"{self._net}.1"
        self._names, self._stack = names, ExitStack()

    def __enter__(self) -> Hosts:
        bridge = f"fcb{self._key}"
        try:
            _run_ip("link", "add", bridge, "type", "bridge")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        self._stack.callback(_run_ip, "link", "del", bridge)
        _run_ip("addr", "add", f"{self.gateway}/24", "dev", bridge)
        _run_ip("link", "set", bridge, "up")
        for number, name in enumerate(self._names):
            outside, inside, namespace = f"fco{self._key}{number}", f"fci{self._key}{number}", self._namespace(name)
            _run_ip("netns", "add", namespace)
            self._stack.callback(_run_ip, "netns", "del", namespace)
            _run_ip("link", "add", outside, "type", "veth", "peer", "name", inside)
            _run_ip("link", "set", outside, "master", bridge, "up")
            _run_ip("link", "set", inside, "netns", namespace)
            _run_ip("-n", namespace, "addr", "add", f"{self.address_of(name)}/24", "dev", inside)
            for device in (inside, "lo"):
                _run_ip("-n", namespace, "link", "set", device, "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def address_of(self, name: str) -> str:
        """Return the IP address of a host."""
        return f"{self._net}.{2 + self._names.index(name)}"

    def enter(self, name: str) -> list[str]:
        """Return the words before a command that runs on this host."""
        return ["ip", "netns", "exec", self._namespace(name)]

    def cut(self, name: str) -> None:
        """Cut a host off the network: packets are lost without an answer."""
        _run_ip("link", "set", f"fco{self._key}{self._names.index(name)}", "down")

    def join(self, name: str) -> None:
        """Connect a host again."""
        _run_ip("link", "set", f"fco{self._key}{self._names.index(name)}", "up")

    def _namespace(self, name: str) -> str:
        return f"fc-{self._key}-{name}"


def other_mounts(script: str) -> list[str]:
    """Return words before a command that runs with mounts of its own, which the shell script makes.

    Skips the test without the right to mount.
    """
    unshare = find_program("unshare")
    tried = subprocess.run([unshare, "-m", "true"], capture_output=True, check=False, text=True)
    if tried.returncode:
        pytest.skip(f"no mount namespaces here: {tried.stderr.strip()}")
    return [unshare, "-m", "sh", "-c", f'{script} && exec "$0" "$@"']


def _run_ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _list_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _has_mark(pid: int, mark: str) -> bool:
    try:
        return f"{_MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _read_raw_command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _read_command(pid: int) -> str:
    return _read_raw_command(pid).replace(b"\0", b" ").decode(errors="replace").strip()


def _read_stat(pid: int) -> list[str]:
    """Return the columns of /proc/PID/stat after the command: state, parent, …"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _parent_of(pid: int) -> int:
    return int((_read_stat(pid) or ["", "0"])[1])
