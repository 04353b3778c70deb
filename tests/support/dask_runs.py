"""Commands on a Dask cluster of real processes, whose work waits at a gate until the test has done its harm."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from faceclust import Library
from tests.support.command import wait_for
from tests.support.dask_processes import DaskProcesses, worker_below
from tests.support.gated_photos import Gate
from tests.support.scan_builders import read_cached_rows

Rows = dict[str, list[dict[str, Any]]]


class DaskRun:
    """Runs of one command. `constants` are of modules in `engines.dask`, such as `connection._ALONE`."""

    def __init__(
        self,
        words: Sequence[str | Path],
        folder: Path,
        host: str = "127.0.0.1",
        constants: Mapping[str, object] | None = None,
    ) -> None:
        self._words, self._constants = words, dict(constants or {})
        self.gate = Gate(folder / "gate")
        self.dask = DaskProcesses(folder / "logs", self.gate.environment, host)
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0

    def start(
        self, *options: str, before: Sequence[str] = (), constants: Mapping[str, object] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start the command. `before` is as for `DaskProcesses.start_worker`."""
        changed = {
            f"faceclust.engines.dask.{name}": value for name, value in (self._constants | dict(constants or {})).items()
        }
        self._count += 1
        self._process = self.dask.start_command(self._log, *self._words, *options, constants=changed, before=before)
        return self._process

    @property
    def _log(self) -> str:
        return f"run {self._count}"

    def output(self) -> str:
        """Return what the command has printed up to now."""
        return self.dask.log_of(self._log).read_text()

    def wait_for_output(self, text: str) -> None:
        """Wait until the command has printed a text, or ended."""
        self._wait_for(lambda: text in self.output())

    def wait_for_work_on(self, nanny: subprocess.Popen[bytes]) -> int:
        """Wait until a worker is at the gate; return its process id."""
        worker = worker_below(nanny.pid)
        self._wait_for(lambda: self.gate.seen()[worker])
        return worker

    def _wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until a condition is true. Raises AssertionError, with the output, if the command ends before."""
        assert self._process is not None
        process = self._process
        wait_for(lambda: condition() or process.poll() is not None)
        assert condition(), self.output()

    def finish(self, code: int = 0) -> str:
        """Wait for the end, and check the exit code. A failure is one line and a hint. Returns the output."""
        assert self._process is not None
        found, output = self.dask.finish(self._process, self._log)
        print(output)
        assert found == code, output
        assert "Traceback" not in output and "distributed." not in output
        assert output.count("error:") == (code == 1)
        return output


class DaskScan(DaskRun):
    """A scan of a folder of photos, into caches elsewhere. `rows` are those that it must find."""

    def __init__(self, root: Path, rows: Rows, folder: Path, host: str = "127.0.0.1") -> None:
        self.root, self.rows, self.caches = root, rows, folder / "caches"
        super().__init__(["scan", root, "--cache-dir", self.caches], folder, host)

    def check_rows(self) -> None:
        """Check that the caches hold what a scan without Dask finds."""
        assert read_cached_rows(Library(self.root, cache_dir=self.caches)) == self.rows


Run = TypeVar("Run", bound=DaskRun)


def started(run: Run) -> Iterator[Run]:
    """Start a scheduler; at the end, open the gate, end everything and check that no process is left."""
    with run.dask:
        run.dask.start_scheduler()
        yield run
        run.gate.open()
        run.dask.stop()
