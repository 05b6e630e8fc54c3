"""Sessions and known browsers may be bound to a key of the browser. Former values of the cookies of
known browsers are kept.

Revises: 0042
"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

BOUND = ("browser_session", "known_browser")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FORMER = ("digest", "browser_id", "replaced_at")


def upgrade() -> None:
    op.create_table(
        "device_binding",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("public_key", sa.JSON(), nullable=False),
        sa.Column("algorithm", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=400), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_binding")),
        sa.UniqueConstraint("public_id", name=op.f("uq_device_binding_public_id")),
    )
    op.create_index(op.f("ix_device_binding_proved_at"), "device_binding", ["proved_at"])
    for table in BOUND:
        with op.batch_alter_table(table) as changed:
            changed.add_column(sa.Column("binding_id", _ID, nullable=True))
            changed.create_foreign_key(
                op.f(f"fk_{table}_binding_id_device_binding"),
                "device_binding",
                ["binding_id"],
                ["id"],
            )
        op.create_index(op.f(f"ix_{table}_binding_id"), table, ["binding_id"])
    op.add_column(
        "browser_session", sa.Column("bound_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_table(
        "former_browser_cookie",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("browser_id", _ID, nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["browser_id"],
            ["known_browser.id"],
            name=op.f("fk_former_browser_cookie_browser_id_known_browser"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_browser_cookie")),
    )
    for name in FORMER:
        op.create_index(
            op.f(f"ix_former_browser_cookie_{name}"), "former_browser_cookie", [name]
        )


def downgrade() -> None:
    op.drop_table("former_browser_cookie")
    op.drop_column("browser_session", "bound_at")
    for table in reversed(BOUND):
        op.drop_index(op.f(f"ix_{table}_binding_id"), table_name=table)
        with op.batch_alter_table(table) as changed:
            changed.drop_constraint(
                op.f(f"fk_{table}_binding_id_device_binding"), type_="foreignkey"
            )
            changed.drop_column("binding_id")
    op.drop_table("device_binding")
