"""The strip of each alarm: the samples around its onset."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table. Alarms from before have no strip: their samples are gone."""
    op.create_table(
        "alarm_strips",
        sa.Column("alarm", sa.Text, primary_key=True),
        sa.Column("patient", sa.Text, nullable=False),
        sa.Column("onset_ns", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("next_try_ns", sa.BigInteger, nullable=False),
        sa.Column("until_ns", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("start_ns", sa.BigInteger),
        sa.Column("fs_hz", sa.Float),
        sa.Column("leads", sa.Text),
        sa.Column("gain", sa.Text),
        sa.Column("baseline", sa.Text),
        sa.Column("samples", sa.LargeBinary),
    )
    op.create_index("alarm_strips_due", "alarm_strips", ["state", "next_try_ns"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("alarm_strips")
