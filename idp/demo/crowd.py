"""Many invented people for the demo: as many accounts as a whole market has.

They can be searched, opened and reported on. Nobody can sign in as one of them, because they have
no password: a hundred thousand bcrypt hashes would take a working day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import func, insert, select, text

from idp.audit.actions import AuditAction
from idp.directory.account_search import sort_name
from idp.models import Account, AccountState, Assignment, Event, Participant, Person, RoleGroup
from idp.models import SearchTerm as Term
from idp.policy.names import name_key
from idp.policy.search_terms import fold, terms
from idp.transaction import UnitOfWork

#: A table and a row for it.
Row = tuple[type, dict[str, Any]]
BATCH = 2000
COMPANIES = 400
PREFIX = "crowd-"
GIVEN = (
    "Amélie", "Andrea", "Anil", "Beatrice", "Carlos", "Chantal", "Dalia", "Derek", "Elif", "Émile",
    "Farah", "Gwen", "Hassan", "Ines", "Jaspreet", "Julie", "Kofi", "Laura", "Liang", "Maeve",
    "Marc", "Nadia", "Noah", "Olga", "Pascal", "Priya", "Quentin", "Rosa", "Samir", "Sylvie",
    "Tariq", "Uma", "Viktor", "Wanda", "Xavier", "Yara", "Zoltan",
)  # fmt: skip
FAMILY = (
    "Abernathy", "Arsenault", "Bélanger", "Bianchi", "Chaudhry", "Côté", "Delacroix", "Dhaliwal",
    "Eriksen", "Fitzgerald", "Gagnon", "Grewal", "Hamilton", "Hosseini", "Ivanov", "Jankowski",
    "Kowalczyk", "Laflamme", "Leblanc", "MacDonald", "Mensah", "Nguyen", "O'Connor", "Okonkwo",
    "Papadakis", "Pelletier", "Quinn", "Robichaud", "Sandhu", "Schneider", "Smith", "Tanaka",
    "Thibault", "Underhill", "Valenti", "Wójcik", "Yilmaz", "Zhang",
)  # fmt: skip
#: The percentage of accounts in each state.
STATES = (
    (AccountState.ACTIVE, 90), (AccountState.PENDING, 5), (AccountState.LOCKED, 2),
    (AccountState.SUSPENDED, 2), (AccountState.DEACTIVATED, 1),
)  # fmt: skip


def missing(work: UnitOfWork, wanted: int) -> int:
    """How many of the wanted accounts do not exist yet."""
    have = select(func.count()).select_from(Account).where(Account.subject.startswith(PREFIX))
    return max(0, wanted - (work.db.scalar(have) or 0))


def add(work: UnitOfWork, count: int, report: Callable[[int], None]) -> None:
    """Add ``count`` accounts in one transaction. After each batch, ``report`` gets its size."""
    companies, groups = _companies(work), _groups(work)
    random = Random(work.db.scalar(select(func.max(Account.id))) or 0)  # noqa: S311 - no secrets
    first_person = (work.db.scalar(select(func.max(Person.id))) or 0) + 1
    first_account = (work.db.scalar(select(func.max(Account.id))) or 0) + 1
    for start in range(0, count, BATCH):
        rows: dict[type, list[dict[str, Any]]] = {
            model: [] for model in (Person, Account, Term, Assignment, Event)
        }
        size = min(BATCH, count - start)
        for n in range(start, start + size):
            numbers = first_person + n, first_account + n
            for model, row in _rows(work, random, numbers, companies, groups):
                rows[model].append(row)
        for model, values in rows.items():
            work.db.execute(insert(model), values)
        report(size)
    if work.db.get_bind().dialect.name == "postgresql":
        _update_sequences_and_statistics(work)


def _update_sequences_and_statistics(work: UnitOfWork) -> None:
    """On PostgreSQL, move the sequences past the ids that were inserted, and update the planner
    statistics without waiting for autovacuum."""
    for table in ("person", "account"):
        work.db.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), "  # noqa: S608 - constants
                f"(SELECT max(id) FROM {table}))"
            )
        )
    work.db.execute(text("ANALYZE"))


def _rows(
    work: UnitOfWork,
    random: Random,
    numbers: tuple[int, int],
    companies: list[int],
    groups: list[int],
) -> Iterator[Row]:
    """One person with an account, search terms, role groups and some events."""
    person_pk, account_pk = numbers
    since = work.now - timedelta(days=random.randrange(30, 1500))
    person = _person(random, person_pk, account_pk, since)
    account = _account(work, random, account_pk, person, since)
    yield Person, person
    yield Account, account
    words = terms(
        username=account["username"],
        email=person["email"],
        person_id=person["person_id"],
        names=(person["given_name"], person["family_name"]),
        phones=(person["phone"],),
    )
    for term in words:
        yield Term, {"term": term, "account_id": account_pk}
    yield Event, _event(AuditAction.ACCOUNT_CREATED, since, account_pk)
    if account["state"] is not AccountState.DEACTIVATED:
        yield from _access(random, account_pk, since, companies, groups)


def _person(random: Random, pk: int, account_pk: int, since: datetime) -> dict[str, Any]:
    given, family = random.choice(GIVEN), random.choice(FAMILY)
    phone = f"+1705{random.randrange(2_000_000, 9_999_999)}"
    email = f"{_username(given, family, account_pk)}@company{random.randrange(COMPANIES)}.example"
    return {
        "id": pk, "person_id": str(500_000 + pk), "given_name": given, "middle_name": "",
        "family_name": family, "preferred_name": "", "email": email, "email_key": name_key(email),
        "phone": phone, "phone_extension": "", "created_at": since, "updated_at": since,
    }  # fmt: skip


def _username(given: str, family: str, account_pk: int) -> str:
    return f"{fold(family)[:5].replace(chr(39), '')}{fold(given)[0]}{account_pk}"


def _account(
    work: UnitOfWork, random: Random, pk: int, person: dict[str, Any], since: datetime
) -> dict[str, Any]:
    given, family = person["given_name"], person["family_name"]
    username = _username(given, family, pk)
    state = random.choices([s for s, _ in STATES], [n for _, n in STATES])[0]
    held = state in (AccountState.LOCKED, AccountState.SUSPENDED)
    return {
        "id": pk, "subject": f"{PREFIX}{work.token(12)}", "kind": "personal",
        "state": state, "state_changed_at": since, "state_reason": "operator" if held else "demo",
        "resumes_as": AccountState.ACTIVE if held else None, "username": username,
        "username_key": name_key(username), "sort_name": sort_name(family, given),
        "person_id": person["id"],
        "activated_at": None if state is AccountState.PENDING else since,
        "created_at": since, "updated_at": since,
    }  # fmt: skip


def _access(
    random: Random, account_pk: int, since: datetime, companies: list[int], groups: list[int]
) -> Iterator[Row]:
    """One to three role groups at one company; every fifth was revoked."""
    company = random.choice(companies)
    for group in random.sample(groups, k=min(len(groups), random.randrange(1, 4))):
        revoked = since + timedelta(days=20) if random.random() < 0.2 else None
        yield Assignment, {
            "account_id": account_pk, "role_group_id": group, "participant_id": company,
            "granted_at": since, "granted_by": "demo", "revoked_at": revoked,
            "revoked_by": "demo" if revoked else None,
        }  # fmt: skip
        yield Event, _event(AuditAction.ROLE_GROUP_ASSIGNED, since, account_pk)


def _event(name: AuditAction, at: Any, account_id: int) -> dict[str, Any]:
    return {
        "at": at, "name": str(name), "outcome": "ok", "account_id": account_id, "actor": "demo",
        "data": {},
    }  # fmt: skip


def _companies(work: UnitOfWork) -> list[int]:
    """The companies of these people, created if they do not exist."""
    found = list(work.db.scalars(select(Participant.id).where(Participant.number.like("7%"))))
    for n in range(len(found), COMPANIES):
        name = f"{FAMILY[n % len(FAMILY)]} Energy {n:03}"
        row = Participant(
            number=str(700_000 + n), name=name, name_key=fold(name), created_at=work.now
        )
        work.db.add(row)
        work.db.flush()
        found.append(row.id)
    return found


def _groups(work: UnitOfWork) -> list[int]:
    """The role groups of applications that people may hold."""
    query = select(RoleGroup.id).where(
        RoleGroup.kind == "personal", RoleGroup.name.not_like("Gateway %")
    )
    return list(work.db.scalars(query.order_by(RoleGroup.id)))
