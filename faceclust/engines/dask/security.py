"""Which schedulers are safe to connect to, and the certificates to do so.

Whoever can connect to a scheduler, and whoever can change what is sent to it, runs code on every machine of the
cluster.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from distributed import Security

from faceclust.engines.dask.address import DaskOptions, SchedulerAddress, parse_address
from faceclust.errors import FaceclustError, UsageError


def require_safe_address(options: DaskOptions) -> None:
    """Raise UsageError for an unsafe address, or one without certificates, before any work is done for it."""
    if options.local_workers is None:
        find_credentials(resolve_address(options.address, insecure=options.insecure))


def resolve_address(address: str, *, insecure: bool) -> SchedulerAddress:
    """Return the address to connect to.

    tcp:// leads to this machine only, and a name is replaced by the loopback address that it stands for.

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


def find_credentials(address: SchedulerAddress) -> Security:
    """Return the certificates of Dask's configuration for tls://. Raises UsageError if they cannot be used."""
    if address.scheme != "tls":
        return Security()
    hint = "name them in Dask's configuration: distributed.comm.tls.ca-file, .client.cert and .client.key"
    try:
        security = Security(require_encryption=True)
        context = security.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise UsageError(f"the certificates for {address} cannot be used: {error}", hint=hint) from error
    if context is None:
        raise UsageError(f"{address} needs certificates", hint=hint)
    return security
