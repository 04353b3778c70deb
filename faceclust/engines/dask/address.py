"""The address of a Dask scheduler, and which addresses are safe to connect to."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from faceclust.errors import FaceclustError, UsageError

#: Groupings of fewer faces than this are quicker with threads than on a cluster (measured: 50,000 faces take 2.2 s with
#: two threads and 3 s with two workers).
MIN_FACES = 50_000
#: Processes that `local:N` may start.
MAX_LOCAL_WORKERS = 256
_DEFAULT_PORT = 8786
_EXAMPLES = "tls://HOST:8786, tcp://127.0.0.1:8786 or local:2"
_ADDRESS = re.compile(r"(?P<scheme>tcp|tls)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?/?")


@dataclass(frozen=True)
class DaskOptions:
    """A Dask cluster to work on.

    `address`: that of its scheduler, such as tls://host:8786, or local:N for N processes on this machine, which are
    started and ended with the run. `insecure`: allow tcp:// to another machine. `root`: the folder at which the
    workers find the library; "" if it is the same as here.
    """

    address: str
    insecure: bool = False
    root: str = ""

    def __post_init__(self) -> None:
        """Raises UsageError for an invalid address."""
        if self.local_workers is None:
            parse_address(self.address)

    @property
    def local_workers(self) -> int | None:
        """N of local:N, None for the address of a scheduler. Raises UsageError for an invalid N."""
        if not self.address.startswith("local:"):
            return None
        number = self.address.removeprefix("local:")
        if not re.fullmatch("[0-9]{1,3}", number) or not 1 <= int(number) <= MAX_LOCAL_WORKERS:
            raise UsageError(
                f"local:N starts 1 to {MAX_LOCAL_WORKERS} processes, not {number[:20]!r}", hint="--dask local:2"
            )
        return int(number)


class SchedulerAddress(NamedTuple):
    """An address in its parts. `scheme`: tcp or tls."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_address(address: str) -> SchedulerAddress:
    """Split an address. Raises UsageError, which never repeats a password in it."""
    if "@" in address:
        raise UsageError(
            "the address of a scheduler has no user name or password",
            hint=f"write {_EXAMPLES}; certificates come from Dask's configuration (distributed.comm.tls)",
        )
    found = _ADDRESS.fullmatch(address)
    if not found or not 0 < int(found["port"] or _DEFAULT_PORT) < 65536:
        raise UsageError(f"not an address of a Dask scheduler: {address[:100]!r}", hint=f"write {_EXAMPLES}")
    return SchedulerAddress(found["scheme"], found["host"].strip("[]"), int(found["port"] or _DEFAULT_PORT))


def resolve_address(address: str, *, insecure: bool) -> SchedulerAddress:
    """Return the address to connect to.

    Whoever can read or change what is sent without TLS runs code on every machine of the cluster. So tcp:// leads to
    this machine only, and a name is replaced by the loopback address that it stands for.

    Raises UsageError for tcp:// to another machine unless `insecure`, FaceclustError for an unknown name.
    """
    parsed = parse_address(address)
    if parsed.scheme == "tls" or insecure:
        return parsed
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(parsed.host, parsed.port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise FaceclustError(f"{parsed.host}: unknown host", hint="check the address after --dask") from error
    if not _are_loopback(found):
        raise UsageError(
            f"{parsed} is another machine, and tcp:// is not encrypted: anybody on the way could read faces and run "
            "programs on every machine of the cluster",
            hint=f"start the scheduler with --protocol tls and write tls://{parsed.host}:{parsed.port}, or connect "
            f"through ssh -L {parsed.port}:127.0.0.1:{parsed.port} {parsed.host}; in a network of your own, "
            "--dask-insecure allows it",
        )
    return parsed._replace(host=found[0])


def _are_loopback(hosts: Iterable[str]) -> bool:
    return all(ipaddress.ip_address(host.partition("%")[0]).is_loopback for host in hosts)
