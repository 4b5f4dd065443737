"""SIGTERM and SIGINT ask a service to stop in order; a second one ends it at once."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

STOPPING = (signal.SIGTERM, signal.SIGINT)

_log = structlog.get_logger(__name__)


@contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM or SIGINT sets; to be used on the running loop of the main thread.

    After the first signal the ordinary handling is back, so that a second one ends a service that hangs.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def asked(number: signal.Signals) -> None:
        _log.info("stopping", signal=number.name)
        stop.set()
        give_back()

    def give_back() -> None:
        for number in STOPPING:
            loop.remove_signal_handler(number)

    for number in STOPPING:
        loop.add_signal_handler(number, asked, number)
    try:
        yield stop
    finally:
        give_back()
