"""A client's secret from before its last rotation, and until when it works.

Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.add_column(sa.Column("former_secret_digest", sa.String(length=64), nullable=True))
        batch_op.add_column(
            sa.Column("former_secret_until", sa.DateTime(timezone=True), nullable=True)
        )


def downgrade() -> None:
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_column("former_secret_until")
        batch_op.drop_column("former_secret_digest")
