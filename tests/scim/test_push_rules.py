"""What a pushed User, Group and Participant does, rule by rule, without the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from scim2_models import InvalidValueException, MutabilityException, UniquenessException

from idp.directory import (
    contacts,
    mass_change_breaker,
    participants,
    participations,
    persons,
    provisioned_accounts,
    provisioned_groups,
    role_group_assignments,
    shown_accounts,
)
from idp.directory.contacts import ContactRef
from idp.directory.directory_refusals import (
    OperationNotAllowed,
    OperatorAccount,
    OperatorParticipant,
    OperatorRole,
    OtherClientsPerson,
    OtherParticipant,
    SharedAccount,
)
from idp.directory.participations import ParticipationRef
from idp.directory.provisioned_accounts import Push
from idp.directory.provisioning_scope import ProvisioningScope
from idp.directory.role_group_assignments import AssignmentTerms
from idp.directory.search_conditions import ALWAYS
from idp.directory.state_reasons import StateReason
from idp.errors import Invalid
from idp.machines import registered_networks
from idp.models import Account, AccountKind, AccountState, ProvisionedGroup
from idp.policy.console import OPERATOR, ConsoleRole
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork
from registration_bridge import group_writes, participant_writes, user_writes
from registration_bridge.bridge_refusals import (
    NetworksOfPerson,
    NewPersonIncomplete,
    SuspendedByOperator,
)
from registration_bridge.pushed_group import MemberChange, PushedGroup
from registration_bridge.pushed_participant import PushedParticipant
from registration_bridge.pushed_user import (
    PushedHolder,
    PushedName,
    PushedSecondAccount,
    PushedUser,
)
from registration_bridge.user_writes import MassChange, StalePush
from tests.directory.test_provisioning_rules import ALL, HERE, THERE, got, scope_of
from tests.world import World, registered

READ, UPDATE = (PushOperation.READ,), (PushOperation.UPDATE,)
JIM = PushedHolder("R1", PushedName("Jim", "Smith", None), None, "jim@x.example", None)
NEW = PushedUser(
    Push("key", "", None), "", JIM, None, None, "", "", None, None, (), {}
)  # fmt: skip


@pytest.fixture
def reach(world: World) -> World:
    """Two clients, two participants, a role group of people and one of machines."""
    for name in ("Local", "Other"):
        world.relying_party(
            name, grant_types=("client_credentials",), scopes=("scim",), redirect_uris=(),
            post_logout_redirect_uris=(), home_url="",
        )  # fmt: skip
    for number in (HERE, THERE):
        world.participant(number)
    world.role_group("Trader")
    world.role_group("Feed", kind="machine")
    return world


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The circuit breaker is open."""
    monkeypatch.setattr(mass_change_breaker, "status", lambda _: SimpleNamespace(is_tripped=True))


def create(
    work: UnitOfWork, scope: ProvisioningScope | None = None, **changes: Any
) -> tuple[Account, bool]:
    made = replace(NEW, **changes)
    return user_writes.create(work, scope or scope_of(work), made, repr(made))


def update(
    work: UnitOfWork, account: Account, scope: ProvisioningScope | None = None, **changes: Any
) -> None:
    """A push of the account as it is, but for these changes."""
    every = scope_of(work, "other")
    (shown,) = shown_accounts.of_keys(work, every, [account.id])
    row = shown.provisioned
    user = PushedUser(
        push=Push(row.external_id if row else None, "", None),
        username=account.username,
        holder=PushedHolder.registered(account.person),
        kind=None,
        active=None,
        language="",
        time_zone="",
        end=account.ends_at,
        second_account=None,
        networks=tuple(shown.networks),
        grants=shown.grants,
    )
    scope = scope or every
    user_writes.update(work, scope, account, replace(user, **changes))


def held(work: UnitOfWork, account: Account) -> set[tuple[str, str]]:
    (shown,) = shown_accounts.of_keys(work, scope_of(work, "other"), [account.id])
    return set(shown.grants)


def names(world: World) -> list[str]:
    return [event.name for event in world.events() if event.name.startswith("scim.")]


def test_pr01_a_new_account_has_all_that_the_push_says(reach: World) -> None:
    """PR-01: suspended from the beginning, without an invitation, when the push says so."""
    with reach.work() as work:
        end = work.after(days=100)
        account, is_new = create(
            work, kind=AccountKind.MACHINE, username="APIIESO00009", active=False, language="fr",
            time_zone="America/Winnipeg", end=end, networks=(("192.0.2.7", "Desk"),),
            grants={("Feed", HERE): AssignmentTerms()}, push=Push("key", "Q-1", 3),
        )  # fmt: skip
        assert is_new
        assert (account.username, account.kind) == ("APIIESO00009", AccountKind.MACHINE)
        assert (account.state, account.state_reason) == (
            AccountState.SUSPENDED, StateReason.REGISTRATION,
        )  # fmt: skip
        assert (account.locale, account.zoneinfo, account.ends_at) == (
            "fr", "America/Winnipeg", end,
        )  # fmt: skip
        rows = registered_networks.of(work, account)
        assert [(row.network, row.label) for row in rows] == [("192.0.2.7/32", "Desk")]
        assert held(work, account) == {("Feed", HERE)}
        row = provisioned_accounts.registration(work, account)
        assert row is not None
        assert (row.external_id, row.request_number, row.sequence) == ("key", "Q-1", 3)
    assert [row.kind for row in reach.mails()] == ["account_suspended"]


def test_pr06_the_same_push_again_makes_nothing(reach: World) -> None:
    """PR-06: the account of before; another content under the same key is refused."""
    with reach.work() as work:
        account, _ = create(work)
        assert account.state == AccountState.PENDING
        assert create(work) == (account, False)
        with pytest.raises(UniquenessException):
            create(work, language="fr")
        assert create(work, scope_of(work, "other"), holder=replace(JIM, person_id="R2"))[1]
    assert [row.kind for row in reach.mails()] == ["account_created", "account_created"]


@pytest.mark.parametrize(
    ("holder", "is_refused"),
    [
        (replace(JIM, email=""), True),
        (replace(JIM, name=None), True),
        (replace(JIM, name=PushedName("", "", "M")), True),
        (replace(JIM, name=PushedName("Cher", "", None)), False),
        (replace(JIM, name=PushedName("", "Cher", None)), False),
    ],
)
def test_pr01_a_new_person_has_a_name_and_an_address(
    reach: World, holder: PushedHolder, *, is_refused: bool
) -> None:
    """PR-01: one name is enough."""
    with reach.work() as work:
        if is_refused:
            with pytest.raises(NewPersonIncomplete):
                create(work, holder=holder)
        else:
            person = create(work, holder=holder)[0].person
            assert (person.middle_name, person.preferred_name, person.phone) == ("", "", "")


def test_n76_an_account_of_a_known_person_keeps_what_is_not_said(reach: World) -> None:
    """N76, UI-10: only of a person whom the client may see; its participant is the client's."""
    reach.account("first", person_id="R1", phone="+14169671111", given_name="Ann")
    silent = PushedHolder("R1")
    second = PushedSecondAccount("transmission_rights", HERE)
    with reach.work() as work:
        local = scope_of(work, "local", ALL, HERE)
        with pytest.raises(OtherClientsPerson):
            create(work, local, holder=silent, second_account=second)
        account, _ = create(work, scope_of(work, "other"), holder=silent, second_account=second)
        person = account.person
        assert (person.given_name, person.phone) == ("Ann", "+14169671111")
        assert person.email == "first@participant.example"
        local = scope_of(work, "local", ALL, HERE)
        for participant, refusal in ((THERE, OtherParticipant), (OPERATOR, OperatorParticipant)):
            with pytest.raises(refusal):
                create(
                    work, local, holder=replace(JIM, person_id=participant),
                    second_account=replace(second, participant_id=participant),
                )  # fmt: skip


def test_pr01_what_a_push_says_of_a_person_is_stored(reach: World) -> None:
    """PR-01, MA-10: of a new person, of a known one with another account, of the holder, and of
    another custodian, of whom nothing else stays."""
    full = PushedHolder("R1", PushedName("A", "C", "B"), "D", "a@x.example", "+14169671111 ext 5")
    machine = {"kind": AccountKind.MACHINE, "networks": (("192.0.2.7", ""),)}
    with reach.work() as work:
        account, _ = create(work, holder=full)
        assert PushedHolder.registered(account.person) == full
        changed = replace(full, name=PushedName("A", "E", "B"))
        program, _ = create(work, holder=changed, push=Push("m", "", None), **machine)
        assert PushedHolder.registered(account.person) == changed
        name = program.username
        empty = PushedHolder("R1", PushedName("A", "C", None), None, "a@x.example", None)
        update(work, account, holder=empty)
        assert PushedHolder.registered(account.person) == PushedHolder(
            "R1", PushedName("A", "C", ""), "", "a@x.example", ""
        )
    with reach.work() as work:
        program = got(work, name)
        other, _ = create(work, holder=replace(full, person_id="R2", email="b@x.example"),
                          push=Push("o", "", None))  # fmt: skip
        update(work, program, holder=replace(JIM, person_id="R2", email="b@x.example"))
        assert program.person is other.person
        assert PushedHolder.registered(other.person) == PushedHolder(
            "R2", PushedName("Jim", "Smith", ""), "", "b@x.example", ""
        )


def test_nt03_a_holder_is_told_once_of_all_role_groups_of_a_push(reach: World) -> None:
    """NT-03: one mail, however many they are."""
    username = reach.account()
    with reach.work() as work:
        grants = {("Trader", number): AssignmentTerms() for number in (HERE, THERE)}
        update(work, got(work, username), grants=grants)
    assert [row.kind for row in reach.mails(to=username)] == ["access_changed"]


def test_n72_n74_a_push_that_changes_nothing_needs_nothing(reach: World) -> None:
    """N72, N74: but an operator is not pushed at all."""
    username = reach.account()
    operator = reach.operator(ConsoleRole.AGENT)
    reach.grant_role(username, "Trader", HERE)
    reach.grant_role(username, "Trader", THERE)
    with reach.work() as work:
        update(work, got(work, username), scope_of(work, "local", READ))
        update(work, got(work, username), language="", kind=AccountKind.PERSONAL, active=True)
        with pytest.raises(OperatorAccount):
            update(work, got(work, operator))
    assert reach.events("scim.stale") == []


@pytest.mark.parametrize(
    ("changes", "attribute"),
    [
        ({"username": "other"}, "userName"),
        ({"kind": AccountKind.EMAIL}, "accountKind"),
        ({"second_account": PushedSecondAccount("transmission_rights", HERE)}, "secondAccount"),
        ({"holder": replace(JIM, person_id="R9")}, "personId"),
    ],
)
def test_n76_what_never_changes(reach: World, changes: dict[str, Any], attribute: str) -> None:
    """N76, UI-06: user name, kind, the grounds of a second account, the holder."""
    username = reach.account()
    with reach.work() as work:
        with pytest.raises(MutabilityException) as refused:
            update(work, got(work, username), **changes)
        assert refused.value.attribute == attribute
        update(work, got(work, username), username=username.upper())
        update(work, got(work, username), username="")


def test_ui10_the_grounds_of_a_second_account_never_change(reach: World) -> None:
    """UI-10: said again they are no change; left out they are one."""
    reach.account("first", person_id="R1")
    reach.account("second", person_id="R1")
    same = PushedSecondAccount("transmission_rights", HERE)
    with reach.work() as work:
        update(work, got(work, "second"), second_account=same)
        for other in (None, replace(same, participant_id=THERE), replace(same, reason="x")):
            with pytest.raises(MutabilityException):
                update(work, got(work, "second"), second_account=other)


CHANGES: Mapping[str, tuple[dict[str, Any], PushOperation]] = {
    "language": ({"language": "fr"}, PushOperation.UPDATE),
    "zone": ({"time_zone": "America/Winnipeg"}, PushOperation.UPDATE),
    "networks": ({"networks": (("192.0.2.1", ""),)}, PushOperation.UPDATE),
    "active": ({"active": False}, PushOperation.SUSPEND),
}


@pytest.mark.parametrize("name", [*CHANGES, "end", "custodian"])
def test_n72_pr05_each_change_needs_its_operation_and_the_whole_account(
    reach: World, name: str
) -> None:
    """N72, PR-05: that operation and no other; no account that another participant needs."""
    own, shared = ("APIIESO00001", "APIIESO00002")
    for username in (own, shared):
        reach.account(username, kind=AccountKind.MACHINE)
        reach.grant_role(username, "Feed", HERE)
        with reach.work() as work:
            registered_networks.replace(work, got(work, username), [("192.0.2.7", "")])
    reach.grant_role(shared, "Feed", THERE)
    other = reach.account(given_name="Zoe")
    reach.grant_role(other, "Trader", HERE)
    with reach.work() as work:
        changes, operation = CHANGES.get(name, ({}, PushOperation.UPDATE))
        if name == "end":
            changes, operation = {"end": work.after(days=30)}, PushOperation.DEACTIVATE
        if name == "custodian":
            changes = {"holder": PushedHolder.registered(got(work, other).person)}
        rest = tuple(one for one in ALL if one != operation)
        with pytest.raises(OperationNotAllowed):
            update(work, got(work, own), scope_of(work, "local", rest), **changes)
        work.rollback()
    with reach.work() as work:
        local = scope_of(work, "local", ALL, HERE)
        shown = {key: row for key, row in _terms(work, shared).items() if key[1] == HERE}
        with pytest.raises(SharedAccount):
            update(work, got(work, shared), local, grants=shown, **changes)
        work.rollback()
    with reach.work() as work:
        update(work, got(work, own), scope_of(work, "local", (operation,), HERE), **changes)


def _terms(work: UnitOfWork, username: str) -> dict[tuple[str, str], AssignmentTerms]:
    account = got(work, username)
    return shown_accounts.of_keys(work, scope_of(work, "other"), [account.id])[0].grants


def test_ma06_only_machines_have_networks(reach: World) -> None:
    """MA-06."""
    username = reach.account()
    with reach.work() as work:
        update(work, got(work, username), scope_of(work, "local", READ), networks=())
        with pytest.raises(NetworksOfPerson):
            update(work, got(work, username), networks=(("192.0.2.1", ""),))


def test_pr07_role_groups_are_those_of_the_push(
    reach: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-07, N72: what is new is assigned, what is gone is revoked; their participants are locked;
    what stays as it is needs nothing."""
    username = reach.account()
    locked: list[set[str]] = []
    lock = role_group_assignments.lock_participants
    monkeypatch.setattr(
        role_group_assignments,
        "lock_participants",
        lambda work, numbers: (locked.append(set(numbers)), lock(work, numbers))[1],
    )
    here, there = ("Trader", HERE), ("Trader", THERE)
    terms = AssignmentTerms(requested_by="R7", request_number="Q-1")
    with reach.work() as work:
        account = got(work, username)
        update(work, account, grants={here: terms})
        assert (held(work, account), locked) == ({here}, [{HERE}])
        assert _terms(work, username)[here] == terms
        update(work, account, scope_of(work, "local", (PushOperation.GRANT,)),
               grants={here: terms, there: AssignmentTerms()})  # fmt: skip
        assert (held(work, account), locked.pop()) == ({here, there}, {THERE})
        update(work, account, grants={there: AssignmentTerms()})
        assert (held(work, account), locked.pop()) == ({there}, {HERE})
        with pytest.raises(OperationNotAllowed):
            update(work, account, scope_of(work, "local", READ), grants={})
        with pytest.raises(OperatorRole):
            update(work, account, grants={(ConsoleRole.AGENT, HERE): AssignmentTerms()})
        local = scope_of(work, "local", ALL, HERE)
        with pytest.raises(OtherParticipant):
            update(work, account, local, grants={("Trader", THERE): terms})
        # What the client does not see it does not revoke.
        update(work, account, local, grants={})
        assert held(work, account) == {there}


def test_pr06_the_order_and_the_key_of_pushes(reach: World) -> None:
    """PR-06: a lower number is refused; a key is used once."""
    one, two = reach.account(), reach.account()
    with reach.work() as work:
        update(work, got(work, one), push=Push("one", "", 5), language="fr")
        update(work, got(work, two), push=Push("two", "", None))
    with reach.work() as work:
        with pytest.raises(StalePush):
            update(work, got(work, one), push=Push("other", "", 4), language="en")
        assert got(work, one).locale == "fr"
        update(work, got(work, one), push=Push("one", "", 5), language="en")
        assert got(work, one).locale == "en"
        with pytest.raises(UniquenessException):
            update(work, got(work, one), push=Push("two", "", 6))
        update(work, got(work, one), push=Push("three", "", 6))
        row = provisioned_accounts.by_external_id(work, scope_of(work, "other"), "three")
        assert row is not None
        assert row.sequence == 6


def test_pr04_an_end_that_is_near_counts_as_a_closing(
    reach: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-04: within a week it is recorded as such, and stops with the circuit breaker."""
    username = reach.account()
    with reach.work() as work:
        account = got(work, username)
        far, near = work.now + timedelta(days=7), work.now + timedelta(days=7, seconds=-1)
        update(work, account, end=far)
        update(work, account, end=None)
        update(work, account, end=near)
        update(work, account, end=near)
        monkeypatch.setattr(
            mass_change_breaker, "status", lambda _: SimpleNamespace(is_tripped=True)
        )
        update(work, account, end=far)
        update(work, account, end=None)
        with pytest.raises(MassChange):
            update(work, account, end=near)
    (event,) = reach.events("scim.ending")
    assert event.data["at"] == near.isoformat()


def test_pr04_registration_lifts_its_own_suspension_only(reach: World) -> None:
    """PR-04: what says nothing neither suspends nor lifts."""
    own, other = reach.account(), reach.account()
    with reach.work() as work:
        account = got(work, own)
        update(work, account, active=True)
        update(work, account, active=False)
        assert (account.state, account.state_reason) == (
            AccountState.SUSPENDED, StateReason.REGISTRATION,
        )  # fmt: skip
        update(work, account, active=None)
        update(work, account, active=False)
        assert account.state == AccountState.SUSPENDED
        update(work, account, active=True)
        assert account.state == AccountState.ACTIVE
    reach.set_state(other, AccountState.SUSPENDED)
    with reach.work() as work, pytest.raises(SuspendedByOperator):
        update(work, got(work, other), active=True)
    assert names(reach) == ["scim.suspended"]


@pytest.mark.usefixtures("stopped")
def test_pr04_the_circuit_breaker_stops_suspensions_and_closings(reach: World) -> None:
    """PR-04."""
    username = reach.account()
    with reach.work() as work:
        with pytest.raises(MassChange):
            update(work, got(work, username), active=False)
        with pytest.raises(MassChange):
            user_writes.delete(work, scope_of(work), got(work, username), "other")
        assert got(work, username).state == AccountState.ACTIVE


def test_pr04_a_closing_needs_its_operation_and_the_whole_account(reach: World) -> None:
    """PR-04, PR-05, N74: it is recorded with its reason."""
    username, shared = reach.account(), reach.account()
    operator = reach.operator(ConsoleRole.AGENT)
    reach.grant_role(shared, "Trader", THERE)
    with reach.work() as work:
        delete = user_writes.delete
        rest = tuple(one for one in ALL if one != PushOperation.DEACTIVATE)
        with pytest.raises(OperationNotAllowed):
            delete(work, scope_of(work, "local", rest), got(work, username), "other")
        with pytest.raises(SharedAccount):
            delete(work, scope_of(work, "local", ALL, HERE), got(work, shared), "other")
        with pytest.raises(OperatorAccount):
            delete(work, scope_of(work, "local", ALL), got(work, operator), "other")
        assert delete(work, scope_of(work, "local", ALL), got(work, username), "compromise") == []
        account = got(work, username)
        assert (account.state, account.state_reason) == (
            AccountState.DEACTIVATED, StateReason.REGISTRATION,
        )  # fmt: skip
    (event,) = reach.events("scim.deleted")
    assert event.data["why"] == "compromise"


def test_ma03_machines_whose_custodian_has_left_are_named(reach: World) -> None:
    """MA-03: with the last personal account; accounts of other kinds are not named."""
    first, second = reach.account(person_id="R1"), reach.account(person_id="R1")
    machine = reach.account("APIIESO00001", kind=AccountKind.MACHINE, person_id="R1")
    mail = reach.account("a@x.example", kind=AccountKind.EMAIL, person_id="R1")
    with reach.work() as work:
        scope = scope_of(work)
        assert user_writes.delete(work, scope, got(work, first), "other") == []
        assert user_writes.delete(work, scope, got(work, second), "other") == [machine]
        assert user_writes.delete(work, scope, got(work, mail), "other") == []


# Groups

TEAM = PushedGroup("team", "Team", "Trader", HERE, "", frozenset())


def make_group(work: UnitOfWork, **changes: Any) -> ProvisionedGroup:
    return group_writes.create(work, scope_of(work, "other"), replace(TEAM, **changes))[0]


def test_pr01_a_group_is_made_once(reach: World) -> None:
    """PR-01, PR-06: the same key again is its repetition; without a key it is refused."""
    username = reach.account()
    with reach.work() as work:
        scope = scope_of(work, "other")
        subject = got(work, username).subject
        row, is_new = group_writes.create(work, scope, replace(TEAM, members=frozenset({subject})))
        assert (is_new, row.display_name, row.external_id) == (True, "Team", "team")
        assert held(work, got(work, username)) == {("Trader", HERE)}
        assert group_writes.create(work, scope, TEAM) == (row, False)
        for key in ("other", None):
            with pytest.raises(UniquenessException):
                group_writes.create(work, scope, replace(TEAM, external_id=key))
        with pytest.raises(UniquenessException):
            group_writes.create(work, scope, replace(TEAM, participant=THERE))
        with pytest.raises(OperationNotAllowed):
            group_writes.create(work, scope_of(work, "local", UPDATE), TEAM)
        with pytest.raises(OtherParticipant):
            group_writes.create(
                work, scope_of(work, "local", ALL, HERE), replace(TEAM, participant=THERE)
            )
    (event,) = reach.events("scim.group_created")
    assert (event.data["group"], event.data["participant"]) == ("Trader", HERE)


def test_pr01_a_group_without_a_key_is_no_repetition(reach: World) -> None:
    """PR-06."""
    with reach.work() as work:
        group_writes.create(work, scope_of(work, "other"), replace(TEAM, external_id=None))
        with pytest.raises(UniquenessException):
            group_writes.create(work, scope_of(work, "other"), replace(TEAM, external_id=None))


def test_n72_n74_members_that_cannot_be_added(reach: World) -> None:
    """N72, N74: unknown, closed, operators; and none is added then."""
    username, closed = reach.account(), reach.account()
    operator = reach.operator(ConsoleRole.AGENT)
    with reach.work() as work:
        subjects = [got(work, name).subject for name in (username, closed, operator)]
    reach.set_state(closed, AccountState.DEACTIVATED)
    with reach.work() as work:
        row, scope = make_group(work), scope_of(work, "other")
        for bad, refusal in (
            (subjects[1], InvalidValueException), ("nobody", InvalidValueException),
            (subjects[2], OperatorAccount),
        ):  # fmt: skip
            with pytest.raises(refusal):
                group_writes.change(
                    work, scope, row, None, [MemberChange("add", frozenset({subjects[0], bad}))]
                )
            assert held(work, got(work, username)) == set()


def test_n74_an_operator_is_not_removed_from_a_group(reach: World) -> None:
    """N74: not as a member, and not with the group."""
    operator = reach.operator(ConsoleRole.AGENT)
    reach.grant_role(operator, "Trader", HERE)
    with reach.work() as work:
        row, every = make_group(work), scope_of(work, "other")
        with pytest.raises(OperatorAccount):
            group_writes.change(work, every, row, None, [MemberChange("remove", condition=ALWAYS)])
        with pytest.raises(OperatorAccount):
            group_writes.delete(work, every, row)


def test_pr01_members_come_and_go(reach: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """PR-01: each difference is recorded with its numbers; what changes nothing leaves no trace."""
    locked: list[list[str]] = []
    monkeypatch.setattr(
        role_group_assignments, "lock_participants", lambda _, numbers: locked.append(list(numbers))
    )
    users = [reach.account() for _ in range(3)]
    with reach.work() as work:
        one, two, three = (got(work, name).subject for name in users)
        row = make_group(work)
        key, before = row.id, row.updated_at
    reach.clock.advance(minutes=1)
    with reach.work() as work:
        row = work.db.get_one(ProvisionedGroup, key)
        scope = scope_of(work, "other", (PushOperation.GRANT,))
        change = group_writes.change
        change(work, scope, row, None, [MemberChange("remove", condition=ALWAYS)])
        change(work, scope, row, None, [MemberChange("add", frozenset())])
        assert row.updated_at == before
        change(work, scope, row, None, [MemberChange("add", frozenset({one, two}))])
        assert row.updated_at == work.now
        change(work, scope, row, None, [MemberChange("add", frozenset({one}))])
        assert set(provisioned_groups.members(work, row)) == {one, two}
        change(work, scope, row, None, [MemberChange("replace", frozenset({two, three}))])
        assert set(provisioned_groups.members(work, row)) == {two, three}
        gone = provisioned_groups.is_one_of({two})
        change(work, scope, row, None, [MemberChange("remove", condition=gone)])
        change(work, scope, row, None, [MemberChange("replace", frozenset())])
        assert provisioned_groups.members(work, row) == []
        assert locked == [[HERE]] * 7
    assert [
        (event.data["added"], event.data["removed"], "before" in event.data)
        for event in reach.events("scim.group_updated")
    ] == [(2, 0, False), (1, 1, False), (0, 1, False), (0, 1, False)]


def test_n72_n74_what_a_change_of_a_group_needs(reach: World) -> None:
    """N72, N73, N74: a new name the grant, another name of the participant its own operation too;
    the role group never changes."""
    with reach.work() as work:
        row = make_group(work)
        named, renamed = replace(TEAM, display_name="B"), replace(TEAM, participant_name="Erie")
        change = group_writes.change
        with pytest.raises(OperationNotAllowed):
            change(work, scope_of(work, "local", UPDATE), row, named, [])
        with pytest.raises(OtherParticipant):
            change(work, scope_of(work, "local", ALL, THERE), row, None, [])
        with pytest.raises(OperationNotAllowed):
            change(work, scope_of(work, "local", (PushOperation.GRANT,)), row, renamed, [])
        grant = scope_of(work, "local", (PushOperation.GRANT,))
        change(work, grant, row, replace(TEAM, participant_name=row.participant.name), [])
        change(work, grant, row, named, [])
        assert row.display_name == "B"
        change(work, scope_of(work, "local", ALL), row, renamed, [])
        assert (row.participant.name, row.display_name) == ("Erie", "Team")
        for other in (replace(TEAM, role_group="Feed"), replace(TEAM, participant=THERE)):
            with pytest.raises(MutabilityException):
                change(work, scope_of(work, "local", ALL), row, other, [])
        with pytest.raises(OperationNotAllowed):
            group_writes.delete(work, scope_of(work, "local", UPDATE), row)
        with pytest.raises(OtherParticipant):
            group_writes.delete(work, scope_of(work, "local", ALL, THERE), row)
    first, second = reach.events("scim.group_updated")
    assert (first.data["before"]["displayName"], first.data["after"]["displayName"]) == (
        "Team", "B",
    )  # fmt: skip
    assert second.data["after"]["participantName"] == "Erie"


def test_n74_the_operators_participant_is_not_renamed(reach: World) -> None:
    """N74: not by the name of a Group either."""
    reach.participant(OPERATOR, "Operator")
    with reach.work() as work:
        for name, refusal in (("Mine", OperatorParticipant), ("Operator", None)):
            group = replace(TEAM, participant=OPERATOR, participant_name=name)
            if refusal:
                with pytest.raises(refusal):
                    group_writes.create(work, scope_of(work, "other"), group)
            else:
                assert group_writes.create(work, scope_of(work, "other"), group)[1]


def test_pr01_a_group_that_is_deleted_revokes(reach: World) -> None:
    """PR-01: from its members; at other participants they keep the role group."""
    username = reach.account()
    reach.grant_role(username, "Trader", HERE)
    reach.grant_role(username, "Trader", THERE)
    with reach.work() as work:
        row, every = make_group(work), scope_of(work, "other")
        group_writes.delete(work, every, row)
        assert provisioned_groups.find(work, every, row.public_id) is None
        assert held(work, got(work, username)) == {("Trader", THERE)}
    (event,) = reach.events("scim.group_deleted")
    assert event.data["removed"] == 1


# Participants

ERIE = PushedParticipant("200001", "Erie", "key", None, (), ())


def make_participant(work: UnitOfWork, **changes: Any) -> Any:
    return participant_writes.create(work, scope_of(work, "other"), replace(ERIE, **changes))[0]


def test_pr01_a_participant_is_made_once(reach: World) -> None:
    """PR-01, PR-06: with all that the push says; only the same push is its repetition."""
    reach.account(person_id="R1")
    reach.role_group("Market", participation="Energy")
    wanted = replace(
        ERIE, participations=(ParticipationRef("Energy"),), is_ended=True,
        contacts=(ContactRef("R1", "primary_contact"),),
    )  # fmt: skip
    with reach.work() as work:
        scope = scope_of(work, "other")
        row, is_new = participant_writes.create(work, scope, replace(wanted, is_ended=None))
        assert (is_new, row.name, row.external_id, row.ended_at) == (True, "Erie", "key", None)
        assert participations.list_participations(work, row) == [ParticipationRef("Energy")]
        assert contacts.to_entries(contacts.list_contacts(work, row)) == list(wanted.contacts)
        again = replace(wanted, is_ended=False)
        assert participant_writes.create(work, scope, again) == (row, False)
        for change in (
            {"name": "Other"}, {"external_id": None}, {"is_ended": True}, {"participations": ()},
            {"contacts": ()},
        ):  # fmt: skip
            with pytest.raises(UniquenessException):
                participant_writes.create(work, scope, replace(again, **change))
        ended = replace(ERIE, number="200002", external_id="k2", is_ended=True)
        assert participant_writes.create(work, scope, ended)[0].ended_at is not None
    made = reach.events("scim.participant_created")
    assert [event.data["participant"] for event in made] == ["200001", "200002"]


def test_n73_n74_participants_out_of_reach(reach: World) -> None:
    """N73, N74: of the operator, and of other clients; whatever is asked."""
    reach.participant(OPERATOR)
    with reach.work() as work:
        for number, refusal in ((OPERATOR, OperatorParticipant), (THERE, OtherParticipant)):
            scope, wanted = (
                scope_of(work, "local", ALL, HERE, OPERATOR),
                replace(ERIE, number=number),
            )
            row = registered(work, number)
            for act in (
                lambda s=scope, w=wanted: participant_writes.create(work, s, w),
                lambda s=scope, w=wanted, r=row: participant_writes.update(work, s, r, w),
                lambda s=scope, r=row: participant_writes.delete(work, s, r),
            ):
                with pytest.raises(refusal):
                    act()


@pytest.mark.parametrize(
    ("changes", "operation"),
    [
        ({"name": "Erie Wind"}, PushOperation.UPDATE),
        ({"external_id": "other"}, PushOperation.UPDATE),
        ({"is_ended": True}, PushOperation.DEACTIVATE),
        ({"participations": (ParticipationRef("Market"),)}, PushOperation.UPDATE),
        ({"contacts": (ContactRef("R1", "primary_contact"),)}, PushOperation.UPDATE),
    ],
)
def test_n72_each_change_of_a_participant_needs_its_operation(
    reach: World, changes: dict[str, Any], operation: PushOperation
) -> None:
    """N72: that one and no other; the same again needs none."""
    reach.account(person_id="R1")
    reach.role_group("Market", participation="Market")
    with reach.work() as work:
        make_participant(work)
        work.db.commit()
        rest = tuple(one for one in ALL if one != operation)
        row, wanted = participants.by_number(work, ERIE.number), replace(ERIE, **changes)
        with pytest.raises(OperationNotAllowed):
            participant_writes.update(work, scope_of(work, "local", rest), row, wanted)
        work.rollback()
    with reach.work() as work:
        row = participants.by_number(work, ERIE.number)
        participant_writes.update(work, scope_of(work, "local", (operation,)), row, wanted)
        participant_writes.update(work, scope_of(work, "local", ()), row, wanted)
        assert (row.name, row.external_id) == (wanted.name, wanted.external_id)
        assert (row.ended_at is not None) is bool(wanted.is_ended)
        with pytest.raises(MutabilityException):
            participant_writes.update(
                work, scope_of(work, "local"), row, replace(wanted, number=HERE)
            )
        participant_writes.update(work, scope_of(work, "local"), row, replace(wanted, number=""))


def test_pr01_a_participant_that_ended_is_restored(reach: World) -> None:
    """PR-01: by who may create; a push that does not say leaves it as it is."""
    with reach.work() as work:
        row = make_participant(work, is_ended=True)
        participant_writes.update(work, scope_of(work, "local", READ), row, ERIE)
        assert row.ended_at is not None
        active = replace(ERIE, is_ended=False)
        rest = tuple(one for one in ALL if one != PushOperation.CREATE)
        with pytest.raises(OperationNotAllowed):
            participant_writes.update(work, scope_of(work, "local", rest), row, active)
        participant_writes.update(work, scope_of(work, "local", (PushOperation.CREATE,)), row,
                                  active)  # fmt: skip
        assert row.ended_at is None
        participant_writes.update(work, scope_of(work, "local", ()), row, active)


def test_n74_no_operator_loses_access_by_a_participant(reach: World) -> None:
    """N74: not by its end, its removal or what it takes part in."""
    operator = reach.operator(ConsoleRole.AGENT)
    reach.role_group("Market", participation="Energy")
    with reach.work() as work:
        row = make_participant(work, participations=(ParticipationRef("Energy"),))
        number = row.number
    reach.grant_role(operator, "Market", number)
    with reach.work() as work:
        row, every = participants.by_number(work, number), scope_of(work, "other")
        full = replace(ERIE, participations=(ParticipationRef("Energy"),))
        with pytest.raises(OperatorAccount):
            participant_writes.update(work, every, row, replace(full, is_ended=True))
        with pytest.raises(OperatorAccount):
            participant_writes.delete(work, every, row)
        with pytest.raises(OperatorAccount):
            participant_writes.update(work, every, row, ERIE)


def test_n72_a_participation_that_ends_access_needs_more(reach: World) -> None:
    """N72: who holds a role group by it loses it, as by an end."""
    reach.role_group("Market", participation="Energy")
    username = reach.account()
    full = replace(ERIE, participations=(ParticipationRef("Energy"),))
    with reach.work() as work:
        make_participant(work, participations=full.participations)
    reach.grant_role(username, "Market", ERIE.number)
    with reach.work() as work:
        row = participants.by_number(work, ERIE.number)
        with pytest.raises(OperationNotAllowed):
            participant_writes.update(work, scope_of(work, "local", UPDATE), row, ERIE)
        work.rollback()
        row = participants.by_number(work, ERIE.number)
        both = (PushOperation.UPDATE, PushOperation.DEACTIVATE)
        participant_writes.update(work, scope_of(work, "local", both), row, ERIE)
        assert held(work, got(work, username)) == set()


def test_n72_a_participant_is_removed_by_who_may_deactivate(reach: World) -> None:
    """N72, PR-04."""
    with reach.work() as work:
        row = make_participant(work)
        rest = tuple(one for one in ALL if one != PushOperation.DEACTIVATE)
        with pytest.raises(OperationNotAllowed):
            participant_writes.delete(work, scope_of(work, "local", rest), row)
        participant_writes.delete(work, scope_of(work, "local", (PushOperation.DEACTIVATE,)), row)
        assert row.ended_at is not None
    (event,) = reach.events("scim.participant_deleted")
    assert event.data["participant"] == ERIE.number


def test_n76_contacts_are_persons_whom_the_client_may_see(reach: World) -> None:
    """N76: those that are named already stay; too many are refused before any is looked up."""
    seen, hidden = reach.account(person_id="R1"), reach.account(person_id="R2")
    reach.grant_role(seen, "Trader", HERE)
    reach.grant_role(hidden, "Trader", THERE)
    one, two = ContactRef("R1", "primary_contact"), ContactRef("R2", "primary_contact")
    with reach.work() as work:
        row = registered(work, HERE)
        wanted = PushedParticipant(HERE, row.name, None, None, (), (one,))
        update_ = participant_writes.update
        update_(work, scope_of(work, "local", ALL, HERE), row, wanted)
        with pytest.raises(OtherClientsPerson):
            update_(work, scope_of(work, "local", ALL, HERE), row,
                    replace(wanted, contacts=(one, two)))  # fmt: skip
        contacts.replace(work, row, [one, two])
        update_(work, scope_of(work, "local", READ, HERE), row,
                replace(wanted, contacts=(one, two)))  # fmt: skip


def test_n78_contacts_that_are_refused(reach: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """N78: persons that nobody has registered; too many, before any is looked up."""
    with reach.work() as work:
        row = registered(work, HERE)
        wanted = PushedParticipant(HERE, row.name, None, None, (), ())
        one = ContactRef("nobody", "primary_contact")
        with pytest.raises(Invalid):
            participant_writes.update(
                work, scope_of(work, "local"), row, replace(wanted, contacts=(one,))
            )
        looked: list[str] = []
        monkeypatch.setattr(persons, "by_person_id", lambda _, number: looked.append(number))
        many = tuple(ContactRef(f"R{n}", "primary_contact") for n in range(1000))
        with pytest.raises(Invalid):
            participant_writes.update(
                work, scope_of(work, "local"), row, replace(wanted, contacts=many)
            )
        assert looked == []
