"""Fill the demo's database once, by the shared services."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from idp.clients import registry
from idp.clients.client_data import ClientData
from idp.credentials import assertions
from idp.credentials import passwords as credentials
from idp.credentials.hashing import PasswordHasher
from idp.declarations import builtin_sets, declared_changes, declared_file
from idp.demo import registration_people
from idp.demo.home import Home, make_password
from idp.demo.people import (
    APPS,
    FIGURES,
    LOOPBACK,
    PARTICIPANTS,
    PUSHER,
    REGISTRATION,
    REGISTRATION_PROGRAM,
    REGISTRATION_PUSHER,
    Figure,
)
from idp.directory import (
    account_search,
    accounts,
    activation,
    lifecycle,
    participants,
    role_group_assignments,
    role_groups,
)
from idp.directory.state_reasons import StateReason
from idp.errors import ServiceError
from idp.factors import authenticators
from idp.machines import registered_networks
from idp.mfa.assurance import FactorKind
from idp.models import Account, AccountKind, AccountState, SignIn
from idp.transaction import Origin, Runtime, UnitOfWork


def seed(runtime: Runtime, hasher: PasswordHasher, home: Home) -> bool:
    """Create everything, unless it exists; returns whether anything was created. Raises
    ServiceError if only a part exists."""
    secrets = home.secrets()
    with runtime.step(Origin(actor="demo")) as work:
        clients = [entry.client_id for entry in APPS]
        clients += [REGISTRATION_PUSHER, REGISTRATION_PROGRAM]
        known = [registry.find(work, client_id) is not None for client_id in clients]
        if any(known) and not all(known):
            raise ServiceError("an earlier version made this demo; start it with --reset")
        if all(known):
            return False
        for number, name in PARTICIPANTS.items():
            participants.register(work, number, name)
        secrets["client_secrets"] |= _market(work, home)
        secrets["client_secrets"][PUSHER] = _pusher(work)
        _registration_pusher(work, secrets["registration_push_key"])
        _registration_program(work)
        for figure in (*FIGURES, *registration_people.figures()):
            account = seed_figure(work, hasher, figure, secrets)
            if figure.state is AccountState.PENDING:
                secrets["activation_path"] = activation.invite(work, account)
        # Before the commit: after a crash in between, the next start generates new ones.
        home.store(secrets)
    return True


def _market(work: UnitOfWork, home: Home) -> dict[str, str]:
    """Everything that `gateway apply --builtin ieso` makes, with the addresses of the applications
    that the demo starts. Returns the secrets by client id."""
    addresses = {entry.client_id: home.app_url(entry.offset) for entry in APPS}
    addresses["registration"] = home.app_url(REGISTRATION.offset)
    declared = declared_file.read(builtin_sets.text_of("ieso"), addresses)
    return declared_changes.apply(work, declared).secrets


def _pusher(work: UnitOfWork) -> str:
    """Register the registration system, a client that pushes accounts by SCIM. The demo needs no
    second operator for it."""
    data = ClientData(
        name="Registration system", grant_types=("client_credentials",), scopes=("scim",)
    )
    _, secret = registry.create(work, data, client_id=PUSHER, is_approved=True)
    return secret


def _registration_pusher(work: UnitOfWork, key: str) -> None:
    """Online IESO Registration as it pushes accounts; it signs with its key."""
    private = load_pem_private_key(key.encode(), None)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    data = ClientData(
        name="Online IESO Registration, pushes",
        grant_types=("client_credentials",),
        scopes=("scim",),
        auth_method="private_key_jwt",
        keys=(assertions.public_key(pem.decode()),),
    )
    registry.create(work, data, client_id=REGISTRATION_PUSHER, is_approved=True)


def seed_figure(
    work: UnitOfWork, hasher: PasswordHasher, figure: Figure, secrets: dict[str, Any]
) -> Account:
    """Create the account of a figure. Its password may change in ``secrets``."""
    account = _account(work, hasher, figure, secrets["passwords"])
    if figure.kind is AccountKind.MACHINE:
        registered_networks.replace(work, account, [(one, "demo") for one in LOOPBACK])
    if figure.state is not AccountState.PENDING:
        _factors(
            work, account, secrets["totp_secrets"][figure.role], prefers_app=figure.prefers_app
        )
    if figure.has_signed_in:
        _add_earlier_sign_in(work, account)
    return account


def _add_earlier_sign_in(work: UnitOfWork, account: Account) -> None:
    at = work.now - timedelta(days=30)
    work.db.add(
        SignIn(
            account_id=account.id, at=at, zone="America/Toronto", ip="127.0.0.1", asn="",
            country="", family="Chrome", major=1, system="Linux", kind="desktop", counted_at=at,
        )
    )  # fmt: skip


def _registration_program(work: UnitOfWork) -> None:
    """Programs on people's computers, for the interface of registration. Their tokens name the role
    group of the IESO's own people, so that those have their rights there too."""
    data = ClientData(
        name="Programs for Online IESO Registration",
        auth_method="none",
        grant_types=("authorization_code",),
        scopes=("openid", "groups", "registration.read", "registration.write"),
        redirect_uris=("http://127.0.0.1/callback",),
        account_kinds=(AccountKind.PERSONAL,),
        audience="urn:ieso:registration:api",
        trusted=True,
    )
    client, _ = registry.create(work, data, client_id=REGISTRATION_PROGRAM, is_approved=True)
    operators = role_groups.by_name(work, registration_people.OPERATOR_GROUP)
    registry.set_visible_groups(work, client, [operators])


def _account(
    work: UnitOfWork, hasher: PasswordHasher, figure: Figure, passwords: dict[str, str]
) -> Account:
    person = accounts.get_or_create_person(
        work,
        accounts.NewPerson(
            person_id=figure.person_id,
            given_name=figure.given_name,
            family_name=figure.family_name,
            email=figure.email,
            phone=figure.phone,
        ),
    )
    account = accounts.create_account(
        work, person, kind=figure.kind, username=figure.username, locale=figure.locale
    )
    if figure.recovery_phone:
        account.recovery_phone = figure.recovery_phone
        account_search.index_account(work, account)
    if figure.state is not AccountState.PENDING:
        passwords[figure.role] = _set_password(work, hasher, account, passwords[figure.role])
        lifecycle.change_state(work, account, AccountState.ACTIVE, reason=StateReason.DEMO)
    for group, number in figure.holds:
        participant = participants.by_number(work, number)
        role_group_assignments.assign(work, account, role_groups.by_name(work, group), participant)
    if figure.state is AccountState.LOCKED:
        lifecycle.change_state(work, account, AccountState.LOCKED, reason=StateReason.DEMO)
    return account


def _factors(work: UnitOfWork, account: Account, secret: str, *, prefers_app: bool = False) -> None:
    """An authenticator app, and codes by mail, which the outbox of the demo shows; as if the
    person had enrolled."""
    app = authenticators.start_enrolment(work, account, FactorKind.TOTP)
    app.secret_sealed = work.vault.encrypt(secret)
    mails = authenticators.start_enrolment(work, account, FactorKind.EMAIL)
    (app if prefers_app else mails).is_preferred = True
    app.confirmed_at = mails.confirmed_at = account.enrolled_at = work.now


def _set_password(work: UnitOfWork, hasher: PasswordHasher, account: Account, password: str) -> str:
    """Set a password that meets the policy; one that breaks a rule by chance is generated again."""
    for _ in range(20):
        if not credentials.change(
            work, hasher, account, password, source=credentials.PasswordSource.ACTIVATION
        ):
            return password
        password = make_password()
    raise ServiceError("no generated password meets the policy")
