"""Applications and role groups have French names and descriptions.

Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

NAMES = {"client": 200, "role_group": 100}


def upgrade() -> None:
    for table, length in NAMES.items():
        with op.batch_alter_table(table) as batch:
            for name, size in (("name_fr", length), ("description_fr", 500)):
                batch.add_column(
                    sa.Column(name, sa.String(size), server_default=sa.text("''"), nullable=False)
                )


def downgrade() -> None:
    for table in NAMES:
        with op.batch_alter_table(table) as batch:
            batch.drop_column("description_fr")
            batch.drop_column("name_fr")
