"""What pages and changes ask the database: statements whose number does not grow with the people,
and conditions that an index answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import event, select
from sqlalchemy.dialects import postgresql, sqlite

from benchmarks.registration_pages import unmeasured
from registration import account_pushes, dry_runs, history_list, participation_end, requests
from registration.app import create_app
from registration.delegation_facts import Actor
from registration.history_list import Asked
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Organization,
    Participation,
    Person,
)
from registration.transaction import Origin, Runtime, UnitOfWork
from service_base.subqueries import among
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import OLD, RA, participant, person

IESO = Actor("100006", is_operator=True)


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


def test_rg12_an_end_has_as_many_statements_for_many_people(
    runtime: Runtime, bridge: FakeBridge, sent: list[str]
) -> None:
    """RG-12, RG-13: the number of statements of the end of a participation, and of its trial,
    does not grow with the people and roles that it ends."""
    with runtime.work() as work:
        participant(work)
        accounts = [_account(work, f"30000{number}") for number in range(8)]
        roles = work.db.scalars(select(AccessRole).where(AccessRole.code.in_(("bids", "view"))))
        everything = [(one.id, role.id) for one in accounts for role in roles.all()]

    def statements(held: list[tuple[int, int]], *, is_trial: bool) -> int:
        bridge.results = []
        with runtime.work(Origin(IESO.person)) as work:
            here = work.db.scalars(select(Organization)).one()
            row = work.db.scalars(select(Participation)).one()
            _hold(work, here, held)
            sent.clear()
            common = (work, IESO, here, row.id, row.version)
            if is_trial:
                tried = participation_end.attempt(*common)
                assert (tried.access, tried.contacts) == (len(held), 0)
            else:
                request = participation_end.end(*common, "left the market")
                work.db.flush()
                people = {account for account, _ in held}
                # And the organization.
                assert request.waits_for == len(people) + 1
                ended = select(AccessAssignment).where(AccessAssignment.ended_at.is_not(None))
                rows = work.db.scalars(ended.execution_options(populate_existing=True)).all()
                assert {(one.ended_at, one.valid_until, one.version) for one in rows} == {
                    (work.now, work.now, 2)
                }
                assert len(rows) == len(held)
            work.db.rollback()
        # SQLite returns the ids of new rows one by one.
        return len([one for one in sent if not one.startswith("INSERT INTO ")])

    for is_trial in (True, False):
        few, many = (statements(one, is_trial=is_trial) for one in (everything[:2], everything))
        assert few == many


def test_an_end_of_many_roles_is_tried_for_some_accounts(
    runtime: Runtime, bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/decisions/0075: a page waits for the gateway, so the gateway tries a number of accounts
    that does not grow. The page says how many."""
    monkeypatch.setattr(dry_runs, "MOST", 3)
    with runtime.work() as work:
        here = participant(work)
        role = work.db.scalars(select(AccessRole.id).where(AccessRole.code == "bids")).one()
        accounts = [_account(work, f"30000{number}").id for number in range(5)]
        _hold(work, here, [(account, role) for account in accounts])
        row = work.db.scalars(select(Participation)).one()
        trial = participation_end.attempt(work, IESO, here, row.id, row.version)
        assert (trial.access, len(trial.tried.effects), trial.tried.untried) == (5, 3, 2)


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


def _hold(work: UnitOfWork, here: Organization, held: list[tuple[int, int]]) -> None:
    """These accounts have these access roles."""
    for account, role in held:
        work.db.add(AccessAssignment(organization_id=here.id, account_id=account,
                                     access_role_id=role, valid_from=OLD, given_by=RA))  # fmt: skip
    work.db.flush()


def _account(work: UnitOfWork, number: str) -> Account:
    person(work, number, f"First Last{number}")
    query = select(Account).join(Person).where(Person.person_id == number)
    return work.db.scalars(query).one()
