"""The tables of the alarm history, as the newest migration leaves them. Times are integer nanoseconds UTC.

``alarm_events`` and ``actions`` are append-only: triggers, which the migrations make, refuse to change or delete a row.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

# Where each alarm stands: its newest message. What is asked for has a column; ``message`` is the whole as JSON.
alarms = Table(
    "alarms",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("patient", Text, nullable=False),
    Column("condition", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("onset_ns", BigInteger, nullable=False),
    Column("told_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger),
    Column("message", Text, nullable=False),
    Index("alarms_by_onset", "onset_ns", "id"),
    Index("alarms_by_patient", "patient", "onset_ns", "id"),
)

# Every message of every alarm. ``published_ns`` is the wall time at which it was handed to Kafka.
alarm_events = Table(
    "alarm_events",
    metadata,
    Column("alarm", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("patient", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("told_ns", BigInteger, nullable=False),
    Column("published_ns", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    PrimaryKeyConstraint("alarm", "sequence"),
    Index("alarm_events_by_time", "told_ns"),
    Index("alarm_events_by_patient", "patient", "told_ns"),
)

# Who asked for what, and when: the audit trail. A command's id is its patient's alone.
actions = Table(
    "actions",
    metadata,
    Column("patient", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("alarm", Text),
    Column("by", Text, nullable=False),
    Column("duration_s", Float),
    Column("sent_ns", BigInteger, nullable=False),
    Column("published_ns", BigInteger, nullable=False),
    PrimaryKeyConstraint("patient", "id"),
    Index("actions_by_time", "published_ns"),
    Index("actions_by_alarm", "alarm", "published_ns"),
    Index("actions_by_patient", "patient", "published_ns"),
)

# Up to where each partition has been read: the next offset.
positions = Table(
    "positions",
    metadata,
    Column("cluster", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    PrimaryKeyConstraint("cluster", "topic", "partition"),
)

# The outbox: each message for each channel that takes it, written with the message itself. ``urgency`` is the rank of
# its priority, 0 the highest; ``queued_ns`` the wall time from which its age counts, ``done_ns`` that at which it was
# delivered or given up. ``error`` is the last one, without secrets.
deliveries = Table(
    "deliveries",
    metadata,
    # SQLite numbers rows by itself in a column of this type alone.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("channel", Text, nullable=False),
    Column("alarm", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("urgency", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("queued_ns", BigInteger, nullable=False),
    Column("next_try_ns", BigInteger, nullable=False),
    Column("error", Text),
    Column("done_ns", BigInteger),
    UniqueConstraint("channel", "alarm", "sequence", name="deliveries_once"),
    Index("deliveries_by_state", "channel", "state", "urgency", "id"),
    Index("deliveries_by_end", "channel", "done_ns"),
)

# How each channel fares, whoever works it: who sends over it now, whether it is left alone for a while because it
# failed, and up to when its rate limit has been used up. Wall time.
channels = Table(
    "channels",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text),
    Column("held_until_ns", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("closed_until_ns", BigInteger, nullable=False),
    Column("paced_ns", BigInteger, nullable=False),
)

# The samples around each alarm's onset. ``state`` is "due" until it is "kept", or "none" for the ``reason``.
# ``next_try_ns`` and ``until_ns`` are wall time: when to try, and after which to take what there is. Lists are JSON,
# ``samples`` the steps from sample to sample, the first from 0: int16 little-endian, lead after lead, packed by zlib.
alarm_strips = Table(
    "alarm_strips",
    metadata,
    Column("alarm", Text, primary_key=True),
    Column("patient", Text, nullable=False),
    Column("onset_ns", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("next_try_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("reason", Text),
    Column("start_ns", BigInteger),
    Column("fs_hz", Float),
    Column("leads", Text),
    Column("gain", Text),
    Column("baseline", Text),
    Column("samples", LargeBinary),
    Index("alarm_strips_due", "state", "next_try_ns"),
)
