"""The outbox as people look at it: what waits, what was delivered, what is dead, and trying that again.

All raise ``HistoryError`` when the history is not there or does not answer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy import URL, ColumnElement, func, select, update

from alerting.database.engine import explained, open_engine
from alerting.database.schema import open_reader, reading
from alerting.database.tables import deliveries

DeliveryState = Literal["waiting", "done", "dead"]
STATES: tuple[DeliveryState, ...] = get_args(DeliveryState)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A choice of deliveries.

    Attributes
    ----------
    channel, alarm, state : None for any
    """

    channel: str | None = None
    alarm: str | None = None
    state: DeliveryState | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """They as conditions of a query."""
        return [
            column == value
            for column, value in (
                (deliveries.c.channel, self.channel),
                (deliveries.c.alarm, self.alarm),
                (deliveries.c.state, self.state),
            )
            if value is not None
        ]


def listed(url: URL, chosen: Chosen, *, limit: int) -> list[dict[str, Any]]:
    """Deliveries, the newest first, each as a JSON object."""
    query = select(deliveries).where(*chosen.conditions()).order_by(deliveries.c.id.desc()).limit(limit)
    with reading(url) as connection:
        return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 # SQLAlchemy's public name


def tally(url: URL) -> dict[str, dict[str, int]]:
    """Count the deliveries of each channel in each state."""
    query = select(deliveries.c.channel, deliveries.c.state, func.count()).group_by(
        deliveries.c.channel, deliveries.c.state
    )
    found: dict[str, dict[str, int]] = {}
    with reading(url) as connection:
        for channel, state, count in connection.execute(query):
            found.setdefault(channel, dict.fromkeys(STATES, 0))[state] = count
    return dict(sorted(found.items()))


def tally_where_there(url: URL) -> dict[str, dict[str, int]]:
    """As ``tally``; nothing where there is no history yet."""
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return {}
    return tally(url)


def revive(url: URL, chosen: Chosen, *, now_ns: int) -> int:
    """Let dead deliveries be tried again, as if they came now; how many.

    Parameters
    ----------
    url : the database
    chosen : which; of a state beside "dead" there are none
    now_ns : wall time, ns UTC
    """
    open_reader(url).dispose()  # is there, and of this release
    engine = open_engine(url)
    try:
        with explained(url), engine.begin() as connection:
            return connection.execute(
                update(deliveries)
                .where(deliveries.c.state == "dead", *chosen.conditions())
                .values(state="waiting", attempts=0, next_try_ns=0, queued_ns=now_ns, done_ns=None)
            ).rowcount
    finally:
        engine.dispose()
