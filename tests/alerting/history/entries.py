"""Messages as the recorder reads them, and all that a database holds."""

from pathlib import Path
from typing import Any

from sqlalchemy import select

from alerting.database import schema
from alerting.database.tables import metadata
from alerting.history.store import AlarmStore, Entry, Place
from bus.messages import Alert, AlertCommand
from tests.alerting.alerts import alert

CLUSTER = "cluster-1"
ALERTS = Place("ecg.alerts", 0)
OTHERS = Place("ecg.alerts", 1)
COMMANDS = Place("ecg.alert-commands", 0)


def command(number: int, **changes: object) -> AlertCommand:
    """An acknowledgement, with some fields changed."""
    fields: dict[str, object] = {
        "id": f"c{number}",
        "patient": "p1",
        "action": "acknowledge",
        "alert": alert().id,
        "by": "Ada",
        "sent_ns": 1_700_000_000_000_000_000 + number,
    }
    return AlertCommand.model_validate(fields | changes)


def entry(place: Place, offset: int, message: Alert | AlertCommand | None) -> Entry:
    """A message where it lies."""
    return Entry(place=place, offset=offset, published_ns=1_800_000_000_000_000_000 + offset, message=message)


def stream() -> dict[Place, list[Entry]]:
    """Contents of three partitions: alarms of two patients, side by side, and commands; one is sent twice."""
    first = [alert(id=f"p1/a{number % 3}", sequence=number // 3, told_ns=number) for number in range(9)]
    other = [alert(id="p2/b", patient="p2", sequence=number, phase="update") for number in range(5)]
    asked = [command(1), command(2, by="Bo"), command(1, by="Eve"), command(1, patient="p2")]
    return {
        # Kafka leaves holes between offsets, where a transaction ended.
        ALERTS: [entry(ALERTS, 2 * number, message) for number, message in enumerate(first)],
        OTHERS: [entry(OTHERS, number, message) for number, message in enumerate(other)],
        COMMANDS: [entry(COMMANDS, number, message) for number, message in enumerate(asked)],
    }


def everything(store: AlarmStore) -> dict[str, set[tuple[Any, ...]]]:
    """Every row of every table."""
    with store._engine.begin() as connection:
        return {
            table.name: {tuple(row) for row in connection.execute(select(table))} for table in metadata.sorted_tables
        }


def empty(store: AlarmStore) -> None:
    """Take every row away: the triggers let nobody, so the tables are made anew."""
    file = store._url.database if store._engine.dialect.name == "sqlite" else None
    if file:
        Path(file).unlink()
        store.open()
    else:
        schema.migrate(store._engine, to="base")
        schema.migrate(store._engine)
    store.places()
