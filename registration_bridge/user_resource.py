"""An account as a SCIM User."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from operator import itemgetter
from typing import Any

from scim2_models import Meta
from sqlalchemy import select

from idp.directory import role_groups
from idp.directory.role_groups import AssignmentTerms
from idp.models import (
    Account,
    AccountState,
    Assignment,
    ProvisionedAccount,
    RegisteredNetwork,
)
from idp.transaction import UnitOfWork
from registration_bridge import holders
from registration_bridge.reach import Reach
from registration_bridge.user_schema import AccessGrant, Network, Registration, SecondAccount


@dataclass
class View:
    """An account with all that its resource shows."""

    account: Account
    provisioned: ProvisionedAccount | None
    grants: list[Assignment]
    networks: list[RegisteredNetwork]


def views(work: UnitOfWork, reach: Reach, accounts: Iterable[Account]) -> list[View]:
    """What the pusher sees of these accounts, in three queries whatever their number."""
    rows = list(accounts)
    ids = [row.id for row in rows]
    sides = {
        side.account_id: side
        for side in work.db.scalars(
            select(ProvisionedAccount).where(ProvisionedAccount.account_id.in_(ids))
        )
    }
    held: dict[int, list[Assignment]] = {}
    for grant in work.db.scalars(
        select(Assignment)
        .join(Assignment.participant)
        .where(
            Assignment.account_id.in_(ids),
            Assignment.revoked_at.is_(None),
            reach.of_participants(),
        )
    ):
        held.setdefault(grant.account_id, []).append(grant)
    nets: dict[int, list[RegisteredNetwork]] = {}
    for network in work.db.scalars(
        select(RegisteredNetwork)
        .where(RegisteredNetwork.account_id.in_(ids))
        .order_by(RegisteredNetwork.network)
    ):
        nets.setdefault(network.account_id, []).append(network)
    return [
        View(row, sides.get(row.id), held.get(row.id, []), nets.get(row.id, [])) for row in rows
    ]


def resource_of(model: Any, view: View) -> Any:
    """The User of a view, its version a digest of what it shows."""
    account, person, side = view.account, view.account.person, view.provisioned
    user = model(
        id=account.subject,
        external_id=side.external_id if side else None,
        user_name=account.username,
        display_name=person.full_name,
        preferred_language=account.locale,
        timezone=account.zoneinfo,
        active=account.state != AccountState.SUSPENDED,
        **holders.shown(person),
    )
    user[Registration] = Registration(
        person_id=person.person_id,
        account_kind=str(account.kind),
        second_account=second_of(account),
        registered_networks=[Network(value=n.network, label=n.label or None) for n in view.networks]
        or None,
        grants=[
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
        or None,
        end_date=account.ends_at,
        request_number=(side.request_number or None) if side else None,
        sequence=side.sequence if side and side.sequence else None,
    )
    digest = sha256(user.model_dump_json(exclude_none=True).encode()).hexdigest()[:32]
    user.meta = Meta(
        resource_type="User",
        created=account.created_at,
        last_modified=max(account.updated_at, person.updated_at),
        version=f'W/"{digest}"',
    )
    return user


def second_of(account: Account) -> SecondAccount | None:
    """What makes the account a second one, if it is."""
    if not account.second_reason:
        return None
    only = account.second_participant
    return SecondAccount(reason=account.second_reason, participant_id=only.number if only else None)


def terms_of(grants: Iterable[Assignment]) -> dict[tuple[str, str], AssignmentTerms]:
    """By role group and participant."""
    return {
        (grant.role_group.name, grant.participant.number): role_groups.terms_of(grant)
        for grant in grants
    }
