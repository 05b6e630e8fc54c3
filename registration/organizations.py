"""Organizations: registered by the IESO before they apply for a participation (TM-02, TM-08), and
found by the IESO.

The registration, its history and the push to the gateway are one transaction.
"""

from __future__ import annotations

import re

from sqlalchemy import or_, select, tuple_

from registration import history, organization_pushes, requests
from registration.delegation_facts import Actor, Facts, Target
from registration.delegation_rules import Action
from registration.models import Organization
from registration.organization_refusals import (
    OrganizationNameInvalid,
    OrganizationNumberInvalid,
    OrganizationTaken,
)
from registration.permission import require
from registration.transaction import UnitOfWork

#: The action of the history, and the kind of the request.
REGISTERED = "organization.registered"
FIRST_ORGANIZATION_ID = 200_001
MAX_NAME, MAX_DIGITS = 200, 20
#: Organizations on a page.
SIZE = 50
_DIGITS = re.compile(rf"[0-9]{{1,{MAX_DIGITS}}}")


def register(work: UnitOfWork, actor: Actor, name: str, number: str = "") -> Organization:
    """Register an organization under this Organization ID, or under the next free one. Raises
    NotAllowed, OrganizationNameInvalid, OrganizationNumberInvalid, OrganizationTaken."""
    require(actor, Action.REGISTER_ORGANIZATION, Target(""), Facts(at=work.now))
    name, number = " ".join(name.split()), number.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise OrganizationNameInvalid(most=MAX_NAME)
    if number and not _DIGITS.fullmatch(number):
        raise OrganizationNumberInvalid(most=MAX_DIGITS)
    # Of two who register the same organization at once, the second finds the first one's.
    requests.hold(work, "organization", FIRST_ORGANIZATION_ID)
    _check_free(work, name, number)
    row = Organization(
        organization_id=number
        or requests.free_number(
            work, "organization", FIRST_ORGANIZATION_ID, Organization.organization_id
        ),
        name=name,
        created_at=work.now,
        updated_at=work.now,
    )
    work.db.add(row)
    work.db.flush()
    request = requests.open_request(work, "organization", organization=row)
    after = {"name": row.name, "organization_id": row.organization_id}
    history.record(work, REGISTERED, organization=row, request=request, after=after)
    organization_pushes.queue(work, row, request)
    return row


def search(work: UnitOfWork, text: str, *, after: int = 0) -> tuple[list[Organization], int]:
    """A page of the organizations with this text in their name, or with this Organization ID, by
    name; ``after`` is the row after which the page starts (0: the first). Also where the next page
    starts; 0 if there is none."""
    query = select(Organization).order_by(Organization.name, Organization.id)
    if text:
        query = query.where(
            or_(
                Organization.name.icontains(text, autoescape=True),
                Organization.organization_id == text,
            )
        )
    if last := work.db.get(Organization, after) if after else None:
        place = tuple_(Organization.name, Organization.id)
        query = query.where(place > tuple_(last.name, last.id))
    rows = list(work.db.scalars(query.limit(SIZE + 1)))
    found = rows[:SIZE]
    return found, found[-1].id if len(rows) > SIZE else 0


def _check_free(work: UnitOfWork, name: str, number: str) -> None:
    """Whatever the capitals of the name."""
    same = Organization.name.icontains(name, autoescape=True)
    query = select(Organization).where(or_(same, Organization.organization_id == number))
    for one in work.db.scalars(query):
        if one.organization_id == number or one.name.casefold() == name.casefold():
            raise OrganizationTaken(name=one.name, number=one.organization_id)
