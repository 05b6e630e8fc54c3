"""Receivers of security events (Shared Signals Framework 1.0).

Revises: 0040
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

KEPT = sa.text("channel = 'kept_event'")


def _id(name: str) -> sa.Column:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    # Not in batch mode: a new table for the clients would lose its triggers.
    column = sa.Column(
        "event_push_uri", sa.String(length=2000), server_default=sa.text("''"), nullable=False
    )
    op.add_column("client", column)
    op.create_table(
        "event_stream",
        _id("id"),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        _id("client_id"),
        sa.Column("method", sa.String(length=30), nullable=False),
        sa.Column("authorization_sealed", sa.Text(), nullable=False),
        sa.Column("events_requested", sa.JSON(), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("status_reason", sa.String(length=200), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_event_stream_client_id_client")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_stream")),
        sa.UniqueConstraint("public_id", name=op.f("uq_event_stream_public_id")),
        sa.UniqueConstraint("client_id", name=op.f("uq_event_stream_client_id")),
    )
    op.create_index(
        "ix_outbox_message_recipient_kept",
        "outbox_message",
        ["recipient", "id"],
        sqlite_where=KEPT,
        postgresql_where=KEPT,
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_message_recipient_kept", table_name="outbox_message")
    op.drop_table("event_stream")
    op.drop_column("client", "event_push_uri")
