"""An account as a SCIM User."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from idp.directory.shown_accounts import ShownAccount, ShownPerson
from idp.models import (
    AccountState,
    Person,
)
from registration_bridge.resource_document import (
    ResourceDocument,
    ResourceKind,
    instant,
    present,
)
from registration_bridge.user_schema import REGISTRATION


def document_of(kind: ResourceKind, account: ShownAccount, base: str) -> ResourceDocument:
    """The User of an account; ``base`` is the address of the service."""
    return kind.document(
        base,
        account.subject,
        values_of(account),
        created=account.created_at,
        modified=max(account.updated_at, account.person.updated_at),
    )


def values_of(account: ShownAccount) -> dict[str, Any]:
    """The values of a User, without those that the gateway generates."""
    person, row = account.person, account.provisioned
    registration = present(
        personId=person.person_id,
        accountKind=str(account.kind),
        secondAccount=_second_account(account),
        registeredNetworks=[
            present(value=network, label=label or None) for network, label in account.networks
        ]
        or None,
        grants=_grants(account) or None,
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
    return values | {str(REGISTRATION): registration}


def holder_values(person: Person | ShownPerson) -> dict[str, Any]:
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


def _grants(account: ShownAccount) -> list[dict[str, Any]]:
    found = []
    for (name, number), terms in sorted(account.grants.items(), key=itemgetter(0)):
        grant: dict[str, Any] = {"roleGroup": name, "participantId": number}
        if terms.valid_from is not None:
            grant["validFrom"] = instant(terms.valid_from)
        if terms.valid_until is not None:
            grant["validUntil"] = instant(terms.valid_until)
        if terms.requested_by:
            grant["grantedBy"] = terms.requested_by
        if terms.request_number:
            grant["requestNumber"] = terms.request_number
        found.append(grant)
    return found


def _second_account(account: ShownAccount) -> dict[str, Any] | None:
    """The reason and participant, if it is a second account."""
    if not account.second_reason:
        return None
    return present(
        reason=account.second_reason, participantId=account.second_participant_number or None
    )
