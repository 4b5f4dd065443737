"""Reaching a broker at this moment: Kafka's clients wait in silence for one that is away."""

import asyncio
import contextlib

from bus.connection import addresses
from bus.settings import KafkaSettings

PATIENCE_S = 1.0


async def reachable(settings: KafkaSettings) -> bool:
    """Return whether any of the brokers accepts a connection."""
    for host, port in addresses(settings):
        try:
            async with asyncio.timeout(PATIENCE_S):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            continue
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True
    return False
