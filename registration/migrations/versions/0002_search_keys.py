"""The search key of a person begins with the last name.

Revises: 0001
"""

import unicodedata
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PERSON = sa.table(
    "person",
    sa.column("id", sa.BigInteger),
    *(
        sa.column(name, sa.String)
        for name in ("first_name", "last_name", "middle_name", "preferred_name", "search_key")
    ),
)


def upgrade() -> None:
    _write(lambda row: f"{_part(row.last_name)}|{_part(_others(row))}")


def downgrade() -> None:
    _write(
        lambda row: _part(
            f"{row.first_name} {row.last_name} {row.middle_name} {row.preferred_name}"
        )
    )


def _write(key_of: Callable[[Any], str]) -> None:
    db = op.get_bind()
    change = (
        sa.update(PERSON)
        .where(PERSON.c.id == sa.bindparam("row"))
        .values(search_key=sa.bindparam("key"))
    )
    for row in db.execute(sa.select(PERSON)).all():
        db.execute(change, {"row": row.id, "key": key_of(row)})


def _others(row: Any) -> str:
    return " ".join(filter(None, (row.first_name, row.middle_name, row.preferred_name)))


def _part(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return kept.replace("|", " ")
