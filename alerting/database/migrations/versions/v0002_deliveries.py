"""The outbox: what is to be delivered over which channel, and how each channel fares."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "deliveries",
        # SQLite numbers rows by itself in a column of this type alone.
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("alarm", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("urgency", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("queued_ns", sa.BigInteger, nullable=False),
        sa.Column("next_try_ns", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("done_ns", sa.BigInteger),
        sa.UniqueConstraint("channel", "alarm", "sequence", name="deliveries_once"),
    )
    op.create_index("deliveries_by_state", "deliveries", ["channel", "state", "urgency", "id"])
    op.create_index("deliveries_by_end", "deliveries", ["channel", "done_ns"])
    op.create_table(
        "channels",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text),
        sa.Column("held_until_ns", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("closed_until_ns", sa.BigInteger, nullable=False),
        sa.Column("paced_ns", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop them; what was not delivered is forgotten."""
    op.drop_table("channels")
    op.drop_table("deliveries")
