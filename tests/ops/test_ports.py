import socket

import pytest

from ecg.errors import EcgStreamError
from ops import ports
from ops.ports import HIGHEST, LOWEST, free_or, free_ports


def test_ports_are_free_different_and_out_of_the_clients_range() -> None:
    found = free_ports(20)
    assert len(set(found)) == 20
    assert all(LOWEST <= port <= HIGHEST for port in found)
    for port in found:
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))


def test_no_free_port_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "LOWEST", port)
        monkeypatch.setattr(ports, "HIGHEST", port)
        with pytest.raises(EcgStreamError, match="no free port"):
            free_ports(1)


def test_the_port_that_is_wanted_or_another() -> None:
    (wanted,) = free_ports(1)
    assert free_or(wanted) == wanted
    with socket.create_server(("127.0.0.1", wanted)):
        assert free_or(wanted) != wanted
