"""Applications that register themselves may use libraries that name the token endpoint.

Revises: 0037
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "initial_access_token",
        sa.Column(
            "token_endpoint_audience", sa.Boolean(), server_default=sa.false(), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("initial_access_token", "token_endpoint_audience")
