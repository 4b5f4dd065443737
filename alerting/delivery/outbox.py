"""The outbox: what waits for a channel, in the database of the alarm history. Its methods block.

Several processes may work one channel; its row in ``channels`` lets one of them at a time send over it, and keeps what
all of them must know: that it failed and is left alone for a while, and how much of its rate limit is used up. All of
it outlives a restart. Everything raises ``HistoryError`` when the database does not answer: a delivery that could not
be noted is made again.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, ColumnElement, Connection, Row, Select, and_, exists, func, select, update

from alerting.database.engine import explained, insert_into, open_engine
from alerting.database.tables import alarm_events, channels, deliveries
from alerting.delivery.channels import Channel
from alerting.delivery.sending import Delivery

NS = 1_000_000_000
LEASE_MARGIN_S = 5.0  # a call's timeout is of its waits: all of it may last a little longer
TOO_OLD = 200  # messages given up at once because of their age
KEPT_S = 30 * 86_400.0  # so long after its end a delivery's row is kept
PURGED = 1000  # rows deleted at once
SOONEST_DOWN = 3  # failures in a row after which a channel is left alone, whatever they were


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The next thing to do.

    Attributes
    ----------
    delivery : to send now; None to wait
    until_ns : for how long, wall time, ns UTC; None while nothing waits
    closed : nothing new can go out before then, either
    failures : how often the channel has failed since it last answered
    expired : messages that have just become too old
    """

    delivery: Delivery | None = None
    until_ns: int | None = None
    closed: bool = False
    failures: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """A channel's backlog.

    Attributes
    ----------
    waiting, dead : messages
    oldest_ns : since when the oldest waits, wall time, ns UTC; None when none does
    """

    waiting: int
    dead: int
    oldest_ns: int | None


class Outbox:
    """One channel's part of the outbox.

    Parameters
    ----------
    url : the database of the alarm history
    name, channel : as the channels file has them
    holder : who works here; a restarted process of the same name takes up at once what it had begun
    """

    def __init__(self, url: URL, name: str, channel: Channel, *, holder: str) -> None:
        self._url = url
        self._name = name
        self._channel = channel
        self._holder = holder
        self._lease_ns = round((channel.timeout_s + LEASE_MARGIN_S) * NS)
        self._engine = open_engine(url)

    def close(self) -> None:
        """Let go of its connections."""
        self._engine.dispose()

    def claim(self, now_ns: int) -> Claim:
        """Take the next message to send: the most urgent first, an alarm's in order."""
        with explained(self._url), self._engine.begin() as connection:
            state = self._locked(connection)
            held = state.holder is not None and state.holder != self._holder
            until_ns = max(
                _ahead(state.held_until_ns, now_ns, self._lease_ns) if held else now_ns,
                _ahead(state.closed_until_ns, now_ns, 2 * round(max(self._channel.retry_max_s, 3600.0) * NS)),
            )
            if until_ns > now_ns:
                return Claim(until_ns=until_ns, closed=True)
            head, expired = self._head(connection, now_ns)
            if head is None:
                return Claim(until_ns=self._soonest(connection), expired=expired)
            paced_ns = self._paced(state.paced_ns, now_ns)
            if paced_ns is None:
                return Claim(until_ns=state.paced_ns + self._interval_ns - 60 * NS, closed=True, expired=expired)
            connection.execute(
                update(deliveries).where(deliveries.c.id == head.id).values(attempts=deliveries.c.attempts + 1)
            )
            self._set(connection, holder=self._holder, held_until_ns=now_ns + self._lease_ns, paced_ns=paced_ns)
        delivery = Delivery(
            id=head.id,
            channel=self._name,
            alarm=head.alarm,
            sequence=head.sequence,
            attempts=head.attempts + 1,
            queued_ns=head.queued_ns,
            published_ns=head.published_ns,
            message=head.message,
        )
        return Claim(delivery=delivery, failures=state.failures, expired=expired)

    def delivered(self, delivery: Delivery, now_ns: int) -> None:
        """Note that it arrived."""
        self._answered(delivery, "done", now_ns, error=None)

    def refused(self, delivery: Delivery, now_ns: int, error: str) -> None:
        """Note that it never will arrive; the channel itself answers."""
        self._answered(delivery, "dead", now_ns, error=error)

    def failed(self, delivery: Delivery, error: str, *, now_ns: int, next_try_ns: int, down: bool) -> bool:
        """It did not arrive; whether it is dead now, since it was tried often enough.

        Parameters
        ----------
        delivery, error : which, and why, without secrets
        now_ns : wall time, ns UTC
        next_try_ns : when to try again
        down : whether no other message would have arrived either; the channel is left alone until then
        """
        most = self._channel.give_up_attempts
        dead = most is not None and delivery.attempts >= most
        with explained(self._url), self._engine.begin() as connection:
            failures = self._locked(connection).failures + 1
            if dead:
                self._end(connection, delivery, "dead", now_ns, error=f"tried {delivery.attempts} times: {error}")
            else:
                connection.execute(
                    update(deliveries)
                    .where(deliveries.c.id == delivery.id, deliveries.c.state == "waiting")
                    .values(next_try_ns=next_try_ns, error=error)
                )
            closed_ns = next_try_ns if down or failures >= SOONEST_DOWN else 0
            self._set(connection, holder=None, held_until_ns=0, failures=failures, closed_until_ns=closed_ns)
        return dead

    def backlog(self) -> Backlog:
        """Count the messages that wait and those given up."""
        query = (
            select(deliveries.c.state, func.count(), func.min(deliveries.c.queued_ns))
            .where(deliveries.c.channel == self._name, deliveries.c.state.in_(("waiting", "dead")))
            .group_by(deliveries.c.state)
        )
        with explained(self._url), self._engine.begin() as connection:
            found = {state: (count, oldest_ns) for state, count, oldest_ns in connection.execute(query)}
        waiting, oldest_ns = found.get("waiting", (0, None))
        return Backlog(waiting=waiting, dead=found.get("dead", (0, None))[0], oldest_ns=oldest_ns)

    def purge(self, now_ns: int) -> int:
        """Delete rows of what was delivered long ago; how many. What is dead stays until somebody looks at it."""
        old = (
            select(deliveries.c.id)
            .where(
                deliveries.c.channel == self._name,
                deliveries.c.done_ns < now_ns - round(KEPT_S * NS),
                deliveries.c.state == "done",
            )
            .limit(PURGED)
        )
        with explained(self._url), self._engine.begin() as connection:
            return connection.execute(deliveries.delete().where(deliveries.c.id.in_(old))).rowcount

    def _locked(self, connection: Connection) -> Row[Any]:
        """The channel's row, which nobody else can change until the transaction ends."""
        query = select(channels).where(channels.c.name == self._name).with_for_update()
        found = connection.execute(query).one_or_none()
        if found is None:
            fresh = {"name": self._name, "held_until_ns": 0, "failures": 0, "closed_until_ns": 0, "paced_ns": 0}
            connection.execute(insert_into(connection, channels).values(fresh).on_conflict_do_nothing())
            found = connection.execute(query).one()
        return found

    def _set(self, connection: Connection, **values: str | int | None) -> None:
        connection.execute(update(channels).where(channels.c.name == self._name).values(**values))

    def _head(self, connection: Connection, now_ns: int) -> tuple[Row[Any] | None, int]:
        """The message to send next, and how many before it had become too old."""
        expired = 0
        while expired < TOO_OLD:
            head = connection.execute(self._due(now_ns)).first()
            if head is None or now_ns - head.queued_ns <= self._channel.give_up_s * NS:
                return head, expired
            before = f": {head.error}" if head.error else ""
            late = f"not delivered within {self._channel.give_up_s:g} s{before}"
            connection.execute(
                update(deliveries).where(deliveries.c.id == head.id).values(state="dead", done_ns=now_ns, error=late)
            )
            expired += 1
        return None, expired

    def _first_of_alarm(self) -> tuple[ColumnElement[bool], ...]:
        """Conditions of a message that waits here and for no earlier message of its alarm."""
        earlier = deliveries.alias("earlier")
        before_it = exists().where(
            earlier.c.channel == deliveries.c.channel,
            earlier.c.alarm == deliveries.c.alarm,
            earlier.c.sequence < deliveries.c.sequence,
            earlier.c.state == "waiting",
        )
        return deliveries.c.channel == self._name, deliveries.c.state == "waiting", ~before_it

    def _due(self, now_ns: int) -> Select[Any]:
        most_ns = now_ns + 2 * round(max(self._channel.retry_max_s, 3600.0) * NS)
        return (
            select(deliveries, alarm_events.c.published_ns, alarm_events.c.message)
            .join(
                alarm_events,
                and_(alarm_events.c.alarm == deliveries.c.alarm, alarm_events.c.sequence == deliveries.c.sequence),
            )
            .where(
                *self._first_of_alarm(),
                # A time so far ahead was written before the wall clock was set back.
                ~deliveries.c.next_try_ns.between(now_ns + 1, most_ns),
            )
            .order_by(deliveries.c.urgency, deliveries.c.id)
            .limit(1)
        )

    def _soonest(self, connection: Connection) -> int | None:
        """Return when the first of those that wait may be tried again."""
        query = select(func.min(deliveries.c.next_try_ns)).where(*self._first_of_alarm())
        return connection.execute(query).scalar()

    @property
    def _interval_ns(self) -> int:
        return round(60 * NS / (self._channel.per_minute or 60))

    def _paced(self, paced_ns: int, now_ns: int) -> int | None:
        """Up to when the rate limit is used up with one call more; None when it is already.

        Source: the generic cell rate algorithm, ITU-T I.371, annex A: a bucket that drains with time, kept as one
        number. Ours holds a minute's calls.
        """
        if self._channel.per_minute is None:
            return 0
        used_ns = min(max(paced_ns - now_ns, 0), 60 * NS)
        if used_ns + self._interval_ns > 60 * NS + self._interval_ns // 2:
            return None
        return now_ns + used_ns + self._interval_ns

    def _answered(self, delivery: Delivery, state: str, now_ns: int, *, error: str | None) -> None:
        with explained(self._url), self._engine.begin() as connection:
            self._locked(connection)  # first, as everybody does: two that wait for each other are no good
            self._end(connection, delivery, state, now_ns, error=error)
            self._set(connection, holder=None, held_until_ns=0, failures=0, closed_until_ns=0)

    def _end(self, connection: Connection, delivery: Delivery, state: str, now_ns: int, *, error: str | None) -> None:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery.id, deliveries.c.state == "waiting")
            .values(state=state, done_ns=now_ns, error=error)
        )


def _ahead(until_ns: int, now_ns: int, most_ns: int) -> int:
    """A time to wait until; none when it is so far ahead that the wall clock must have been set back since."""
    return until_ns if until_ns <= now_ns + most_ns else now_ns
