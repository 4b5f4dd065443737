"""Alarms, their messages, what people did about them, and the place in Kafka; two tables that only grow."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# By table, the condition on which a row of it is there already.
APPEND_ONLY = {
    "alarm_events": "alarm = NEW.alarm AND sequence = NEW.sequence",
    "actions": "patient = NEW.patient AND id = NEW.id",
}


def upgrade() -> None:
    """Make the tables and their triggers."""
    op.create_table(
        "alarms",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("patient", sa.Text, nullable=False),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("priority", sa.Text, nullable=False),
        sa.Column("onset_ns", sa.BigInteger, nullable=False),
        sa.Column("told_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger),
        sa.Column("message", sa.Text, nullable=False),
    )
    op.create_index("alarms_by_onset", "alarms", ["onset_ns", "id"])
    op.create_index("alarms_by_patient", "alarms", ["patient", "onset_ns", "id"])
    op.create_table(
        "alarm_events",
        sa.Column("alarm", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("patient", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("priority", sa.Text, nullable=False),
        sa.Column("told_ns", sa.BigInteger, nullable=False),
        sa.Column("published_ns", sa.BigInteger, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("alarm", "sequence"),
    )
    op.create_index("alarm_events_by_time", "alarm_events", ["told_ns"])
    op.create_index("alarm_events_by_patient", "alarm_events", ["patient", "told_ns"])
    op.create_table(
        "actions",
        sa.Column("patient", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("alarm", sa.Text),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("duration_s", sa.Float),
        sa.Column("sent_ns", sa.BigInteger, nullable=False),
        sa.Column("published_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("patient", "id"),
    )
    op.create_index("actions_by_time", "actions", ["published_ns"])
    op.create_index("actions_by_alarm", "actions", ["alarm", "published_ns"])
    op.create_index("actions_by_patient", "actions", ["patient", "published_ns"])
    op.create_table(
        "positions",
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("cluster", "topic", "partition"),
    )
    if op.get_context().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def downgrade() -> None:
    """Drop it all; triggers go with their tables."""
    for table in ("positions", "actions", "alarm_events", "alarms"):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ecgstream_append_only()")


def _guard_sqlite() -> None:
    for table, there in APPEND_ONLY.items():
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {change} is refused'); END"
            )
        # INSERT OR REPLACE deletes without asking a trigger for DELETE: a row that is there is left alone instead.
        found = f"SELECT 1 FROM {table} WHERE {there}"  # noqa: S608 # both are constants above
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS ({found}) "
            "BEGIN SELECT RAISE(IGNORE); END"
        )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION ecgstream_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ecgstream_append_only()"
        )
