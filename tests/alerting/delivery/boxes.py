"""Outboxes with messages in them, and channels."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import URL, select

from alerting.database.tables import deliveries
from alerting.delivery.channels import Channel, Channels
from alerting.delivery.outbox import Outbox
from alerting.delivery.webhook import WebhookChannel
from alerting.history.store import AlarmStore, Entry
from bus.messages import Alert
from tests.alerting.alerts import alert
from tests.alerting.history.entries import ALERTS, CLUSTER

NOW_NS = 1_800_000_000_000_000_000  # as ``entries.entry`` says that they were published
S = 1_000_000_000
SECRET = "a-secret-of-many-characters"


def webhook(url: str = "http://127.0.0.1:9/x", **changes: object) -> WebhookChannel:
    """A webhook that tries again soon, with some settings changed."""
    return WebhookChannel.model_validate(
        {"kind": "webhook", "url": url, "secret": SECRET, "retry_s": 0.01, "retry_max_s": 0.05} | changes
    )


def alert_message(alarm: str, sequence: int = 0, **changes: object) -> Alert:
    """A message of an alarm."""
    return alert(id=f"p1/{alarm}", sequence=sequence, **changes)


def filled(url: URL, channels: Channels, messages: Iterable[Alert], *, published_ns: int = NOW_NS) -> None:
    """Take messages into the history, and so into the outbox."""
    store = AlarmStore(url, cluster=CLUSTER, channels=channels)
    store.open()
    first = store.places().get(ALERTS, 0)
    store.record(
        [
            Entry(place=ALERTS, offset=first + at, published_ns=published_ns, message=message)
            for at, message in enumerate(messages)
        ]
    )
    store.close()


def outbox(url: URL, channel: Channel, *, name: str = "x", holder: str = "a") -> Outbox:
    """A channel's outbox."""
    return Outbox(url, name, channel, holder=holder)


def rows(url: URL) -> dict[tuple[str, str, int], Any]:
    """Every delivery, by channel, alarm and sequence."""
    store = AlarmStore(url, cluster=CLUSTER)
    with store._engine.begin() as connection:
        found = {(row.channel, row.alarm, row.sequence): row for row in connection.execute(select(deliveries))}
    store.close()
    return found
