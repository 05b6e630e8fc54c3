"""Pushes: one transaction with the change, in order for each account, until the gateway has done
them or refused them (PR-01, PR-03, PR-06, AR-06)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from registration import account_pushes, history, push_delivery, requests
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Appointment,
    ContactRole,
    History,
    Market,
    Notice,
    Organization,
    Person,
    Push,
    Request,
    Task,
)
from registration.transaction import Origin, Runtime, UnitOfWork
from registration.work_refusals import ChangedMeanwhile
from registration_bridge.bridge_client import Result
from registration_bridge.message_urns import REGISTRATION_USER
from service_base import request_ids, tracing
from tests.registration.fake_bridge import FakeBridge


def somebody(work: UnitOfWork, person_id: str = "100002") -> Account:
    """A trader with an access role, who is a Rights Administrator too."""
    here = Organization(organization_id="109120", name="Lakes", created_at=work.now,
                        updated_at=work.now)  # fmt: skip
    market = Market(code="energy", name="Energy", name_fr="Énergie", kind="market")
    person = Person(
        person_id=person_id, first_name="Marie", last_name="Tremblay", main_phone="+14165550100",
        main_phone_extension="12", main_email="marie@lakes.example", search_key="tremblay|marie",
        created_at=work.now, updated_at=work.now,
    )  # fmt: skip
    work.db.add_all([here, market, person])
    work.db.flush()
    role = AccessRole(
        code="bids", name="Bids", name_fr="Offres", kind="person", market_id=market.id,
        role_groups=["EMI Bids and Offers", "EMI Market Data Viewer"],
    )  # fmt: skip
    office = ContactRole(
        code="ra", name="RA", name_fr="AD", held_by="person", office="ra", exclusive_with=[],
        markets=[], role_groups=["Registration User"],
    )  # fmt: skip
    account = Account(
        external_id=f"person-{person_id}", kind="person", person_id=person.id,
        created_at=work.now, created_by="test",
    )  # fmt: skip
    work.db.add_all([role, office, account])
    work.db.flush()
    given: dict[str, Any] = {
        "organization_id": here.id, "valid_from": work.now, "given_by": "100001",
    }  # fmt: skip
    work.db.add_all([
        AccessAssignment(access_role_id=role.id, account_id=account.id, **given),
        Appointment(person_id=person.id, office="ra",
                    **given | {"valid_until": work.now + timedelta(days=30)}),
    ])  # fmt: skip
    work.db.flush()
    return account


def ordered(runtime: Runtime) -> tuple[int, int]:
    """A push of a new account, and its request."""
    with runtime.work(Origin("100001")) as work:
        account = somebody(work)
        request = requests.open_request(work, "access.grant", organization=None)
        history.record(work, "access.granted", account=account, request=request)
        push = account_pushes.queue(work, account, request)
        return push.id, request.id


def test_a_push_says_everything_of_the_account(runtime: Runtime) -> None:
    """Role groups of access roles and offices, each once, with the end of those that have one."""
    push_id, _ = ordered(runtime)
    with runtime.work() as work:
        body = work.db.get_one(Push, push_id).body
    assert body["name"] == {"familyName": "Tremblay", "givenName": "Marie"}
    assert body["phoneNumbers"][0]["value"] == "tel:+14165550100;ext=12"
    extension = body[REGISTRATION_USER]
    common = {"participantId": "109120", "grantedBy": "100001"}
    assert extension["grants"] == [
        {"roleGroup": "EMI Bids and Offers"} | common,
        {"roleGroup": "EMI Market Data Viewer"} | common,
        {"roleGroup": "Registration User", "validUntil": "2026-12-27T12:00:00+00:00"} | common,
    ]
    assert extension["requestNumber"] == "R0000001"
    assert extension["sequence"] == push_id


def test_a_push_that_is_done_closes_its_request(runtime: Runtime, bridge: FakeBridge) -> None:
    """PR-06; the account has the id and the user name that the gateway chose. Its holder is a
    Rights Administrator: now the gateway can be told so."""
    push_id, request_id = ordered(runtime)
    assert push_delivery.deliver_due(runtime) == 2
    assert push_delivery.deliver_due(runtime) == 0
    with runtime.work() as work:
        push, request = work.db.get_one(Push, push_id), work.db.get_one(Request, request_id)
        assert (push.state, request.state, request.waits_for) == ("done", "done", 0)
        account = work.db.get_one(Account, push.account_id)
        assert (account.scim_id, account.username) == ("1", "user1")


def test_nt01_the_holder_gets_the_user_name_of_a_new_account(
    runtime: Runtime, bridge: FakeBridge
) -> None:
    """From registration, in his language, once; the link to activate it comes from the gateway. It
    is in the history."""
    _, request_id = ordered(runtime)
    with runtime.work() as work:
        work.db.scalars(select(Person)).one().language = "fr"
    push_delivery.deliver_due(runtime)
    with runtime.work() as work:
        account_pushes.queue(work, work.db.scalars(select(Account)).one())
    push_delivery.deliver_due(runtime)
    with runtime.work() as work:
        notice = work.db.scalars(select(Notice)).one()
        assert (notice.recipient, notice.subject) == (
            "marie@lakes.example", "[SANDBOX] Votre nom d’utilisateur est user1",
        )  # fmt: skip
        entry = work.db.get_one(History, notice.history_id)
        assert (entry.action, entry.actor, entry.after, entry.request_id) == (
            "account.created", "registration", {"username": "user1"}, request_id,
        )  # fmt: skip


def test_nt01_a_user_name_that_is_known_is_no_news(runtime: Runtime, bridge: FakeBridge) -> None:
    """Of an account that the gateway had before."""
    bridge.kept["7"] = {"id": "7", "userName": "tremblam"}
    with runtime.work() as work:
        account = somebody(work)
        account.username = "tremblam"
        account_pushes.queue(work, account)
    push_delivery.deliver_due(runtime)
    with runtime.work() as work:
        assert work.db.scalars(select(Account.scim_id)).one() == "7"
        assert work.db.scalars(select(Notice)).all() == []


def test_an_account_that_the_gateway_knows_is_found(runtime: Runtime, bridge: FakeBridge) -> None:
    """By our id after a lost answer, or by its user name: no second account is made."""
    bridge.kept["7"] = {"id": "7", "userName": "tremblam", "externalId": "person-100002"}
    ordered(runtime)
    push_delivery.deliver_due(runtime)
    with runtime.work() as work:
        account = work.db.scalars(select(Account)).one()
        assert (account.scim_id, account.username) == ("7", "tremblam")
    assert list(bridge.kept) == ["7"]


def test_a_gateway_that_is_away_is_asked_again(runtime: Runtime, bridge: FakeBridge) -> None:
    """PR-03: with growing delays; the request stays open, and the IESO has one task."""
    push_id, request_id = ordered(runtime)
    bridge.is_away = True
    for attempt in range(1, 10):
        assert push_delivery.deliver_due(runtime) == 1
        assert push_delivery.deliver_due(runtime) == 0
        runtime.ports.clock.advance(2**attempt)  # type: ignore[attr-defined]
    with runtime.work() as work:
        assert work.db.get_one(Request, request_id).state == "open"
        assert work.db.get_one(Push, push_id).last_error == "no answer"
        (task,) = work.db.scalars(select(Task)).all()
        assert (task.kind, task.organization_id, task.office) == ("push.waits", None, None)
    bridge.is_away = False
    assert push_delivery.deliver_due(runtime) == 2
    with runtime.work() as work:
        assert work.db.get_one(Request, request_id).state == "done"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_answer_that_may_change_is_no_refusal(
    runtime: Runtime, bridge: FakeBridge, status: int
) -> None:
    push_id, _ = ordered(runtime)
    bridge.results = [Result(status, detail="later")]
    push_delivery.deliver_due(runtime)
    with runtime.work() as work:
        assert work.db.get_one(Push, push_id).state == "queued"


@pytest.mark.parametrize("status", [400, 409])
def test_a_refusal_is_a_task_with_the_words_of_the_gateway(
    runtime: Runtime, bridge: FakeBridge, status: int
) -> None:
    """PR-06: also of a push that the gateway takes for an old one (409)."""
    push_id, request_id = ordered(runtime)
    bridge.results = [Result(status, detail="EMI Bids is not a role group")]
    push_delivery.deliver_due(runtime)
    with runtime.work() as work:
        assert work.db.get_one(Push, push_id).state == "refused"
        assert work.db.get_one(Request, request_id).state == "refused"
        (task,) = work.db.scalars(select(Task)).all()
        assert (task.kind, task.data["words"]) == ("push.refused", "EMI Bids is not a role group")
        assert task.request_id == request_id


def test_pushes_of_an_account_keep_their_order(runtime: Runtime, bridge: FakeBridge) -> None:
    """The second one waits while the first one does; those of other accounts do not."""
    ordered(runtime)
    with runtime.work() as work:
        account_pushes.queue(work, work.db.scalars(select(Account)).one())
        other = Account(external_id="x", kind="person", created_at=work.now, created_by="test",
                        person_id=work.db.scalars(select(Person.id)).one())  # fmt: skip
        work.db.add(other)
        account_pushes.queue(work, other)
    bridge.results = [Result(503)]
    push_delivery.deliver_due(runtime)
    with runtime.work() as work:
        of_accounts = select(Push.state).where(Push.account_id.is_not(None)).order_by(Push.id)
        assert work.db.scalars(of_accounts).all() == ["queued", "queued", "done"]
    runtime.ports.clock.advance(10)  # type: ignore[attr-defined]
    push_delivery.deliver_due(runtime)
    bodies = [one["data"] for (one,) in bridge.asked if one["path"].startswith("/Users")]
    sequences = [body[REGISTRATION_USER]["sequence"] for body in bodies]
    assert sequences == [1, 3, 1, 2]


def test_nothing_is_pushed_of_a_change_that_failed(runtime: Runtime, bridge: FakeBridge) -> None:
    """AR-06: assignment, history, request and push are one transaction."""

    def fails_at_the_end() -> None:
        with runtime.work() as work:
            account = somebody(work)
            request = requests.open_request(work, "access.grant")
            history.record(work, "access.granted", account=account, request=request)
            account_pushes.queue(work, account, request)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_at_the_end()
    assert push_delivery.deliver_due(runtime) == 0
    with runtime.work() as work:
        for model in (Push, Request, History, AccessAssignment):
            assert work.db.scalars(select(model)).all() == []


def test_two_who_change_the_same_record_do_not_overwrite_each_other(runtime: Runtime) -> None:
    with runtime.work() as work:
        somebody(work)

    def both_change() -> None:
        with runtime.work() as first:
            mine = first.db.scalars(select(Person)).one()
            with runtime.work() as second:
                second.db.scalars(select(Person)).one().city = "Toronto"
            mine.city = "Ottawa"

    with pytest.raises(ChangedMeanwhile):
        both_change()
    with runtime.work() as work:
        person = work.db.scalars(select(Person)).one()
        assert (person.city, person.version) == ("Toronto", 2)


def test_request_numbers_are_given_once(runtime: Runtime) -> None:
    with runtime.work() as work:
        numbers = [requests.open_request(work, "test").number for _ in range(3)]
        assert requests.next_number(work, "person", 500) == 500
    assert numbers == ["R0000001", "R0000002", "R0000003"]


def entries(runtime: Runtime, count: int) -> None:
    for number in range(count):
        with runtime.work(Origin("100001", "100002")) as work:
            history.record(work, "test", after={"number": number}, reason="because")
        with runtime.work() as work:
            assert history.seal_pending(work) == 1


def test_the_history_is_a_chain(runtime: Runtime) -> None:
    """TM-12: sealed in order; nothing is sealed twice."""
    entries(runtime, 3)
    with runtime.work() as work:
        assert history.seal_pending(work) == 0
        assert history.verify(work) is None
        rows = work.db.scalars(select(History).order_by(History.id)).all()
        assert [(row.seq, row.actor, row.on_behalf_of) for row in rows] == [
            (1, "100001", "100002"), (2, "100001", "100002"), (3, "100001", "100002"),
        ]  # fmt: skip


@pytest.mark.parametrize(("statement", "broken"), [
    ("UPDATE history SET reason = 'other' WHERE seq = 2", 2),
    ("UPDATE history SET actor = 'other' WHERE seq = 3", 3),
    ("DELETE FROM history WHERE seq = 1", 1),
    ("DELETE FROM history WHERE seq = 3", 3),
    ("UPDATE history SET seal = NULL WHERE seq = 2", 2),
])  # fmt: skip
def test_a_change_of_the_past_is_found(runtime: Runtime, statement: str, broken: int) -> None:
    entries(runtime, 3)
    with runtime.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    with runtime.work() as work:
        assert history.verify(work) == broken


def test_a_push_carries_the_trace_of_the_request_that_ordered_it(
    runtime: Runtime, bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every attempt, from another process too: a row has it. A push that no request ordered has
    none."""
    told: list[str | None] = []
    bulk = bridge.bulk

    def noting(operations: list[dict[str, Any]]) -> list[Result]:
        told.append(tracing.outgoing())
        return bulk(operations)

    monkeypatch.setattr(bridge, "bulk", noting)
    ids = request_ids.of_request(None)
    with request_ids.used(ids):
        ordered(runtime)
    bridge.is_away = True
    bridge.find = lambda *_: None  # type: ignore[method-assign]
    push_delivery.deliver_due(runtime)
    bridge.is_away = False
    runtime.ports.clock.advance(60)  # type: ignore[attr-defined]
    push_delivery.deliver_due(runtime)
    assert told == [ids.traceparent] * 2
    with runtime.work() as work:
        account_pushes.queue(work, work.db.scalars(select(Account)).one())
    push_delivery.deliver_due(runtime)
    assert told[2:] == [None]
