"""Reading the history: alarms by patient, priority, state and time, and the whole life of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import URL, ColumnElement, Connection, func, select, tuple_

from alerting.database.engine import explained
from alerting.database.schema import open_reader
from alerting.database.tables import actions, alarm_events, alarms
from alerting.strips.alarm_strip import AlarmStrip
from alerting.strips.store import read_lack, read_strip
from bus.messages import AlarmKind, Alert, AlertCommand
from ecg.errors import EcgStreamError
from ecg.urgency import AlarmPriority, AlarmState

PAGE = 500  # alarms that are held at once while all are read


class UnknownAlarmError(EcgStreamError):
    """An alarm that the history does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A choice of alarms.

    Attributes
    ----------
    patient, priority, state, kind : None for any
    from_ns, to_ns : of the onset, ns UTC, the second excluded; None for no bound
    """

    patient: str | None = None
    priority: AlarmPriority | None = None
    state: AlarmState | None = None
    kind: AlarmKind | None = None
    from_ns: int | None = None
    to_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """An alarm from its start on.

    Attributes
    ----------
    events : its messages, in order
    emitted_ns : when each of them was handed to Kafka, wall time, ns UTC; a message itself knows no wall clock
    actions : what was asked for about it, as it came
    missing : how many messages before the newest the history does not have
    """

    events: tuple[Alert, ...]
    emitted_ns: tuple[int, ...]
    actions: tuple[AlertCommand, ...]
    missing: int

    @property
    def newest(self) -> Alert:
        """Its newest message."""
        return self.events[-1]

    def as_json(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        return {
            "alarm": self.newest.as_json(),
            "events": [event.as_json() for event in self.events],
            "emitted_ns": list(self.emitted_ns),
            "actions": [action.as_json() for action in self.actions],
            "missing": self.missing,
        }


class AlarmHistory:
    """The history for readers. Its methods block, and raise ``HistoryError`` when the database does not answer.

    Parameters
    ----------
    url : as ``alerting.database.engine.address`` gives it
    """

    def __init__(self, url: URL) -> None:
        self._url = url

    def __enter__(self) -> Self:
        """See that it can be read."""
        self._engine = open_reader(self._url)
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def counts(self) -> dict[str, int]:
        """Count the alarms, messages and actions."""
        with explained(self._url), self._engine.begin() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (alarms, alarm_events, actions)
            }

    def page(self, wanted: Wanted, *, limit: int, after: str | None = None) -> list[Alert]:
        """Alarms as they stand, the one with the newest onset first.

        Parameters
        ----------
        wanted : which
        limit : at most so many
        after : the last alarm of the page before

        Raises
        ------
        UnknownAlarmError : when there is no alarm ``after``
        """
        query = select(alarms.c.message).where(*_conditions(wanted))
        query = query.order_by(alarms.c.onset_ns.desc(), alarms.c.id.desc()).limit(limit)
        with explained(self._url), self._engine.begin() as connection:
            if after is not None:
                onset_ns = connection.execute(select(alarms.c.onset_ns).where(alarms.c.id == after)).scalar()
                if onset_ns is None:
                    raise _unknown(after)
                query = query.where(tuple_(alarms.c.onset_ns, alarms.c.id) < tuple_(onset_ns, after))
            return [Alert.model_validate_json(message) for message in connection.execute(query).scalars()]

    def every(self, wanted: Wanted) -> Iterator[Alert]:
        """All that are wanted, page by page, the one with the newest onset first."""
        after = None
        while page := self.page(wanted, limit=PAGE, after=after):
            yield from page
            after = page[-1].id

    def life(self, alarm: str) -> Life:
        """The whole life of an alarm.

        Raises
        ------
        UnknownAlarmError : when there is none of that id
        """
        query = select(alarm_events.c.message, alarm_events.c.published_ns).where(alarm_events.c.alarm == alarm)
        with explained(self._url), self._engine.begin() as connection:
            rows = connection.execute(query.order_by(alarm_events.c.sequence)).all()
            if not rows:
                raise _unknown(alarm)
            events = tuple(Alert.model_validate_json(row.message) for row in rows)
            return Life(
                events=events,
                emitted_ns=tuple(row.published_ns for row in rows),
                actions=tuple(_asked(connection, alarm)),
                missing=events[-1].sequence + 1 - len(events),
            )

    def strip(self, alarm: str) -> AlarmStrip | None:
        """The samples around an alarm's onset; None where there are none (``lack_of_strip`` says why)."""
        with explained(self._url), self._engine.begin() as connection:
            return read_strip(connection, alarm)

    def lack_of_strip(self, alarm: str) -> str:
        """Return the reason why an alarm has no strip."""
        with explained(self._url), self._engine.begin() as connection:
            return read_lack(connection, alarm)


def _asked(connection: Connection, alarm: str) -> Iterator[AlertCommand]:
    query = select(actions).where(actions.c.alarm == alarm).order_by(actions.c.published_ns, actions.c.id)
    for row in connection.execute(query):
        yield AlertCommand(
            id=row.id,
            patient=row.patient,
            action=row.action,
            alert=row.alarm,
            by=row.by,
            duration_s=row.duration_s,
            sent_ns=row.sent_ns,
        )


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found = [
        column == value
        for column, value in (
            (alarms.c.patient, wanted.patient),
            (alarms.c.priority, wanted.priority),
            (alarms.c.state, wanted.state),
            (alarms.c.kind, wanted.kind),
        )
        if value is not None
    ]
    if wanted.from_ns is not None:
        found.append(alarms.c.onset_ns >= wanted.from_ns)
    if wanted.to_ns is not None:
        found.append(alarms.c.onset_ns < wanted.to_ns)
    return found


def _unknown(alarm: str) -> UnknownAlarmError:
    return UnknownAlarmError(f"the alarm history has no alarm {alarm!r}: 'ecgstream alarms history' lists them")
