"""Strips in the database: which alarms wait for one, and the samples of those that have one."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import URL, Connection, Row, select, update

from alerting.database.engine import explained, insert_into, open_engine, without_nul
from alerting.database.schema import require_current
from alerting.database.tables import alarm_strips
from alerting.strips.alarm_strip import AlarmStrip
from bus.messages import Alert
from ecg.records import Int16Array

BEFORE_NS = AFTER_NS = 5_000_000_000  # around the onset: what a strip of 25 cm shows
PATIENCE_NS = 30_000_000_000  # a stream that has not come by then has stopped: the strip is what there is
REASON_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class DueStrip:
    """An alarm that waits for its strip.

    Attributes
    ----------
    alarm, patient : which, and whose
    onset_ns : the middle of the strip, ns UTC of the recording
    until_ns : wall time after which it is made of what there is, ns UTC
    """

    alarm: str
    patient: str
    onset_ns: int
    until_ns: int


def ask_for(connection: Connection, started: Iterable[tuple[Alert, int]]) -> None:
    """Note that alarms want a strip; nothing for those that were noted before.

    Parameters
    ----------
    connection : in the transaction that takes the alarms in
    started : their first messages, each with the wall time at which it was handed to Kafka, ns UTC
    """
    rows = []
    for alert, published_ns in started:
        # The stream had come to ``told_ns`` by then. A replay in haste is ready sooner, and nobody minds.
        ready_ns = published_ns + max(0, alert.onset_ns + AFTER_NS - alert.told_ns)
        rows.append(
            {
                "alarm": without_nul(alert.id),  # as the history has it
                "patient": alert.patient,
                "onset_ns": alert.onset_ns,
                "state": "due",
                "next_try_ns": ready_ns,
                "until_ns": ready_ns + PATIENCE_NS,
            }
        )
    if rows:
        connection.execute(insert_into(connection, alarm_strips).on_conflict_do_nothing(), rows)


class StripStore:
    """The table of strips. Its methods block; one thread at a time may call them.

    They raise ``HistoryError`` when the database does not answer.

    Parameters
    ----------
    url : as ``alerting.database.engine.address`` gives it
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self._reading = open_engine(url, read_only=True)
        self._writing = open_engine(url)

    def close(self) -> None:
        """Let go of its connections."""
        self._reading.dispose()
        self._writing.dispose()

    def check(self) -> None:
        """See that the tables are those of this release: who records the alarms makes them."""
        with explained(self._url), self._reading.begin() as connection:
            require_current(connection)

    def due(self, now_ns: int, *, limit: int) -> list[DueStrip]:
        """Return the alarms that wait and may be tried now, the longest waiting first."""
        columns = (alarm_strips.c.alarm, alarm_strips.c.patient, alarm_strips.c.onset_ns, alarm_strips.c.until_ns)
        query = (
            select(*columns)
            .where(alarm_strips.c.state == "due", alarm_strips.c.next_try_ns <= now_ns)
            .order_by(alarm_strips.c.next_try_ns)
            .limit(limit)
        )
        with explained(self._url), self._reading.begin() as connection:
            return [DueStrip(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 # its public name

    def keep(self, strip: AlarmStrip) -> None:
        """Put a strip in; one that is there already stays."""
        self._settle(
            strip.alarm,
            state="kept",
            start_ns=strip.start_ns,
            fs_hz=strip.fs_hz,
            leads=json.dumps(strip.leads),
            gain=json.dumps(strip.gain),
            baseline=json.dumps(strip.baseline),
            samples=_packed(strip.samples),
        )

    def give_up(self, alarm: str, reason: str) -> None:
        """Note that an alarm will never have a strip, and why."""
        self._settle(alarm, state="none", reason=reason[:REASON_CHARS])

    def postpone(self, alarm: str, *, to_ns: int) -> None:
        """Try an alarm again, not before a wall time, ns UTC."""
        self._settle(alarm, next_try_ns=to_ns)

    def _settle(self, alarm: str, **values: object) -> None:
        due = (alarm_strips.c.alarm == alarm) & (alarm_strips.c.state == "due")
        with explained(self._url), self._writing.begin() as connection:
            connection.execute(update(alarm_strips).where(due).values(**values))


def read_strip(connection: Connection, alarm: str) -> AlarmStrip | None:
    """An alarm's strip, if it has one."""
    query = select(alarm_strips).where(alarm_strips.c.alarm == alarm, alarm_strips.c.state == "kept")
    row = connection.execute(query).one_or_none()
    return None if row is None else _strip(row)


def read_lack(connection: Connection, alarm: str) -> str:
    """Return the reason why an alarm has no strip."""
    query = select(alarm_strips.c.state, alarm_strips.c.reason).where(alarm_strips.c.alarm == alarm)
    row = connection.execute(query).one_or_none()
    if row is None:
        return "it began before strips were kept"
    return "the alert service has not made it yet" if row.state == "due" else str(row.reason)


def _strip(row: Row[Any]) -> AlarmStrip:
    leads = tuple(json.loads(row.leads))
    return AlarmStrip(
        alarm=row.alarm,
        patient=row.patient,
        leads=leads,
        fs_hz=row.fs_hz,
        start_ns=row.start_ns,
        gain=tuple(json.loads(row.gain)),
        baseline=tuple(json.loads(row.baseline)),
        samples=_unpacked(row.samples, len(leads)),
    )


def _packed(samples: Int16Array) -> bytes:
    """Samples as bytes: lead by lead the steps between them, which pack a third better than they themselves."""
    steps = np.diff(samples, axis=0, prepend=np.zeros((1, samples.shape[1]), np.int16))  # may run over, and back
    return zlib.compress(steps.T.astype("<i2").tobytes())


def _unpacked(packed: bytes, leads: int) -> Int16Array:
    steps = np.frombuffer(zlib.decompress(packed), "<i2").reshape(leads, -1)
    return np.cumsum(steps, axis=1, dtype=np.int16).T
