"""Applications register themselves (RFC 7591, RFC 7592), are signed out in frames (OpenID Connect
Front-Channel Logout 1.0) and get signed authorization responses (JARM).

Revises: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def _id(name: str, **more: object) -> sa.Column:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, nullable=False, **more)


def upgrade() -> None:
    op.create_table(
        "initial_access_token",
        _id("id"),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("max_uses", sa.Integer(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("require_pkce", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_initial_access_token")),
        sa.UniqueConstraint("public_id", name=op.f("uq_initial_access_token_public_id")),
        sa.UniqueConstraint("digest", name=op.f("uq_initial_access_token_digest")),
    )
    op.create_table(
        "client_registration",
        _id("id"),
        _id("client_id"),
        _id("initial_token_id"),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("own_change_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_client_registration_client_id_client")
        ),
        sa.ForeignKeyConstraint(
            ["initial_token_id"],
            ["initial_access_token.id"],
            name=op.f("fk_client_registration_initial_token_id_initial_access_token"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_registration")),
        sa.UniqueConstraint("client_id", name=op.f("uq_client_registration_client_id")),
        sa.UniqueConstraint("digest", name=op.f("uq_client_registration_digest")),
    )
    op.create_index(
        "ix_client_registration_initial_token_id",
        "client_registration",
        ["initial_token_id"],
    )
    # Not in batch mode: a new table for the clients would lose its triggers.
    op.add_column(
        "client",
        sa.Column(
            "frontchannel_logout_uri",
            sa.String(length=2000),
            server_default=sa.text("''"),
            nullable=False,
        ),
    )
    op.add_column(
        "client",
        sa.Column(
            "frontchannel_logout_session_required",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
        ),
    )
    op.add_column(
        "client",
        sa.Column(
            "authorization_response_alg",
            sa.String(length=10),
            server_default=sa.text("'RS256'"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    op.drop_column("client", "authorization_response_alg")
    op.drop_column("client", "frontchannel_logout_session_required")
    op.drop_column("client", "frontchannel_logout_uri")
    op.drop_table("client_registration")
    op.drop_table("initial_access_token")
