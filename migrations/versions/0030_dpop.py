"""Tokens that are bound to a key (DPoP, RFC 9449), and clients that get only such tokens.

Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

BOUND = ("authorization_code", "refresh_token", "access_token")


def upgrade() -> None:
    for table in BOUND:
        op.add_column(table, sa.Column("dpop_jkt", sa.String(length=43), nullable=True))
    # Not in batch mode: a new table for the clients would lose its triggers.
    op.add_column(
        "client",
        sa.Column(
            "dpop_bound_access_tokens", sa.Boolean(), server_default=sa.false(), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("client", "dpop_bound_access_tokens")
    for table in BOUND:
        op.drop_column(table, "dpop_jkt")
