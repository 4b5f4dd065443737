"""Following a topic as any consumer can: committed messages only, outside every consumer group."""

import asyncio
import sys
from typing import Literal

import structlog
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from bus.clients import KafkaReader
from bus.interfaces import Reader, Received
from bus.settings import KafkaSettings
from bus.topics import Topic
from ecgstream.running import Printer
from ecgstream.wording import line_of
from ops.signals import stop_on_signals

POLL_MS = 200  # how soon Ctrl-C is heard

log = structlog.get_logger(__name__)


async def follow(
    kafka: KafkaSettings, topic: Topic, *, patient: str | None, from_beginning: bool, as_json: bool
) -> None:
    """Print what comes on a topic until SIGINT or SIGTERM.

    Parameters
    ----------
    kafka : how to reach Kafka
    topic : one of JSON messages
    patient : show this patient only
    from_beginning : begin with the oldest message, not with the next
    as_json : one JSON object a line instead of readable text

    Raises
    ------
    BrokerError : when Kafka does not answer at the start, or has no such topic
    """
    start: Literal["beginning", "end"] = "beginning" if from_beginning else "end"
    with stop_on_signals() as stop:
        async with KafkaReader(kafka, [topic.name], start=start) as reader:
            await show(reader, topic, stop, patient=patient, as_json=as_json)


async def show(reader: Reader, topic: Topic, stop: asyncio.Event, *, patient: str | None, as_json: bool) -> None:
    """Print what a reader of a topic brings until ``stop`` is set; otherwise as ``follow``."""
    console = Printer()
    while not stop.is_set():
        for message in await reader.batch(timeout_ms=POLL_MS):
            _show(message, topic, patient=patient, as_json=as_json, console=console)
        sys.stdout.flush()


def _show(message: Received, topic: Topic, *, patient: str | None, as_json: bool, console: Console) -> None:
    if message.value is None or topic.model is None:  # a compacted topic's mark that a key is gone
        return
    try:
        read = topic.model.model_validate_json(message.value)
    except ValidationError as error:
        log.warning("not readable", partition=message.partition, offset=message.offset, error=str(error))
        return
    if patient is not None and getattr(read, "patient", None) != patient:
        return
    if as_json:
        sys.stdout.write(message.value.decode() + "\n")
    else:
        line, style = line_of(read)
        console.print(Text(line, style=style), soft_wrap=True)
