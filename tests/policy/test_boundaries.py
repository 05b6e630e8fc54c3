"""The rules that are only values, at their exact limits: on the line, one before and one after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from idp.mfa.assurance import FactorKind
from idp.oidc.claims import (
    MAX_GROUP_BYTES,
    PARTICIPANT_GROUPS,
    PARTICIPANTS,
    within_limit,
)
from idp.policy.console import ConsoleRole, Fact, is_verified, may_act, needs_caller_verification
from idp.policy.email_address import single_address
from idp.policy.enrolment_steps import Policy, State, Step, next_step
from idp.policy.local_path import MAX_LENGTH, safe_path
from idp.policy.lockout import REVEALING_ATTEMPTS, Budget, Record, after_failure
from idp.policy.redirect_uri import MAX_LENGTH as MAX_URI
from idp.policy.redirect_uri import is_registered, registration_fault
from idp.policy.scopes import (
    ACR_MFA,
    ACR_PASSWORD,
    ACR_PHR,
    DEVICE_CODE,
    GRANT_TYPES,
    TOKEN_EXCHANGE,
    is_scope_token,
    obtainable,
    parse_scope,
    satisfies,
)
from idp.policy.session_rules import Limits, is_alive, may_sign_in

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
LIMITS = Limits(idle=timedelta(minutes=30), absolute=timedelta(hours=12))
BUDGET = Budget(3, timedelta(minutes=10), timedelta(minutes=15))
TICK = timedelta(microseconds=1)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


@pytest.mark.parametrize(
    ("idle", "left", "ended", "alive"),
    [
        (minutes(0), minutes(1), None, True),
        (minutes(30) - TICK, TICK, None, True),
        (minutes(30), minutes(1), None, False),
        (minutes(0), minutes(0), None, False),
        (minutes(0), minutes(1), NOW, False),
        (minutes(0), minutes(1), NOW + minutes(1), False),
    ],
)
def test_n58_a_session_is_invalid_at_the_moment_of_its_expiry(
    idle: timedelta, left: timedelta, ended: datetime | None, alive: bool
) -> None:
    """N58: idle for its limit, or at its absolute end, it is over."""
    assert (
        is_alive(now=NOW, last_seen=NOW - idle, expires=NOW + left, ended=ended, limits=LIMITS)
        is alive
    )


def test_n47_only_an_active_account_can_sign_in() -> None:
    """N47."""
    states = ("pending", "active", "locked", "suspended", "reset_required", "deactivated", "")
    assert [state for state in states if may_sign_in(state)] == ["active"]


def test_n49_failures_count_for_the_whole_window_and_no_longer() -> None:
    """N49: a failure counts while it is younger than the window; one of the future never does."""
    old, young = NOW - minutes(10), NOW - minutes(10) + TICK
    kept = after_failure(Record((old, young, NOW + TICK)), NOW, BUDGET)
    assert kept == Record((young, NOW))
    assert after_failure(Record((NOW,)), NOW, BUDGET) == Record((NOW, NOW))


def test_n51_the_last_failure_of_the_budget_locks_and_none_lengthens_the_lock() -> None:
    """N51: the lock starts with the failure that uses the budget up, and ends at its time. What is
    tried in it is counted a few times and forgotten with it."""
    locked = after_failure(Record((NOW, NOW)), NOW, BUDGET)
    assert locked == Record((), NOW, NOW + minutes(15))
    last = NOW + minutes(15) - TICK
    tried = after_failure(locked, last, BUDGET)
    assert tried == Record((last,), NOW, NOW + minutes(15))
    for _ in range(REVEALING_ATTEMPTS + 1):
        tried = after_failure(tried, last, BUDGET)
    assert tried == Record((last,) * (REVEALING_ATTEMPTS + 1), NOW, NOW + minutes(15))
    assert after_failure(tried, NOW + minutes(15), BUDGET) == Record((NOW + minutes(15),))
    assert not locked.is_locked(NOW + minutes(15))
    assert after_failure(locked, NOW + minutes(15), BUDGET) == Record((NOW + minutes(15),))


def test_n51_a_lock_set_by_a_wrong_clock_ends() -> None:
    """N51: it holds from its own length before it was set, not for the years between."""
    locked = Record((), NOW, NOW + minutes(15))
    assert locked.is_locked(NOW - minutes(15))
    assert not locked.is_locked(NOW - minutes(15) - TICK)
    assert not Record((), None, NOW + minutes(15)).is_locked(NOW)
    assert not Record((), NOW, None).is_locked(NOW)


@pytest.mark.parametrize(
    ("facts", "verified"),
    [
        ((), False),
        ((Fact.USERNAME, Fact.EMAIL), False),
        ((Fact.USERNAME, Fact.PERSON_ID), False),
        ((Fact.USERNAME, Fact.PERSON_ID, "shoe_size"), False),
        ((Fact.PERSON_ID, Fact.ORGANIZATION, Fact.CALLBACK), False),
        ((Fact.USERNAME, Fact.PERSON_ID, Fact.PERSON_ID), False),
        ((Fact.USERNAME, Fact.EMAIL, Fact.PERSON_ID), True),
        ((Fact.EMAIL, Fact.PERSON_ID, Fact.CALLBACK), True),
    ],
)
def test_n74_a_caller_is_named_and_known_by_two_more_facts(
    facts: tuple[str, ...], verified: bool
) -> None:
    """N74, CR-01, CR-02; a code that was read back stands for all of it."""
    assert is_verified(facts, code_confirmed=False) is verified
    assert is_verified(facts, code_confirmed=True)


AGENT, ACCESS, AUDITOR = ConsoleRole.AGENT, ConsoleRole.ACCESS, ConsoleRole.AUDITOR


@pytest.mark.parametrize(
    ("actor", "target", "is_self", "may"),
    [
        ((), (), False, False),
        ((AGENT,), (), False, True),
        ((AGENT,), (), True, False),
        ((ACCESS,), (), True, False),
        ((AGENT,), (AUDITOR,), False, False),
        ((AGENT, AUDITOR), (AGENT,), False, False),
        ((ACCESS,), (AGENT,), False, True),
        ((ACCESS,), (ACCESS,), False, False),
        ((ACCESS,), (AGENT, ACCESS), False, False),
    ],
)
def test_n74_which_operator_may_act_on_which_account(
    actor: tuple[ConsoleRole, ...], target: tuple[ConsoleRole, ...], is_self: bool, may: bool
) -> None:
    """N74."""
    assert may_act(actor, target, is_self=is_self) is may


def test_cr02_customer_relations_needs_a_caller() -> None:
    """CR-02."""
    assert needs_caller_verification((AGENT,))
    assert needs_caller_verification(())
    assert not needs_caller_verification((AGENT, ACCESS))


@pytest.mark.parametrize(
    ("policy", "changes", "step"),
    [
        ((True, True), {"is_proved": False}, Step.PROOF),
        ((True, True), {"passed": ()}, Step.PHONE),
        ((False, True), {"passed": ()}, Step.FACTOR),
        ((True, True), {"passed": ("phone",)}, Step.FACTOR),
        ((True, True), {"kinds": ()}, Step.FACTOR),
        ((True, False), {"kinds": ("email",)}, Step.FACTOR),
        ((True, True), {"kinds": ("email",)}, Step.FINISH),
        ((True, False), {"kinds": ("email", "totp")}, Step.FINISH),
        ((True, True), {"has_question": False}, Step.QUESTION),
        ((True, True), {"passed": ("phone", "factor")}, Step.CODES),
        ((True, True), {}, Step.FINISH),
    ],
)
def test_ac04_the_first_missing_enrolment_step(
    policy: tuple[bool, bool], changes: dict[str, Any], step: Step
) -> None:
    """AC-04, Z-12: in the manual's order, each for its own reason."""
    values: dict[str, Any] = {"is_proved": True, "kinds": ("totp",), "has_question": True,
              "passed": ("phone", "factor", "codes")} | changes  # fmt: skip
    state = State(
        is_proved=bool(values["is_proved"]),
        kinds=frozenset(FactorKind(kind) for kind in values["kinds"]),
        has_question=bool(values["has_question"]),
        passed=frozenset(values["passed"]),
    )
    assert next_step(Policy(*policy), state) is step


def test_n56_a_path_of_the_greatest_length() -> None:
    """N56: the longest path that is followed, and one longer."""
    longest = "/" + "a" * (MAX_LENGTH - 1)
    assert safe_path(longest) == longest
    assert safe_path(longest + "a") == "/"
    assert safe_path(None, "/home") == safe_path("", "/home") == "/home"
    assert safe_path("/a//evil.test") == "/"


def test_n14_levels_are_ordered_and_an_unknown_one_is_never_met() -> None:
    """N14: the whole table."""
    levels = (ACR_PASSWORD, ACR_MFA, ACR_PHR)
    for rank, acr in enumerate(levels):
        assert [satisfies(acr, wanted) for wanted in levels] == [rank >= n for n in range(3)]
        assert not satisfies(acr, "urn:other")
        assert not satisfies("urn:other", acr)
        assert not satisfies(None, acr)
    assert satisfies(None, None)
    assert satisfies("urn:other", None)


@pytest.mark.parametrize(
    ("scope", "grants"),
    [
        ("openid", ["authorization_code", DEVICE_CODE]),
        ("address", ["authorization_code", DEVICE_CODE, TOKEN_EXCHANGE]),
        ("offline_access", ["refresh_token"]),
        ("api.read", ["authorization_code", "client_credentials", DEVICE_CODE, TOKEN_EXCHANGE]),
    ],
)
def test_n32_scopes_that_a_grant_can_give(scope: str, grants: list[str]) -> None:
    """N32: people by a code or their token, offline access by refresh, the client's own by all."""
    assert [grant for grant in GRANT_TYPES if obtainable(scope, [grant])] == grants


def test_n32_the_words_of_a_scope() -> None:
    """N32, RFC 6749 section 3.3: printable, no quotation mark, no backslash, 100 characters."""
    assert parse_scope("b  a b ") == ("b", "a")
    assert parse_scope("") == parse_scope(None) == ()
    assert parse_scope("a\tb") is None
    assert is_scope_token("a" * 100)
    assert not is_scope_token("a" * 101)
    assert not is_scope_token("")
    refused = [chr(n) for n in range(0x20, 0x80) if not is_scope_token(chr(n))]
    assert refused == [" ", '"', "\\", "\x7f"]


def groups_claim(count: int, size: int = 1) -> dict[str, Any]:
    return {"groups": ["g" * size] * count}


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": ["g"] * 2},
        {PARTICIPANT_GROUPS: ["1:g"] * 2},
        {PARTICIPANTS: [{"id": "1", "groups": ["g"]}, {"id": "2", "groups": ["h"]}]},
    ],
)
def test_role_groups_up_to_the_maximum_number_are_in_the_token(claims: dict[str, Any]) -> None:
    """OIDC Core 5.6.2: as many as allowed stay; with one more all are got from userinfo."""
    whole = {"sub": "x", **claims}
    assert within_limit(whole, 2, "https://u.test") == whole
    assert within_limit(whole, 1, "https://u.test") == {
        "sub": "x",
        "_claim_names": dict.fromkeys(claims, "userinfo"),
        "_claim_sources": {"userinfo": {"endpoint": "https://u.test"}},
    }


def test_role_groups_up_to_the_maximum_size_are_in_the_token() -> None:
    """OIDC Core 5.6.2: measured as JSON."""
    frame = len('{"groups": [""]}')
    whole = groups_claim(1, MAX_GROUP_BYTES - frame)
    assert within_limit(whole, 200, "https://u.test") == whole
    longer = groups_claim(1, MAX_GROUP_BYTES - frame + 1)
    assert "groups" not in within_limit(longer, 200, "https://u.test")


@pytest.mark.parametrize(
    "text",
    ["", "a b@example.com", "a@example.com,b@example.com", "a;b@example.com", "<a@example.com>",
     "a(x)@example.com", '"a"@example.com', "a\\b@example.com", "a\n@example.com",
     "\xe9@example.com", f"{'a' * 65}@example.com", "a@", "@example.com", "a"],
)  # fmt: skip
def test_n85_anything_but_one_plain_address_is_invalid(text: str) -> None:
    """N85: each in its own way more, or less, than one address."""
    with pytest.raises(ValueError, match=r"."):
        single_address(text)


def test_n85_the_longest_local_part_is_accepted() -> None:
    """N85, RFC 5321 section 4.5.3.1.1."""
    longest = f"{'a' * 64}@example.com"
    assert single_address(longest) == longest


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("", "is empty or too long"),
        ("https:///cb", "has no host"),
        ("https://user@rp.test/cb", "must not have a user name"),
        ("https://rp.test./cb", "has a malformed host"),
        ("https://rp..test/cb", "has a malformed host"),
        ("https://rp.test/cb#x", "must not have a fragment"),
        ("https://rp.test/cb#", "must not have a fragment"),
        ("https://rp.test:99999/cb", "is not a URI"),
        ("http://127.0.0.1/cb", "must use https"),
        ("http://user@127.0.0.1/cb", "must use https"),
    ],
)
def test_n02_n03_n05_invalid_redirect_uris_are_not_registered(uri: str, fault: str) -> None:
    """N02, N03, N05; OAuth 2.1 section 2.3.1; RFC 8252 sections 7.1 and 7.3."""
    assert registration_fault(uri, native=False, allow_loopback_http=False) == fault


def test_n05_loopback_is_for_native_clients_and_for_development() -> None:
    """N05, RFC 8252 section 7.3; a user name is refused there too."""
    for native, development in ((True, False), (False, True)):
        faults = [
            registration_fault(uri, native=native, allow_loopback_http=development)
            for uri in ("http://localhost/cb", "http://[::1]:1/cb", "http://user@127.0.0.1/cb")
        ]
        assert faults == [None, None, "must not have a user name"]
    assert registration_fault("test.rp.app:/cb", native=True, allow_loopback_http=False) is None
    refused = registration_fault("test.rp.app:/cb", native=False, allow_loopback_http=True)
    assert refused is not None
    assert refused.startswith("must use https (")


def test_a_redirect_uri_of_the_greatest_length() -> None:
    """The longest that is registered, and one longer."""
    longest = "https://rp.test/".ljust(MAX_URI, "a")
    assert registration_fault(longest, native=False, allow_loopback_http=False) is None
    fault = registration_fault(longest + "a", native=False, allow_loopback_http=False)
    assert fault == "is empty or too long"


def test_n05_the_port_of_a_loopback_address_is_the_only_thing_that_may_differ() -> None:
    """N05, RFC 8252 section 7.3: an IP literal, of a native client, with a port that exists."""
    registered = ("http://127.0.0.1/cb",)
    for uri, is_same in (
        ("http://127.0.0.1:0/cb", True),
        ("http://127.0.0.1:65535/cb", True),
        ("http://127.0.0.1:65536/cb", False),
        ("http://127.0.0.1:1/other", False),
        ("http://[::1]:1/cb", False),
        ("http://127.0.0.1:1/cb\u00e9", False),
    ):
        assert is_registered(uri, registered, native=True) is is_same, uri
        assert not is_registered(uri, registered), uri
    assert is_registered(registered[0], registered)
    assert not is_registered("http://127.0.0.1:1", ("http://127.0.0.1/",), native=True)
    assert not is_registered("https://x.test", ("https://y.test",), native=True)
