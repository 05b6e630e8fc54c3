"""Two changes at once, and values that no column holds: never a 5xx, at any door (R22, N88)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select, update

from idp.directory import (
    accounts,
    contacts,
    participants,
    role_group_assignments,
    role_groups,
)
from idp.directory.directory_refusals import OwnPerson
from idp.errors import (
    CodeNotSent,
    Collision,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    SendLimit,
    ServiceError,
    Unstorable,
)
from idp.models import Account, RoleGroup
from idp.policy.console import ConsoleRole
from tests.console.desk import Desk
from tests.console.test_management import FORM
from tests.world import World

PARALLEL = 16


def at_once(act: Callable[[int], int]) -> list[int]:
    """The answers of so many that start together, sorted."""
    barrier = threading.Barrier(PARALLEL, timeout=60)

    def one(number: int) -> int:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(PARALLEL) as pool:
        return sorted(pool.map(one, range(PARALLEL)))


def posts(desk: Desk, path: str, form: dict[str, str | list[str]]) -> list[int]:
    """The same form of the console, sent by so many tabs at once."""
    desk.prove()
    form = {"csrf_token": desk.token(), **form}
    jar = desk.browser.client._cookies
    clients = [desk.world.app.test_client() for _ in range(PARALLEL)]
    for client in clients:
        client._cookies = dict(jar)

    def send(number: int) -> int:
        return clients[number].post(path, data=form, base_url=desk.browser.base).status_code

    return at_once(send)


def test_sixteen_concurrent_identical_grants_make_one(world: World) -> None:
    """It is made once and recorded once; the others find it made, or are told to look again."""
    world.role_group("EMI Bids and Offers")
    world.grant_role(world.account(), "EMI Bids and Offers")
    username, desk = world.account(), Desk.of(world, ConsoleRole.ACCESS)
    form: dict[str, str | list[str]] = {"group": "EMI Bids and Offers", "participant": "109120"}
    answers = posts(desk, f"{desk.path(username)}/grant", form)
    assert set(answers) <= {303, 409}
    assert 303 in answers
    account = world.account_row(username)
    assert len([e for e in world.events("role_group.assigned") if e.account_id == account.id]) == 1


def test_concurrent_creation_of_the_same_application_or_role_group(world: World) -> None:
    """One is made; for the others the name is taken."""
    world.role_group("TRA Bidder")
    desk = Desk.of(world, ConsoleRole.ACCESS)
    answers = posts(desk, "/console/clients/new", dict(FORM))
    assert set(answers) <= {200, 400, 409}
    assert answers.count(200) == 1
    assert len(world.events("client.created")) == 1
    answers = posts(desk, "/console/role-groups/new", {"name": "CROW Editor", "kind": "personal"})
    assert set(answers) <= {303, 400, 409}
    assert answers.count(303) == 1
    with world.work() as work:
        query = select(RoleGroup).where(RoleGroup.name == "CROW Editor")
        assert len(work.db.scalars(query).all()) == 1


def test_errors_of_the_database_become_named_refusals(world: World) -> None:
    """Unique and foreign keys are collisions, numbers out of range cannot be kept; a search for one
    finds nothing."""
    world.role_group("TRA Bidder")
    mine, now = Account.username == world.account(), world.clock.now()
    with pytest.raises(Collision), world.work() as work:
        work.db.execute(
            insert(RoleGroup).values(name="TRA Bidder", kind="personal", created_at=now)
        )
    with pytest.raises(Collision), world.work() as work:
        work.db.execute(update(Account).where(mine).values(person_id=2**40))
    with pytest.raises(Unstorable), world.work() as work:
        work.db.execute(update(Account).where(mine).values(person_id=2**70))
    with world.work() as work:
        assert work.db.scalar(select(Account).where(Account.id == 2**70)) is None
        assert work.db.scalar(select(Account).where(Account.id < -(2**70))) is None


@pytest.mark.parametrize(
    ("error", "status"),
    [(Collision(), 409), (Conflict(), 409), (Unstorable(), 400), (Invalid(), 400),
     (NotFound(), 404), (Refused(), 403),
     (OwnPerson("P-1"), 403), (CodeNotSent(SendLimit.WAIT), 403)],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/settings", "/oauth2/v1/keys", "/scim/v2/Users"])
def test_a_refusal_that_no_view_answers_has_a_status(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str, error: ServiceError, status: int
) -> None:
    """One place: a page for people, an OAuth or SCIM error for programs."""

    def refuse(**_: object) -> None:
        raise error

    endpoint = world.app.url_map.bind("gateway.test").match(path)[0]
    monkeypatch.setitem(world.app.view_functions, endpoint, refuse)
    answer = world.browser().get(path)
    assert answer.status_code == status
    assert {"/settings": "text/html", "/oauth2/v1/keys": "application/json",
            "/scim/v2/Users": "application/scim+json"}[path] == answer.mimetype  # fmt: skip


def test_concurrently_appointed_contacts_are_all_stored(world: World) -> None:
    """NT-06: nobody's appointment is undone by another one that came at the same moment."""
    world.participant("200001", "Erie Wind")
    for number in range(PARALLEL):
        world.account(f"ra{number}", person_id=f"ID-{number}")

    def appoint(number: int) -> int:
        with world.work() as work:
            row = participants.lock_by_number(work, "200001")
            known = contacts.to_entries(contacts.list_contacts(work, row))
            new = contacts.ContactRef(f"ID-{number}", "rights_administrator")
            return contacts.replace(work, row, [*known, new])

    assert at_once(appoint) == [True] * PARALLEL
    with world.work() as work:
        row = participants.by_number(work, "200001")
        assert len(contacts.list_contacts(work, row)) == PARALLEL
    assert world.events("participant.contact_ended") == []


def test_concurrent_revocations_are_recorded_once(world: World) -> None:
    """TM-12: one event and one mail, however many take the role group away at the same moment."""
    world.role_group("EMI Bids and Offers")
    username = world.account()
    world.grant_role(username, "EMI Bids and Offers")

    def revoke(_number: int) -> int:
        with world.work() as work:
            account, group = (
                accounts.by_username(work, username),
                role_groups.by_name(work, "EMI Bids and Offers"),
            )
            return role_group_assignments.revoke(
                work, account, group, participants.by_number(work, "109120")
            )

    assert at_once(revoke).count(True) == 1
    assert len(world.events("role_group.revoked")) == 1
