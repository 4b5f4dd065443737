"""A way over TCP that can be cut: everything that goes over it is passed on, until all its connections are torn."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

PIECE_BYTES = 65_536


class Cable:
    """Connections to a port of this machine.

    Attributes
    ----------
    port : where it is entered
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    def cut(self) -> None:
        """Tear every connection, without a word of parting."""
        for writer in self._writers:
            writer.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until either end leaves."""
        try:
            onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, onward_writer}
        self._writers |= both
        try:
            ways = [
                asyncio.create_task(_pour(source, target))
                for source, target in ((reader, onward_writer), (onward_reader, writer))
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._writers -= both
            for each in both:
                each.transport.abort()


@contextlib.asynccontextmanager
async def cable(to_port: int) -> AsyncIterator[Cable]:
    """A cable to a port while in ``async with``."""
    laid = Cable(to_port)
    server = await asyncio.start_server(laid.carry, "127.0.0.1", 0)
    laid.port = int(server.sockets[0].getsockname()[1])
    try:
        yield laid
    finally:
        server.close()
        laid.cut()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
