"""Errors that Kafka clients let out when they stop, and what the rest of the program sees of them."""

import asyncio

import pytest

from bus.connection import LetGoError, no_stray_cancellation, stopped
from tests.support.waiting import DEADLINE_S


async def cancelled() -> None:
    """Await a task that somebody else cancelled, as aiokafka does over TLS when a connection goes."""
    task = asyncio.ensure_future(asyncio.Event().wait())
    task.cancel()
    await task


class Client:
    """A client whose closing goes as it is told, and whose inner client lets a cancellation out."""

    def __init__(self, closing: str) -> None:
        self._closing = closing
        self._client = self
        self.closed = 0

    async def stop(self) -> None:
        if self._closing == "never":
            await asyncio.Event().wait()
        elif self._closing == "cancelled":
            await cancelled()
        elif self._closing == "refused":
            raise ConnectionResetError("gone")

    async def close(self) -> None:
        self.closed += 1
        await cancelled()


@pytest.mark.parametrize("closing", ["well", "never", "cancelled", "refused"])
async def test_a_client_is_stopped_however_it_goes(closing: str) -> None:
    client = Client(closing)
    async with asyncio.timeout(DEADLINE_S):
        await stopped(client, patience_s=0.01)
    assert client.closed == (0 if closing == "well" else 1)


class LongFarewell:
    """A client with a connection that closes only once it is broken off, as over TLS while data still comes in."""

    def __init__(self) -> None:
        self._client = self
        self._conns = {1: self}
        self._gone = asyncio.Event()
        self._writer: LongFarewell | None = self
        self.transport = self
        self.ended = False

    def connected(self) -> bool:
        return self._writer is not None

    def abort(self) -> None:
        self._gone.set()

    async def stop(self) -> None:
        await asyncio.sleep(0)  # as for what a consumer commits first
        assert not self._gone.is_set(), "nothing is broken off before the client has closed it"
        self._conns, self._writer = {}, None
        await self._gone.wait()
        self.ended = True


async def test_a_connection_that_takes_its_time_to_close_is_broken_off() -> None:
    client = LongFarewell()
    async with asyncio.timeout(DEADLINE_S):
        await stopped(client, patience_s=DEADLINE_S)
    assert client.ended


async def test_who_stops_a_client_can_be_cancelled() -> None:
    stopping = asyncio.create_task(stopped(Client("never")))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping


async def test_a_cancellation_that_nobody_asked_for_is_an_error() -> None:
    with pytest.raises(LetGoError), no_stray_cancellation():
        await cancelled()


async def test_one_that_was_asked_for_goes_through() -> None:
    async def waits() -> None:
        with no_stray_cancellation():
            await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_limit_of_time_around_it_still_holds() -> None:
    async def waits() -> None:
        async with asyncio.timeout(0.01):
            with no_stray_cancellation():
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await waits()
