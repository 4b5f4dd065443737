"""Writing the history: messages and the place in Kafka up to which they were read, in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import URL, Connection, Table, and_, select, update

from alerting.database import schema
from alerting.database.engine import HistoryError, explained, insert_into, make_file, open_engine, shown, without_nul
from alerting.database.tables import actions, alarm_events, alarms, positions
from alerting.delivery.channels import NONE, Channels
from alerting.delivery.intake import queue
from alerting.strips.store import ask_for
from bus.messages import Alert, AlertCommand

MAX_NS = 2**63 - 1  # the year 2262; what a database's integer holds


class Place(NamedTuple):
    """A partition of a topic, by its name on the cluster."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A message as it was read from Kafka.

    Attributes
    ----------
    place, offset : where it lies
    published_ns : when it was handed to Kafka, wall time, ns UTC
    message : what it says; None for what is neither an alert nor a command, of which the place alone is kept
    """

    place: Place
    offset: int
    published_ns: int
    message: Alert | AlertCommand | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Counts of what a transaction added.

    Attributes
    ----------
    events, actions : rows that were not there before
    missing : alert messages that should have come before these and did not
    """

    events: int
    actions: int
    missing: int


class PlaceLostError(HistoryError):
    """The database stands further back than this process left it: it was restored or made anew."""


class AlarmStore:
    """A database that takes the history in. Its methods block; one thread at a time may call them.

    Several processes may write one database, each all partitions: the first that comes writes a message, and those
    after it pass it over. All methods raise ``HistoryError`` when it does not answer.

    Parameters
    ----------
    url : as ``alerting.database.engine.address`` gives it
    cluster : the id of the Kafka cluster, since offsets mean nothing on another
    channels : over which each new message is to be delivered
    """

    def __init__(self, url: URL, *, cluster: str, channels: Channels = NONE) -> None:
        self._url = url
        self._cluster = cluster
        self._channels = channels
        self._engine = open_engine(url)
        self._next: dict[Place, int] = {}

    def open(self) -> None:
        """Make the database ready: the file, and the tables as this release wants them."""
        make_file(self._url)
        with explained(self._url):
            schema.migrate(self._engine)

    def close(self) -> None:
        """Let go of its connections."""
        self._engine.dispose()

    def places(self) -> dict[Place, int]:
        """Return the next offset to read in each partition, as far as one is known."""
        query = select(positions).where(positions.c.cluster == self._cluster)
        with explained(self._url), self._engine.begin() as connection:
            self._next = {Place(row.topic, row.partition): row.next_offset for row in connection.execute(query)}
        return dict(self._next)

    def begin_again(self, places: Iterable[Place]) -> None:
        """Forget where to read on in partitions that were made anew."""
        with explained(self._url), self._engine.begin() as connection:
            for place in places:
                connection.execute(positions.delete().where(self._at(place)))
                self._next.pop(place, None)

    def record(self, entries: Sequence[Entry]) -> Recorded:
        """Take messages in, all or nothing; those that were taken in before change nothing.

        Parameters
        ----------
        entries : each partition's in order, from where ``places`` or the last call left it

        Raises
        ------
        RefusedError : when the database will never take one of them
        PlaceLostError : when the database has not what was recorded before: begin anew with ``places``
        """
        ends = {entry.place: entry.offset + 1 for entry in entries}
        with explained(self._url), self._engine.begin() as connection:
            begins = {place: self._locked(connection, place) for place in sorted(ends)}
            fresh = [entry for entry in entries if entry.offset >= begins[entry.place]]
            alerts = [(entry, entry.message) for entry in fresh if isinstance(entry.message, Alert)]
            asked = [(entry, entry.message) for entry in fresh if isinstance(entry.message, AlertCommand)]
            missing = self._missing(connection, [alert for _, alert in alerts])
            events = [_event(entry, alert) for entry, alert in alerts]
            new = self._add(connection, alarm_events, events)
            acted = self._add(connection, actions, [_action(entry, command) for entry, command in asked])
            recorded = Recorded(events=len(new), actions=len(acted), missing=missing)
            # With the messages, or neither: an alarm in the history and its delivery cannot part.
            queue(
                connection,
                self._channels,
                [
                    (alert, entry.published_ns)
                    for entry, alert in alerts
                    if (without_nul(alert.id), alert.sequence) in new
                ],
            )
            ask_for(connection, [(alert, entry.published_ns) for entry, alert in alerts if alert.sequence == 0])
            self._stand(
                connection,
                [
                    _row(alarms, alert, message=event["message"])
                    for (_, alert), event in zip(alerts, events, strict=True)
                ],
            )
            for place, end in ends.items():
                if end > begins[place]:
                    connection.execute(update(positions).where(self._at(place)).values(next_offset=end))
        for place, end in ends.items():
            self._next[place] = max(end, begins[place])
        return recorded

    def _at(self, place: Place) -> Any:
        return and_(
            positions.c.cluster == self._cluster,
            positions.c.topic == place.topic,
            positions.c.partition == place.partition,
        )

    def _locked(self, connection: Connection, place: Place) -> int:
        """The next offset of a partition, which nobody else can change until the transaction ends."""
        row = {"cluster": self._cluster, "topic": place.topic, "partition": place.partition, "next_offset": 0}
        connection.execute(insert_into(connection, positions).values(row).on_conflict_do_nothing())
        found: int = connection.execute(
            select(positions.c.next_offset).where(self._at(place)).with_for_update()
        ).scalar_one()
        if found < self._next.get(place, 0):
            raise PlaceLostError(
                f"the alarm history {shown(self._url)} stands at offset {found} of {place.topic}/{place.partition}, "
                f"it was at {self._next[place]}: it is an older copy or a new one; what Kafka keeps is read again"
            )
        return found

    def _add(self, connection: Connection, table: Table, rows: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
        """Insert the rows whose key is not there; the keys of those."""
        if not rows:
            return set()
        query = insert_into(connection, table).on_conflict_do_nothing().returning(*table.primary_key.columns)
        return {tuple(row) for row in connection.execute(query, rows)}

    def _stand(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        """Bring ``alarms`` to the newest message of each."""
        if not rows:
            return
        newest: dict[str, dict[str, Any]] = {}
        for row in rows:
            if row["id"] not in newest or newest[row["id"]]["sequence"] < row["sequence"]:
                newest[row["id"]] = row
        query = insert_into(connection, alarms)
        changed = {column.name: query.excluded[column.name] for column in alarms.columns if column.name != "id"}
        query = query.on_conflict_do_update(
            index_elements=[alarms.c.id], set_=changed, where=query.excluded.sequence > alarms.c.sequence
        )
        # In one order, so that two who write the same alarms cannot wait for each other.
        connection.execute(query, [newest[name] for name in sorted(newest)])

    def _missing(self, connection: Connection, alerts: list[Alert]) -> int:
        """Count the messages lacking between those of each alarm that are there and these."""
        if not alerts:
            return 0
        names = {alert.id for alert in alerts}
        query = select(alarms.c.id, alarms.c.sequence).where(alarms.c.id.in_(names))
        newest: dict[str, int] = {row.id: row.sequence for row in connection.execute(query)}
        missing = 0
        for alert in alerts:
            before = newest.get(alert.id, -1)
            missing += max(0, alert.sequence - before - 1)
            newest[alert.id] = max(before, alert.sequence)
        return missing


def _row(table: Table, source: Alert | AlertCommand, **others: Any) -> dict[str, Any]:
    """Return an alert or a command as a row of a table: its fields by their columns' names, beside others."""
    row = {column.name: getattr(source, column.name) for column in table.columns if column.name not in others} | others
    return {name: without_nul(value) if isinstance(value, str) else value for name, value in row.items()}


def _event(entry: Entry, alert: Alert) -> dict[str, Any]:
    text = alert.to_bytes().decode()
    return _row(alarm_events, alert, alarm=alert.id, published_ns=entry.published_ns, message=text)


def _action(entry: Entry, command: AlertCommand) -> dict[str, Any]:
    # Anybody may write any number there: an absurd one must not keep the command out of the trail.
    sent_ns = min(max(command.sent_ns, -MAX_NS), MAX_NS)
    return _row(actions, command, alarm=command.alert, sent_ns=sent_ns, published_ns=entry.published_ns)
