"""What took something away is done again from its event alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import inspect, select

from idp.audit import events
from idp.clients import client_data, client_secrets, registry
from idp.credentials import passwords
from idp.credentials.passwords import PasswordSource
from idp.directory import (
    accounts,
    contacts,
    held_role_groups,
    lifecycle,
    participants,
    participations,
    persons,
    role_group_assignments,
    role_groups,
)
from idp.factors import authenticators, recovery_codes
from idp.grants import signing_keys
from idp.machines import machine_accounts, machine_keys, registered_networks
from idp.maintenance import account_revocation_replay, revocation_replay
from idp.maintenance.revocation_replay import ReplayResult
from idp.mfa.assurance import FactorKind
from idp.models import AccountKind, AccountState, Authenticator, Consent, Event, KeyState
from idp.policy.scopes import ACRS
from idp.session import interactions
from idp.transaction import Origin, Runtime, UnitOfWork
from tests.world import NEW_PASSWORD, World

MACHINE = "APIIESO00042"
SPEAKS = contacts.ContactRef("P-RITA", "rights_administrator")
NETWORKS = [("192.0.2.0/28", "Control room"), ("198.51.100.0/28", "Office")]


@pytest.fixture
def filled(world: World) -> World:
    """Everything that can be taken away, there."""
    world.relying_party()
    world.role_group("EMI Viewer", "emi")
    world.account("ada")
    world.grant_role("ada", "EMI Viewer")
    with world.work() as work:
        row = participants.by_number(work, "109120")
        participations.replace(work, row, [participations.ParticipationRef("Energy Market")])
    world.account("rita", person_id="P-RITA")
    with world.work() as work:
        contacts.replace(work, participants.by_number(work, "109120"), [SPEAKS])
    world.account(MACHINE, kind=AccountKind.MACHINE)
    pem = ec.generate_private_key(ec.SECP256R1()).public_key()
    text = pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with world.work() as work:
        ada, machine = _ada(work), accounts.by_username(work, MACHINE)
        registered_networks.replace(work, machine, NETWORKS)
        machine_keys.add(work, machine, text, label="Robot")
        for kind in (FactorKind.TOTP, FactorKind.EMAIL):
            row = authenticators.start_enrolment(work, ada, kind, name=str(kind))
            authenticators.confirm(work, ada, row)
        recovery_codes.generate(work, ada)
        ada.recovery_phone = "+14165550100"
        interactions.remember_consent(work, ada, registry.get(work, "emi"), ["openid"])
        world.made["secret"] = registry.get(work, "emi").secret_digest
    world.clock.advance(hours=1)
    return world


def _ada(work: UnitOfWork) -> Any:
    return accounts.by_username(work, "ada")


def _copy(event: Event) -> Event:
    return Event(**{c.key: getattr(event, c.key) for c in inspect(Event).column_attrs})


def undone(world: World, act: Callable[[UnitOfWork], object]) -> list[Event]:
    """The events of an act that the database forgets again."""
    with world.app.app_context():
        runtime: Runtime = world.app.extensions["runtime"]
        work = runtime.work(Origin(actor="operator"))
        before = set(work.db.scalars(select(Event.id)))
        act(work)
        work.db.flush()
        rows = work.db.scalars(select(Event).where(Event.id.not_in(before)).order_by(Event.id))
        copies = [_copy(row) for row in rows]
        work.db.rollback()
        return copies


def redo(world: World, lost: list[Event]) -> ReplayResult:
    with world.work() as work:
        return revocation_replay.replay(work, lost, {})


def _factor(work: UnitOfWork, kind: FactorKind) -> Authenticator:
    return next(row for row in authenticators.list_usable(work, _ada(work)) if row.kind == kind)


def _consent(work: UnitOfWork) -> None:
    row = work.db.scalars(select(Consent)).one()
    events.record(work, "consent.revoked", account=_ada(work), client=row.client)
    work.db.delete(row)


def _active(work: UnitOfWork) -> str:
    return next(
        k.kid for k in signing_keys.every_key(work) if k.alg == "ES256" and k.state == "active"
    )


def _password(world: World, work: UnitOfWork) -> None:
    hasher = world.app.extensions["hasher"]
    assert (
        passwords.change(work, hasher, _ada(work), NEW_PASSWORD, source=PasswordSource.SETTINGS)
        == ()
    )


def _set_state(state: AccountState) -> Callable[[World, UnitOfWork], None]:
    return lambda _, work: lifecycle.change_state(work, _ada(work), state, reason="leave")


def _is(state: AccountState) -> Callable[[World, UnitOfWork], bool]:
    return lambda _, work: _ada(work).state == state


def _register(work: UnitOfWork, **values: Any) -> None:
    row = registry.get(work, "emi")
    data = replace(client_data.current_data(row), **values)
    registry.update(work, row, data, is_approved=True)


def _shorten(work: UnitOfWork, *, days: int) -> None:
    group, where = role_groups.by_name(work, "EMI Viewer"), participants.by_number(work, "109120")
    role_group_assignments.assign(
        work,
        _ada(work),
        group,
        where,
        role_group_assignments.AssignmentTerms(valid_until=work.after(days=days)),
    )


Case = tuple[str, Callable[[World, UnitOfWork], object], Callable[[World, UnitOfWork], bool]]
CASES: list[Case] = [
    *(
        ("account.state", _set_state(state), _is(state))
        for state in account_revocation_replay.DENYING
        if state != AccountState.RESET_REQUIRED
    ),
    (
        "account.state",
        lambda _, work: lifecycle.require_reset(work, _ada(work), reason="desk"),
        _is(AccountState.RESET_REQUIRED),
    ),
    ("password.set", _password, _is(AccountState.RESET_REQUIRED)),
    (
        "role_group.revoked",
        lambda _, work: role_group_assignments.revoke(
            work,
            _ada(work),
            role_groups.by_name(work, "EMI Viewer"),
            participants.by_number(work, "109120"),
        ),
        lambda _, work: held_role_groups.list_held(work, _ada(work)) == [],
    ),
    (
        "role_group.terms",
        lambda _, work: _shorten(work, days=3),
        lambda _, work: (
            [row.valid_until for row in held_role_groups.list_held(work, _ada(work))]
            == [work.after(days=3)]
        ),
    ),
    (
        "role_group.rule",
        lambda _, work: role_groups.set_rule(
            work, role_groups.by_name(work, "EMI Viewer"), "always"
        ),
        lambda _, work: role_groups.by_name(work, "EMI Viewer").second_factor == "always",
    ),
    (
        "role_group.participation",
        lambda _, work: participations.set_required(
            work, role_groups.by_name(work, "EMI Viewer"), "Energy Market"
        ),
        lambda _, work: role_groups.by_name(work, "EMI Viewer").participation == "Energy Market",
    ),
    (
        "participant.ended",
        lambda _, work: participants.end(work, participants.by_number(work, "109120")),
        lambda _, work: (
            participants.by_number(work, "109120").ended_at is not None
            and held_role_groups.list_held(work, _ada(work)) == []
        ),
    ),
    (
        "participant.participations",
        lambda _, work: participations.replace(work, participants.by_number(work, "109120"), ()),
        lambda _, work: (
            participations.list_participations(work, participants.by_number(work, "109120")) == []
        ),
    ),
    (
        "participant.contact_ended",
        lambda _, work: contacts.replace(work, participants.by_number(work, "109120"), ()),
        lambda _, work: contacts.list_contacts(work, participants.by_number(work, "109120")) == [],
    ),
    (
        "client.updated",
        lambda _, work: _register(work, scopes=("openid",), minimum_acr=ACRS[-1]),
        lambda _, work: (
            registry.get(work, "emi").scopes == ["openid"]
            and registry.get(work, "emi").minimum_acr == ACRS[-1]
        ),
    ),
    (
        "client.role_groups",
        lambda _, work: registry.set_visible_groups(work, registry.get(work, "emi"), []),
        lambda _, work: list(registry.get(work, "emi").role_groups) == [],
    ),
    (
        "client.disabled",
        lambda _, work: registry.disable(work, registry.get(work, "emi")),
        lambda _, work: registry.get(work, "emi").disabled_at is not None,
    ),
    (
        "client.secret_rotated",
        lambda _, work: client_secrets.rotate(work, registry.get(work, "emi"), overlap_hours=24),
        lambda world, work: (
            registry.get(work, "emi").secret_digest != world.made["secret"]
            and registry.get(work, "emi").former_secret_digest is None
        ),
    ),
    (
        "consent.revoked",
        lambda _, work: _consent(work),
        lambda _, work: work.db.scalars(select(Consent)).all() == [],
    ),
    (
        "key.revoked",
        lambda world, work: signing_keys.revoke(work, world.made.setdefault("kid", _active(work))),
        lambda world, work: (
            KeyState.REVOKED
            in [key.state for key in signing_keys.every_key(work) if key.kid == world.made["kid"]]
        ),
    ),
    (
        "factor.removed",
        lambda _, work: authenticators.remove(work, _ada(work), _factor(work, FactorKind.TOTP)),
        lambda _, work: (
            [row.kind for row in authenticators.list_usable(work, _ada(work))] == [FactorKind.EMAIL]
        ),
    ),
    (
        "factors.reset",
        lambda _, work: authenticators.reset(work, _ada(work)),
        lambda _, work: authenticators.list_usable(work, _ada(work)) == [],
    ),
    (
        "recovery_codes.made",
        lambda _, work: recovery_codes.generate(work, _ada(work)),
        lambda _, work: recovery_codes.count_unused(work, _ada(work)) == 0,
    ),
    (
        "factor.checked",
        lambda _, work: events.record(
            work, "factor.checked", account=_ada(work), factor="recovery"
        ),
        lambda _, work: recovery_codes.count_unused(work, _ada(work)) == 0,
    ),
    (
        "machine_key.removed",
        lambda _, work: machine_keys.revoke_all(work, accounts.by_username(work, MACHINE)),
        lambda _, work: machine_keys.of(work, accounts.by_username(work, MACHINE)) == [],
    ),
    (
        "networks.set",
        lambda _, work: registered_networks.replace(
            work, accounts.by_username(work, MACHINE), NETWORKS[:1]
        ),
        lambda _, work: (
            [
                row.network
                for row in registered_networks.of(work, accounts.by_username(work, MACHINE))
            ]
            == ["192.0.2.0/28"]
        ),
    ),
    (
        "custodian.changed",
        lambda _, work: machine_accounts.change_custodian(
            work, accounts.by_username(work, MACHINE), _ada(work).person
        ),
        lambda _, work: (
            accounts.by_username(work, MACHINE).person_id == _ada(work).person_id
            and accounts.by_username(work, MACHINE).state == AccountState.RESET_REQUIRED
        ),
    ),
    (
        "person.updated",
        lambda _, work: persons.update(
            work, _ada(work).person, persons.PersonChanges(email="new@participant.example")
        ),
        lambda _, work: _ada(work).person.email == "new@participant.example",
    ),
    (
        "phone.changed",
        lambda _, work: events.record(work, "phone.changed", account=_ada(work), set=False),
        lambda _, work: _ada(work).recovery_phone is None,
    ),
    (
        "scim.ending",
        lambda _, work: events.record(
            work, "scim.ending", account=_ada(work), at=work.after(days=3).isoformat()
        ),
        lambda _, work: _ada(work).ends_at == work.after(days=3),
    ),
]


@pytest.mark.parametrize(("name", "act", "holds"), CASES, ids=[case[0] for case in CASES])
def test_n91_lost_revocations_are_replayed(
    filled: World,
    name: str,
    act: Callable[[World, UnitOfWork], object],
    holds: Callable[[World, UnitOfWork], bool],
) -> None:
    """N91, I4: from the event that the service itself wrote, and only once."""
    lost = undone(filled, lambda work: act(filled, work))
    with filled.work() as work:
        assert not holds(filled, work)
    found = redo(filled, lost)
    assert found.refused == []
    assert found.done[name] == 1
    with filled.work() as work:
        assert holds(filled, work)


def test_every_event_that_removes_access_is_tested() -> None:
    """A new line of the table comes with its case."""
    assert {case[0] for case in CASES} == set(revocation_replay.REPLAYS)


def test_the_old_secret_of_a_provisioning_client_is_not_restored(filled: World) -> None:
    """N91, N74: nobody knows the secret that it has then, so no second operator is asked."""
    with filled.work() as work:
        _register(work, scopes=("scim",), grant_types=("client_credentials",), redirect_uris=())
    lost = undone(
        filled,
        lambda work: client_secrets.rotate(
            work, registry.get(work, "emi"), overlap_hours=0, is_approved=True
        ),
    )
    found = redo(filled, lost)
    assert (found.refused, found.done["client.secret_rotated"]) == ([], 1)
    with filled.work() as work:
        assert registry.get(work, "emi").secret_digest != filled.made["secret"]


def test_a_scope_removed_from_a_provisioning_client_stays_removed(filled: World) -> None:
    """N91, N73: and what it may do for whom is not more than it was last."""
    pusher = {"grant_types": ("client_credentials",), "redirect_uris": ()}
    with filled.work() as work:
        _register(work, scopes=("scim",), **pusher)
    lost = undone(
        filled, lambda work: _register(work, push_operations=("read",), push_participants=("1",))
    )
    assert redo(filled, lost).done == {"client.updated": 1}
    assert redo(filled, lost).done == {}
    with filled.work() as work:
        row = registry.get(work, "emi")
        assert (row.push_operations, row.push_participants) == (["read"], ["1"])


def test_a_role_group_that_ended_since_is_revoked(filled: World) -> None:
    """N91, AR-06: and one whose end was put off keeps the end that the backup knows."""
    lost = undone(filled, lambda work: _shorten(work, days=1))
    filled.clock.advance(hours=36)
    assert redo(filled, lost).done == {"role_group.terms": 1}
    with filled.work() as work:
        assert held_role_groups.list_held(work, _ada(work)) == []


def test_a_lost_extension_of_an_account_is_not_replayed(filled: World) -> None:
    """N91: what was given since may be given again; nothing is given by itself."""
    with filled.work() as work:
        _shorten(work, days=2)
    lost = undone(filled, lambda work: _shorten(work, days=9))
    assert redo(filled, lost).done == {}
    with filled.work() as work:
        assert [row.valid_until for row in held_role_groups.list_held(work, _ada(work))] == [
            work.after(days=2)
        ]


def test_a_lost_custodian_change_leaves_no_credentials(filled: World) -> None:
    """MA-10: the old custodian is not one again because the new one was made since."""

    def act(work: UnitOfWork) -> None:
        machine = accounts.by_username(work, MACHINE)
        data = accounts.NewPerson(
            person_id="P-NEW",
            given_name="Noah",
            family_name="Okafor",
            email="n@participant.example",
        )
        machine_accounts.change_custodian(work, machine, accounts.get_or_create_person(work, data))

    assert redo(filled, undone(filled, act)).done["custodian.changed"] == 1
    assert filled.account_row(MACHINE).state == AccountState.SUSPENDED


def test_the_last_event_of_each_kind_decides(filled: World) -> None:
    """What was taken and given again is left as it is."""

    def act(work: UnitOfWork) -> None:
        ada, emi = _ada(work), registry.get(work, "emi")
        group, where = (
            role_groups.by_name(work, "EMI Viewer"),
            participants.by_number(work, "109120"),
        )
        lifecycle.change_state(work, ada, AccountState.SUSPENDED, reason="leave")
        lifecycle.resume(work, ada, reason="back")
        role_group_assignments.revoke(work, ada, group, where)
        role_group_assignments.assign(work, ada, group, where)
        registry.disable(work, emi)
        registry.enable(work, emi)
        contacts.replace(work, where, ())
        contacts.replace(work, where, [SPEAKS])

    assert redo(filled, undone(filled, act)).done == {}
    with filled.work() as work:
        assert _ada(work).state == AccountState.ACTIVE
        assert len(held_role_groups.list_held(work, _ada(work))) == 1


def test_an_account_with_the_reused_row_id_of_a_lost_one_is_not_changed(filled: World) -> None:
    """Numbers of rows are given again after a restoration; accounts are not confused."""
    lost = undone(filled, lambda work: lifecycle.change_state(
        work, _ada(work), AccountState.DEACTIVATED, reason="left"))  # fmt: skip
    with filled.work() as work:
        _ada(work).created_at = filled.clock.now()
        filled.clock.advance(minutes=1)
    for event in lost:
        event.at = event.at.replace(year=2020)
    found = redo(filled, lost)
    assert (found.done, found.refused) == ({}, [])
    assert filled.account_row("ada").state == AccountState.ACTIVE
