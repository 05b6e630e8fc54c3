"""How far a provisioning client reaches, rule by rule (N72 to N76, PR-05).

What the protocol answers is in ``tests/scim/test_provisioning_scope``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from idp.clients import registry
from idp.directory import (
    accounts,
    contacts,
    participants,
    participations,
    provisioned_accounts,
    provisioned_groups,
    provisioned_participants,
    provisioning_scope,
    role_group_assignments,
    role_groups,
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
    OutOfScope,
    SharedAccount,
)
from idp.directory.participations import ParticipationRef
from idp.directory.persons import PersonChanges
from idp.directory.provisioned_accounts import Push
from idp.directory.provisioning_scope import ProvisioningScope
from idp.directory.result_pages import PageRequest
from idp.errors import Invalid
from idp.machines import registered_networks
from idp.models import (
    Account,
    AccountKind,
    AccountState,
    ContactFunction,
    Participant,
    RegisteredNetwork,
    RoleGroup,
)
from idp.policy.console import OPERATOR, ConsoleRole
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork
from tests.world import World, registered

HERE, THERE = "109120", "111340"
ALL = tuple(PushOperation)
PAGE = PageRequest(count=50)


def scope_of(
    work: UnitOfWork, name: str = "local", operations: tuple[str, ...] = ALL, *numbers: str
) -> ProvisioningScope:
    client = registry.get(work, name)
    client.push_operations, client.push_participants = list(operations), list(numbers)
    return ProvisioningScope.of(client)


@pytest.fixture
def reach(world: World) -> World:
    """A client of one participant, another client, two participants and a role group."""
    for name in ("Local", "Other"):
        world.relying_party(
            name, grant_types=("client_credentials",), scopes=("scim",), redirect_uris=(),
            post_logout_redirect_uris=(), home_url="",
        )  # fmt: skip
    for number in (HERE, THERE):
        world.participant(number)
    world.role_group("Trader")
    return world


def holder(world: World, *numbers: str, **person: str) -> str:
    """An account that holds the role group at these participants."""
    username = world.account(**person)
    for number in numbers:
        world.grant_role(username, "Trader", number)
    return username


def got(work: UnitOfWork, username: str) -> Account:
    return accounts.by_username(work, username)


def refused(check: Any, *given: Any) -> type[OutOfScope] | None:
    """The refusal of the check; None when it passes."""
    try:
        check(*given)
    except OutOfScope as refusal:
        return type(refusal)
    return None


def allows(check: Any, *given: Any) -> bool:
    return refused(check, *given) is None


def test_n72_an_operation_is_allowed_by_its_name(reach: World) -> None:
    """N72."""
    with reach.work() as work:
        for allowed in PushOperation:
            scope = scope_of(work, "local", (allowed,))
            for operation in PushOperation:
                expected = None if operation is allowed else OperationNotAllowed
                assert refused(scope.check, operation) is expected


def test_n74_operator_role_groups_cannot_be_granted_by_a_push(reach: World) -> None:
    """N72, N74: nor at the operator of the gateway; a role group at the client's participants."""
    with reach.work() as work:
        every, local = scope_of(work, "other"), scope_of(work, "local", ALL, HERE)
        assert allows(every.check_role_group, "Trader", THERE)
        assert allows(local.check_role_group, "Trader", HERE)
        assert refused(local.check_role_group, "Trader", THERE) is OtherParticipant
        for role in ConsoleRole:
            assert refused(every.check_role_group, str(role), HERE) is OperatorRole
        unable = scope_of(work, "local", (PushOperation.UPDATE,), HERE)
        assert refused(unable.check_role_group, "Trader", HERE) is OperationNotAllowed
        assert refused(every.check_no_operator, OPERATOR) is OperatorParticipant
        assert allows(every.check_no_operator, HERE)
        assert allows(every.check_participant, THERE)
        assert allows(local.check_participant, HERE)
        assert refused(local.check_participant, THERE) is OtherParticipant


def test_n74_accounts_of_operators_are_out_of_scope(
    reach: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N74: by whichever account of the person; in whichever part of a long list."""
    operator = reach.operator(ConsoleRole.AGENT)
    with reach.work() as work:
        person_id = got(work, operator).person.person_id
    second = reach.account(person_id=person_id)
    others = [holder(reach, HERE) for _ in range(5)]
    monkeypatch.setattr(provisioning_scope, "BATCH", 2)
    with reach.work() as work:
        scope = scope_of(work, "other")
        rows = [got(work, name) for name in others]
        assert allows(scope.check_accounts, work, rows)
        assert allows(scope.check_accounts, work, [])
        for name in (operator, second):
            row = got(work, name)
            for place in range(6):
                assert (
                    refused(scope.check_accounts, work, [*rows[:place], row, *rows[place:]])
                    is OperatorAccount
                )
            assert refused(scope.check_whole_account, work, row) is OperatorAccount
            assert refused(scope.check_person, work, row.person) is OperatorAccount


@pytest.mark.parametrize("count", range(6))
def test_a_long_list_is_read_completely_in_parts(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Each row in one part, in order; no part is longer than a statement takes."""
    monkeypatch.setattr(provisioning_scope, "BATCH", 2)
    parts = list(provisioning_scope.batches(range(count)))
    assert [row for part in parts for row in part] == list(range(count))
    assert [len(part) for part in parts] == [2] * (count // 2) + [1] * (count % 2)


def test_pr05_an_account_can_be_ended_if_no_other_participant_needs_it(reach: World) -> None:
    """PR-05: at this moment; a client of all participants is not asked."""
    here, both, none = holder(reach, HERE), holder(reach, HERE, THERE), holder(reach)
    with reach.work() as work:
        local, every = scope_of(work, "local", ALL, HERE), scope_of(work, "other")
        assert allows(local.check_whole_account, work, got(work, here))
        assert allows(local.check_whole_account, work, got(work, none))
        assert refused(local.check_whole_account, work, got(work, both)) is SharedAccount
        assert allows(every.check_whole_account, work, got(work, both))
        wider = scope_of(work, "local", ALL, HERE, THERE)
        assert allows(wider.check_whole_account, work, got(work, both))
    reach.revoke_role(both, "Trader", THERE)
    with reach.work() as work:
        local = scope_of(work, "local", ALL, HERE)
        assert allows(local.check_whole_account, work, got(work, both))


def test_n76_a_person_is_in_scope_through_a_visible_account(reach: World) -> None:
    """N76, N73: one of the person's is enough, whoever made it."""
    here, there = holder(reach, HERE), holder(reach, THERE)
    with reach.work() as work:
        local, every = scope_of(work, "local", ALL, HERE), scope_of(work, "other")
        assert allows(local.check_person, work, got(work, here).person)
        assert refused(local.check_person, work, got(work, there).person) is OtherClientsPerson
        assert allows(every.check_person, work, got(work, there).person)
        data = accounts.NewPerson(
            person_id="P91", given_name="Zoe", family_name="Okafor", email="zoe@c.example"
        )
        alone = accounts.get_or_create_person(work, data)
        assert allows(every.check_person, work, alone)
        assert refused(local.check_person, work, alone) is OtherClientsPerson
        provisioned_accounts.register(work, local, got(work, there), Push("own"))
        assert allows(local.check_person, work, got(work, there).person)


def test_n72_changing_a_person_needs_permission_for_each_account(reach: World) -> None:
    """N72, PR-05: what changes nothing is not asked; a refusal is one, whichever account it is."""
    here = holder(reach, HERE, person_id="P90")
    other = holder(reach, person_id="P90")
    with reach.work() as work:
        person = got(work, here).person
        changed = PersonChanges(given_name="Leila")
        unable = scope_of(work, "local", (PushOperation.READ,), HERE)
        assert allows(unable.update_person, work, person, PersonChanges(given_name="Ada"))
        assert refused(unable.update_person, work, person, changed) is OperationNotAllowed
        local = scope_of(work, "local", ALL, HERE)
        assert allows(local.update_person, work, person, PersonChanges(given_name="Zoe"))
        assert person.given_name == "Zoe"
        participant = registered(work, THERE)
        second = got(work, other)
        second.second_participant = participant
        role_group_assignments.assign(
            work, second, role_groups.by_name(work, "Trader"), participant
        )
        work.db.flush()
        assert refused(local.update_person, work, person, changed) is SharedAccount


def test_n73_a_client_sees_its_own_accounts_and_those_of_its_participants(reach: World) -> None:
    """N73: those that it made and those of its participants, open ones; all if it has no limit."""
    here, there, both = holder(reach, HERE), holder(reach, THERE), holder(reach, HERE, THERE)
    own, foreign, closed = holder(reach), holder(reach), holder(reach)
    late = holder(reach, HERE)
    with reach.work() as work:
        local, every = scope_of(work, "local", ALL, HERE), scope_of(work, "other")
        for name in (own, closed):
            provisioned_accounts.register(work, local, got(work, name), Push(f"key-{name}"))
        provisioned_accounts.register(work, every, got(work, foreign), Push("key"))
        got(work, late).ends_at = work.now
    reach.set_state(closed, AccountState.DEACTIVATED)
    with reach.work() as work:
        local, every = scope_of(work, "local", ALL, HERE), scope_of(work, "other")

        def seen(scope: ProvisioningScope) -> set[str]:
            rows = provisioned_accounts.page(work, scope, None, PAGE).rows
            assert provisioned_accounts.page(work, scope, None, PAGE).total == len(rows)
            names = {row.username for row in rows}
            everyone = (here, there, both, own, foreign, closed, late)
            subjects = [got(work, name).subject for name in everyone]
            many = provisioned_accounts.find_many(work, scope, subjects)
            assert {row.username for row in many} == names
            for name, subject in zip(everyone, subjects, strict=True):
                found = provisioned_accounts.find(work, scope, subject)
                assert (found is not None) is (name in names), name
                shown = shown_accounts.of_subject(work, scope, subject)
                assert (shown is not None) is (name in names), name
            return names

        assert seen(local) == {here, both, own}
        assert seen(every) == {here, there, both, own, foreign}
        visible = {
            name
            for name in (here, there, both, own, foreign, closed, late)
            if provisioned_accounts.is_visible(work, local, got(work, name))
        }
        assert visible == {here, both, own, closed, late}
        shown = provisioned_accounts.assignments(work, local, [got(work, both), got(work, there)])
        assert {key: [row.participant.number for row in rows] for key, rows in shown.items()} == {
            got(work, both).id: [HERE]
        }
        (one,) = shown_accounts.of_keys(work, local, [got(work, both).id])
        assert set(one.grants) == {("Trader", HERE)}
        for scope, condition, expected in (
            (local, RoleGroup.name == "Trader", {here, both}),
            (local, RoleGroup.name == "Other", set()),
            (local, Participant.number == THERE, set()),
            (every, Participant.number == THERE, {there, both}),
        ):
            held = provisioned_accounts.holds(scope, condition)
            rows = provisioned_accounts.page(work, scope, held, PAGE).rows
            assert {row.username for row in rows} == expected
        got(work, there).kind = AccountKind.MACHINE
        registered_networks.replace(work, got(work, there), [("192.0.2.1", "")])
        networks = RegisteredNetwork.network
        for network, expected in ((work.db.scalar(select(networks)), {there}), ("x", set())):
            having = provisioned_accounts.has_network(RegisteredNetwork.network == network)
            rows = provisioned_accounts.page(work, every, having, PAGE).rows
            assert {row.username for row in rows} == expected
    reach.revoke_role(both, "Trader", HERE)
    with reach.work() as work:
        local, every = scope_of(work, "local", ALL, HERE), scope_of(work, "other")
        held = provisioned_accounts.holds(every, Participant.number == HERE)
        assert provisioned_accounts.page(work, every, held, PAGE).total == 1
        assert provisioned_accounts.find(work, local, got(work, both).subject) is None
        assert provisioned_accounts.assignments(work, local, [got(work, both)]) == {}


def test_n73_external_ids_belong_to_one_client(reach: World) -> None:
    """PR-06: two clients may use one key; none is no key."""
    one, two, none = holder(reach), holder(reach), holder(reach)
    with reach.work() as work:
        local, other = scope_of(work, "local"), scope_of(work, "other")
        provisioned_accounts.register(work, local, got(work, one), Push("same"))
        provisioned_accounts.register(work, other, got(work, two), Push("same"))
        for scope, name in ((local, one), (other, two)):
            row = provisioned_accounts.by_external_id(work, scope, "same")
            assert row is not None
            assert provisioned_accounts.account_of(work, row).username == name
        provisioned_accounts.register(work, local, got(work, none), Push(None))
        for key in (None, "", "unheard"):
            assert provisioned_accounts.by_external_id(work, local, key) is None
        for name, client in ((one, local.client), (two, other.client)):
            row = provisioned_accounts.registration(work, got(work, name))
            assert row is not None
            assert row.client_id == client.id


def test_pr_the_sequence_of_a_push_stays_if_the_next_push_has_none(reach: World) -> None:
    """PR-06: number and place in the order; the key is that of the last push."""
    username = holder(reach)
    with reach.work() as work:
        account, scope = got(work, username), scope_of(work, "local")
        row = provisioned_accounts.register(work, scope, account, Push("a", "R-1", 7))
        assert (row.external_id, row.request_number, row.sequence) == ("a", "R-1", 7)
        work.now += timedelta(seconds=5)
        provisioned_accounts.record_push(work, account, row, Push(None))
        assert (row.external_id, row.request_number, row.sequence) == (None, "R-1", 7)
        assert account.updated_at == work.now
        provisioned_accounts.record_push(work, account, row, Push("b", "R-2", 8))
        assert (row.external_id, row.request_number, row.sequence) == ("b", "R-2", 8)


def test_pr_a_push_sets_language_and_end_of_an_account(reach: World) -> None:
    """A language that the holder chose stays; an end is in the future."""
    username = holder(reach)
    with reach.work() as work:
        account = got(work, username)
        account.locale, account.zoneinfo, account.locale_is_chosen = "en", "UTC", False
        change = provisioned_accounts.set_preferences
        assert change(account) is False
        assert change(account, language="en", time_zone="UTC") is False
        assert change(account, language="fr") is True
        assert change(account, time_zone="America/Toronto") is True
        assert (account.locale, account.zoneinfo) == ("fr", "America/Toronto")
        account.locale_is_chosen = True
        assert change(account, language="en") is False
        assert account.locale == "fr"
        end = work.after(seconds=1)
        assert provisioned_accounts.set_end(work, account, None) is False
        assert provisioned_accounts.set_end(work, account, end) is True
        assert provisioned_accounts.set_end(work, account, end) is False
        with pytest.raises(Invalid):
            provisioned_accounts.set_end(work, account, work.now)
        assert account.ends_at == end
        work.now = end
        # What was set before is no change, also when its time has come.
        assert provisioned_accounts.set_end(work, account, end) is False
        assert provisioned_accounts.set_end(work, account, None) is True


# Groups and participants


def names_of(work: UnitOfWork, scope: ProvisioningScope) -> set[str]:
    rows = provisioned_groups.page(work, scope, None, PAGE).rows
    return {row.display_name for row in rows}


def test_n73_missing_groups_are_created_where_the_client_may_grant(reach: World) -> None:
    """N73, N74: no role of operators, no participant that has ended or does not take part; each
    once."""
    reach.role_group("Market", participation="market")
    reach.role_group(ConsoleRole.AGENT)
    for number in (OPERATOR, "300001", "300002"):
        reach.participant(number)
    with reach.work() as work:
        participants.end(work, registered(work, "300001"))
        provisioned_participants.remove(work, registered(work, "300002"))
        name = "{}/{}".format
        unable = scope_of(work, "local", (PushOperation.READ,))
        provisioned_groups.create_missing(work, unable, name)
        assert names_of(work, unable) == set()
        local, every = scope_of(work, "local", ALL, HERE), scope_of(work, "other")
        for _ in range(2):
            provisioned_groups.create_missing(work, local, name)
            assert names_of(work, local) == names_of(work, every) == {f"Trader/{HERE}"}
        provisioned_groups.create_missing(work, every, name)
        assert names_of(work, every) == {f"Trader/{HERE}", f"Trader/{THERE}"}
        assert names_of(work, local) == {f"Trader/{HERE}"}


def test_rg12_a_group_is_created_only_where_the_participant_participates(reach: World) -> None:
    """RG-12: in what the role group requires, at this moment; each pair on its own."""
    reach.role_group("Market", participation="market")
    for number in ("300001", "300002", "300003"):
        reach.participant(number)
    market, other = ParticipationRef("market"), ParticipationRef("other")
    with reach.work() as work:
        for number, parts in (("300001", [market]), ("300002", [other]), ("300003", [market])):
            participations.replace(work, registered(work, number), parts)
        participations.replace(work, registered(work, "300003"), [])
        every, one = scope_of(work, "other"), scope_of(work, "local", ALL, "300001")
        trader = role_groups.by_name(work, "Trader")
        provisioned_groups.create(
            work, every, trader, registered(work, "300001"), display_name="T", external_id="t"
        )
        provisioned_groups.create_missing(work, one, "{}/{}".format)
        assert names_of(work, one) == {"T", "Market/300001"}
        # Of two groups at one participant, each is found.
        market_group = role_groups.by_name(work, "Market")
        row, is_new = provisioned_groups.create(
            work, every, market_group, registered(work, "300001"), display_name="x", external_id="m"
        )
        assert row is not None
        assert (row.display_name, is_new) == ("Market/300001", False)
        provisioned_groups.create_missing(work, every, "{}/{}".format)
        assert names_of(work, every) == {
            "T", "Market/300001",
            *(f"Trader/{number}" for number in (HERE, THERE, "300002", "300003")),
        }  # fmt: skip


def test_n77_conditions_select_groups_and_participants(reach: World) -> None:
    """N77: by role group, participant and member; members are open accounts that hold it now."""
    here, gone, closed = holder(reach, HERE), holder(reach, HERE), holder(reach, HERE)
    there = holder(reach, THERE)
    reach.role_group("Settler")
    settler = reach.account()
    reach.grant_role(settler, "Settler", HERE)
    reach.revoke_role(gone, "Trader", HERE)
    with reach.work() as work:
        got(work, closed).state = AccountState.DEACTIVATED
        every = scope_of(work, "other")
        provisioned_groups.create_missing(work, every, "{}/{}".format)

        def found(condition: Any) -> set[str]:
            rows = provisioned_groups.page(work, every, condition, PAGE).rows
            return {row.display_name for row in rows}

        def having(name: str) -> set[str]:
            subject = got(work, name).subject
            return found(provisioned_groups.has_member(provisioned_groups.is_one_of([subject])))

        assert having(here) == {f"Trader/{HERE}"}
        assert having(there) == {f"Trader/{THERE}"}
        assert having(settler) == {f"Settler/{HERE}"}
        assert having(gone) == having(closed) == set()
        assert found(RoleGroup.name == "Settler") == {f"Settler/{HERE}", f"Settler/{THERE}"}
        assert found(Participant.number == THERE) == {f"Trader/{THERE}", f"Settler/{THERE}"}
        row = provisioned_groups.page(work, every, RoleGroup.name == "Settler", PAGE).rows[0]
        before = row.updated_at
        work.now += timedelta(seconds=5)
        provisioned_groups.touch(work, row)
        assert (before, row.updated_at) == (work.now - timedelta(seconds=5), work.now)
        places = provisioned_participants.page(work, every, Participant.number == HERE, PAGE).rows
        assert [place.number for place in places] == [HERE]
        scope = scope_of(work, "local", ALL, THERE)
        none = provisioned_participants.page(work, scope, Participant.number == HERE, PAGE)
        assert (none.total, none.rows) == (0, [])


def test_n73_a_group_is_found_at_the_clients_participants(reach: World) -> None:
    """N73: and its members are the open accounts that hold the role group there now."""
    here, there, gone = holder(reach, HERE), holder(reach, THERE), holder(reach, HERE)
    late, closed = holder(reach, HERE), holder(reach, HERE)
    reach.revoke_role(gone, "Trader", HERE)
    with reach.work() as work:
        got(work, late).ends_at = work.now
        every = scope_of(work, "other")
        group = role_groups.by_name(work, "Trader")
        made = {}
        for number in (HERE, THERE):
            place = registered(work, number)
            row, is_new = provisioned_groups.create(
                work, every, group, place, display_name=number, external_id=f"key-{number}"
            )
            assert row is not None
            assert is_new
            again, is_new = provisioned_groups.create(
                work, every, group, place, display_name="x", external_id="y"
            )
            assert (again, is_new) == (row, False)
            made[number] = row
        row = made[HERE]
        assert provisioned_groups.members(work, row) == [
            got(work, name).subject for name in (here, closed)
        ]
        assert provisioned_groups.size(work, row) == 2
        assert provisioned_groups.changes_of_members(work, [row]) == {row.id: (4, 1)}
        own = provisioned_groups.is_one_of([got(work, here).subject, got(work, there).subject])
        assert provisioned_groups.members_by(work, row, own) == [got(work, here)]
        local = scope_of(work, "local", ALL, HERE)
        assert provisioned_groups.find(work, local, row.public_id) is row
        assert provisioned_groups.find(work, local, made[THERE].public_id) is None
        assert provisioned_groups.find(work, every, made[THERE].public_id) is made[THERE]
        provisioned_groups.rename(row, display_name="", external_id=None)
        assert (row.display_name, row.external_id) == (HERE, None)
        provisioned_groups.rename(row, display_name="New", external_id="k")
        assert (row.display_name, row.external_id) == ("New", "k")
        provisioned_groups.delete(work, row)
        assert provisioned_groups.find(work, every, row.public_id) is None
        assert reach_is_kept(work, here)


def reach_is_kept(work: UnitOfWork, username: str) -> bool:
    """The account still holds its role group."""
    return bool(
        provisioned_accounts.assignments(work, scope_of(work, "other"), [got(work, username)])
    )


def test_n73_a_removed_participant_stays_removed_for_its_client(reach: World) -> None:
    """N73: their number stays their own; what they took part in and their contacts end."""
    holder_name = holder(reach, HERE)
    with reach.work() as work:
        local, every = scope_of(work, "local", ALL, HERE), scope_of(work, "other")

        def seen(scope: ProvisioningScope) -> set[str]:
            rows = provisioned_participants.page(work, scope, None, PAGE).rows
            numbers = {row.number for row in rows}
            for number in (HERE, THERE):
                found = provisioned_participants.find(work, scope, number)
                assert (found is not None) is (number in numbers)
            return numbers & {HERE, THERE}

        assert (seen(local), seen(every)) == ({HERE}, {HERE, THERE})
        place = registered(work, HERE)
        provisioned_participants.set_external_id(work, place, "key")
        changed = place.updated_at
        assert (place.external_id, changed) == ("key", work.now)
        work.now += timedelta(seconds=5)
        provisioned_participants.set_external_id(work, place, "key")
        assert place.updated_at == changed
        participations.replace(work, place, [ParticipationRef("market")])
        person_id = got(work, holder_name).person.person_id
        contacts.replace(work, place, [ContactRef(person_id, ContactFunction.PRIMARY_CONTACT)])
        provisioned_participants.remove(work, place)
        assert participations.list_participations(work, place) == []
        assert contacts.list_contacts(work, place) == []
        assert (seen(local), seen(every)) == (set(), {THERE})
        assert place.removed_at == place.ended_at == work.now
