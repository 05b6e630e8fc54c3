"""The trail of a client is found by an index.

Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

NAMED = sa.text("client_id IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_event_client_id_id",
        "event",
        ["client_id", "id"],
        sqlite_where=NAMED,
        postgresql_where=NAMED,
    )


def downgrade() -> None:
    op.drop_index("ix_event_client_id_id", "event")
