"""Accounts for life: recovery, lockout, temporary passwords, the console's search.

Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from idp.policy.search_terms import fold, terms

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recovery_request",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("goal", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("typed_sealed", sa.Text(), nullable=False),
        sa.Column("flow", sa.String(length=64), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=400), nullable=True),
        sa.Column("request_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_request")),
    )
    with op.batch_alter_table("recovery_request", schema=None) as batch_op:
        batch_op.create_index(
            "ix_recovery_request_processed_at_id", ["processed_at", "id"], unique=False
        )

    op.create_table(
        "caller_verification",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("agent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disowned_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_caller_verification_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["account.id"], name=op.f("fk_caller_verification_agent_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_caller_verification")),
    )
    with op.batch_alter_table("caller_verification", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_caller_verification_account_id"), ["account_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_caller_verification_agent_id"), ["agent_id"], unique=False
        )

    op.create_table(
        "known_browser",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=400), nullable=True),
        sa.Column("remembered_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_known_browser_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_browser")),
        sa.UniqueConstraint("public_id", name=op.f("uq_known_browser_public_id")),
    )
    with op.batch_alter_table("known_browser", schema=None) as batch_op:
        batch_op.create_index(
            "ix_known_browser_account_id_last_seen_at", ["account_id", "last_seen_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_known_browser_digest"), ["digest"], unique=False)
        batch_op.create_index("ix_known_browser_last_seen_at", ["last_seen_at"], unique=False)

    op.create_table(
        "one_time_code",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("flow", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=320), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_one_time_code_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_code")),
    )
    with op.batch_alter_table("one_time_code", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_one_time_code_account_id"), ["account_id"], unique=False
        )
        batch_op.create_index("ix_one_time_code_expires_at", ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_one_time_code_flow"), ["flow"], unique=False)

    op.create_table(
        "search_term",
        sa.Column(
            "term",
            sa.String(length=320).with_variant(sa.String(length=320, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_search_term_account_id_account")
        ),
        sa.PrimaryKeyConstraint("term", "account_id", name=op.f("pk_search_term")),
    )
    with op.batch_alter_table("search_term", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_search_term_account_id"), ["account_id"], unique=False)

    op.create_table(
        "temporary_password",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("issued_by", sa.String(length=320), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_temporary_password_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_temporary_password")),
    )
    with op.batch_alter_table("temporary_password", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_temporary_password_account_id"), ["account_id"], unique=False
        )

    op.create_table(
        "throttle",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("failures", sa.JSON(), nullable=False),
        sa.Column("locked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_throttle_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_throttle")),
        sa.UniqueConstraint("key", name=op.f("uq_throttle_key")),
    )
    with op.batch_alter_table("throttle", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_throttle_account_id"), ["account_id"], unique=False)
        batch_op.create_index("ix_throttle_updated_at", ["updated_at"], unique=False)

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("state_reason", sa.String(length=40), nullable=False, server_default=sa.text("''")))
        batch_op.add_column(sa.Column("resumes_as", sa.String(length=60), nullable=True))
        batch_op.add_column(sa.Column("renewal_reminders", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("recovery_phone", sa.String(length=20), nullable=True))
        batch_op.create_index(
            "ix_account_password_changed_at", ["password_changed_at"], unique=False
        )

    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(
            "ix_event_actor_at",
            ["actor", "at"],
            unique=False,
            sqlite_where=sa.text("actor IS NOT NULL"),
            postgresql_where=sa.text("actor IS NOT NULL"),
        )
        batch_op.create_index("ix_event_name_at", ["name", "at"], unique=False)

    with op.batch_alter_table("interaction", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "change_account_id",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                nullable=True,
            )
        )
        batch_op.add_column(sa.Column("change_reason", sa.String(length=10), nullable=True))
        batch_op.add_column(
            sa.Column(
                "temporary_password_id",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                nullable=True,
            )
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_interaction_change_account_id_account"),
            "account",
            ["change_account_id"],
            ["id"],
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_interaction_temporary_password_id_temporary_password"),
            "temporary_password",
            ["temporary_password_id"],
            ["id"],
        )

    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reminders", sa.Integer(), nullable=False, server_default="0"))
        batch_op.create_index("ix_link_expires_at", ["expires_at"], unique=False)

    with op.batch_alter_table("participant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name_key", sa.String(length=200), nullable=False, server_default=sa.text("''")))

    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.add_column(sa.Column("phone_extension", sa.String(length=20), nullable=False, server_default=sa.text("''")))

    fill(op.get_bind())



def fill(connection: sa.Connection) -> None:
    """Give the rows that exist what new ones get: a way back from locks, and words to be found."""
    held = "state IN ('locked', 'suspended')"
    for known, state in (("activated_at IS NOT NULL", "active"), ("resumes_as IS NULL", "pending")):
        connection.execute(
            sa.text(f"UPDATE account SET resumes_as = '{state}' WHERE {held} AND {known}")
        )
    for number, name in connection.execute(sa.text("SELECT id, name FROM participant")).all():
        connection.execute(
            sa.text("UPDATE participant SET name_key = :key WHERE id = :id"),
            {"key": fold(name), "id": number},
        )
    accounts = connection.execute(
        sa.text(
            "SELECT account.id, username, email, person_id_text, given_name, middle_name, "
            "family_name, preferred_name, phone FROM account JOIN (SELECT id AS person, "
            "person_id AS person_id_text, email, given_name, middle_name, family_name, "
            "preferred_name, phone FROM person) p ON p.person = account.person_id"
        )
    ).all()
    for pk, username, email, person_id, given, middle, family, preferred, phone in accounts:
        words = terms(
            username=username,
            email=email,
            person_id=person_id,
            names=(given, middle, family, preferred),
            phones=(phone,),
        )
        connection.execute(
            sa.text("INSERT INTO search_term (term, account_id) VALUES (:term, :id)"),
            [{"term": term, "id": pk} for term in sorted(words)],
        )


def downgrade() -> None:
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_column("phone_extension")

    with op.batch_alter_table("participant", schema=None) as batch_op:
        batch_op.drop_column("name_key")

    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.drop_index("ix_link_expires_at")
        batch_op.drop_column("reminders")

    with op.batch_alter_table("interaction", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("fk_interaction_temporary_password_id_temporary_password"),
            type_="foreignkey",
        )
        batch_op.drop_constraint(
            batch_op.f("fk_interaction_change_account_id_account"), type_="foreignkey"
        )
        batch_op.drop_column("temporary_password_id")
        batch_op.drop_column("change_reason")
        batch_op.drop_column("change_account_id")

    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index("ix_event_name_at")
        batch_op.drop_index(
            "ix_event_actor_at",
            sqlite_where=sa.text("actor IS NOT NULL"),
            postgresql_where=sa.text("actor IS NOT NULL"),
        )

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_index("ix_account_password_changed_at")
        batch_op.drop_column("recovery_phone")
        batch_op.drop_column("renewal_reminders")
        batch_op.drop_column("resumes_as")
        batch_op.drop_column("state_reason")

    with op.batch_alter_table("throttle", schema=None) as batch_op:
        batch_op.drop_index("ix_throttle_updated_at")
        batch_op.drop_index(batch_op.f("ix_throttle_account_id"))

    op.drop_table("throttle")
    with op.batch_alter_table("temporary_password", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_temporary_password_account_id"))

    op.drop_table("temporary_password")
    with op.batch_alter_table("search_term", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_search_term_account_id"))

    op.drop_table("search_term")
    with op.batch_alter_table("one_time_code", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_one_time_code_flow"))
        batch_op.drop_index("ix_one_time_code_expires_at")
        batch_op.drop_index(batch_op.f("ix_one_time_code_account_id"))

    op.drop_table("one_time_code")
    with op.batch_alter_table("known_browser", schema=None) as batch_op:
        batch_op.drop_index("ix_known_browser_last_seen_at")
        batch_op.drop_index(batch_op.f("ix_known_browser_digest"))
        batch_op.drop_index("ix_known_browser_account_id_last_seen_at")

    op.drop_table("known_browser")
    with op.batch_alter_table("caller_verification", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_caller_verification_agent_id"))
        batch_op.drop_index(batch_op.f("ix_caller_verification_account_id"))

    op.drop_table("caller_verification")
    with op.batch_alter_table("recovery_request", schema=None) as batch_op:
        batch_op.drop_index("ix_recovery_request_processed_at_id")

    op.drop_table("recovery_request")
