"""Following a topic as any consumer can: committed messages only, outside every consumer group."""

import sys
from typing import Literal

import structlog
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from bus import topics
from bus.clients import KafkaReader
from bus.interfaces import Received
from bus.messages import Alert, Urgent, Verdict
from bus.settings import KafkaSettings
from ecgstream.running import Printer
from ecgstream.wording import PRIORITY_STYLES, STYLES, alert_line, urgent_line, verdict_line
from ops.signals import stop_on_signals

TOPICS = {
    "windows": topics.WINDOWS,
    "anomalies": topics.ANOMALIES,
    "urgent": topics.URGENT,
    "alerts": topics.ALERTS,
}
KINDS: dict[str, type[Verdict | Urgent | Alert]] = {"alerts": Alert, "urgent": Urgent}  # verdicts on all others
POLL_MS = 200  # how soon Ctrl-C is heard

log = structlog.get_logger(__name__)


async def follow(kafka: KafkaSettings, topic: str, *, patient: str | None, from_beginning: bool, as_json: bool) -> None:
    """Print what comes on a topic until SIGINT or SIGTERM.

    Parameters
    ----------
    kafka : how to reach Kafka
    topic : a key of ``TOPICS``
    patient : show this patient only
    from_beginning : begin with the oldest message, not with the next
    as_json : one JSON object a line instead of readable text

    Raises
    ------
    BrokerError : when Kafka does not answer at the start, or has no such topic
    """
    console = Printer()
    start: Literal["beginning", "end"] = "beginning" if from_beginning else "end"
    with stop_on_signals() as stop:
        async with KafkaReader(kafka, [kafka.topic(TOPICS[topic])], start=start) as reader:
            while not stop.is_set():
                for message in await reader.batch(timeout_ms=POLL_MS):
                    _show(message, topic, patient=patient, as_json=as_json, console=console)
                sys.stdout.flush()


def _show(message: Received, topic: str, *, patient: str | None, as_json: bool, console: Console) -> None:
    if message.value is None:  # a compacted topic's mark that a key is gone
        return
    try:
        read = KINDS.get(topic, Verdict).model_validate_json(message.value)
    except ValidationError as error:
        log.warning("not readable", partition=message.partition, offset=message.offset, error=str(error))
        return
    if patient is not None and read.patient != patient:
        return
    if as_json:
        sys.stdout.write(message.value.decode() + "\n")
    elif isinstance(read, Alert):
        console.print(Text(alert_line(read), style=PRIORITY_STYLES[read.priority]), soft_wrap=True)
    elif isinstance(read, Urgent):
        console.print(Text(urgent_line(read), style=PRIORITY_STYLES["high"]), soft_wrap=True)
    else:
        console.print(Text(verdict_line(read), style=STYLES[read.decision]), soft_wrap=True)
