"""Clients with the FAPI 2.0 Security Profile.

Revises: 0033
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in batch mode: a new table for the clients would lose its triggers.
    op.add_column(
        "client",
        sa.Column(
            "fapi2_security_profile", sa.Boolean(), server_default=sa.false(), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("client", "fapi2_security_profile")
