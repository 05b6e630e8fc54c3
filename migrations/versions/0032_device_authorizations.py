"""Devices that wait until a person allows them to act for them (RFC 8628), and tokens that services
exchange (RFC 8693).

Revises: 0031
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def _id(name: str, *, nullable: bool = False) -> sa.Column:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "device_authorization",
        _id("id"),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("user_code_digest", sa.String(length=64), nullable=False),
        sa.Column("user_code_sealed", sa.Text(), nullable=False),
        _id("client_id"),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=True),
        _time("created_at"),
        _time("expires_at"),
        sa.Column("poll_seconds", sa.Integer(), nullable=False),
        _time("next_poll_at"),
        _time("decided_at", nullable=True),
        _id("grant_id", nullable=True),
        _time("consumed_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_device_authorization_client_id_client")
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["grant.id"], name=op.f("fk_device_authorization_grant_id_grant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_authorization")),
        sa.UniqueConstraint("digest", name=op.f("uq_device_authorization_digest")),
        sa.UniqueConstraint(
            "user_code_digest", name=op.f("uq_device_authorization_user_code_digest")
        ),
    )
    for column in ("client_id", "expires_at", "grant_id"):
        op.create_index(
            f"ix_device_authorization_{column}", "device_authorization", [column]
        )
    # Not in batch mode: a new table for the clients would lose its triggers.
    texts = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column(
        "client",
        sa.Column("exchange_audiences", texts, server_default=sa.text("'[]'"), nullable=False),
    )
    op.add_column("access_token", sa.Column("act", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("access_token", "act")
    op.drop_column("client", "exchange_audiences")
    op.drop_table("device_authorization")
