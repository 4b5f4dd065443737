"""The tables of the alarm history, as the newest migration leaves them. Times are integer nanoseconds UTC.

``alarm_events`` and ``actions`` are append-only: triggers, which the migrations make, refuse to change or delete a row.
"""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, PrimaryKeyConstraint, Table, Text

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
