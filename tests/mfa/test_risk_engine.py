"""The risk engine: what it expects of people, and what it makes of the rest."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.mfa.features import HOME_ZONE, agent_of, hour_of
from idp.mfa.hour_density import GRID, bin_of, density_of, hour_density, is_unusual_hour
from idp.mfa.prompt_reasons import AFTER
from idp.mfa.risk_engine import assess, distance_km, has_early_trust
from idp.mfa.risk_values import (
    Agent,
    Attempt,
    Band,
    Device,
    History,
    Hour,
    PastSignIn,
    Place,
    Population,
    Risk,
    Tuning,
)
from idp.mfa.sign_in_histories import KEPT, KEPT_DAYS, SignInHistories

ZONE = ZoneInfo(HOME_ZONE)
TUNING = Tuning()
EDGE = Agent("Edge", 130, "Windows", "desktop")
TORONTO = Place("CA", "ON", "Toronto", 43.65, -79.38)
OTTAWA = Place("CA", "ON", "Ottawa", 45.42, -75.70)
VANCOUVER = Place("CA", "BC", "Vancouver", 49.28, -123.12)
CHICAGO = Place("US", "IL", "Chicago", 41.88, -87.63)


def at(day: int, hour: float, month: int = 5, year: int = 2026) -> datetime:
    """A moment on the wall clock of Ontario."""
    wall = datetime(year, month, 1, tzinfo=ZONE) + timedelta(days=day - 1)
    return wall.replace(hour=int(hour), minute=int(hour % 1 * 60)).astimezone(UTC)


def attempt(when: datetime, **changes: object) -> Attempt:
    """A sign-in at the office on the own workstation."""
    usual = Attempt(
        at=when,
        hour=hour_of(when, HOME_ZONE),
        ip="172.16.0.1",
        asn="64800",
        place=TORONTO,
        agent=EDGE,
        device=Device.KNOWN,
        device_family="Edge",
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


class Market:
    """Some people with habits, and one whose sign-ins are judged."""

    def __init__(self) -> None:
        self.ledger = SignInHistories(TUNING.kappa)
        for number in range(20):
            for day in range(1, 29):
                when = at(day, 8.5 + number % 4 * 0.3, month=3)
                other = attempt(when, ip=f"10.0.{number}.1", asn=f"6460{number % 4}")
                self.ledger.add(f"other{number}", other)

    def live(self, user: str, hours: list[float], days: range, **changes: object) -> None:
        """Sign in at these hours on these days of April and May."""
        for day in days:
            for hour in hours:
                self.ledger.add(user, attempt(at(day, hour, month=4), **changes))

    def judge(self, user: str, one: Attempt) -> Risk:
        return assess(one, self.ledger.history(user, one.at), self.ledger.population(), TUNING)


@pytest.fixture
def market() -> Market:
    """Ada has worked from half past eight for weeks; it is the middle of May."""
    made = Market()
    made.live("ada", [8.5], range(1, 41))
    return made


def weight(risk: Risk, feature: str) -> float:
    return sum(entry.weight for entry in risk.evidence if entry.feature == feature)


def test_a_usual_sign_in_needs_no_second_factor(market: Market) -> None:
    """MF-03: known device, usual hour, usual network."""
    risk = market.judge("ada", attempt(at(12, 8.6)))
    assert (risk.band, risk.hits, risk.asks) == (Band.LOW, (), False)
    assert risk.score < TUNING.medium


RULES = {
    "new_device": {"device": Device.UNKNOWN},
    "forgotten_device": {"device": Device.REVOKED},
    "stolen_device": {"agent": Agent("Firefox", 140, "Linux", "desktop")},
    "new_country": {"place": CHICAGO},
    **{str(reason): {"after": change} for change, reason in AFTER.items()},
}


@pytest.mark.parametrize("rule", RULES)
def test_hard_rules_require_a_factor_at_any_score(market: Market, rule: str) -> None:
    """Always ask, with the reason named."""
    risk = market.judge("ada", attempt(at(12, 8.6), **RULES[rule]))
    assert rule in risk.hits
    assert risk.asks
    assert risk.band is not Band.LOW


def test_a_cookie_of_another_account_is_a_new_device(market: Market) -> None:
    """A workstation that somebody else used is not known for this person."""
    risk = market.judge("ada", attempt(at(12, 8.6), device=Device.OF_ANOTHER))
    assert risk.hits == ("new_device",)


def test_a_stolen_cookie_abroad_needs_a_strong_factor(market: Market) -> None:
    """Only a strong factor will do."""
    for change in (RULES["stolen_device"], RULES["new_country"]):
        assert market.judge("ada", attempt(at(12, 8.6), **change)).band is Band.HIGH


def test_the_first_week_of_use(market: Market) -> None:
    """First sign-in and the first five days ask, without other evidence; then a usual morning does
    not."""
    asked = []
    for day in range(1, 15):
        one = attempt(at(day, 8.5))
        asked.append(market.judge("new", one).asks)
        market.ledger.add("new", one)
    assert asked == [True] * 5 + [False] * 9


HERE, PROVIDER = {"ip": {"172.16.0.1": 1}}, {"asn": {"64800": 1}}
TWICE = {"asn": {"64800": 2}}
#: What is proved, what the attempt has, and whether a new account is trusted.
EARLY = (
    (HERE, {}, True),
    (HERE, {"is_proved": False}, False),
    (HERE, {"ip": "172.16.0.2"}, False),
    (PROVIDER, {}, False),
    (TWICE, {}, True),
    (TWICE, {"asn": "64801"}, False),
    (TWICE, {"asn": ""}, False),
    ({}, {"has_key": True}, True),
    ({}, {"has_key": True, "is_proved": False}, False),
    (HERE | TWICE, {"has_key": True, "is_privileged": True}, False),
    *[
        (HERE | TWICE, {"has_key": True, "device": device}, False)
        for device in Device
        if device is not Device.KNOWN
    ],
)


@pytest.mark.parametrize(("proofs", "changes", "is_trusted"), EARLY)
def test_mf03_a_new_account_is_trusted_by_evidence(
    market: Market,
    proofs: dict[str, dict[str, int]],
    changes: dict[str, object],
    *,
    is_trusted: bool,
) -> None:
    """MF-03, docs/risk.md: a factor in this browser, and its key, the network, or twice the
    provider. A copied cookie, a browser without its key and far-reaching rights have no such
    trust."""
    one = attempt(at(2, 8.5), **{"is_proved": True, **changes})
    history = History(
        sign_ins=1, proofs=proofs, first_at=one.at - timedelta(days=1), last_at=one.at
    )
    hits = assess(one, history, market.ledger.population(), TUNING).hits
    assert ("young_account" not in hits) is is_trusted
    assert has_early_trust(one, history) is is_trusted


def test_mf03_new_networks_weigh_by_how_often_the_person_uses_new_ones() -> None:
    """Good 1953: the share of networks seen once, among those of the provider: at home they are
    few, with a telephone nearly all. A proved key replaces this evidence, and unknown values are
    none."""
    counts = {"ip": {"a": 8, "b": 1, "c": 1, "d": 1}, "asn": {"n": 9, "m": 2}}
    networks = {"n": {"a": 8, "b": 1}, "m": {"c": 1, "d": 1}}
    history = History(sign_ins=11, counts=counts, networks=networks)
    population = Population(people=2, sign_ins=20, counts={})

    def novelty(**changes: object) -> float:
        one = attempt(at(12, 8.5), **{"ip": "z", "asn": "n", **changes})
        return weight(assess(one, history, population, TUNING), "novelty")

    assert novelty() == pytest.approx(math.log(10 / 2))
    assert novelty(asn="m") == pytest.approx(math.log(3 / 3))
    assert novelty(asn="y") == pytest.approx(0.75 * math.log(12 / 1))
    assert novelty(ip="c") == novelty(ip="") == novelty(asn="y", has_key=True) == 0
    assert novelty(asn="") == 0
    unknown = replace(history, networks={"": {"a": 10}})
    one = attempt(at(12, 8.5), ip="z", asn="")
    found = assess(one, unknown, population, TUNING)
    assert weight(found, "novelty") == pytest.approx(math.log(11))
    one = attempt(at(12, 8.5), has_key=True)
    assert weight(assess(one, history, population, TUNING), "key") == -1
    assert weight(assess(one, History(), population, TUNING), "novelty") == 0


def test_mf03_an_hour_that_the_person_never_keeps_is_enough(market: Market) -> None:
    """MF-03: in the known browser and the usual network, and the reason is the hour. An hour beside
    the usual one is not."""
    night = market.judge("ada", attempt(at(12, 1.0)))
    assert (night.hits, night.band) == (("unusual_hour",), Band.MEDIUM)
    assert not market.judge("ada", attempt(at(12, 10.5))).asks


def test_mf03_a_known_browser_weighs_half(market: Market) -> None:
    """The cookie says already which browser it is."""
    known, unknown = (
        weight(market.judge("ada", attempt(at(12, 8.5), device=device)), "browser")
        for device in (Device.KNOWN, Device.UNKNOWN)
    )
    assert known == pytest.approx(unknown / 2)
    assert known != 0


def test_after_a_long_absence_a_factor_is_required(market: Market) -> None:
    """Dormant over 90 days; a holiday of six weeks is no absence."""
    assert not market.judge("ada", attempt(at(20, 8.5, month=6))).asks
    risk = market.judge("ada", attempt(at(20, 8.5, month=8)))
    assert risk.hits == ("dormant_account",)


def test_the_change_to_daylight_saving_time_requires_no_factor(market: Market) -> None:
    """The Monday after it people come an hour off: scored like the hour they are used to."""
    habit = [PastSignIn(8.5, is_free=False, age_days=float(n)) for n in range(1, 40)]
    history = History(sign_ins=39, hours=habit)
    everybody = market.ledger.population()
    monday = hour_of(at(9, 9.5, month=3), HOME_ZONE)
    assert monday.after_change
    assert not hour_of(at(20, 9.5, month=3), HOME_ZONE).after_change
    judged = assess(attempt(at(9, 9.5, month=3), hour=monday), history, everybody, TUNING)
    usual = assess(
        attempt(at(9, 9.5, month=3), hour=Hour(8.5, is_free=False)), history, everybody, TUNING
    )
    assert weight(judged, "hour") == pytest.approx(weight(usual, "hour"))
    autumn = hour_of(at(2, 7.5, month=11), HOME_ZONE)
    assert autumn.after_change


def test_a_frequent_traveller_is_learned(market: Market) -> None:
    """Another city of the country with the own workstation: asked once, or not at all if it proves
    its key. Abroad: asked once, then no more. There and back faster than a jet: asked."""
    away = {"ip": "198.51.100.4", "asn": "64901", "place": VANCOUVER}
    monday = attempt(at(12, 11.5), **away)
    assert market.judge("ada", monday).hits == ()
    assert market.judge("ada", monday).asks
    assert not market.judge("ada", replace(monday, has_key=True)).asks
    market.ledger.add("ada", monday)
    jet = attempt(at(12, 12.5))
    assert "impossible_travel" in market.judge("ada", jet).hits
    home = attempt(at(13, 8.5))
    assert not market.judge("ada", home).asks
    market.ledger.add("ada", home)
    abroad = attempt(at(14, 9.0), ip="203.0.113.9", asn="64902", place=CHICAGO)
    assert market.judge("ada", abroad).hits == ("new_country",)
    market.ledger.add("ada", abroad)
    again = attempt(at(15, 9.0), ip="203.0.113.10", asn="64902", place=CHICAGO)
    assert not market.judge("ada", again).asks


def test_an_unknown_place_is_no_travel(market: Market) -> None:
    """authentik 25660: missing data never counts against anybody."""
    market.ledger.add("ada", attempt(at(12, 8.5), place=VANCOUVER))
    risk = market.judge("ada", attempt(at(12, 8.6), place=Place()))
    assert risk.hits == ()


def test_a_night_shift_is_learned(market: Market) -> None:
    """Nights are usual for who works nights, and unusual for who does not."""
    market.live("nora", [18.8, 6.7], range(1, 41))
    night = attempt(at(12, 18.9))
    assert not market.judge("nora", night).asks
    assert weight(market.judge("nora", night), "hour") < 0
    late = market.judge("ada", attempt(at(12, 3.0)))
    codes = {entry.code for entry in late.evidence}
    assert "unusual_hour" in codes
    assert weight(late, "hour") > 1
    assert "unusual_hour" not in {e.code for e in market.judge("nora", night).evidence}


def test_a_shared_workstation_is_learned_for_each_person(market: Market) -> None:
    """A new colleague is asked once at the workstation that others use; then it is known."""
    room = {"ip": "172.16.9.1", "asn": "64805", "agent": Agent("Chrome", 130, "Windows", "desktop")}
    for day in range(1, 41):
        for name in ("ivan", "june"):
            one = attempt(at(day, 6.8, month=4), device_family="Chrome", **room)
            market.ledger.add(name, one)
    market.live("kim", [8.5], range(1, 41))
    first = attempt(at(12, 8.5), device=Device.OF_ANOTHER, device_family="", **room)
    assert market.judge("kim", first).hits == ("new_device",)
    market.ledger.add("kim", first)
    second = attempt(at(13, 8.5), device_family="Chrome", **room)
    assert not market.judge("kim", second).asks


def test_a_browser_that_updated_itself_is_the_same(market: Market) -> None:
    """Some versions on, it scores as before; an older one, or a leap, does not."""
    usual = market.judge("ada", attempt(at(12, 8.5)))
    updated = market.judge("ada", attempt(at(12, 8.5), agent=replace(EDGE, major=133)))
    older = market.judge("ada", attempt(at(12, 8.5), agent=replace(EDGE, major=112)))
    leap = market.judge("ada", attempt(at(12, 8.5), agent=replace(EDGE, major=160)))
    assert weight(updated, "browser") <= weight(usual, "browser")
    assert weight(older, "browser") > weight(usual, "browser")
    assert weight(leap, "browser") > weight(usual, "browser")
    assert not updated.asks


def test_failures_and_a_bad_name_are_evidence(market: Market) -> None:
    """Many failures around it, sprays of the network, the operator's list: bounded, and named."""
    calm = market.judge("ada", attempt(at(12, 8.5)))
    stormy = market.judge(
        "ada", attempt(at(12, 8.5), failures=200, network_failures=5000, is_listed=True)
    )
    assert 0 < weight(stormy, "failures") <= 4
    assert stormy.score > calm.score
    codes = {entry.code for entry in stormy.evidence}
    assert {"failures_before", "failures_of_network", "listed_network"} <= codes


def test_the_equation_by_hand() -> None:
    """NDSS 2016, equation 7: the product of the ratios, smoothed as published."""
    counts = {
        "ip": {"a": 6, "b": 4},
        "asn": {"n": 10},
        "country": {"CA": 10},
        "version": {},
        "family": {},
        "system": {},
        "kind": {},
    }
    own = {"ip": {"a": 2}, "asn": {"n": 2}, "country": {"CA": 2}}
    when = at(12, 8.5)
    one = attempt(when, ip="a", asn="n", agent=Agent())
    risk = assess(
        one,
        History(sign_ins=2, counts=own),
        Population(people=5, sign_ins=10, counts=counts),
        TUNING,
    )
    everybody = 0.6 * 6 / 10 * (1 - 3 / 13) + 0.3 * 10 / 10 * (1 - 2 / 12) + 0.1 * (1 - 1 / 11)
    assert weight(risk, "network") == pytest.approx(math.log(everybody / 1.0))
    assert weight(risk, "rarity") == pytest.approx(math.log((1 / 5) / (2 / 10)))


def test_an_unseen_value_costs_a_quarter_of_everybodys() -> None:
    """The person's own term is not smoothed; nothing becomes a quarter, however rare it is."""
    counts = {level: {} for level in ("version", "family", "system", "kind")}
    counts |= {"ip": {"a": 9, "z": 1}, "asn": {"n": 9, "y": 1}, "country": {"CA": 9, "US": 1}}
    history = History(sign_ins=3, counts={"ip": {"a": 3}, "asn": {"n": 3}, "country": {"CA": 3}})
    population = Population(people=3, sign_ins=10, counts=counts)
    one = attempt(at(12, 8.5), ip="z", asn="y", place=Place("US"), agent=Agent())
    risk = assess(one, history, population, TUNING)
    assert weight(risk, "network") == pytest.approx(math.log(4))


def test_the_density_of_hours_is_a_density() -> None:
    """It integrates to one over the day, with and without a history and everybody's habits."""
    bins = [0] * GRID
    for hour in (8.5, 8.7, 13.0, 23.9):
        bins[bin_of(hour)] += 1
    grid = density_of(bins, TUNING.kappa)
    assert sum(grid) * 24 / len(grid) == pytest.approx(1, abs=1e-6)
    population = Population(working=grid, free=grid)
    habit = [
        PastSignIn(8.5, is_free=False, age_days=3.0),
        PastSignIn(9.0, is_free=True, age_days=90.0),
    ]
    for history in (History(), History(sign_ins=2, hours=habit)):
        total = sum(
            hour_density(Hour(step * 24 / 960, is_free=False), history, population, TUNING)
            for step in range(960)
        )
        assert total * 24 / 960 == pytest.approx(1, abs=1e-2)
    assert density_of([0] * GRID, TUNING.kappa) == []


def test_midnight_is_near_midnight() -> None:
    """The day is a circle."""
    habit = [PastSignIn(23.8, is_free=False, age_days=1.0) for _ in range(20)]
    history = History(sign_ins=20, hours=habit)
    near = hour_density(Hour(0.2, is_free=False), history, Population(), TUNING)
    far = hour_density(Hour(12.0, is_free=False), history, Population(), TUNING)
    assert near > 10 * far
    assert not is_unusual_hour(Hour(0.2, is_free=False), history, Population(), TUNING)
    assert is_unusual_hour(Hour(12.0, is_free=False), history, Population(), TUNING)


def test_five_sign_ins_are_needed_to_call_an_hour_unusual() -> None:
    """Fewer tell nothing."""
    for count, unusual in ((4, False), (8, True)):
        habit = [PastSignIn(8.5, is_free=False, age_days=1.0) for _ in range(count)]
        history = History(sign_ins=count, hours=habit)
        assert is_unusual_hour(Hour(20.0, is_free=False), history, Population(), TUNING) == unusual


def test_distances_between_places() -> None:
    """Over the globe; None where a place is not known."""
    assert distance_km(TORONTO, OTTAWA) == pytest.approx(352, abs=5)
    assert distance_km(TORONTO, VANCOUVER) == pytest.approx(3359, abs=20)
    assert distance_km(TORONTO, TORONTO) == 0
    assert distance_km(TORONTO, Place("CA")) is None


def test_a_history_is_limited_to_500_sign_ins_and_180_days() -> None:
    """500 sign-ins or 180 days; what was forgotten counts no more."""
    ledger = SignInHistories(TUNING.kappa)
    start = at(1, 8.5, month=1)
    for number in range(KEPT + 50):
        ledger.add("ada", attempt(start + timedelta(hours=number), ip=f"10.0.0.{number % 250}"))
    history = ledger.history("ada", start + timedelta(days=60))
    assert history.sign_ins == KEPT == len(history.hours)
    assert sum(history.counts["ip"].values()) == KEPT
    late = start + timedelta(days=KEPT_DAYS + 60)
    ledger.add("ada", attempt(late, ip="203.0.113.1"))
    history = ledger.history("ada", late)
    assert history.counts["ip"] == {"203.0.113.1": 1}
    assert history.networks["64800"] == history.counts["ip"]
    assert history.first_at == start


@given(
    values=st.fixed_dictionaries(
        {
            "ip": st.text(max_size=20),
            "asn": st.text(max_size=10),
            "failures": st.integers(0, 10**9),
            "network_failures": st.integers(0, 10**9),
            "device": st.sampled_from(Device),
            "device_family": st.sampled_from(["", "Edge", "x"]),
            "place": st.sampled_from([TORONTO, Place(), CHICAGO, Place("ZZ", "", "", 0.0, None)]),
            "agent": st.sampled_from([EDGE, Agent(), Agent("x", 99999, "y", "z")]),
        }
    ),
    hour=st.floats(0, 23.999),
    free=st.booleans(),
    sign_ins=st.integers(0, 3),
)
def test_every_attempt_has_a_finite_score(
    values: dict[str, object], hour: float, free: bool, sign_ins: int
) -> None:
    """A finite score and named evidence, whatever comes in."""
    ledger = SignInHistories(TUNING.kappa)
    for number in range(sign_ins):
        ledger.add("ada", attempt(at(number + 1, 8.5)))
    one = attempt(at(12, 8.5), hour=Hour(hour, is_free=free), **values)
    risk = assess(one, ledger.history("ada", one.at), ledger.population(), TUNING)
    assert math.isfinite(risk.score)
    assert all(math.isfinite(entry.weight) and entry.code for entry in risk.evidence)


AGENTS = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36 Edg/130.0.2849.80": Agent("Edge", 130, "Windows", "desktop"),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/17.5 Mobile/15E148 Safari/604.1": Agent("Mobile Safari", 17, "iOS", "mobile"),
    "": Agent(),
    "curl/8.5.0": Agent("curl", 8, "", ""),
    "\x00" * 500: Agent(),
}


@pytest.mark.parametrize("header", AGENTS)
def test_browsers_are_compared_by_family_and_major_version(header: str) -> None:
    """Never the raw header."""
    assert agent_of(header) == AGENTS[header]


def test_holidays_and_hours_are_those_of_ontario() -> None:
    """Canada Day and Family Day are free; an unknown zone is home's."""
    assert hour_of(datetime(2026, 7, 1, 14, tzinfo=UTC), HOME_ZONE) == Hour(10.0, is_free=True)
    assert hour_of(datetime(2026, 2, 16, 14, tzinfo=UTC), HOME_ZONE).is_free
    assert not hour_of(datetime(2026, 7, 2, 14, tzinfo=UTC), HOME_ZONE).is_free
    assert hour_of(datetime(2026, 7, 2, 14, tzinfo=UTC), "Mars/Base").of_day == 10.0
    assert hour_of(datetime(2026, 7, 2, 14, tzinfo=UTC), "../etc/passwd").of_day == 10.0
    assert hour_of(datetime(2026, 7, 2, 14, tzinfo=UTC), "America/Vancouver").of_day == 7.0
