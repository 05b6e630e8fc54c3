"""The level that a client demands of a session, and how far the session can rise (N14, Z-13)."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from idp.mfa.assurance import FactorKind
from idp.mfa.second_factor_rule import Rule
from idp.models import Authenticator, BrowserSession, Client
from idp.policy.scopes import ACR_MFA, ACR_PASSWORD, ACR_PHR
from idp.signin import assurance_levels
from idp.transaction import UnitOfWork
from tests.fakes import FakeClock

NOW = FakeClock().now()
RISK, DUE, ALWAYS = Rule.RISK, Rule.EVERY_30_DAYS, Rule.ALWAYS
Some = SimpleNamespace
APP, MAIL = Some(kind=FactorKind.TOTP), Some(kind=FactorKind.EMAIL)
SYNCED, DEVICE = (Some(kind=FactorKind.PASSKEY, is_synced=synced) for synced in (True, False))


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the services say: the factors, the rules of the role groups, the known browser."""
    said = Some(factors=[APP], of_groups=[], known=None)
    levels = assurance_levels
    monkeypatch.setattr(levels.authenticators, "list_usable", lambda *_: said.factors)
    monkeypatch.setattr(levels.authenticators, "has_usable", lambda *_: bool(said.factors))
    groups = levels.held_role_groups
    monkeypatch.setattr(groups, "second_factor_rules", lambda *_: said.of_groups)
    monkeypatch.setattr(levels.browsers, "known", lambda *_: said.known)
    return said


def demanded(
    acr: str | None = ACR_PASSWORD,
    *,
    environment: Rule = RISK,
    client: Rule = RISK,
    minimum: str | None = None,
) -> str | None:
    """The demand on a session of this level; None: there is no session."""
    rows = Some(get_one=lambda *_: None)
    work = cast(UnitOfWork, Some(settings=Some(second_factor=environment), now=NOW, db=rows))
    rp = cast(Client, Some(second_factor=client, minimum_acr=minimum))
    session = cast(BrowserSession, Some(acr=acr, account=Some(id=1))) if acr else None
    return assurance_levels.demanded(work, rp, session, "")


def test_z13_the_strictest_rule_decides(given: SimpleNamespace) -> None:
    """Z-13: of environment, client and role groups; the last two are not asked of an account
    without a factor, whose sign-in sets one up first."""
    assert demanded() is None
    for rules in ({"environment": ALWAYS}, {"client": ALWAYS}):
        assert demanded(**rules) == ACR_MFA
    given.of_groups = [RISK, ALWAYS]
    assert demanded() == ACR_MFA
    given.factors = []
    assert demanded() is demanded(environment=ALWAYS) is None
    assert demanded(client=ALWAYS) == ACR_MFA


def test_z13_a_session_with_the_level_needs_no_factor(given: SimpleNamespace) -> None:
    """Z-13: nor is a browser without a session: its sign-in decides by the same rules."""
    for acr in (None, ACR_MFA, ACR_PHR):
        assert demanded(acr, client=ALWAYS) is None
        assert demanded(acr, client=ALWAYS, minimum=ACR_PHR) == ACR_PHR
    # The registered level stays when it is higher.
    assert demanded(client=ALWAYS, minimum=ACR_PHR) == ACR_PHR
    assert demanded(client=ALWAYS, minimum=ACR_PASSWORD) == ACR_MFA
    assert demanded(minimum=ACR_PASSWORD) == ACR_PASSWORD


@pytest.mark.parametrize(
    ("proved_at", "expected"),
    [
        (None, ACR_MFA),
        (NOW - timedelta(days=30), ACR_MFA),
        (NOW - timedelta(days=30) + timedelta(seconds=1), None),
    ],
)
def test_z13_every_thirty_days_is_counted_for_each_browser(
    given: SimpleNamespace, proved_at: datetime | None, expected: str | None
) -> None:
    """Z-13: the last moment at which it is due."""
    given.known = Some(proved_at=proved_at)
    assert demanded(client=DUE) == expected
    given.known = None
    assert demanded(client=DUE) == ACR_MFA
    assert demanded(client=RISK) is None


@pytest.mark.parametrize(
    ("factors", "weak_counts", "expected"),
    [
        ([], True, ACR_PASSWORD),
        ([MAIL], False, ACR_PASSWORD),
        ([MAIL], True, ACR_MFA),
        ([APP], False, ACR_MFA),
        ([SYNCED], False, ACR_PHR),
        ([DEVICE, APP, MAIL], False, ACR_PHR),
        ([APP, MAIL], False, ACR_MFA),
    ],
)
def test_n14_a_session_can_be_raised_to_the_level_of_the_best_factor(
    given: SimpleNamespace, factors: list[Any], weak_counts: bool, expected: str
) -> None:
    """N14: whatever the order of the factors; never below what it is."""
    work = cast(UnitOfWork, Some(settings=Some(weak_factors_satisfy_mfa=weak_counts)))
    for given.factors in (factors, factors[::-1]):
        for acr, amr in ((ACR_PASSWORD, ["pwd"]), (ACR_PHR, ["pwd"])):
            session = cast(BrowserSession, Some(acr=acr, amr=amr, account=None))
            best = assurance_levels.reachable(work, session)
            assert best == (expected if acr == ACR_PASSWORD else ACR_PHR)


def test_the_amr_values_of_each_factor() -> None:
    """RFC 8176: a synced key is no hardware device."""
    rows = [cast(Authenticator, row) for row in (APP, MAIL, SYNCED, DEVICE)]
    methods = [assurance_levels.methods_of(row) for row in rows]
    assert methods == [("otp",), ("email",), ("swk", "user"), ("hwk", "user")]
