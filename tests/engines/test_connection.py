"""Connections to Dask clusters, and the cluster that `local:N` starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from faceclust.engines.dask.address import DaskOptions
from faceclust.engines.dask.connection import DaskCluster, open_cluster

pytestmark = pytest.mark.process


class Notes(list[str]):
    """The notes of a cluster."""

    def __call__(self, note: str) -> None:
        self.append(note)


@pytest.fixture(scope="module")
def notes() -> Notes:
    return Notes()


@pytest.fixture(scope="module")
def cluster(notes: Notes) -> Iterator[DaskCluster]:
    with open_cluster(DaskOptions("local:2"), notes) as cluster:
        yield cluster


def list_processes(parent: int) -> set[int]:
    """Return a process and all below it."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended meanwhile
            continue
    found, size = {parent}, 0
    while len(found) > size:
        size = len(found)
        found |= {process for process, above in parents.items() if above in found}
    return found


def list_listening_addresses(processes: set[int]) -> list[str]:
    """Return the local addresses, in hexadecimal as the kernel prints them, that TCP sockets of processes listen on."""
    sockets = set()
    for process in processes:
        for file in Path(f"/proc/{process}/fd").iterdir():
            try:
                sockets.add(str(file.readlink()))
            except OSError:
                continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.append(fields[1].partition(":")[0])
    return found


@pytest.mark.linux
def test_a_local_cluster_listens_on_the_loopback_address_only_and_serves_no_web_pages(cluster: DaskCluster) -> None:
    """One socket for the scheduler, one for each nanny and worker. A web server would be one more for each."""
    before = set(list_listening_addresses({os.getpid()}))
    assert before == {"0100007F"}
    assert list_listening_addresses(list_processes(os.getpid())) == ["0100007F"] * 5
