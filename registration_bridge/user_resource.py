"""An account as a SCIM User."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from operator import itemgetter
from typing import Any

from scim2_models import Meta

from idp.directory import provisioned_accounts, role_group_assignments
from idp.directory.provisioning_scope import ProvisioningScope
from idp.directory.role_group_assignments import AssignmentTerms
from idp.machines import registered_networks
from idp.models import (
    Account,
    AccountState,
    Assignment,
    Person,
    ProvisionedAccount,
    RegisteredNetwork,
)
from idp.transaction import UnitOfWork
from registration_bridge.user_schema import (
    AccessGrant,
    Email,
    Name,
    Network,
    PhoneNumber,
    Registration,
    SecondAccount,
)


@dataclass(frozen=True)
class View:
    """An account and everything that its resource shows."""

    account: Account
    provisioned: ProvisionedAccount | None
    grants: list[Assignment]
    networks: list[RegisteredNetwork]


def views(work: UnitOfWork, scope: ProvisioningScope, accounts: Collection[Account]) -> list[View]:
    """The views of these accounts for the client, in three queries whatever their number."""
    rows = provisioned_accounts.registrations(work, accounts)
    grants = provisioned_accounts.assignments(work, scope, accounts)
    networks = registered_networks.of_many(work, accounts)
    return [
        View(
            account,
            rows.get(account.id),
            grants.get(account.id, []),
            networks.get(account.id, []),
        )
        for account in accounts
    ]


def resource_of(model: Any, view: View) -> Any:
    """The User of a view. Its version is a digest of its content."""
    account, person, row = view.account, view.account.person, view.provisioned
    user = model(
        id=account.subject,
        external_id=row.external_id if row else None,
        user_name=account.username,
        display_name=person.full_name,
        preferred_language=account.locale,
        timezone=account.zoneinfo,
        active=account.state != AccountState.SUSPENDED,
        **shown_holder(person),
    )
    user[Registration] = Registration(
        person_id=person.person_id,
        account_kind=str(account.kind),
        second_account=_second_account(account),
        registered_networks=[Network(value=n.network, label=n.label or None) for n in view.networks]
        or None,
        grants=_grants(view) or None,
        end_date=account.ends_at,
        request_number=(row.request_number or None) if row else None,
        sequence=row.sequence if row and row.sequence else None,
    )
    digest = sha256(user.model_dump_json(exclude_none=True).encode()).hexdigest()[:32]
    user.meta = Meta(
        resource_type="User",
        created=account.created_at,
        last_modified=max(account.updated_at, person.updated_at),
        version=f'W/"{digest}"',
    )
    return user


def shown_holder(person: Person) -> dict[str, Any]:
    """The holder's values that a User shows, by the names of its attributes."""
    extension = f";ext={person.phone_extension}" if person.phone_extension else ""
    return {
        "name": Name(
            family_name=person.family_name or None,
            given_name=person.given_name or None,
            middle_name=person.middle_name or None,
        ),
        "nick_name": person.preferred_name or None,
        "emails": [Email(value=person.email, type="work", primary=True)],
        "phone_numbers": [
            PhoneNumber(value=f"tel:{person.phone}{extension}", type="work", primary=True)
        ]
        if person.phone
        else None,
    }


def terms_of(grants: Iterable[Assignment]) -> dict[tuple[str, str], AssignmentTerms]:
    """The terms of grants, by role group and participant."""
    return {
        (grant.role_group.name, grant.participant.number): role_group_assignments.terms_of(grant)
        for grant in grants
    }


def _grants(view: View) -> list[AccessGrant]:
    return [
        AccessGrant(
            role_group=name,
            participant_id=number,
            valid_from=terms.valid_from,
            valid_until=terms.valid_until,
            granted_by=terms.requested_by or None,
            request_number=terms.request_number or None,
        )
        for (name, number), terms in sorted(terms_of(view.grants).items(), key=itemgetter(0))
    ]


def _second_account(account: Account) -> SecondAccount | None:
    """The reason and participant, if it is a second account."""
    if not account.second_reason:
        return None
    only = account.second_participant
    return SecondAccount(reason=account.second_reason, participant_id=only.number if only else None)
