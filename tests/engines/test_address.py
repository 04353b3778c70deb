"""Addresses of Dask clusters: their syntax, and which are safe to connect to."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from faceclust.engines.dask.address import DaskOptions, as_dask_options, parse_address
from faceclust.engines.dask.security import find_credentials, require_safe_address, resolve_address
from faceclust.errors import FaceclustError, UsageError


@pytest.mark.parametrize(
    ("address", "parsed"),
    [
        ("tls://hub:8786", "tls://hub:8786"),
        ("tls://hub", "tls://hub:8786"),
        ("tcp://127.0.0.1:9000/", "tcp://127.0.0.1:9000"),
        ("tls://[fe80::1]:1", "tls://[fe80::1]:1"),
    ],
)
def test_an_address_has_a_scheme_a_host_and_a_port(address: str, parsed: str) -> None:
    assert str(parse_address(address)) == parsed


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "hub",
            "hub:8786",
            "ucx://hub:8786",
            "ws://hub:8786",
            "wss://hub:8786",
            "http://hub:8786",
            "inproc://hub",
        ),
        *("tcp://", "tcp://hub:0", "tcp://hub:65536", "tcp://hub:x", "tcp://hub:1/a", "tcp://a b:1", "tls://hub:1\n"),
        *("local:", "local:0", "local:257", "local:-1", "local:1.5", "local:٣", "local:1 "),
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(UsageError):
        DaskOptions(address)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(UsageError) as error:
        DaskOptions("tls://user:secret@hub:8786")
    assert "secret" not in f"{error.value} {error.value.hint}"


def test_a_string_is_an_address() -> None:
    assert as_dask_options("local:3") == DaskOptions("local:3")
    assert as_dask_options(None) is None
    assert DaskOptions("local:3").local_workers == 3
    assert DaskOptions("tls://hub").local_workers is None


def resolve_to(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    found = [
        (socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 1)) for host in hosts
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


@pytest.mark.parametrize(
    ("hosts", "connected"),
    [
        (["127.0.0.1"], "tcp://127.0.0.1:8786"),
        (["::1", "127.0.0.1"], "tcp://[::1]:8786"),
        (["192.168.1.2"], None),
        (["127.0.0.1", "192.168.1.2"], None),
        (["0.0.0.0"], None),
        (["fe80::1%eth0"], None),
    ],
)
def test_without_tls_only_this_machine_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, hosts: list[str], connected: str | None
) -> None:
    """A name is replaced by the address that it stands for, since it may stand for another one later."""
    resolve_to(monkeypatch, *hosts)
    if connected is None:
        with pytest.raises(UsageError, match="is another machine"):
            require_safe_address(DaskOptions("tcp://hub"))
    else:
        assert str(resolve_address("tcp://hub", insecure=False)) == connected
    assert str(resolve_address("tcp://hub", insecure=True)) == "tcp://hub:8786"
    assert str(resolve_address("tls://hub", insecure=False)) == "tls://hub:8786"


def test_an_unknown_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(FaceclustError, match="hub: unknown host"):
        resolve_address("tcp://hub", insecure=False)


def test_tls_needs_certificates_that_can_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dask = pytest.importorskip("dask")
    address = parse_address("tls://hub")
    with pytest.raises(UsageError, match="tls://hub:8786 needs certificates"):
        find_credentials(address)
    (tmp_path / "broken.pem").write_text("no certificate")
    for file in ("missing.pem", "broken.pem"):
        names = dict.fromkeys(["ca-file", "client.cert", "client.key"], str(tmp_path / file))
        with (
            dask.config.set({f"distributed.comm.tls.{name}": path for name, path in names.items()}),
            pytest.raises(UsageError, match="cannot be used"),
        ):
            find_credentials(address)
