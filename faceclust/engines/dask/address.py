"""The address of a Dask cluster, as typed. Imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import NamedTuple

from faceclust.errors import UsageError

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
    """The Dask cluster to work on.

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


def require_dask() -> None:
    """Raise UsageError if Dask is not installed."""
    if not (find_spec("distributed") and find_spec("cryptography")):
        raise UsageError("--dask needs Dask, which is not installed", hint="pip install 'faceclust[dask]'")


def as_dask_options(dask: DaskOptions | str | None) -> DaskOptions | None:
    """Return the options of an address. Raises UsageError for an invalid one."""
    return DaskOptions(dask) if isinstance(dask, str) else dask
