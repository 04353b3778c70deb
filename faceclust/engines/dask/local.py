"""A Dask cluster on this machine that lasts as long as a command: `--dask local:N`."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask
from distributed import Nanny, Scheduler, Security, SpecCluster, Worker

from faceclust.engines.dask.quiet import silence_logs
from faceclust.engines.dask.tasks import describe_error, find_reason
from faceclust.errors import FaceclustError

_LOOPBACK = "127.0.0.1"
_START = 120.0  # seconds, after which the start of a worker has failed
_CLOSE = 10.0  # seconds, after which workers are killed
#: Keeps freed memory in the process. By default, workers return each array to the system and fault it in again, which
#: costs a sixth of the time of a grouping.
_KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}
_SETTINGS = {
    "distributed.worker.daemon": False,  # workers have child processes that examine photos
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.worker-ttl": "30s",  # a worker that hangs is replaced after that
    "distributed.scheduler.allowed-failures": 10,
    # By default, a nanny is ended if its worker happens to be starting again 15 s after an earlier end.
    "distributed.deploy.lost-worker-timeout": "30 days",
    "distributed.comm.timeouts.tcp": "30s",
    "distributed.diagnostics.nvml": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    # An idle process measures itself so often by default that it takes 3 % of a core.
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
}


class _LocalScheduler(Scheduler):  # type: ignore[misc]
    """A scheduler without a web server."""

    def start_http_server(self, *args: Any, **kwargs: Any) -> None:
        """Start nothing."""


class _LocalWorker(Worker):  # type: ignore[misc]
    """A worker without a web server, and without a terminal to write to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        silence_logs()
        super().__init__(*args, **kwargs)

    def start_http_server(self, *args: Any, **kwargs: Any) -> None:
        """Start nothing."""


@contextmanager
def start_local_cluster(workers: int) -> Iterator[SpecCluster]:
    """Start `workers` processes of one thread each, and end them.

    They listen on the loopback address, and accept only holders of a key that is made for this cluster: other users
    of this machine could otherwise run programs in its name. Raises FaceclustError if they cannot be started.
    """
    environment, others = dict(os.environ), set(multiprocessing.active_children())
    nannies = dict(dask.config.get("distributed.nanny.pre-spawn-environ")) | _KEEP_MEMORY
    with (
        tempfile.TemporaryDirectory(prefix="faceclust-", ignore_cleanup_errors=True) as folder,
        dask.config.set({**_SETTINGS, "distributed.nanny.pre-spawn-environ": nannies, "temporary-directory": folder}),
    ):
        security = Security.temporary()
        common = {"host": _LOOPBACK, "protocol": "tls://", "security": security, "dashboard": False}
        options = common | {"nthreads": 1, "worker_class": _LocalWorker, "death_timeout": _START}
        # without a limit, nothing is spilled: embeddings never reach the disk that way
        worker = {"cls": Nanny, "options": options | {"memory_limit": 0}}
        try:
            try:
                cluster = SpecCluster(
                    dict.fromkeys(range(workers), worker),
                    {"cls": _LocalScheduler, "options": common | {"port": 0, "dashboard_address": None}},
                    security=security,
                )
            except Exception as error:
                raise FaceclustError(
                    f"cannot start {workers} processes of Dask: {find_reason(error) or describe_error(error)}",
                    hint="try fewer, such as --dask local:1",
                ) from error
            try:
                yield cluster
            finally:
                with contextlib.suppress(Exception):  # of a cluster that is damaged already
                    cluster.close(timeout=_CLOSE)
        finally:
            for process in set(multiprocessing.active_children()) - others:
                if process.name.startswith("Dask Worker"):
                    process.kill()  # Python would wait for it
            for name in os.environ.keys() - environment.keys():  # nannies set variables here, for their workers
                del os.environ[name]
            os.environ.update(environment)
