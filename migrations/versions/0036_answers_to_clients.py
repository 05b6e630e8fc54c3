"""Clients choose how userinfo and answers of introspection are signed, and have sectors.

Revises: 0034
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0034"
branch_labels = None
depends_on = None

#: New algorithms of clients, and their defaults.
ALGORITHMS = {"userinfo_alg": "", "introspection_alg": "RS256"}


def upgrade() -> None:
    # Not in batch mode: a new table for the clients would lose its triggers.
    for name, default in ALGORITHMS.items():
        column = sa.Column(
            name, sa.String(length=10), server_default=sa.text(f"'{default}'"), nullable=False
        )
        op.add_column("client", column)
    op.add_column(
        "client",
        sa.Column(
            "sector_identifier",
            sa.String(length=253),
            server_default=sa.text("''"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    for name in ("sector_identifier", *ALGORITHMS):
        op.drop_column("client", name)
