"""A browser may have several sessions: those of the accounts of one person.

Revises: 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

INDEX = "ix_browser_session_accounts_digest"


def upgrade() -> None:
    op.add_column(
        "browser_session", sa.Column("accounts_digest", sa.String(length=64), nullable=True)
    )
    op.create_index(INDEX, "browser_session", ["accounts_digest"])


def downgrade() -> None:
    op.drop_index(INDEX, "browser_session")
    op.drop_column("browser_session", "accounts_digest")
