"""How lists of accounts are found among a hundred thousand."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from idp.directory.account_lists import SORTS, AccountFilter, AccountList, conditions
from idp.list_pages import keys_query
from idp.models import Account
from tests.world import World

ALL, LOCKED, TEMPORARY = AccountList.ALL, AccountList.LOCKED, AccountList.TEMPORARY
#: Filter, order, the index that is read, and whether what was found is sorted afterwards: only few
#: accounts are.
PLANS = [
    (AccountFilter(), "name", "ix_account_sort_name_id", False),
    (AccountFilter(), "since", "ix_account_state_changed_at_id", False),
    (AccountFilter(), "username", "sqlite_autoindex_account_2", False),
    (AccountFilter(kind="personal"), "name", "ix_account_sort_name_id", False),
    (AccountFilter(kind="machine"), "name", "ix_account_kind", True),
    (AccountFilter(list=LOCKED), "name", "ix_account_state_sort_name_id", False),
    (AccountFilter(list=LOCKED), "since", "ix_account_state_state_changed_at_id", False),
    (AccountFilter(list=TEMPORARY), "name", "ix_temporary_password_expires_at", True),
]


@pytest.mark.parametrize("beyond", [False, True])
@pytest.mark.parametrize(("wanted", "sort", "index", "is_sorted"), PLANS)
def test_a_page_of_accounts_reads_an_index(
    world: World, wanted: AccountFilter, sort: str, index: str, *, is_sorted: bool, beyond: bool
) -> None:
    """The first page and a later one: no page reads all accounts."""
    with world.work() as work:
        if work.db.get_bind().dialect.name != "sqlite":
            pytest.skip("the plan of an empty table says nothing there")
        anchor = (work.now if sort == "since" else "smith john", 7) if beyond else None
        query = keys_query(Account.id, SORTS[sort], *conditions(work, wanted), anchor=anchor).limit(
            51
        )
        statement = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in work.db.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
    assert any(index in step for step in plan), plan
    assert any("TEMP B-TREE FOR ORDER BY" in step for step in plan) == is_sorted, plan
    assert not any(step == "SCAN account" for step in plan), plan
