"""The commands of the manual's chapter on several machines, on three network namespaces."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from faceclust import Library
from tests.support.command import wait_for
from tests.support.dask_processes import DaskProcesses, Hosts, listening_sockets
from tests.support.programs import find_program
from tests.support.sample_photos import make_library
from tests.support.scan_builders import read_cached_rows

CHAPTER = Path(__file__).parents[2] / "faceclust" / "manual" / "several-machines.md"
pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.linux]


def test_three_old_computers(tmp_path: Path) -> None:
    find_program("openssl")
    section = CHAPTER.read_text(encoding="utf-8").partition("## Three old computers")[2].partition("\n## ")[0]
    certificate, environment, _, scheduler, worker, commands = re.findall(r"^```sh\n(.*?)^```", section, re.S | re.M)
    photos, alone = tmp_path / "photos", tmp_path / "alone"
    make_library(photos, photos_each=2)
    shutil.copytree(photos, alone)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    names = ("old1", "old2", "old3")
    with Hosts(*names) as hosts, DaskProcesses(tmp_path / "logs", {"HOME": str(tmp_path), "PATH": path}) as dask:

        def run(name: str, script: str, host: str) -> int:
            for typed, here in (
                ("192.168.1.10", hosts.address_of("old1")),
                ("192.168.1.11", hosts.address_of(host)),
                ("--nworkers 4", "--nworkers 1"),
                ("/mnt/photos", str(photos)),
            ):
                script = script.replace(typed, here)
            return dask.start(name, [*hosts.enter(host), "sh", "-ec", script]).pid

        assert dask.start("certificate", ["sh", "-ec", certificate]).wait(30) == 0
        (tmp_path / "faceclust-dask" / "environment.sh").write_text(environment)
        run("scheduler", scheduler, "old1")
        wait_for(lambda: "Scheduler at" in dask.log_of("scheduler").read_text())
        for host in names:
            run(f"worker of {host}", worker, host)
        for host in names:
            dask.wait_for_worker(f"worker of {host}")
        sockets = listening_sockets(dask.find_all())
        assert {address for address, _ in sockets} == {"127.0.0.1", *map(hosts.address_of, names)}
        assert (hosts.address_of("old1"), 8786) in sockets
        script = f"{commands}\nfaceclust scan {alone}\nfaceclust cluster --library {alone}"
        run("commands", script, "old2")
        wait_for(lambda: dask.log_of("commands").read_text().count("next: faceclust label") == 2, 120)
        output = dask.log_of("commands").read_text()
        assert "Traceback" not in output and "distributed." not in output
        assert read_cached_rows(Library(photos)) == read_cached_rows(Library(alone))
