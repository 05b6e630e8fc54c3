"""Indexes for the newest entries of the history and the newest requests of an organization.

Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("history", "request")


def upgrade() -> None:
    for table in TABLES:
        op.create_index(f"ix_{table}_organization_newest", table, ["organization_id", "id"])
        op.drop_index(f"ix_{table}_organization_id", table_name=table)


def downgrade() -> None:
    for table in TABLES:
        op.create_index(f"ix_{table}_organization_id", table, ["organization_id"])
        op.drop_index(f"ix_{table}_organization_newest", table_name=table)
