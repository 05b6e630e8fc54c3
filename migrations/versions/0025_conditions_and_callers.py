"""Acceptance of the conditions of use, the end of the first enrolment, tickets of calls.

Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("account") as batch:
        batch.add_column(sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(
            sa.Column("conditions_version", sa.String(20), server_default=sa.text("''"), nullable=False)
        )
        batch.add_column(sa.Column("conditions_accepted_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("caller_verification") as batch:
        batch.add_column(
            sa.Column("ticket", sa.String(60), server_default=sa.text("''"), nullable=False)
        )
        batch.add_column(sa.Column("denied_at", sa.DateTime(timezone=True), nullable=True))
    # Their holders got the notice when they chose the first password.
    op.execute(sa.text("UPDATE account SET ready_at = activated_at"))


def downgrade() -> None:
    with op.batch_alter_table("caller_verification") as batch:
        batch.drop_column("denied_at")
        batch.drop_column("ticket")
    with op.batch_alter_table("account") as batch:
        batch.drop_column("conditions_accepted_at")
        batch.drop_column("conditions_version")
        batch.drop_column("ready_at")
