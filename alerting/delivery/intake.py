"""Filling the outbox: each new message, for every channel that takes it.

It is written in the transaction that takes the message into the history, so that neither is without the other.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, update

from alerting.database.engine import insert_into, without_nul
from alerting.database.tables import deliveries
from alerting.delivery.channels import Channels
from bus.messages import Alert
from ecg.urgency import PRIORITY_RANK


def queue(connection: Connection, wanted: Channels, fresh: Iterable[tuple[Alert, int]]) -> None:
    """Put new messages into the outbox, in the transaction that is open.

    Parameters
    ----------
    connection : of the history's transaction
    wanted : the channels
    fresh : messages that the history did not have, with the wall time at which each was published, ns UTC
    """
    rows: list[dict[str, Any]] = [
        {
            "channel": name,
            "alarm": without_nul(alert.id),  # as the history has it
            "sequence": alert.sequence,
            "urgency": PRIORITY_RANK[alert.priority],
            "state": "waiting",
            "attempts": 0,
            "queued_ns": published_ns,
            "next_try_ns": 0,
        }
        for alert, published_ns in fresh
        for name, channel in wanted.items()
        if channel.takes(alert)
    ]
    if not rows:
        return
    connection.execute(insert_into(connection, deliveries).on_conflict_do_nothing(), rows)
    # A message must not overtake an earlier one of its alarm: so the earlier one becomes as urgent.
    follow = [row for row in rows if row["sequence"] > 0]
    if follow:
        earlier = update(deliveries).where(
            deliveries.c.channel == bindparam("of_channel"),
            deliveries.c.alarm == bindparam("of_alarm"),
            deliveries.c.sequence < bindparam("before"),
            deliveries.c.state == "waiting",
            deliveries.c.urgency > bindparam("rank"),
        )
        connection.execute(
            earlier.values(urgency=bindparam("rank")),
            [
                {
                    "of_channel": row["channel"],
                    "of_alarm": row["alarm"],
                    "before": row["sequence"],
                    "rank": row["urgency"],
                }
                for row in follow
            ],
        )
