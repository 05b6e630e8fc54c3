"""Organizations: registered by the IESO before they apply for a participation (TM-02, TM-08),
renamed by the IESO (RG-15), and found by the IESO.

A registration or new name, its history and the push to the gateway are one transaction.
"""

from __future__ import annotations

import re

from sqlalchemy import or_, select, tuple_

from registration import history, organization_pushes, requests
from registration.delegation_facts import Actor, Facts, Target
from registration.delegation_rules import Action
from registration.models import Organization, Request
from registration.organization_refusals import (
    OrganizationNameInvalid,
    OrganizationNumberInvalid,
    OrganizationTaken,
)
from registration.permission import require
from registration.transaction import UnitOfWork
from registration.work_refusals import ChangedMeanwhile

#: Actions of the history.
REGISTERED, RENAMED = "organization.registered", "organization.renamed"
FIRST_ORGANIZATION_ID = 200_001
MAX_NAME, MAX_DIGITS = 200, 20
#: Organizations on a page.
SIZE = 50
_DIGITS = re.compile(rf"[0-9]{{1,{MAX_DIGITS}}}")


def register(work: UnitOfWork, actor: Actor, name: str, number: str = "") -> Organization:
    """Register an organization under this Organization ID, or under the next free one. Raises
    NotAllowed, OrganizationNameInvalid, OrganizationNumberInvalid, OrganizationTaken."""
    require(actor, Action.REGISTER_ORGANIZATION, Target(""), Facts(at=work.now))
    name, number = _cleaned(name), number.strip()
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


def rename(
    work: UnitOfWork, actor: Actor, row: Organization, version: int, name: str, why: str = ""
) -> Request | None:
    """Give the organization another name; it keeps its Organization ID. Returns None if it has this
    name. Raises NotAllowed, OrganizationNameInvalid, OrganizationTaken, ChangedMeanwhile."""
    require(actor, Action.REGISTER_ORGANIZATION, Target(""), Facts(at=work.now))
    name = _cleaned(name)
    requests.hold(work, "organization", FIRST_ORGANIZATION_ID)
    work.db.refresh(row)
    if row.version != version:
        raise ChangedMeanwhile()
    if row.name == name:
        return None
    _check_free(work, name, but=row)
    before, row.name, row.updated_at = row.name, name, work.now
    work.db.flush()
    request = requests.open_request(work, RENAMED, organization=row)
    history.record(work, RENAMED, organization=row, request=request, before={"name": before},
                   after={"name": name}, reason=why)  # fmt: skip
    organization_pushes.queue(work, row, request)
    return request


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


def _cleaned(name: str) -> str:
    """The name as it is stored. Raises OrganizationNameInvalid."""
    found = " ".join(name.split())
    if not found or len(found) > MAX_NAME or not found.isprintable():
        raise OrganizationNameInvalid(most=MAX_NAME)
    return found


def _check_free(
    work: UnitOfWork, name: str, number: str = "", but: Organization | None = None
) -> None:
    """Whatever the capitals of the name."""
    same = Organization.name.icontains(name, autoescape=True)
    query = select(Organization).where(or_(same, Organization.organization_id == number))
    for one in work.db.scalars(query):
        if one is but:
            continue
        if one.organization_id == number or one.name.casefold() == name.casefold():
            raise OrganizationTaken(name=one.name, number=one.organization_id)
