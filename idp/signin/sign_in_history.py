"""The sign-ins of an account and the counts over all accounts, as the risk engine needs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, bindparam, insert, or_, select

from idp.db import table
from idp.mfa.features import agent_of, time_of_day
from idp.mfa.hour_density import GRID, density_of
from idp.mfa.risk_engine import agent_values
from idp.mfa.risk_values import Agent, Attempt, History, PastSignIn, Place, Population
from idp.mfa.sign_in_histories import KEPT, KEPT_DAYS, LEVELS, PROVED_LEVELS
from idp.models import Account, PopulationCount, SignIn
from idp.policy.addresses import UNKNOWN, address_of, network_of
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared

#: Levels of ``PopulationCount`` that are read whole.
WHOLE = ("total", "people", "distinct", "working", "free")
_SIGN_IN = table(SignIn).c


class _Alike(NamedTuple):
    """What is counted of a sign-in: the same in many rows."""

    ip: str
    asn: str
    country: str
    family: str
    major: int
    system: str
    kind: str


_LATEST = Prepared(
    select(
        *(_SIGN_IN[name] for name in _Alike._fields),
        _SIGN_IN.at, _SIGN_IN.zone, _SIGN_IN.is_proved, _SIGN_IN.latitude, _SIGN_IN.longitude,
    )
    .where(_SIGN_IN.account_id == bindparam("account"), _SIGN_IN.at > bindparam("since"))
    .order_by(_SIGN_IN.at.desc())
    .limit(KEPT)
)  # fmt: skip
_VALUES = itemgetter(slice(len(_Alike._fields)))
_RECORD = Prepared(insert(table(SignIn)).inline())
#: The value of each level is a parameter; None is the value of no row.
_POPULATION = Prepared(
    select(PopulationCount.level, PopulationCount.value, PopulationCount.seen).where(
        or_(
            PopulationCount.level.in_(WHOLE),
            *(
                and_(PopulationCount.level == level, PopulationCount.value == bindparam(level))
                for level in LEVELS
            ),
        )
    )
)


def record_sign_in(work: UnitOfWork, account: Account, *, with_factor: bool = False) -> None:
    """Add a completed sign-in to the history, with or without a second factor. The engine never
    learns from one that was stopped."""
    address = address_of(work.origin.ip)
    place, asn = work.ports.geo_locator.look_up(address)
    agent = agent_of(work.origin.user_agent or "")
    work.write(
        _RECORD,
        {
            "account_id": account.id,
            "at": work.now,
            "zone": account.zoneinfo,
            "ip": network_here(work),
            "asn": asn,
            "country": place.country,
            "latitude": place.latitude,
            "longitude": place.longitude,
            "family": agent.family[:60],
            "major": agent.major,
            "system": agent.system[:60],
            "kind": agent.kind,
            "is_proved": with_factor,
        },
    )


def values_of(row: SignIn | _Alike) -> dict[str, str]:
    """The value of a sign-in at each level; an empty one is not counted."""
    agent = Agent(row.family, row.major, row.system, row.kind)
    return {"ip": row.ip, "asn": row.asn, "country": row.country} | agent_values(agent)


def history_of(work: UnitOfWork, account: Account) -> History:
    """The last sign-ins of the account; one query."""
    since = work.now - timedelta(days=KEPT_DAYS)
    rows = work.run(_LATEST, {"account": account.id, "since": since}).all()
    last, seen = rows[0] if rows else None, _alike(rows)
    return History(
        sign_ins=len(rows),
        counts=_counted(seen, LEVELS),
        networks=_by_provider(seen),
        proofs=_counted(_alike(row for row in rows if is_proof(account, row)), PROVED_LEVELS),
        hours=[_seen(row, work.now) for row in rows],
        first_at=rows[-1].at if rows else None,
        last_at=last.at if last else None,
        last_place=Place(last.country, "", "", last.latitude, last.longitude) if last else Place(),
    )


def is_proof(account: Account, row: SignIn | Row[Any]) -> bool:
    """Whether a second factor was verified in this sign-in, and the account has not changed since
    in a way that lowers trust."""
    changed = account.distrusted_at
    return bool(row.is_proved and (changed is None or row.at >= changed))


def _counted(found: Counter[_Alike], levels: Iterable[str]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {level: Counter() for level in levels}
    for alike, number in found.items():
        values = values_of(alike)
        for level, seen in counts.items():
            if values[level]:
                seen[values[level]] += number
    return counts


def _by_provider(found: Counter[_Alike]) -> dict[str, Counter[str]]:
    """How often each network was seen, by its provider."""
    networks: dict[str, Counter[str]] = {}
    for alike, number in found.items():
        if alike.ip:
            networks.setdefault(alike.asn, Counter())[alike.ip] += number
    return networks


def _alike(rows: Iterable[Row[Any]]) -> Counter[_Alike]:
    """How many sign-ins have the same values at every level."""
    return Counter(map(_Alike._make, map(_VALUES, rows)))


def _seen(row: Row[Any], now: datetime) -> PastSignIn:
    of_day, is_free = time_of_day(row.at, row.zone)
    return PastSignIn(of_day, is_free, (now - row.at).total_seconds() / 86400)


class _Counts(Mapping[str, int]):
    """The counts of one level that were loaded. Its length is the number of all values."""

    def __init__(self, found: dict[str, int], distinct: int) -> None:
        self._found, self._distinct = found, distinct

    def __getitem__(self, value: str) -> int:
        return self._found[value]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return max(self._distinct, len(self._found))


def population_of(work: UnitOfWork, attempt: Attempt, history: History, kappa: float) -> Population:
    """The counts over all accounts, as far as this attempt needs them; one query."""
    mine = {
        "ip": attempt.ip,
        "asn": attempt.asn,
        "country": attempt.place.country,
        **agent_values(attempt.agent),
    }
    found: dict[str, dict[str, int]] = {}
    wanted = {level: value or None for level, value in mine.items()}
    for level, value, seen in work.run(_POPULATION, wanted):
        found.setdefault(level, {})[value] = seen
    distinct = found.get("distinct", {})
    return Population(
        # Until the worker has counted them, the account's own sign-ins are all there are.
        people=max(found.get("people", {}).get("", 0), 1),
        sign_ins=max(found.get("total", {}).get("", 0), history.sign_ins),
        counts={level: _Counts(found.get(level, {}), distinct.get(level, 0)) for level in LEVELS},
        working=_density(found.get("working", {}), kappa),
        free=_density(found.get("free", {}), kappa),
    )


def _density(bins: Mapping[str, int], kappa: float) -> list[float]:
    return density_of([bins.get(str(n), 0) for n in range(GRID)], kappa)


def network_here(work: UnitOfWork) -> str:
    """The network as the history knows it; empty when it is not known."""
    network = network_of(work.origin.ip)
    return "" if network == UNKNOWN else network
