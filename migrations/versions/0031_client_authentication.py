"""Keys of clients at an address of theirs, secrets that sign, and certificates.

Revises: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

#: New texts of clients, and their lengths.
TEXTS = {"jwks_uri": 2000, "tls_subject_field": 20, "tls_subject": 2000}
SEALED = ("sealed_secret", "former_sealed_secret")


def upgrade() -> None:
    # Not in batch mode: a new table for the clients would lose its triggers.
    for name, length in TEXTS.items():
        kind = sa.String(length=length)
        op.add_column(
            "client", sa.Column(name, kind, server_default=sa.text("''"), nullable=False)
        )
    for name in SEALED:
        op.add_column("client", sa.Column(name, sa.Text(), nullable=True))
    op.add_column(
        "client",
        sa.Column(
            "certificate_bound_tokens", sa.Boolean(), server_default=sa.false(), nullable=False
        ),
    )
    op.add_column("access_token", sa.Column("certificate", sa.String(length=43), nullable=True))


def downgrade() -> None:
    op.drop_column("access_token", "certificate")
    for name in ("certificate_bound_tokens", *SEALED, *TEXTS):
        op.drop_column("client", name)
