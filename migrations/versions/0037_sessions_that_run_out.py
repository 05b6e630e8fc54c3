"""The worker finds sessions that run out.

Revises: 0036
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

COLUMNS = ("last_seen_at", "expires_at")


def upgrade() -> None:
    for name in COLUMNS:
        op.create_index(
            f"ix_browser_session_live_{name}",
            "browser_session",
            [name],
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_index(f"ix_browser_session_live_{name}", table_name="browser_session")
