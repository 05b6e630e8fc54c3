"""Sign-ins of the risk engine's history say whether a second factor was verified. Earlier ones count
as without: accounts that are new at the upgrade are asked as before.

Revises: 0048
"""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "sign_in",
        sa.Column("is_proved", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("sign_in", "is_proved")
