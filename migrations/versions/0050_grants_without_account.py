"""Grants of client credentials are not in the indexes of accounts, sessions and ``sid``.

Revises: 0049
"""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

COLUMNS = ("account_id", "session_id", "sid")


def upgrade() -> None:
    for name in COLUMNS:
        there = sa.text(f"{name} IS NOT NULL")
        op.drop_index(f"ix_grant_{name}", "grant")
        op.create_index(
            f"ix_grant_{name}", "grant", [name], sqlite_where=there, postgresql_where=there
        )


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_index(f"ix_grant_{name}", "grant")
        op.create_index(f"ix_grant_{name}", "grant", [name])
