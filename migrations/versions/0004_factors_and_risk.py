"""Factors of every kind, enrolment, and what the risk engine knows.

Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "population_count",
        sa.Column("level", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=100), nullable=False),
        sa.Column("seen", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("level", "value", name=op.f("pk_population_count")),
    )
    op.create_table(
        "spent_challenge",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spent_challenge")),
        sa.UniqueConstraint("digest", name=op.f("uq_spent_challenge_digest")),
    )
    with op.batch_alter_table("spent_challenge", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_spent_challenge_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "security_answer",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("question", sa.String(length=40), nullable=False),
        sa.Column("answer_hash", sa.String(length=200), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_security_answer_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_answer")),
        sa.UniqueConstraint("account_id", name=op.f("uq_security_answer_account_id")),
    )
    op.create_table(
        "sign_in",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("zone", sa.String(length=40), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("asn", sa.String(length=20), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("family", sa.String(length=60), nullable=False),
        sa.Column("major", sa.Integer(), nullable=False),
        sa.Column("system", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_sign_in_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in")),
    )
    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.create_index("ix_sign_in_account_id_at", ["account_id", "at"], unique=False)
        batch_op.create_index("ix_sign_in_at", ["at"], unique=False)
        batch_op.create_index(
            "ix_sign_in_uncounted",
            ["id"],
            unique=False,
            sqlite_where=sa.text("counted_at IS NULL"),
            postgresql_where=sa.text("counted_at IS NULL"),
        )

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column(
                "enrolment_passed",
                sa.String(length=60),
                server_default=sa.text("''"),
                nullable=False,
            )
        )
        batch_op.add_column(sa.Column("distrusted_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column(
                "distrusted_for",
                sa.String(length=20),
                server_default=sa.text("''"),
                nullable=False,
            )
        )
        batch_op.add_column(sa.Column("user_handle", sa.String(length=100), nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_account_user_handle"), ["user_handle"])

    with op.batch_alter_table("authenticator", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "kind", sa.String(length=10), server_default=sa.text("'totp'"), nullable=False
            )
        )
        batch_op.add_column(
            sa.Column("is_preferred", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(
            sa.Column(
                "destination", sa.String(length=20), server_default=sa.text("''"), nullable=False
            )
        )
        batch_op.add_column(sa.Column("credential_id", sa.String(length=1400), nullable=True))
        batch_op.add_column(sa.Column("public_key", sa.Text(), nullable=True))
        batch_op.add_column(
            sa.Column(
                "sign_count",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                server_default="0",
                nullable=False,
            )
        )
        batch_op.add_column(
            sa.Column("is_synced", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(
            sa.Column("is_backed_up", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(
            sa.Column(
                "transports", sa.String(length=100), server_default=sa.text("''"), nullable=False
            )
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_authenticator_credential_id"), ["credential_id"]
        )

    with op.batch_alter_table("browser_session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "second_factor",
                sa.String(length=20),
                server_default=sa.text("''"),
                nullable=False,
            )
        )

    with op.batch_alter_table("interaction", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "signing_in_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
            )
        )
        batch_op.add_column(sa.Column("proved", sa.JSON(), nullable=True))
        batch_op.add_column(
            sa.Column("has_secret", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(
            sa.Column("owes_factor", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(sa.Column("prompt", sa.JSON(), nullable=True))
        batch_op.drop_constraint(
            batch_op.f("fk_interaction_factor_account_id_account"), type_="foreignkey"
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_interaction_signing_in_id_account"), "account", ["signing_in_id"], ["id"]
        )
        batch_op.drop_column("factor_account_id")

    with op.batch_alter_table("known_browser", schema=None) as batch_op:
        batch_op.add_column(sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("asks_question", sa.Boolean(), server_default=sa.false(), nullable=False)
        )

    with op.batch_alter_table("one_time_code", schema=None) as batch_op:
        batch_op.create_index(
            "ix_one_time_code_destination_created_at", ["destination", "created_at"], unique=False
        )

    with op.batch_alter_table("role_group", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "second_factor",
                sa.String(length=20),
                server_default=sa.text("''"),
                nullable=False,
            )
        )



def downgrade() -> None:
    with op.batch_alter_table("role_group", schema=None) as batch_op:
        batch_op.drop_column("second_factor")

    with op.batch_alter_table("one_time_code", schema=None) as batch_op:
        batch_op.drop_index("ix_one_time_code_destination_created_at")

    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.drop_column("asks_question")

    with op.batch_alter_table("known_browser", schema=None) as batch_op:
        batch_op.drop_column("proved_at")

    with op.batch_alter_table("interaction", schema=None) as batch_op:
        batch_op.add_column(sa.Column("factor_account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.drop_constraint(
            batch_op.f("fk_interaction_signing_in_id_account"), type_="foreignkey"
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_interaction_factor_account_id_account"),
            "account",
            ["factor_account_id"],
            ["id"],
        )
        batch_op.drop_column("prompt")
        batch_op.drop_column("owes_factor")
        batch_op.drop_column("has_secret")
        batch_op.drop_column("proved")
        batch_op.drop_column("signing_in_id")

    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_column("second_factor")

    with op.batch_alter_table("browser_session", schema=None) as batch_op:
        batch_op.drop_column("proved_at")

    with op.batch_alter_table("authenticator", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_authenticator_credential_id"), type_="unique")
        batch_op.drop_column("transports")
        batch_op.drop_column("is_backed_up")
        batch_op.drop_column("is_synced")
        batch_op.drop_column("sign_count")
        batch_op.drop_column("public_key")
        batch_op.drop_column("credential_id")
        batch_op.drop_column("destination")
        batch_op.drop_column("is_preferred")
        batch_op.drop_column("kind")

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_account_user_handle"), type_="unique")
        batch_op.drop_column("user_handle")
        batch_op.drop_column("distrusted_for")
        batch_op.drop_column("distrusted_at")
        batch_op.drop_column("enrolment_passed")
        batch_op.drop_column("enrolled_at")

    with op.batch_alter_table("sign_in", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_sign_in_uncounted",
            sqlite_where=sa.text("counted_at IS NULL"),
            postgresql_where=sa.text("counted_at IS NULL"),
        )
        batch_op.drop_index("ix_sign_in_at")
        batch_op.drop_index("ix_sign_in_account_id_at")

    op.drop_table("sign_in")
    op.drop_table("security_answer")
    with op.batch_alter_table("spent_challenge", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_spent_challenge_expires_at"))

    op.drop_table("spent_challenge")
    op.drop_table("population_count")
