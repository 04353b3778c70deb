"""Connect to a Dask cluster and keep account of the workers that may be given work."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Future, Security
from distributed.comm import connect

from faceclust.engines.dask.address import DaskOptions, SchedulerAddress
from faceclust.engines.dask.quiet import silence_logs, silence_warnings
from faceclust.engines.dask.security import find_credentials, resolve_address
from faceclust.engines.dask.tasks import describe_error, find_reason, run_task
from faceclust.engines.dask.worker_checks import SOFTWARE_EXPRESSION, BoundCheck, Software, run_checks
from faceclust.errors import FaceclustError
from faceclust.progress import ShouldStop
from faceclust.scan.workers.process import block_interrupts, hide_main_module
from faceclust.text.plural import format_count

#: Seconds: to connect; to try again after the connection was lost; until all checks of workers are answered; without
#: any worker, or any answer of the scheduler, before giving up; between two looks at the list of workers; for the
#: scheduler to answer.
_CONNECT, _RECONNECT, _CHECK, _ALONE, _REFRESH, _ANSWER = 10.0, 90.0, 30.0, 90.0, 0.5, 5.0
#: Seconds without a heartbeat of a worker until it is removed. Dask waits 5 minutes, and other workers wait with it for
#: data that only this one has.
_SILENT = 30.0
_MAX_NAME = 100  # characters
_CLIENT_SETTINGS = {"distributed.comm.timeouts.connect": "10s", "distributed.comm.timeouts.tcp": "30s"}


@contextmanager
def open_cluster(
    options: DaskOptions, note: Callable[[str], None], should_stop: ShouldStop = lambda: False
) -> Iterator[DaskCluster]:
    """Connect to a cluster, or start one, and check its workers. `note` receives what happens to workers.

    Once `should_stop()` is true, workers are no longer waited for.

    Raises UsageError for an address that is unsafe or without certificates, FaceclustError if the scheduler cannot be
    reached, and if it has no workers that can be used.
    """
    silence_logs()
    with contextlib.ExitStack() as stack:
        stack.enter_context(silence_warnings())
        stack.enter_context(dask.config.set(_CLIENT_SETTINGS))
        if options.local_workers:
            from faceclust.engines.dask.local import start_local_cluster

            with block_interrupts(), hide_main_module():
                started = stack.enter_context(start_local_cluster(options.local_workers))
                client = Client(started, set_as_default=False, timeout=_CONNECT)
                stack.callback(_close, client)
            name = options.address
        else:
            address = resolve_address(options.address, insecure=options.insecure)
            client, name = _connect(address), str(address)
            stack.callback(_close, client)
        silence_logs()  # of modules that were loaded now
        cluster = DaskCluster(client, options, name, note, should_stop)
        cluster.check_workers()
        yield cluster


class DaskCluster:
    """A connection to a cluster. All methods are called from one thread."""

    def __init__(
        self,
        client: Client,
        options: DaskOptions,
        name: str,
        note: Callable[[str], None],
        should_stop: ShouldStop = lambda: False,
    ) -> None:
        self.client, self.note, self._should_stop = client, note, should_stop
        self.is_local = options.local_workers is not None
        self._name, self._root = name, options.root
        self._checks: list[BoundCheck] = []
        self._compared: set[str] = set()  # workers with the same software
        self._usable: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._pending: dict[str, Future] = {}
        self._names: dict[str, str] = {}
        self._heartbeats: dict[str, tuple[float, float]] = {}  # the last one: time of the scheduler, time here
        self._noted: set[str] = set()
        self._is_checking = True
        self._was_connected = True
        self._refreshed = 0.0
        self._alone_since = time.monotonic()
        self._silent_since: float | None = None  # the scheduler

    def workers(self) -> dict[str, str]:
        """Return the workers that may be given work: address → name. Those that join are checked first.

        Empty while the connection is lost. Raises FaceclustError if the scheduler is gone, or if there has been no
        worker for a while.
        """
        self._require_connection()
        if time.monotonic() - self._refreshed >= _REFRESH:
            self._refreshed = time.monotonic()
            self._refresh()
        if self._usable or not self._was_connected:
            self._alone_since = time.monotonic()
        elif not self._is_checking and time.monotonic() - self._alone_since > _ALONE:
            raise FaceclustError(
                f"{self._name} has had no worker that can be used for {_ALONE:.0f} s",
                hint="all finished work is saved; start workers and type the command again",
            )
        return dict(self._usable) if self.client.status == "running" else {}

    def library_root_on_workers(self, root: Path) -> str:
        """Return the folder at which the workers find the library at `root`."""
        return str(root) if self.is_local or not self._root else self._root

    def submit(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Future:
        """Submit a call to the workers that may be given work. `options`: those of `Client.submit`.

        The result is a `TaskError` if the call raises an exception. Raises TimeoutError without workers.
        """
        workers = options.pop("workers", None) or list(self.workers())
        if not workers:
            raise TimeoutError("no workers")  # Dask would choose any, even those that are refused
        return self.client.submit(
            *(run_task, function, *arguments), workers=workers, allow_other_workers=False, pure=False, **options
        )

    def check_workers(self, *checks: BoundCheck) -> None:
        """Check all workers, and from now on those that join, by these checks too (see `worker_checks`).

        A worker with a problem is named in a note and gets no work. Raises FaceclustError if none is left.
        """
        self._checks += checks
        self._usable, self._refused, self._pending, self._is_checking = {}, {}, {}, True
        deadline = time.monotonic() + _CHECK
        while True:
            self._refreshed = 0.0
            self.workers()
            if (self._names and not self._pending) or time.monotonic() > deadline or self._should_stop():
                break
            time.sleep(0.05)
        self._is_checking = False
        if self._should_stop():
            return
        for address in self._pending:
            self._refuse(address, f"no answer within {_CHECK:.0f} s; it gets work once it answers")
        if not self._usable:
            raise self._no_worker_error()
        if not checks and not self.is_local:
            self.note(f"connected to {self._name}, with {format_count(len(self._usable), 'worker')}")

    def _require_connection(self) -> None:
        """Raises FaceclustError if the client has given up."""
        is_connected = self.client.status == "running"
        if self.client.status in ("closed", "closing"):
            raise FaceclustError(
                f"lost the connection to {self._name}, and could not connect again within {_RECONNECT:.0f} s",
                hint="all finished work is saved; start the scheduler and type the command again",
            )
        if self._was_connected and not is_connected:
            self.note(f"lost the connection to {self._name}; connecting again")
            self._usable, self._pending, self._refused, self._names = {}, {}, {}, {}
            self._silent_since = None
        elif is_connected and not self._was_connected:
            self.note(f"connected to {self._name} again")
        self._was_connected = is_connected

    def _refresh(self) -> None:
        try:
            identity = self.client.sync(self.client.scheduler.identity, n_workers=-1, callback_timeout=_ANSWER)
        except (OSError, TimeoutError, AttributeError, RuntimeError) as error:  # lost just now, or busy
            self._silent_since = self._silent_since or time.monotonic()
            if self._was_connected and time.monotonic() - self._silent_since > _ALONE:
                raise FaceclustError(
                    f"{self._name} has not answered for {_ALONE:.0f} s",
                    hint="all finished work is saved; look after the scheduler and type the command again",
                ) from error
            return
        self._silent_since = None
        live = {address: worker for address, worker in identity["workers"].items() if worker["status"] == "running"}
        self._names = {address: _worker_name(address, worker) for address, worker in live.items()}
        for address in self._find_silent(live):
            del live[address]
            self._remove(address)
        self._compared &= live.keys()
        for known in (self._pending, self._refused):
            for address in known.keys() - live.keys():
                del known[address]
        for address in self._usable.keys() - live.keys():
            name = self._usable.pop(address)
            self.note(f"worker {name} is gone; {len(self._usable)} left")
        for address, worker in live.items():
            if address in self._pending:
                self._take_answer(address)
            elif address not in self._usable and address not in self._refused:
                if worker["nthreads"] != 1:
                    self._refuse(
                        address,
                        f"it has {worker['nthreads']} threads; start it with --nthreads 1, and --nworkers "
                        f"{worker['nthreads']} for as many cores",
                    )
                else:
                    self._pending[address] = self._submit_check(address)

    def _find_silent(self, live: dict[str, dict[str, Any]]) -> list[str]:
        """Return the workers that have sent no heartbeat for a while."""
        now = time.monotonic()
        heartbeats = {address: float(worker["last_seen"]) for address, worker in live.items()}
        self._heartbeats = {
            address: known if (known := self._heartbeats.get(address)) and known[0] == last else (last, now)
            for address, last in heartbeats.items()
        }
        return [address for address, (_, since) in self._heartbeats.items() if now - since > _SILENT]

    def _remove(self, address: str) -> None:
        """Remove a worker that hangs from the cluster, so that its tasks and data are given to others."""
        self.note(f"worker {self._names[address]} does not answer; its work goes to others")
        self._usable.pop(address, None)
        with contextlib.suppress(OSError, TimeoutError):  # it is tried again
            self.client.sync(
                self.client.scheduler.unregister,
                address=address,
                stimulus_id="faceclust-silent-worker",
                expected=True,
                callback_timeout=_ANSWER,
            )

    def _submit_check(self, address: str) -> Future:
        """Compare a worker's software first, and then have it run the checks."""
        call = (run_checks, tuple(self._checks)) if address in self._compared else (eval, SOFTWARE_EXPRESSION)
        return self.client.submit(*call, workers=[address], allow_other_workers=False, pure=False, priority=1000)

    def _take_answer(self, address: str) -> None:
        """Accept or refuse a worker whose check has ended."""
        future = self._pending[address]
        if not future.done():
            return
        try:
            problem = future.result(timeout=_ANSWER)
            if address not in self._compared:
                problem = Software.here().find_difference(Software(*problem))
                if problem is None:
                    self._compared.add(address)
                    self._pending[address] = self._submit_check(address)
                    return
        except TimeoutError:
            return
        except Exception as error:
            problem = None if future.cancelled() else _describe_failed_check(error)
            if problem is None:  # the connection was lost meanwhile; check it again
                del self._pending[address]
                return
        del self._pending[address]
        if problem:
            self._refuse(address, problem)
            return
        self._usable[address] = self._names[address]
        self._refused.pop(address, None)
        if not self._is_checking:
            self.note(f"worker {self._names[address]} joined; {len(self._usable)} now")

    def _refuse(self, address: str, problem: str) -> None:
        self._refused[address] = problem
        text = f"worker {self._names.get(address, address)}: {problem}"
        if text not in self._noted:
            self._noted.add(text)
            self.note(text)

    def _no_worker_error(self) -> FaceclustError:
        if self._refused:
            name, problem = next((self._names.get(address, address), why) for address, why in self._refused.items())
            return FaceclustError(f"{self._name} has no worker that can be used; worker {name}: {problem}")
        return FaceclustError(f"{self._name} has no workers", hint=f"start some: dask worker {self._name} --nthreads 1")


def _connect(address: SchedulerAddress) -> Client:
    """Raises UsageError if certificates are missing, FaceclustError if no scheduler answers."""
    security = find_credentials(address)
    try:
        socket.create_connection((address.host, address.port), timeout=_CONNECT).close()  # Dask would try repeatedly
        with ThreadPoolExecutor(1) as pool:  # this thread may have an event loop, as in a notebook
            pool.submit(asyncio.run, _shake_hands(str(address), security)).result()
        with block_interrupts():
            client = Client(str(address), security=security, timeout=_CONNECT, set_as_default=False)
    except Exception as error:
        raise _unreachable_error(address, error) from error
    client._timeout = _RECONNECT  # a network may be down for a minute
    return client


async def _shake_hands(address: str, security: Security) -> None:
    """Connect and disconnect. A client would wait forever for a server that accepts and says nothing."""
    async with asyncio.timeout(_CONNECT + 1):
        comm = await connect(address, timeout=_CONNECT, **security.get_connection_args("client"))
        await comm.close()


def _unreachable_error(address: SchedulerAddress, error: BaseException) -> FaceclustError:
    """Return an error that names the first cause of `error`, such as a refused certificate."""
    reason = find_reason(error) or f"no scheduler of Dask answered within {_CONNECT:g} s"
    return FaceclustError(
        f"cannot connect to {address}: {reason}", hint="is a scheduler running there, and is the address right?"
    )


def _describe_failed_check(error: BaseException) -> str:
    if "deserialization of the task graph" in str(error):
        return "its scheduler has no faceclust, or another version; install the same version for it"
    if isinstance(error, ImportError):
        return "it has no faceclust; install the same version there"
    return f"its check failed: {describe_error(error)}"


def _worker_name(address: str, worker: dict[str, Any]) -> str:
    name = str(worker["name"])[:_MAX_NAME]
    return address if name == address else f"{name} ({address})"


def _close(client: Client) -> None:
    """Close a connection; errors of one that is lost already are of no use."""
    with contextlib.suppress(Exception):
        client.close(timeout=_ANSWER)
