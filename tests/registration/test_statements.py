"""What pages and changes ask the database: statements whose number does not grow with the people,
and conditions that an index answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import event, select
from sqlalchemy.dialects import postgresql, sqlite

from benchmarks.registration_pages import unmeasured
from registration import account_pushes, history_list, requests
from registration.app import create_app
from registration.history_list import Asked
from registration.models import AccessAssignment, Account, Organization, Person
from registration.transaction import Runtime, UnitOfWork
from service_base.subqueries import among
from tests.registration.participant import participant, person


@pytest.fixture
def sent(runtime: Runtime) -> list[str]:
    """The statements that were sent, in order."""
    found: list[str] = []

    @event.listens_for(runtime.engine, "before_cursor_execute")
    def _note(*arguments: object) -> None:
        found.append(str(arguments[2]))

    return found


def test_every_page_is_measured(runtime: Runtime) -> None:
    """The benchmark of registration has a page for each route that answers a GET."""
    app = create_app(runtime.settings, runtime.ports)
    assert unmeasured(app) == []
    app.extensions["runtime"].close()


def test_few_rows_are_looked_up_in_the_index_of_the_column() -> None:
    """PostgreSQL cannot estimate how many accounts many assignments have; as an array they are
    looked up one by one. SQLite does so anyway."""
    held = select(AccessAssignment.account_id).where(AccessAssignment.organization_id == 1)
    query = select(Account.id).where(among(Account.id, held))
    there, here = (
        str(query.compile(dialect=one())) for one in (postgresql.dialect, sqlite.dialect)
    )
    assert "account.id = ANY (ARRAY(SELECT" in there
    assert "account.id IN (SELECT" in here
    # A condition, not a number that is compared.
    assert not here.endswith("= 1")


def test_pr01_pushes_of_many_accounts_are_read_together(work: UnitOfWork, sent: list[str]) -> None:
    """PR-01: the end of a participation pushes everybody; the statements do not become more."""
    participant(work)
    rows = [_account(work, f"30000{number}") for number in range(8)]

    def statements(accounts: list[Account]) -> int:
        request = requests.open_request(work, "access.changes")
        sent.clear()
        pushes = account_pushes.queue_all(work, accounts, request)
        work.db.flush()
        assert [push.account_id for push in pushes] == [one.id for one in accounts]
        names = [push.body["externalId"] for push in pushes]
        assert names == [one.external_id for one in accounts]
        assert request.waits_for == len(accounts)
        # SQLite returns the ids of new rows one by one.
        return len([one for one in sent if not one.startswith("INSERT INTO push")])

    assert statements(rows[:2]) == statements(rows[2:])


@pytest.mark.parametrize(
    ("read", "index"),
    [
        (
            lambda work, here: history_list.page(work, here, Asked()),
            "ix_history_organization_newest",
        ),
        (lambda work, here: requests.page(work, here), "ix_request_organization_newest"),
    ],
    ids=["history", "requests"],
)
def test_the_newest_of_an_organization_come_from_an_index(
    work: UnitOfWork,
    runtime: Runtime,
    sent: list[str],
    read: Callable[[UnitOfWork, Organization], object],
    index: str,
) -> None:
    """Those of other organizations are not read, however many there are."""
    if runtime.engine.dialect.name != "sqlite":
        pytest.skip("the plans of PostgreSQL depend on the number of rows")
    here = participant(work)
    sent.clear()
    read(work, here)
    values = tuple(1 for letter in sent[0] if letter == "?")
    plan = work.db.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sent[0]}", values).all()
    assert any(index in str(step) for step in plan), plan
    assert not any("TEMP B-TREE" in str(step) for step in plan), plan


def _account(work: UnitOfWork, number: str) -> Account:
    person(work, number, f"First Last{number}")
    query = select(Account).join(Person).where(Person.person_id == number)
    return work.db.scalars(query).one()
