"""A sign-in in progress has a stage, and the database knows which columns go with it.

Sign-ins that are in progress at the upgrade start again.

Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STAGES = {
    "started": (),
    "password_change": ("account_id", "change_reason", "security_stamp"),
    "second_factor": ("account_id", "proved", "second_factor", "security_stamp"),
    "proved": ("account_id", "proved", "second_factor", "security_stamp"),
    "authenticated": (
        "account_id", "authenticated_at", "proved", "second_factor", "security_stamp",
    ),
}  # fmt: skip
COLUMNS = (
    "account_id", "authenticated_at", "change_reason", "proved", "second_factor", "security_stamp",
)  # fmt: skip
ANSWERS = (
    "(answered_by_id IS NULL)"
    " = (consented_at IS NULL AND denied_at IS NULL AND account_chosen_at IS NULL)"
)


def legal_stage() -> str:
    stages = [
        " AND ".join(
            [f"stage = '{stage}'"]
            + [f"{name} IS {'NOT ' if name in given else ''}NULL" for name in COLUMNS]
        )
        for stage, given in STAGES.items()
    ]
    return (
        f"({' OR '.join(f'({stage})' for stage in stages)})"
        " AND (temporary_password_id IS NOT NULL) = (COALESCE(change_reason, '') = 'temporary')"
    )


def upgrade() -> None:
    op.execute(
        "UPDATE interaction SET authenticated_at = NULL, consented_at = NULL, denied_at = NULL,"
        " account_chosen_at = NULL, change_account_id = NULL, change_reason = NULL,"
        " temporary_password_id = NULL, signing_in_id = NULL, proved = NULL, prompt = NULL"
    )
    with op.batch_alter_table("interaction", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "stage", sa.String(length=20), server_default=sa.text("'started'"), nullable=False
            )
        )
        batch_op.add_column(sa.Column("account_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("security_stamp", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("second_factor", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("answered_by_id", KEY, nullable=True))
        for column in ("change_account_id", "signing_in_id"):
            batch_op.drop_constraint(
                batch_op.f(f"fk_interaction_{column}_account"), type_="foreignkey"
            )
            batch_op.drop_column(column)
        for column in ("proved_stamp", "owes_factor", "prompt"):
            batch_op.drop_column(column)
        for column in ("account_id", "answered_by_id"):
            batch_op.create_foreign_key(
                batch_op.f(f"fk_interaction_{column}_account"), "account", [column], ["id"]
            )
        batch_op.create_check_constraint(batch_op.f("ck_interaction_stage"), legal_stage())
        batch_op.create_check_constraint(batch_op.f("ck_interaction_answers"), ANSWERS)


def downgrade() -> None:
    op.execute(
        "UPDATE interaction SET authenticated_at = NULL, consented_at = NULL, denied_at = NULL,"
        " account_chosen_at = NULL, answered_by_id = NULL, change_reason = NULL,"
        " temporary_password_id = NULL, account_id = NULL, security_stamp = NULL, proved = NULL,"
        " second_factor = NULL, stage = 'started'"
    )
    with op.batch_alter_table("interaction", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_interaction_answers"), type_="check")
        batch_op.drop_constraint(batch_op.f("ck_interaction_stage"), type_="check")
        for column in ("account_id", "answered_by_id"):
            batch_op.drop_constraint(
                batch_op.f(f"fk_interaction_{column}_account"), type_="foreignkey"
            )
            batch_op.drop_column(column)
        for column in ("stage", "security_stamp", "second_factor"):
            batch_op.drop_column(column)
        batch_op.add_column(sa.Column("change_account_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("signing_in_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("proved_stamp", sa.String(length=80), nullable=True))
        batch_op.add_column(
            sa.Column("owes_factor", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(sa.Column("prompt", sa.JSON(), nullable=True))
        for column in ("change_account_id", "signing_in_id"):
            batch_op.create_foreign_key(
                batch_op.f(f"fk_interaction_{column}_account"), "account", [column], ["id"]
            )
