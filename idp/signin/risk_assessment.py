"""The risk of a sign-in (MF-03): a fixed number of queries, then ``mfa.risk_engine`` computes the
score and ``mfa.decision`` decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from ipaddress import IPv6Address
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select

from idp import metrics
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import held_role_groups
from idp.mfa import decision as rules
from idp.mfa.decision import Browser, Decision, NoPrompt, Prompt
from idp.mfa.features import agent_of, hour_of
from idp.mfa.prompt_reasons import AccountChange, NoPromptReason
from idp.mfa.risk_engine import assess
from idp.mfa.risk_values import Attempt, History, Risk, Tuning
from idp.mfa.second_factor_rule import Rule, strictest
from idp.models import Account, Client, Event, KnownBrowser
from idp.policy.addresses import address_of, network_of
from idp.session import browsers
from idp.session.browsers import Recognised
from idp.signin import sign_in_history
from idp.transaction import UnitOfWork
from service_base import logs
from service_base.prepared import Prepared

log = logs.Logger("gateway.risk")
TUNING = Tuning()
HOUR = timedelta(hours=1)
#: More failures than these weigh no more.
COUNTED = 100


def _count_of(whose: ColumnElement[bool]) -> Select[int]:
    """How many sign-ins were refused after ``since``, up to a bound."""
    rows = (
        select(Event.id)
        .where(whose, Event.name == AuditAction.SIGNIN_REFUSED, Event.at > bindparam("since"))
        .limit(COUNTED)
    )
    return select(func.count()).select_from(rows.subquery())


_OF_ACCOUNT = _count_of(Event.account_id == bindparam("account"))
_REFUSED_TO_ACCOUNT = Prepared(_OF_ACCOUNT)
#: To the account, and to the address; none to an unknown one.
_REFUSED = Prepared(
    select(
        _OF_ACCOUNT.scalar_subquery().label("to_account"),
        _count_of(Event.ip == bindparam("ip")).scalar_subquery().label("to_address"),
    )
)


@dataclass(frozen=True)
class Assessment:
    """A decision with its risk and rule; ``risk`` is None when it could not be computed."""

    decision: Decision
    risk: Risk | None
    rule: Rule


def evaluate(
    work: UnitOfWork,
    account: Account,
    browser: Recognised,
    *,
    client: Client | None,
    by_passkey: bool = False,
) -> Assessment:
    """Whether the risk or a rule asks for a second factor after the first one. If the risk cannot
    be computed a factor is asked for; no sign-in passes without one and no person is locked out."""
    held = held_role_groups.second_factor_rules(work, account)
    rule = strictest([work.settings.second_factor, client.second_factor if client else "", *held])
    try:
        risk: Risk | None = _assess(work, account, browser, is_privileged=bool(held))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        log.error("risk_failed", account=account.subject, error=type(error).__name__)
        risk = None
    known = browser.known
    proof = Browser(
        is_remembered=browsers.is_remembered(work, known),
        proved_at=known.proved_at if known else None,
    )
    if by_passkey:
        return Assessment(NoPrompt((NoPromptReason.PASSKEY,)), risk, rule)
    return Assessment(rules.decide(risk, rule, proof, work.now), risk, rule)


def record(
    work: UnitOfWork,
    account: Account,
    client: Client | None,
    found: Assessment,
    no_prompt: Sequence[NoPromptReason],
) -> None:
    """Write the assessment to the audit trail. ``no_prompt``: why no second factor is asked for
    in the end; empty when one is."""
    explained = _explained(found)
    metrics.RISK_DECISIONS.add(
        explained["decision"], explained.get("band", "none"), explained["rule"]
    )
    events.record(
        work,
        AuditAction.SIGNIN_ASSESSED,
        account=account,
        client=client,
        no_prompt_reasons=list(no_prompt),
        **explained,
    )


def _explained(found: Assessment) -> dict[str, Any]:
    """What the audit trail keeps and the console shows."""
    asked = found.decision if isinstance(found.decision, Prompt) else None
    data: dict[str, Any] = {
        "decision": "prompt" if asked else "no_prompt",
        "reasons": list(asked.reasons) if asked else [],
        "needs_strong": bool(asked and asked.needs_strong),
        "rule": str(found.rule),
    }
    if found.risk is not None:
        data |= {
            "model": found.risk.model,
            "score": round(found.risk.score, 2),
            "band": str(found.risk.band),
            "thresholds": {"medium": TUNING.medium, "high": TUNING.high},
            "evidence": [
                asdict(entry) | {"weight": round(entry.weight, 2)} for entry in found.risk.evidence
            ],
            "hits": list(found.risk.hits),
        }
    return data


def _assess(
    work: UnitOfWork,
    account: Account,
    browser: Recognised,
    *,
    is_privileged: bool,
) -> Risk:
    history = sign_in_history.history_of(work, account)
    attempt = _attempt(work, account, browser, history)
    attempt = replace(attempt, is_privileged=is_privileged)
    population = sign_in_history.population_of(work, attempt, history, TUNING.kappa)
    return assess(attempt, history, population, TUNING)


def _attempt(work: UnitOfWork, account: Account, browser: Recognised, history: History) -> Attempt:
    known, device = browser
    failures, network_failures = _refused(work, account)
    address = address_of(work.origin.ip)
    place, asn = work.ports.geo_locator.look_up(address)
    changed = account.distrusted_at
    is_new = changed is not None and (history.last_at is None or changed > history.last_at)
    return Attempt(
        at=work.now,
        hour=hour_of(work.now, account.zoneinfo),
        ip=sign_in_history.network_here(work),
        asn=asn,
        place=place,
        agent=agent_of(work.origin.user_agent or ""),
        device=device,
        device_family=agent_of(known.user_agent or "").family if known else "",
        has_key=known is not None and known.binding is not None,
        is_proved=_is_proved(account, known),
        failures=failures,
        network_failures=network_failures,
        is_listed=address in work.ports.suspicious_networks,
        after=_change(account) if is_new else None,
    )


def _is_proved(account: Account, known: KnownBrowser | None) -> bool:
    """Whether a second factor was verified in this browser, and the account has not changed since
    in a way that lowers trust."""
    proved_at, changed = known.proved_at if known else None, account.distrusted_at
    return proved_at is not None and (changed is None or proved_at >= changed)


def _change(account: Account) -> AccountChange | None:
    """What happened to the account. Raises ValueError for one that this release does not know: then
    a second factor is required."""
    return AccountChange(account.distrusted_for) if account.distrusted_for else None


def _refused(work: UnitOfWork, account: Account) -> tuple[int, int]:
    """How many sign-ins were refused within the last hour, up to a bound: those of the account, and
    those from the network of the request."""
    values = {"account": account.id, "ip": work.origin.ip, "since": work.now - HOUR}
    address = address_of(work.origin.ip)
    if not isinstance(address, IPv6Address):
        ours, here = work.run(_REFUSED, values).one()
        return ours, here
    return work.run(_REFUSED_TO_ACCOUNT, values).scalar(), _refused_nearby(work, address)


def _refused_nearby(work: UnitOfWork, address: IPv6Address) -> int:
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
