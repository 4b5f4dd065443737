"""A system of our own on a slow machine with a slow network."""

import pytest

import ecgstream.local_system
from bus.broker import START_S
from ecg.errors import EcgStreamError
from ecgstream.children import Command
from ecgstream.local_system import LocalSystem


async def test_no_service_waits_while_kafka_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Command] = []

    async def start(command: Command) -> None:
        started.append(command)

    async def no_network() -> str:
        assert not started
        raise EcgStreamError("the jars cannot be fetched")

    monkeypatch.setattr(Command, "start", start)
    monkeypatch.setattr(ecgstream.local_system, "class_path", no_network)
    system = LocalSystem(("detect",), ("alert",))
    with pytest.raises(EcgStreamError, match="jars"):
        await system.start()
    await system.end()
    assert not started


def test_services_wait_longer_for_the_broker_than_it_may_take_to_start() -> None:
    assert LocalSystem().kafka.connect_timeout_s > START_S
