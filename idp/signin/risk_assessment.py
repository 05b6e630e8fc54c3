"""The risk of a sign-in (MF-03): loads the history of the account and the counts of all accounts in
a fixed number of queries, and has ``mfa.risk_engine`` and ``mfa.decision`` decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address
from typing import Any

import structlog
from sqlalchemy import and_, func, or_, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import role_groups
from idp.mfa import decision as rules
from idp.mfa.decision import Browser, Decision, NoPrompt, NoPromptReason, Prompt
from idp.mfa.features import Agent, agent_of, hour_of
from idp.mfa.ledger import KEPT, KEPT_DAYS, LEVELS
from idp.mfa.risk_engine import (
    GRID,
    Attempt,
    History,
    Place,
    Population,
    Risk,
    Seen,
    Tuning,
    agent_values,
    assess,
    density_of,
)
from idp.models import Account, Client, Event, KnownBrowser, PopulationCount, SignIn
from idp.policy.addresses import UNKNOWN, address_of, network_of
from idp.session import browsers
from idp.transaction import UnitOfWork

log = structlog.get_logger("gateway.risk")
TUNING = Tuning()
HOUR = timedelta(hours=1)
#: More failures than these weigh no more.
COUNTED = 100
#: Levels of ``PopulationCount`` that are read whole.
WHOLE = ("total", "people", "distinct", "working", "free")


@dataclass(frozen=True)
class Assessment:
    """A decision with its risk and rule; ``risk`` is None when it could not be computed."""

    decision: Decision
    risk: Risk | None
    rule: rules.Rule


def evaluate(
    work: UnitOfWork,
    account: Account,
    known: KnownBrowser | None,
    cookie: str,
    *,
    client: Client | None,
    by_passkey: bool = False,
) -> Assessment:
    """Whether the risk or a rule asks for a second factor after the first one. If the risk cannot
    be computed a factor is asked for; nobody passes without one and nobody is locked out."""
    rule = rules.strictest(
        [
            work.settings.second_factor,
            client.second_factor if client else "",
            *role_groups.prompt_rules(work, account),
        ]
    )
    try:
        risk: Risk | None = _assess(work, account, known, cookie)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        log.error("risk_failed", account=account.id, error=type(error).__name__)
        risk = None
    browser = Browser(
        is_remembered=browsers.is_remembered(work, known),
        proved_at=known.proved_at if known else None,
    )
    if by_passkey:
        return Assessment(NoPrompt((NoPromptReason.PASSKEY,)), risk, rule)
    return Assessment(rules.decide(risk, rule, browser, work.now), risk, rule)


def record(
    work: UnitOfWork,
    account: Account,
    client: Client | None,
    found: Assessment,
    no_prompt: Sequence[NoPromptReason],
) -> None:
    """Write the assessment to the audit trail. ``no_prompt``: why no second factor is asked for
    in the end; empty when one is."""
    events.record(
        work,
        AuditAction.SIGNIN_ASSESSED,
        account=account,
        client=client,
        no_prompt_reasons=list(no_prompt),
        **_explained(found),
    )


def _explained(found: Assessment) -> dict[str, Any]:
    """What the audit trail keeps and the console shows."""
    asked = found.decision if isinstance(found.decision, Prompt) else None
    told: dict[str, Any] = {
        "decision": "prompt" if asked else "no_prompt",
        "reasons": list(asked.reasons) if asked else [],
        "needs_strong": bool(asked and asked.needs_strong),
        "rule": str(found.rule),
    }
    if found.risk is not None:
        told |= {
            "model": found.risk.model,
            "score": round(found.risk.score, 2),
            "band": str(found.risk.band),
            "thresholds": {"medium": TUNING.medium, "high": TUNING.high},
            "evidence": [
                asdict(entry) | {"weight": round(entry.weight, 2)} for entry in found.risk.evidence
            ],
            "hits": list(found.risk.hits),
        }
    return told


def _assess(work: UnitOfWork, account: Account, known: KnownBrowser | None, cookie: str) -> Risk:
    history = _history(work, account)
    attempt = _attempt(work, account, known, cookie, history)
    return assess(attempt, history, _population(work, attempt, history), TUNING)


def _attempt(
    work: UnitOfWork, account: Account, known: KnownBrowser | None, cookie: str, history: History
) -> Attempt:
    address = address_of(work.origin.ip)
    place, asn = work.ports.places.look_up(address)
    changed = account.distrusted_at
    is_new = changed is not None and (history.last_at is None or changed > history.last_at)
    return Attempt(
        at=work.now,
        hour=hour_of(work.now, account.zoneinfo),
        ip=_network(work),
        asn=asn,
        place=place,
        agent=agent_of(work.origin.user_agent or ""),
        device=browsers.device(work, account, cookie),
        device_family=agent_of(known.user_agent or "").family if known else "",
        failures=_refused(work, Event.account_id == account.id),
        network_failures=_refused_nearby(work),
        is_listed=address in work.ports.listed,
        after=account.distrusted_for if is_new else "",
    )


def _refused(work: UnitOfWork, whose: Any) -> int:
    """How many sign-ins were refused within the hour, up to a bound."""
    rows = (
        select(Event.id)
        .where(whose, Event.name == AuditAction.SIGNIN_REFUSED, Event.at > work.now - HOUR)
        .limit(COUNTED)
    )
    return work.db.scalar(select(func.count()).select_from(rows.subquery())) or 0


def _refused_nearby(work: UnitOfWork) -> int:
    """The same for the network that the request comes from."""
    address = address_of(work.origin.ip)
    if not isinstance(address, IPv6Address):
        return _refused(work, Event.ip == work.origin.ip) if work.origin.ip else 0
    # An address may be written in several ways that begin alike: the network is compared here.
    first = f"{int(address) >> 112:x}:"
    rows = work.db.execute(
        select(Event.ip, func.count())
        .where(
            Event.ip.startswith(first),
            Event.name == AuditAction.SIGNIN_REFUSED,
            Event.at > work.now - HOUR,
        )
        .group_by(Event.ip)
    )
    here = network_of(work.origin.ip)
    return min(sum(count for ip, count in rows if network_of(ip) == here), COUNTED)


def _network(work: UnitOfWork) -> str:
    """The network as the history knows it; empty when it is not known."""
    network = network_of(work.origin.ip)
    return "" if network == UNKNOWN else network


def record_sign_in(work: UnitOfWork, account: Account) -> None:
    """Add a completed sign-in to the history. The engine never learns from one that was stopped."""
    address = address_of(work.origin.ip)
    place, asn = work.ports.places.look_up(address)
    agent = agent_of(work.origin.user_agent or "")
    work.db.add(
        SignIn(
            account_id=account.id,
            at=work.now,
            zone=account.zoneinfo,
            ip=_network(work),
            asn=asn,
            country=place.country,
            latitude=place.latitude,
            longitude=place.longitude,
            family=agent.family[:60],
            major=agent.major,
            system=agent.system[:60],
            kind=agent.kind,
        )
    )


def values_of(row: SignIn) -> dict[str, str]:
    """The value of a sign-in at each level; an empty one is not counted."""
    agent = Agent(row.family, row.major, row.system, row.kind)
    return {"ip": row.ip, "asn": row.asn, "country": row.country} | agent_values(agent)


def _history(work: UnitOfWork, account: Account) -> History:
    rows = work.db.scalars(
        select(SignIn)
        .where(
            SignIn.account_id == account.id,
            SignIn.at > work.now - timedelta(days=KEPT_DAYS),
        )
        .order_by(SignIn.at.desc())
        .limit(KEPT)
    ).all()
    counts: dict[str, Counter[str]] = {level: Counter() for level in LEVELS}
    for row in rows:
        for level, value in values_of(row).items():
            if value:
                counts[level][value] += 1
    last = rows[0] if rows else None
    return History(
        sign_ins=len(rows),
        counts=counts,
        hours=[_seen(row, work.now) for row in rows],
        first_at=rows[-1].at if rows else None,
        last_at=last.at if last else None,
        last_place=Place(last.country, "", "", last.latitude, last.longitude) if last else Place(),
    )


def _seen(row: SignIn, now: datetime) -> Seen:
    hour = hour_of(row.at, row.zone)
    return Seen(hour.of_day, hour.is_free, (now - row.at).total_seconds() / 86400)


class _Counts(Mapping[str, int]):
    """The counts of a level that were looked up; its length is how many values there are."""

    def __init__(self, found: dict[str, int], distinct: int) -> None:
        self._found, self._distinct = found, distinct

    def __getitem__(self, value: str) -> int:
        return self._found[value]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return max(self._distinct, len(self._found))


def _population(work: UnitOfWork, attempt: Attempt, history: History) -> Population:
    """What everybody did, as far as this attempt needs it; one query."""
    mine = {
        "ip": attempt.ip,
        "asn": attempt.asn,
        "country": attempt.place.country,
        **agent_values(attempt.agent),
    }
    wanted = [
        and_(PopulationCount.level == level, PopulationCount.value == value)
        for level, value in mine.items()
        if value
    ]
    found: dict[str, dict[str, int]] = {}
    query = select(PopulationCount.level, PopulationCount.value, PopulationCount.seen)
    for level, value, seen in work.db.execute(
        query.where(or_(PopulationCount.level.in_(WHOLE), *wanted))
    ):
        found.setdefault(level, {})[value] = seen
    distinct = found.get("distinct", {})
    return Population(
        # Before the worker came by, the person's own sign-ins are all there are.
        people=max(found.get("people", {}).get("", 0), 1),
        sign_ins=max(found.get("total", {}).get("", 0), history.sign_ins),
        counts={level: _Counts(found.get(level, {}), distinct.get(level, 0)) for level in LEVELS},
        working=_density(found.get("working", {})),
        free=_density(found.get("free", {})),
    )


def _density(bins: Mapping[str, int]) -> list[float]:
    return density_of([bins.get(str(n), 0) for n in range(GRID)], TUNING.kappa)
