"""Factors, decisions and the risk score at their exact limits, as calculations."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from idp.mfa import question_pool, recovery_code, totp
from idp.mfa.assurance import (
    FactorKind,
    acr_of,
    amr_of,
    has_factor,
    is_strong,
    passkey_methods,
    strongest_first,
)
from idp.mfa.code_input import MAX_TYPED, compact
from idp.mfa.decision import DUE, SUSPICIOUS, Browser, NoPrompt, Prompt, decide
from idp.mfa.features import MAX_AGENT, agent_of, hour_of, is_free_day
from idp.mfa.hour_density import (
    GRID,
    bin_of,
    density_of,
    hour_density,
    is_unusual_hour,
)
from idp.mfa.prompt_reasons import (
    AccountChange,
    EvidenceCode,
    Feature,
    NoPromptReason,
    PromptReason,
)
from idp.mfa.question_pool import Fault
from idp.mfa.risk_engine import EARTH_KM, agent_values, assess, distance_km, is_impossible_travel
from idp.mfa.risk_values import (
    Agent,
    Attempt,
    Band,
    Device,
    Evidence,
    History,
    Hour,
    PastSignIn,
    Place,
    Population,
    Risk,
    Tuning,
)
from idp.mfa.second_factor_rule import Rule, strictest
from idp.mfa.sign_in_histories import KEPT, KEPT_DAYS, SignInHistories
from idp.policy.scopes import ACR_MFA, ACR_PASSWORD, ACR_PHR

NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)
TUNING = Tuning()
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("proved", "amr", "acr", "weak_acr", "factor"),
    [
        ((), [], ACR_PASSWORD, ACR_PASSWORD, False),
        (("pwd",), ["pwd"], ACR_PASSWORD, ACR_PASSWORD, False),
        (("pwd", "email"), ["pwd", "email"], ACR_PASSWORD, ACR_MFA, True),
        (("email",), ["email"], ACR_PASSWORD, ACR_PASSWORD, True),
        (("otp",), ["otp"], ACR_PASSWORD, ACR_PASSWORD, True),
        (("pwd", "otp"), ["pwd", "otp", "mfa"], ACR_MFA, ACR_MFA, True),
        (("otp", "pwd", "otp", "mfa"), ["otp", "pwd", "mfa"], ACR_MFA, ACR_MFA, True),
        (("pwd", "sms"), ["pwd", "sms", "mfa"], ACR_MFA, ACR_MFA, True),
        (("pwd", "hwk"), ["pwd", "hwk", "mfa"], ACR_MFA, ACR_MFA, True),
        (("swk", "user"), ["swk", "user", "mfa"], ACR_PHR, ACR_PHR, True),
        (("user",), ["user", "mfa"], ACR_PHR, ACR_PHR, True),
    ],
)
def test_n14_what_methods_reach(
    proved: tuple[str, ...], amr: list[str], acr: str, weak_acr: str, *, factor: bool
) -> None:
    """N14, RFC 8176: a password and a possession factor, or a passkey with user verification."""
    assert amr_of(proved) == amr
    assert acr_of(proved, weak_counts=False) == acr
    assert acr_of(proved, weak_counts=True) == weak_acr
    assert has_factor(proved) is factor


def test_n14_the_strength_of_factors() -> None:
    """N14: a mailbox is no possession; the passkey comes first."""
    assert [kind for kind in FactorKind if not is_strong(kind)] == [FactorKind.EMAIL]
    assert sorted(FactorKind, key=lambda kind: -strongest_first(kind)) == [
        "email",
        "sms",
        "totp",
        "passkey",
    ]
    assert passkey_methods(is_synced=True) == ("swk", "user")
    assert passkey_methods(is_synced=False) == ("hwk", "user")


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        ((), Rule.RISK),
        (("", ""), Rule.RISK),
        (("", "risk"), Rule.RISK),
        (("every_30_days", "risk"), Rule.EVERY_30_DAYS),
        (("always", "every_30_days"), Rule.ALWAYS),
        (("risk", "sometimes"), Rule.ALWAYS),
    ],
)
def test_z13_the_strictest_rule(rules: tuple[str, ...], rule: Rule) -> None:
    """Z-13: none is the mildest; an unknown one always asks."""
    assert strictest(rules) is rule


LOW = Risk(-1.0, Band.LOW, (), ())
WEIGHTY = (
    Evidence(Feature.HOUR, EvidenceCode.UNUSUAL_HOUR, "", SUSPICIOUS + 0.1),
    Evidence(Feature.NETWORK, EvidenceCode.NEW_NETWORK, "", 2.0),
    Evidence(Feature.BROWSER, EvidenceCode.NEW_BROWSER, "", SUSPICIOUS),
)
MEDIUM, HIGH = Risk(1.0, Band.MEDIUM, WEIGHTY, ()), Risk(4.0, Band.HIGH, WEIGHTY, ())
FIRST = Risk(1.0, Band.MEDIUM, WEIGHTY, (PromptReason.FIRST_SIGN_IN,))
NEW = Risk(1.0, Band.MEDIUM, WEIGHTY, (PromptReason.NEW_DEVICE,))
NEW_ALONE = Risk(1.0, Band.MEDIUM, (), (PromptReason.NEW_DEVICE,))
VAGUE = Risk(1.0, Band.MEDIUM, WEIGHTY[2:], ())
KNOWN = Browser(is_remembered=True)
CODES = (EvidenceCode.NEW_NETWORK, EvidenceCode.UNUSUAL_HOUR)


@pytest.mark.parametrize(
    ("risk", "rule", "browser", "reasons", "needs_strong"),
    [
        (None, Rule.RISK, KNOWN, (PromptReason.NOT_ASSESSED,), False),
        (LOW, Rule.RISK, Browser(), (PromptReason.NOT_REMEMBERED,), False),
        (LOW, Rule.ALWAYS, KNOWN, (PromptReason.ALWAYS,), False),
        (LOW, Rule.EVERY_30_DAYS, KNOWN, (PromptReason.DUE,), False),
        (LOW, Rule.EVERY_30_DAYS, Browser(True, NOW - DUE), (PromptReason.DUE,), False),
        (MEDIUM, Rule.RISK, KNOWN, CODES, False),
        (HIGH, Rule.RISK, KNOWN, CODES, True),
        (MEDIUM, Rule.ALWAYS, Browser(), (*CODES, PromptReason.NOT_REMEMBERED,
                                          PromptReason.ALWAYS), False),
        (FIRST, Rule.RISK, Browser(), (PromptReason.FIRST_SIGN_IN,), False),
        (NEW, Rule.RISK, Browser(), (PromptReason.NEW_DEVICE, *CODES), False),
        (NEW_ALONE, Rule.RISK, Browser(), (PromptReason.NEW_DEVICE,), False),
        (VAGUE, Rule.RISK, KNOWN, (PromptReason.UNLIKE_YOU,), False),
    ],
)  # fmt: skip
def test_mf03_why_a_factor_is_required(
    risk: Risk | None, rule: Rule, browser: Browser, reasons: tuple[str, ...], *, needs_strong: bool
) -> None:
    """MF-03, Z-13: the strongest evidence first."""
    assert decide(risk, rule, browser, NOW) == Prompt(reasons, needs_strong)  # type: ignore[arg-type]


def test_mf03_why_no_factor_is_required() -> None:
    """MF-03, Z-13: all reasons hold at once."""
    plain = (NoPromptReason.LOW_RISK, NoPromptReason.REMEMBERED_BROWSER)
    fresh = Browser(is_remembered=True, proved_at=NOW - DUE + TICK)
    assert decide(LOW, Rule.RISK, KNOWN, NOW) == NoPrompt(plain)
    assert decide(LOW, Rule.EVERY_30_DAYS, fresh, NOW) == NoPrompt(
        (*plain, NoPromptReason.RECENT_FACTOR)
    )


def test_n64_codes_of_an_app_count_in_their_window_once() -> None:
    """N64, RFC 6238: a step to each side, later than the last accepted one."""
    secret = totp.secret_of(b"12345678901234567890")
    assert secret == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert totp.secret_of(b"1") == "GE"
    moment = datetime(1970, 1, 1, 0, 2, 59, tzinfo=UTC)
    # RFC 4226, appendix D: the codes of the steps 3 to 8.
    codes = dict(enumerate(("969429", "338314", "254676", "287922", "162583", "399871"), 3))
    found = [totp.matching_step(secret, code, moment, after=0) for code in codes.values()]
    assert found == [None, 4, 5, 6, None, None]
    wide = [
        totp.matching_step(secret, code, moment, after=0, window=totp.WINDOW_AT_SETUP)
        for code in codes.values()
    ]
    assert wide == [3, 4, 5, 6, 7, None]
    assert totp.matching_step(secret, codes[5], moment, after=4) == 5
    assert totp.matching_step(secret, codes[5], moment, after=5) is None
    assert totp.matching_step(secret, "000000", moment, after=0) is None
    # An app that was two steps ahead may be three ahead now; one that was set right is accepted.
    ahead = [totp.matching_step(secret, code, moment, after=0, drift=2) for code in codes.values()]
    assert ahead == [None, 4, 5, 6, 7, 8]
    behind = [
        totp.matching_step(secret, code, moment, after=0, drift=-2) for code in codes.values()
    ]
    assert behind == [3, 4, 5, 6, None, None]
    assert totp.drift(0, moment) == totp.drift(7, None) == 0
    at = int(moment.timestamp()) // totp.STEP_SECONDS
    offs = (-11, -10, -1, 0, 2, 10, 11)
    assert [totp.drift(at + off, moment) for off in offs] == [-10, -10, -1, 0, 2, 10, 10]
    far = [totp.matching_step(secret, code, moment, after=0, drift=-4) for code in codes.values()]
    # The steps 0 to 2, and 4 to 6.
    assert far == [None, 4, 5, 6, None, None]
    address = totp.uri(secret, username="ada", issuer="Gateway")
    assert address == f"otpauth://totp/Gateway:ada?secret={secret}&issuer=Gateway"


def test_n64_recovery_codes_in_one_form() -> None:
    """N64: ten codes in groups; letters that look alike are taken for one another."""
    codes = recovery_code.generate(lambda count: count - 1)
    assert codes == ["ZZZZ-ZZZZ-ZZZZ"] * 10
    assert recovery_code.shown("ABCDEFGHJK") == "ABCD-EFGH-JK"
    assert recovery_code.typed_code("zzzz zzzz-zilo") == "ZZZZZZZZZ110"
    for wrong in ("ZZZZ-ZZZZ-ZZZ", "ZZZZ-ZZZZ-ZZZZZ", "ZZZZ-ZZZZ-ZZZU", "ZZZZ-ZZZZ-ZZZ\u00e9"):
        assert recovery_code.typed_code(wrong) is None
    assert compact(" " * (MAX_TYPED - 1) + "12") == "1"


def test_mf05_six_questions_for_a_person() -> None:
    """MF-05: the same at each call, others for others."""
    mine = question_pool.short_list("a")
    assert len(set(mine)) == question_pool.SHORT_LIST == 6
    assert set(mine) <= set(question_pool.POOL)
    assert question_pool.short_list("a") == mine != question_pool.short_list("b")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("abc", Fault.TOO_SHORT), (" a  b ", Fault.TOO_SHORT), ("abcd", None),
        ("a" * 100, None), ("a" * 101, Fault.TOO_LONG), ("\u738b" * 4, Fault.NOT_ASCII),
        ("abcd\u0007", Fault.NOT_ASCII), ("First  PET", Fault.IN_QUESTION),
        ("holder", Fault.USER_NAME), ("my holder77", Fault.USER_NAME), ("hold", Fault.USER_NAME),
        ("example.com", None), ("No\u00e9mie", None),
    ],
)  # fmt: skip
def test_mf06_an_answer_that_is_accepted(answer: str, fault: Fault | None) -> None:
    """MF-06: neither the question nor the user name; compared without accents and case."""
    found = question_pool.fault(
        answer, question="What was your first pet?", username="holder@example.com"
    )
    assert found is fault
    assert question_pool.normalised("  No\u00c9mie   B ") == "noemie b"


AGENTS = {
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 "
    "Safari/604.1": ("iOS", "tablet"),
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile "
    "Safari/537.36": ("Android", "mobile"),
    "Mozilla/5.0 (Linux; Android 14; SM-X210) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36": (
        "Android", "tablet"),
    "Mozilla/5.0 (Windows NT 6.2; Trident/7.0; Touch; Tablet PC 2.0; rv:11.0) like Gecko": (
        "Windows", "tablet"),
    "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0": ("Linux", "desktop"),
}  # fmt: skip


@pytest.mark.parametrize("header", AGENTS)
def test_mf03_kinds_of_device(header: str) -> None:
    """MF-03."""
    found = agent_of(header)
    assert (found.system, found.kind) == AGENTS[header]


def test_mf03_what_of_a_header_is_read() -> None:
    """MF-03: of limited length; a version that is no number is none."""
    assert agent_of("Firefox/130.0").major == 130
    assert agent_of("x" * MAX_AGENT + " Firefox/130.0").family == ""
    assert agent_of("Firefox/99999.0").major == 99999
    assert agent_of("Firefox/123456.0").major == 0
    assert agent_of("Firefox/\uff11\uff13\uff10.0").major == 0
    assert agent_values(Agent()) == {"version": "", "family": "", "system": "", "kind": ""}


def test_mf03_days_and_hours() -> None:
    """MF-03: weekends and holidays of Ontario; a week after the clocks change."""
    days = [date(2026, 5, day) for day in range(14, 20)]
    assert [is_free_day(day) for day in days] == [False, False, True, True, True, False]
    moment = datetime(2026, 5, 12, 14, 30, 36, tzinfo=UTC)
    assert hour_of(moment, "").of_day == pytest.approx(10.51, abs=1e-9)
    assert hour_of(moment, "America").of_day == pytest.approx(10.51, abs=1e-9)
    assert hour_of(moment, "UTC").of_day == pytest.approx(14.51)
    change = datetime(2026, 3, 8, 7, tzinfo=UTC)
    for moment, is_after in (
        (change - TICK, False), (change, True), (change + timedelta(days=7) - TICK, True),
        (change + timedelta(days=7), False),
    ):  # fmt: skip
        assert hour_of(moment, "America/Toronto").after_change is is_after


def past(hour: float, age: float = 0.0, *, free: bool = False) -> PastSignIn:
    return PastSignIn(hour, is_free=free, age_days=age)


def i0(x: float) -> float:
    """The modified Bessel function of order 0, from its integral."""
    steps = 2000
    return sum(math.exp(x * math.cos(math.tau * n / steps)) for n in range(steps)) / steps


def test_mf03_the_density_of_an_hour_by_hand() -> None:
    """docs/risk.md: a von Mises kernel, half-lives, the other class, a tenth of the uniform."""
    tuning = Tuning(kappa=2.0, alpha=3.0, half_life=10.0, other_class=0.25)
    grid = [0.0] * GRID
    grid[bin_of(6.0)] = 0.5
    people = Population(working=grid, free=[])
    hours = [past(6.0), past(12.0, 10.0), past(18.0, 20.0, free=True)]
    history = History(sign_ins=3, hours=hours)
    kernel = [math.exp(2.0 * math.cos(apart)) / (24 * i0(2.0)) for apart in (0.0, math.pi / 2,
                                                                             math.pi)]  # fmt: skip
    weights = (1.0, 0.5, 0.25 * 0.25)
    mass = sum(w * k for w, k in zip(weights, kernel, strict=True))
    prior = 0.9 * 0.5 + 0.1 / 24
    found = hour_density(Hour(6.0, is_free=False), history, people, tuning)
    assert found == pytest.approx((mass + 3 * prior) / (sum(weights) + 3))
    free = hour_density(Hour(6.0, is_free=True), History(), people, tuning)
    assert free == pytest.approx(1 / 24)
    bare = hour_density(Hour(5.0, is_free=False), History(), people, tuning)
    assert bare == pytest.approx(0.1 / 24)


def test_mf03_bins_of_the_day() -> None:
    """Quarters of an hour; the day is a circle."""
    assert [bin_of(hour) for hour in (0.0, 0.24, 0.25, 12.0, 23.99, 24.0)] == [0, 0, 1, 48, 95, 0]
    bins = [0] * GRID
    bins[4], bins[95] = 2, 1
    grid = density_of(bins, 2.0)
    kernel = [math.exp(2.0 * math.cos(n * math.tau / GRID)) / (24 * i0(2.0)) for n in range(GRID)]
    assert grid[4] == pytest.approx((2 * kernel[0] + kernel[5]) / 3)
    assert grid[0] == pytest.approx((2 * kernel[4] + kernel[1]) / 3)


@pytest.mark.parametrize(
    ("hours", "hour", "unusual"),
    [
        ([past(8.0)] * 5, 20.0, True),
        ([past(8.0)] * 4, 20.0, False),
        ([past(8.0, 60.0)] * 9, 20.0, False),
        ([past(8.0, 60.0)] * 10, 20.0, True),
        ([past(8.0)] * 9, 10.0, False),
        ([past(8.0)] * 99 + [past(18.0)], 20.0, False),
        ([past(23.5)] * 9, 1.5, False),
        ([past(0.5)] * 9, 22.5, False),
    ],
)
def test_mf03_when_an_hour_is_unusual(
    hours: list[PastSignIn], hour: float, *, unusual: bool
) -> None:
    """docs/risk.md: enough sign-ins, none within two hours, in the least likely part of the day."""
    history = History(sign_ins=len(hours), hours=hours)
    # Without habits of others the night is as likely as any hour that nobody used.
    tuning = Tuning(alpha=0.01)
    found = is_unusual_hour(Hour(hour, is_free=False), history, Population(), tuning)
    assert found is unusual


@pytest.mark.parametrize("seen", [8.0, 23.5, 0.5])
def test_mf03_an_hour_near_a_usual_one_is_not_unusual(seen: float) -> None:
    """docs/risk.md: two hours to either side, over midnight too."""
    history = History(sign_ins=9, hours=[past(seen)] * 9)
    tuning = Tuning(kappa=60.0, alpha=0.01)
    for apart, unusual in ((-2.1, True), (-2.0, False), (0.0, False), (2.0, False), (2.1, True)):
        hour = Hour((seen + apart) % 24, is_free=False)
        assert is_unusual_hour(hour, history, Population(), tuning) is unusual, apart


def test_mf03_less_than_two_per_cent_of_the_day_is_less_likely() -> None:
    """docs/risk.md: the share of the density at hours that are less likely, integrated."""
    history = History(sign_ins=20, hours=[past(8.0)] * 20)
    tuning, people = Tuning(alpha=0.2), Population()
    fine = [
        hour_density(Hour(n / 100, is_free=False), history, people, tuning) for n in range(2400)
    ]
    found = []
    for step in range(44, 128):
        hour = Hour(step / 8, is_free=False)
        here = hour_density(hour, history, people, tuning)
        share = sum(value for value in fine if value < here) / 100
        if not 0.017 < share < 0.023:
            assert is_unusual_hour(hour, history, people, tuning) is (share < 0.02 and step > 80)
            found.append(share < 0.02)
    assert True in found
    assert False in found


TORONTO, OTTAWA = Place("CA", "ON", "", 43.65, -79.38), Place("CA", "ON", "", 45.42, -75.70)
USUAL = Attempt(
    at=NOW, hour=Hour(8.0, is_free=False), ip="a", asn="n", place=TORONTO,
    agent=Agent("Edge", 130, "Windows", "desktop"), device=Device.KNOWN, device_family="Edge",
)  # fmt: skip
HABIT = History(
    sign_ins=10,
    counts={"country": {"CA": 10}, "version": {"Edge 130": 10}, "family": {"Edge": 10},
            "system": {"Windows": 10}, "kind": {"desktop": 10}, "ip": {"a": 10}, "asn": {"n": 10}},
    hours=[past(8.0, 1.0)] * 10,
    first_at=NOW - timedelta(days=TUNING.young_days),
    last_at=NOW - timedelta(days=TUNING.dormant_days),
    last_place=TORONTO,
)  # fmt: skip
PEOPLE = Population(people=5, sign_ins=100, counts=HABIT.counts)


def hits(history: History = HABIT, **changes: object) -> tuple[str, ...]:
    return assess(replace(USUAL, **changes), history, PEOPLE, TUNING).hits  # type: ignore[arg-type]


def test_mf03_the_hard_rules_at_their_limits() -> None:
    """MF-03, docs/risk.md: each on the line and one step beyond it."""
    assert hits() == ()
    assert hits(replace(HABIT, first_at=NOW - timedelta(days=5) + TICK)) == ("young_account",)
    assert hits(replace(HABIT, last_at=NOW - timedelta(days=90) - TICK)) == ("dormant_account",)
    assert hits(replace(HABIT, first_at=None, last_at=None)) == ()
    assert hits(device=Device.UNKNOWN) == hits(device=Device.OF_ANOTHER) == ("new_device",)
    assert hits(device=Device.REVOKED, device_family="Other") == ("forgotten_device",)
    assert hits(device_family="Firefox") == ("stolen_device",)
    assert hits(device_family="") == ()
    assert hits(place=Place("US")) == ("new_country",)
    assert hits(place=Place()) == ()
    assert hits(replace(HABIT, counts={}), place=Place("US")) == ()
    assert hits(History()) == ("first_sign_in",)
    assert hits(after=AccountChange.UNLOCK) == ("after_unlock",)


@pytest.mark.parametrize(
    ("km", "hours", "is_impossible"),
    [
        (100.5, 0.111, True), (99.5, 0.01, False), (899.0, 1.0, False), (901.0, 1.0, True),
        (1801.0, 2.0, True), (1799.0, 2.0, False), (500.0, 0.0, True), (500.0, -1.0, True),
    ],
)  # fmt: skip
def test_mf03_a_journey_that_is_not_possible(
    km: float, hours: float, *, is_impossible: bool
) -> None:
    """docs/risk.md: at least 100 km, at 900 km/h or more."""
    here, there = Place("CA", "", "", 0.0, 0.0), Place("CA", "", "", km / EARTH_KM / math.pi * 180,
                                                       0.0)  # fmt: skip
    history = replace(HABIT, last_place=here, last_at=NOW - timedelta(hours=hours))
    assert is_impossible_travel(replace(USUAL, place=there), history) is is_impossible
    assert not is_impossible_travel(replace(USUAL, place=there), replace(history, last_at=None))
    assert not is_impossible_travel(USUAL, replace(history, last_place=Place()))


def test_mf03_distances_on_the_globe() -> None:
    """A quarter of the equator, of a meridian, and to the other side."""

    def at(latitude: float | None, longitude: float | None) -> Place:
        return Place("", "", "", latitude, longitude)

    quarter = EARTH_KM * math.pi / 2
    assert distance_km(at(0, 0), at(0, 90)) == pytest.approx(quarter)
    assert distance_km(at(0, 0), at(90, 0)) == pytest.approx(quarter)
    assert distance_km(at(0, 0), at(0, 180)) == pytest.approx(2 * quarter)
    assert distance_km(at(60, 0), at(60, 180)) == pytest.approx(quarter * 2 / 3)
    for unknown in (at(None, 0), at(0, None)):
        assert distance_km(unknown, at(0, 0)) is distance_km(at(0, 0), unknown) is None


def test_mf03_bands_at_their_limits() -> None:
    """MF-03: a grave rule is high, another one at least medium, whatever the score."""
    score = assess(USUAL, HABIT, PEOPLE, TUNING).score

    def band(tuning: Tuning, **changes: object) -> Band:
        return assess(replace(USUAL, **changes), HABIT, PEOPLE, tuning).band  # type: ignore[arg-type]

    assert band(Tuning(medium=score, high=score + 1)) is Band.MEDIUM
    assert band(Tuning(medium=score + 0.001, high=score + 1)) is Band.LOW
    assert band(Tuning(medium=score - 1, high=score)) is Band.HIGH
    far = Tuning(medium=99.0, high=100.0)
    assert band(far, device=Device.UNKNOWN) is Band.MEDIUM
    assert Risk(0.0, Band.LOW, (), (PromptReason.NEW_DEVICE,)).asks
    assert Risk(0.0, Band.MEDIUM, (), ()).asks
    for change in ({"device_family": "x"}, {"place": Place("US")}):
        assert band(far, **change) is Band.HIGH


def evidence(history: History = HABIT, people: Population = PEOPLE,
             **changes: object) -> dict[EvidenceCode, Evidence]:  # fmt: skip
    found = assess(replace(USUAL, **changes), history, people, TUNING)  # type: ignore[arg-type]
    return {entry.code: entry for entry in found.evidence}


def test_mf03_the_browser_by_hand() -> None:
    """NDSS 2016, equation 7, smoothed as published: the levels of a browser from everybody's. Half
    of it, since the cookie is known."""
    counts = {**HABIT.counts, "version": {"Edge 130": 4, "Edge 131": 6}}
    found = evidence(people=replace(PEOPLE, counts=counts, sign_ins=10))[EvidenceCode.USUAL_BROWSER]
    everybody = (
        0.005 * 10 / 10 * (1 - 1 / 11) + 0.185 * 10 / 10 * (1 - 2 / 12)
        + 0.27 * 10 / 10 * (1 - 3 / 13) + 0.54 * 4 / 10 * (1 - 4 / 14)
    )  # fmt: skip
    assert found.weight == pytest.approx(math.log(everybody) / 2)
    assert found.shown == "Edge"
    new = evidence(agent=Agent("Opera", 9, "BeOS", "x"), device_family="Opera")
    unseen = 0.005 / 101 + 0.185 / 102 + 0.27 / 103 + 0.54 / 104
    assert new[EvidenceCode.NEW_BROWSER].weight == pytest.approx(math.log(4) / 2)
    assert unseen > 0


@pytest.mark.parametrize(
    ("major", "seen"), [(130, 0.5), (131, 0.5), (136, 0.5), (137, 0.0), (129, 0.3), (128, 0.0)]
)
def test_mf03_an_update_of_a_browser_is_the_same_browser(major: int, seen: float) -> None:
    """docs/risk.md: newer by at most six versions, and of the same family."""
    counts = {**HABIT.counts, "version": {"Edge 130": 5, "Edge 129": 3, "Opera 135": 2}}
    history = replace(HABIT, counts=counts)
    own = 0.54 * seen + 0.46
    agent = Agent("Edge", major, "Windows", "desktop")
    everybody = evidence(history, agent=agent)
    entry = everybody.get(EvidenceCode.USUAL_BROWSER) or everybody[EvidenceCode.NEW_BROWSER]
    parts = 0.005 * 0.1 * (100 / 101) + 0.185 * 0.1 * (100 / 102) + 0.27 * 0.1 * (100 / 103)
    version = 0.1 * (100 / 104) if major == 130 else 1 / 104
    weight = math.log(parts + 0.54 * version) - math.log(own)
    assert entry.weight == pytest.approx(weight / 2)


def test_mf03_failures_weigh_up_to_a_bound() -> None:
    """docs/risk.md: 0.6 and 0.4 of the logarithm, at most 2; a listed network always 2."""
    for failures in (1, 5, 27, 28, 10**6):
        found = evidence(failures=failures, network_failures=failures)
        own = found[EvidenceCode.FAILURES_BEFORE]
        around = found[EvidenceCode.FAILURES_OF_NETWORK]
        assert own.weight == pytest.approx(min(2.0, 0.6 * math.log(failures + 1)))
        assert around.weight == pytest.approx(min(2.0, 0.4 * math.log(failures + 1)))
        assert (own.shown, around.shown) == (str(failures), str(failures))
        assert own.feature is around.feature is Feature.FAILURES
    assert EvidenceCode.FAILURES_BEFORE not in evidence()
    assert EvidenceCode.FAILURES_OF_NETWORK not in evidence()
    listed = evidence(is_listed=True)[EvidenceCode.LISTED_NETWORK]
    assert (listed.weight, listed.shown, listed.feature) == (2.0, "a", Feature.NETWORK)
    assert EvidenceCode.LISTED_NETWORK not in evidence()


def test_mf03_how_often_a_person_signs_in() -> None:
    """docs/risk.md: nothing is compared with nobody."""
    code = EvidenceCode.HOW_OFTEN
    assert evidence()[code].weight == pytest.approx(math.log((1 / 5) / (10 / 100)))
    assert evidence(History())[code].weight == 0.0
    assert evidence(people=replace(PEOPLE, people=0))[code].weight == 0.0
    assert evidence(people=Population(people=5))[code].weight == 0.0
    empty = Population(people=5, sign_ins=0, counts={})
    assert assess(USUAL, History(), empty, TUNING).evidence[2].weight == 0.0


def test_mf03_the_weight_of_an_hour() -> None:
    """docs/risk.md: between -1.5 and 4; after a change of clocks the best of three hours."""
    always = replace(HABIT, hours=[past(8.0)] * 500)
    assert evidence(always)[EvidenceCode.HOUR].weight == -1.5
    late = evidence(always, hour=Hour(20.25, is_free=False))[EvidenceCode.UNUSUAL_HOUR]
    assert late.weight == 4.0
    assert late.shown == "20:15"
    often = replace(HABIT, hours=[past(8.0)] * 5)
    near = evidence(often)[EvidenceCode.HOUR]
    assert near.weight == pytest.approx(math.log(1 / 24 / hour_density(
        USUAL.hour, often, PEOPLE, TUNING)))  # fmt: skip
    off = evidence(often, hour=Hour(9.0, is_free=False, after_change=True))[EvidenceCode.HOUR]
    assert off.weight == pytest.approx(near.weight)
    before = evidence(often, hour=Hour(7.0, is_free=False, after_change=True))[EvidenceCode.HOUR]
    assert before.weight == pytest.approx(near.weight)
    plain = evidence(often, hour=Hour(9.0, is_free=False))[EvidenceCode.HOUR]
    assert plain.weight > near.weight
    assert near.shown == "08:00"
    night = replace(HABIT, hours=[past(0.5)] * 5)
    shifted = evidence(night, hour=Hour(23.5, is_free=False, after_change=True))
    assert shifted[EvidenceCode.HOUR].weight == pytest.approx(near.weight)
    few = replace(HABIT, hours=[past(8.0)] * 4)
    assert evidence(few, hour=Hour(20.0, is_free=False))[EvidenceCode.HOUR].weight > 0


def test_mf03_a_value_is_usual_when_it_is_less_likely_for_others() -> None:
    """NDSS 2016, equation 7: at the sign of the logarithm."""
    rarely = replace(HABIT, counts={**HABIT.counts, "ip": {"a": 1, "b": 9}})
    everybody = replace(PEOPLE, sign_ins=10)
    found = evidence(rarely, everybody)[EvidenceCode.NEW_NETWORK]
    assert 0 < found.weight < 1
    assert found.shown == "a"
    assert evidence()[EvidenceCode.USUAL_NETWORK].shown == "a"


def test_mf03_histories_forget_and_count() -> None:
    """docs/risk.md: 500 sign-ins within 180 days; what is empty is not counted."""
    book = SignInHistories(TUNING.kappa)
    assert book.history("ann", NOW) == History()
    assert book.population() == Population(
        counts=book.population().counts, working=book.population().working,
        free=book.population().free,
    )  # fmt: skip
    start = NOW - timedelta(days=KEPT_DAYS)
    book.add("ann", replace(USUAL, at=start, ip="", asn="old"))
    assert len(book.population().working) == GRID
    book.add("ann", replace(USUAL, at=NOW, hour=Hour(9.0, is_free=True)))
    found = book.history("ann", NOW + timedelta(days=1))
    assert (found.sign_ins, found.first_at, found.last_at) == (2, start, NOW)
    assert found.counts["ip"] == {"a": 1}
    assert found.counts["asn"] == {"old": 1, "n": 1}
    assert list(found.hours) == [past(8.0, KEPT_DAYS + 1.0), past(9.0, 1.0, free=True)]
    assert found.last_place == TORONTO
    book.add("bob", replace(USUAL, at=NOW))
    people = book.population()
    assert (people.people, people.sign_ins) == (2, 3)
    assert people.counts["ip"] == {"a": 2}
    assert (len(people.working), people.free) == (GRID, [])
    book.add("ann", replace(USUAL, at=NOW + TICK, ip="z", place=OTTAWA))
    found = book.history("ann", NOW)
    assert (found.sign_ins, found.counts["asn"]) == (2, {"n": 2})
    assert found.counts["ip"] == {"a": 1, "z": 1}
    assert (found.last_place, found.first_at) == (OTTAWA, start)
    for _ in range(KEPT):
        book.add("bob", replace(USUAL, at=NOW))
    assert book.history("bob", NOW).sign_ins == KEPT
    late = NOW + timedelta(days=KEPT_DAYS * 2)
    book.add("bob", replace(USUAL, at=late, ip="y"))
    assert book.history("bob", late).counts["ip"] == {"y": 1}
