"""Participations, role groups that need one, and the kinds of account that open a client.

Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

HOLDERS = (
    "SELECT 1 FROM assignment JOIN account ON account.id = assignment.account_id "
    "WHERE assignment.role_group_id = role_group.id AND assignment.revoked_at IS NULL"
)


def upgrade() -> None:
    op.create_table(
        "participation",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "participant_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_participation_participant_id_participant"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participation")),
    )
    with op.batch_alter_table("participation", schema=None) as batch_op:
        batch_op.create_index(
            "uq_participation_running",
            ["participant_id", "name"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    with op.batch_alter_table("role_group", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "participation",
                sa.String(length=100),
                server_default=sa.text("''"),
                nullable=False,
            )
        )


    # A role group that only e-mail accounts hold is for them. Clients that are there go on taking
    # people with a UserID, and machines; those that see such a role group take e-mail accounts too.
    op.execute(
        "UPDATE role_group SET kind = 'email' "
        f"WHERE EXISTS ({HOLDERS} AND account.kind = 'email') "
        f"AND NOT EXISTS ({HOLDERS} AND account.kind != 'email')"
    )
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.add_column(sa.Column("account_kinds", sa.JSON(), nullable=True))
    client = sa.table("client", sa.column("id"), sa.column("account_kinds", sa.JSON()))
    op.execute(client.update().values(account_kinds=["personal", "machine"]))
    of_email = sa.text(
        "SELECT client_id FROM client_role_group JOIN role_group "
        "ON role_group.id = client_role_group.role_group_id WHERE role_group.kind = 'email'"
    )
    for pk in set(op.get_bind().scalars(of_email)):
        changed = client.update().where(client.c.id == pk)
        op.execute(changed.values(account_kinds=["personal", "machine", "email"]))
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.alter_column("account_kinds", existing_type=sa.JSON(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_column("account_kinds")

    with op.batch_alter_table("role_group", schema=None) as batch_op:
        batch_op.drop_column("participation")

    with op.batch_alter_table("participation", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_participation_running",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.drop_table("participation")
