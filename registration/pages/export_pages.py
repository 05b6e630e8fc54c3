"""The lists of an organization as files: representatives, contact roles, sections, machines and
participations, now or on a past day. The grid and the history have theirs beside the page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response

from hosted_pages.languages import is_french
from registration import current, market_participations, organization_lists
from registration.models import ContactRole, Market
from registration.organization_lists import Holder
from registration.pages import downloads, query_days, standing
from registration.pages.organization_pages import reachable
from registration.pages.standing import Standing

HOLDER = ("person_id", "name", "phone", "email", "since", "until", "given_by")
REPRESENTATIVES = ("office", *HOLDER)
CONTACT_ROLES = ("role", "role_name", "minimum", "maximum", *HOLDER)
SECTIONS = ("name", "phone", "email", "contact_roles", "since")
MACHINES = ("username", "description", "custodian_id", "custodian", "networks", "access_roles")
PARTICIPATIONS = ("market", "market_name", "type", "state", "applied", "approved", "ended")


def representatives(organization_id: str) -> Response:
    """A record for each appointment."""
    here, at = _asked(organization_id)
    records = [
        {"office": str(one.tier), **_holder(reachable(here, who))}
        for one in organization_lists.offices(current.work(), here.here, at)
        for who in one.holders
    ]
    return downloads.download("representatives", here, REPRESENTATIVES, records)


def contact_roles(organization_id: str) -> Response:
    """A record for each holder, and one for a role that nobody holds."""
    here, at = _asked(organization_id)
    nobody = dict.fromkeys(HOLDER, "")
    records = [
        {
            "role": one.role.code,
            "role_name": _name(one.role),
            "minimum": one.role.minimum,
            "maximum": one.role.maximum,
            **holder,
        }
        for one in organization_lists.contact_roles(current.work(), here.here, at)
        for holder in [_holder(reachable(here, who)) for who in one.holders] or [nobody]
    ]
    return downloads.download("contact-roles", here, CONTACT_ROLES, records)


def sections(organization_id: str) -> Response:
    """A record for each section."""
    here, at = _asked(organization_id)
    records = [
        {
            "name": one.row.name,
            "phone": one.row.phone,
            "email": one.row.email,
            "contact_roles": [_name(role) for role in one.roles],
            "since": _moment(one.row.valid_from),
        }
        for one in organization_lists.sections(current.work(), here.here, at)
    ]
    return downloads.download("sections", here, SECTIONS, records)


def machines(organization_id: str) -> Response:
    """A record for each machine account."""
    here, at = _asked(organization_id)
    records = [
        {
            "username": one.username,
            "description": one.description,
            "custodian_id": one.custodian_id,
            "custodian": one.custodian,
            "networks": [" ".join(filter(None, network)) for network in one.networks],
            "access_roles": one.roles,
        }
        for one in organization_lists.machines(current.work(), here.here, at, query_days.text("id"))
    ]
    return downloads.download("machines", here, MACHINES, records)


def participations(organization_id: str) -> Response:
    """A record for each participation; what came after the day is not there."""
    here, at = _asked(organization_id)
    records = [
        {
            "market": one.row.market.code,
            "market_name": _name(one.row.market),
            "type": one.row.market.kind,
            "state": str(one.state),
            **{name: _moment(moment if moment and moment <= at else None)
               for name, moment in (("applied", one.row.applied_at),
                                    ("approved", one.row.approved_at),
                                    ("ended", one.row.ended_at))},
        }
        for one in market_participations.of(current.work(), here.here, at)
    ]  # fmt: skip
    return downloads.download("participations", here, PARTICIPATIONS, records)


def _asked(organization_id: str) -> tuple[Standing, datetime]:
    return standing.at(organization_id), query_days.as_of().at


def _holder(one: Holder) -> dict[str, Any]:
    return {
        "person_id": one.id,
        "name": one.name,
        "phone": one.phone,
        "email": one.email,
        "since": _moment(one.since),
        "until": _moment(one.until),
        "given_by": one.given_by,
    }


def _moment(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _name(one: ContactRole | Market) -> str:
    return one.name_fr if is_french() else one.name
