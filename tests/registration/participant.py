"""A participant with people and roles, and a bridge that answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from registration.models import (
    AccessRole,
    Account,
    Appointment,
    Market,
    Organization,
    Participation,
    Person,
)
from registration.person_search import search_key
from registration.transaction import UnitOfWork

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
OLD = NOW - timedelta(days=100)
RA, TRADER = "100001", "100002"


def person(work: UnitOfWork, person_id: str, name: str, *, account: bool = True) -> Person:
    first, _, last = name.partition(" ")
    row = Person(
        person_id=person_id, first_name=first, last_name=last, main_phone="+14165550100",
        main_phone_extension="12", main_email=f"{last.lower()}@lakes.example",
        search_key=search_key(first, last), created_at=OLD, updated_at=OLD,
    )  # fmt: skip
    work.db.add(row)
    work.db.flush()
    if account:
        work.db.add(
            Account(external_id=f"person-{person_id}", kind="person", person_id=row.id,
                    username=last.lower(), scim_id=f"scim-{person_id}", created_at=OLD,
                    created_by="test")
        )  # fmt: skip
        work.db.flush()
    return row


def participant(work: UnitOfWork) -> Organization:
    """An organization with a Rights Administrator, in one market of two, and its roles."""
    here = Organization(organization_id="109120", name="Northern Lakes", created_at=OLD,
                        updated_at=OLD, applied_at=OLD)  # fmt: skip
    energy = Market(code="energy", name="Energy", name_fr="Énergie", kind="market")
    rights = Market(code="rights", name="Rights", name_fr="Droits", kind="market", position=1)
    work.db.add_all([here, energy, rights])
    work.db.flush()
    work.db.add(
        Participation(organization_id=here.id, market_id=energy.id, applied_at=OLD,
                      applied_by="test", approved_at=OLD, approved_by="test")
    )  # fmt: skip
    for code, kind, market, groups in (
        ("bids", "person", energy, ["EMI Bids and Offers"]),
        ("view", "person", energy, ["EMI Viewer"]),
        ("robot", "machine", energy, ["MIM"]),
        ("auction", "person", rights, ["TRA"]),
    ):
        work.db.add(
            AccessRole(code=code, name=code.title(), name_fr=f"{code} (fr)", kind=kind,
                       market_id=market.id, role_groups=groups)
        )  # fmt: skip
    admin, _ = person(work, RA, "Marie Tremblay"), person(work, TRADER, "Ada Moreau")
    work.db.add(
        Appointment(person_id=admin.id, organization_id=here.id, office="ra", valid_from=OLD,
                    given_by="test")
    )  # fmt: skip
    work.db.flush()
    return here
