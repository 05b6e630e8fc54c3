"""Audience of assertions, and the participant that a machine acts for; scopes that a client can never
get are no longer registered.

Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

client = sa.table(
    "client",
    sa.column("id", sa.BigInteger),
    sa.column("grant_types", sa.JSON),
    sa.column("scopes", sa.JSON),
)
PERSONAL = {"openid", "profile", "email", "phone", "groups", "participants", "address"}


def upgrade() -> None:
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "token_endpoint_audience", sa.Boolean(), server_default=sa.false(), nullable=False
            )
        )
    with op.batch_alter_table("grant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("participant", sa.String(length=20), nullable=True))
    connection = op.get_bind()
    for row in connection.execute(sa.select(client)).all():
        kept = [scope for scope in row.scopes if _obtainable(scope, set(row.grant_types))]
        if kept != row.scopes:
            connection.execute(
                sa.update(client).where(client.c.id == row.id).values(scopes=kept)
            )


def _obtainable(scope: str, grant_types: set[str]) -> bool:
    if scope == "offline_access":
        return "refresh_token" in grant_types
    if scope in PERSONAL:
        return "authorization_code" in grant_types
    return bool(grant_types & {"authorization_code", "client_credentials"})


def downgrade() -> None:
    with op.batch_alter_table("grant", schema=None) as batch_op:
        batch_op.drop_column("participant")
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_column("token_endpoint_audience")
