"""Pushed authorization requests (RFC 9126), and clients that must push them.

Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def _id(name: str, **more: object) -> sa.Column:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, nullable=False, **more)


def upgrade() -> None:
    op.create_table(
        "pushed_request",
        _id("id"),
        sa.Column("digest", sa.String(length=64), nullable=False),
        _id("client_id"),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_pushed_request_client_id_client")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pushed_request")),
        sa.UniqueConstraint("digest", name=op.f("uq_pushed_request_digest")),
    )
    op.create_index("ix_pushed_request_expires_at", "pushed_request", ["expires_at"])
    op.create_index("ix_pushed_request_client_id", "pushed_request", ["client_id"])
    # Not in batch mode: a new table for the clients would lose its triggers.
    op.add_column(
        "client",
        sa.Column(
            "require_pushed_requests", sa.Boolean(), server_default=sa.false(), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("client", "require_pushed_requests")
    op.drop_table("pushed_request")
