"""An account as a SCIM User."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

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
from registration_bridge.resource_document import (
    ResourceDocument,
    ResourceKind,
    instant,
    present,
)
from registration_bridge.user_schema import REGISTRATION


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


def document_of(kind: ResourceKind, view: View, base: str) -> ResourceDocument:
    """The User of a view; ``base`` is the address of the service."""
    account, person, row = view.account, view.account.person, view.provisioned
    registration = present(
        personId=person.person_id,
        accountKind=str(account.kind),
        secondAccount=_second_account(account),
        registeredNetworks=[
            present(value=entry.network, label=entry.label or None) for entry in view.networks
        ]
        or None,
        grants=_grants(view) or None,
        endDate=instant(account.ends_at),
        requestNumber=(row.request_number or None) if row else None,
        sequence=(row.sequence or None) if row else None,
    )
    values = present(
        externalId=row.external_id if row else None,
        userName=account.username,
        displayName=person.full_name,
        preferredLanguage=account.locale,
        timezone=account.zoneinfo,
        active=account.state != AccountState.SUSPENDED,
        **holder_values(person),
    )
    return kind.document(
        base,
        account.subject,
        values | {str(REGISTRATION): registration},
        created=account.created_at,
        modified=max(account.updated_at, person.updated_at),
    )


def holder_values(person: Person) -> dict[str, Any]:
    """The holder's values that a User shows, None for those that are missing."""
    extension = f";ext={person.phone_extension}" if person.phone_extension else ""
    name = present(
        familyName=person.family_name or None,
        givenName=person.given_name or None,
        middleName=person.middle_name or None,
    )
    phone = {"value": f"tel:{person.phone}{extension}", "type": "work", "primary": True}
    return {
        "name": name or None,
        "nickName": person.preferred_name or None,
        "emails": [{"value": person.email, "type": "work", "primary": True}],
        "phoneNumbers": [phone] if person.phone else None,
    }


def terms_of(grants: Iterable[Assignment]) -> dict[tuple[str, str], AssignmentTerms]:
    """The terms of grants, by role group and participant."""
    return {
        (grant.role_group.name, grant.participant.number): role_group_assignments.terms_of(grant)
        for grant in grants
    }


def _grants(view: View) -> list[dict[str, Any]]:
    return [
        present(
            roleGroup=name,
            participantId=number,
            validFrom=instant(terms.valid_from),
            validUntil=instant(terms.valid_until),
            grantedBy=terms.requested_by or None,
            requestNumber=terms.request_number or None,
        )
        for (name, number), terms in sorted(terms_of(view.grants).items(), key=itemgetter(0))
    ]


def _second_account(account: Account) -> dict[str, Any] | None:
    """The reason and participant, if it is a second account."""
    if not account.second_reason:
        return None
    return present(
        reason=account.second_reason, participantId=account.second_participant_number or None
    )
