"""After a restore of registration's database, nothing that it pushes is too old for the gateway
(PR-01, PR-07, RG-02)."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from registration import gateway_restore, persons, push_delivery, requests
from registration.cli import gateway_commands, main
from registration.gateway_comparison import compare
from registration.gateway_restore import Highest, Restored, restore
from registration.models import (
    AccessAssignment,
    Account,
    History,
    Machine,
    Organization,
    Push,
    Request,
)
from registration.transaction import Origin, Runtime
from registration_bridge.message_urns import REGISTRATION_USER
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW
from tests.registration.test_pushes import ordered


def newer(bridge: FakeBridge, sequence: int) -> None:
    """The gateway has seen pushes that the backup does not have."""
    for user in bridge.kept.values():
        user[REGISTRATION_USER]["sequence"] = sequence


def restored(runtime: Runtime) -> Restored:
    return restore(runtime, Origin("cli"))


def sequences(bridge: FakeBridge) -> list[int]:
    bodies = [one["data"] for (one,) in bridge.asked if one["path"].startswith("/Users")]
    return [body[REGISTRATION_USER]["sequence"] for body in bodies]


def test_pr07_everything_is_pushed_with_higher_numbers(
    runtime: Runtime, bridge: FakeBridge
) -> None:
    """What was revoked before the backup is revoked at the gateway again; later pushes go on from
    there. It can be repeated."""
    ordered(runtime)
    push_delivery.deliver_due(runtime)
    with runtime.work() as work:
        row = work.db.scalars(select(AccessAssignment)).one()
        row.valid_until = row.ended_at = work.now
    newer(bridge, 7000)
    found = restored(runtime)
    assert (found.organizations, found.accounts, found.skipped) == (1, 1, 0)
    assert found.first > 7000
    push_delivery.deliver_due(runtime)
    assert sequences(bridge)[-1] > found.first
    (user,) = bridge.kept.values()
    groups = [row["roleGroup"] for row in user[REGISTRATION_USER]["grants"]]
    assert groups == ["Registration User"]
    again = restored(runtime)
    assert again.first > sequences(bridge)[-1]
    push_delivery.deliver_due(runtime)
    assert sequences(bridge) == sorted(sequences(bridge))
    runtime.ports.clock.advance(60)  # type: ignore[attr-defined]
    assert compare(runtime, Origin("cli")).drifts == []
    with runtime.work() as work:
        entries = work.db.scalars(select(History.after).where(
            History.action == gateway_restore.RESTORED).order_by(History.id)).all()  # fmt: skip
    assert entries[0] == {"first": found.first, "organizations": 1, "accounts": 1}


def test_pr06_what_waited_in_the_backup_is_sent_first(runtime: Runtime, bridge: FakeBridge) -> None:
    """With a number that the gateway takes, and its request is closed."""
    push_id, request_id = ordered(runtime)
    bridge.kept["9"] = {
        "id": "9", "userName": "smithj", "externalId": "person-100002",
        REGISTRATION_USER: {"sequence": 500, "personId": "100002"},
    }  # fmt: skip
    found = restored(runtime)
    push_delivery.deliver_due(runtime)
    assert sequences(bridge)[0] == 500 + push_id < found.first < sequences(bridge)[1]
    with runtime.work() as work:
        assert work.db.get_one(Request, request_id).state == "done"
        assert set(work.db.scalars(select(Push.state))) == {"done"}


def test_rg02_numbers_of_persons_requests_and_machines_are_not_given_again(
    runtime: Runtime, bridge: FakeBridge
) -> None:
    """Those that were given after the backup; numbers of others are not ours."""
    ordered(runtime)
    grants = [{"requestNumber": "R0000412"}, {"requestNumber": "Q-9999"}, {}]
    bridge.kept["9"] = {
        "id": "9", "userName": "smithj",
        REGISTRATION_USER: {"personId": "500077", "requestNumber": "R0000007", "grants": grants},
    }  # fmt: skip
    bridge.kept["8"] = {"id": "8", "userName": "x", REGISTRATION_USER: {"personId": "AB-900000"}}
    bridge.kept["7"] = {"id": "7", "userName": "APIIESO00050", "externalId": "machine-0000031"}
    restored(runtime)
    with runtime.work() as work:
        number = requests.next_number(work, "person", persons.FIRST_PERSON_ID)
        assert number == 500_078
        assert requests.open_request(work, "test").number == "R0000413"
        assert requests.next_number(work, "machine") == 32


def test_no_number_is_lowered(runtime: Runtime, bridge: FakeBridge) -> None:
    ordered(runtime)
    with runtime.work() as work:
        for _ in range(9):
            number = requests.open_request(work, "test").number
    bridge.kept["9"] = {"id": "9", "userName": "x", REGISTRATION_USER: {"requestNumber": "R2"}}
    restored(runtime)
    with runtime.work() as work:
        assert requests.open_request(work, "test").number > number


def test_an_account_that_cannot_be_pushed_is_counted(runtime: Runtime, bridge: FakeBridge) -> None:
    """A machine without a custodian. An account that has ended stays so."""
    with runtime.work() as work:
        here = Organization(organization_id="1", name="Lakes", created_at=NOW, updated_at=NOW)
        rows = [
            Account(external_id=f"machine-{one}", kind="machine", created_at=NOW, created_by="test")
            for one in (1, 2)
        ]
        work.db.add_all([here, *rows])
        work.db.flush()
        for row in rows:
            work.db.add(
                Machine(organization_id=here.id, account_id=row.id, created_at=NOW,
                        created_by="test")
            )  # fmt: skip
        rows[1].ended_at = NOW
    assert restored(runtime) == Restored(1, 1, 0, 1)


def test_the_highest_numbers_are_those_of_registration() -> None:
    highest = Highest()
    for user in ({}, {REGISTRATION_USER: None}, {REGISTRATION_USER: {"personId": "9" * 30}}):
        highest.add(user)
    assert highest == Highest()


def test_the_command_asks_before_it_pushes(
    runtime: Runtime, bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_commands, "opened", lambda: _Opened(runtime))
    call = lambda *words: CliRunner().invoke(main, ["restore", *words], input="n\n")  # noqa: E731
    assert call().exit_code == 1
    with runtime.work() as work:
        assert work.db.scalars(select(History)).all() == []
    assert call("--yes").output == (
        "0 organizations and 0 accounts are pushed, 0 skipped. The first push has the number 1.\n"
    )
    assert '"accounts": 0' in call("--yes", "--json").output
    bridge.is_away = True
    assert call("--yes").output == "Error: the gateway: no answer\n"


class _Opened:
    """The runtime of the test, which the command does not close."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def __enter__(self) -> Runtime:
        return self._runtime

    def __exit__(self, *_: object) -> None:
        pass
