"""The rules of an authorization request at their limits, without a gateway around them.

What a whole request is answered is in ``tests/security/test_authorization_request``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from authlib.oauth2.rfc6749.errors import InvalidRequestError
from werkzeug.datastructures import MultiDict

from hosted_pages.form_requests import FORM
from idp.models import AuthMethod, Client
from idp.oidc import claims as claim_rules
from idp.oidc import interaction, parameters
from idp.oidc.claims import PARTICIPANT_GROUPS, PARTICIPANTS, Subject
from idp.oidc.interaction import AuthorizationRequest, Proceed, Refuse, SignIn, StepUp, decide
from idp.oidc.jwks import KeyRing
from idp.oidc.request_validation import RequestError, validate
from idp.policy.held_role_group import HeldRoleGroup
from idp.policy.scopes import ACR_MFA, ACR_PASSWORD, ACR_PHR
from idp.policy.signin_state import (
    Answers,
    Authenticated,
    ClientView,
    Evidence,
    SecondFactorDecision,
    SessionView,
    SignInState,
)
from idp.transaction import UnitOfWork
from tests.fakes import FakeClock

NOW = FakeClock().now()
WORK = cast(UnitOfWork, SimpleNamespace(settings=SimpleNamespace(issuer="https://gateway.test")))
RING = KeyRing()
PARAMS = {
    "response_type": "code",
    "scope": "openid",
    "code_challenge": "c" * 43,
    "code_challenge_method": "S256",
}


def client(**changes: Any) -> Client:
    """A relying party that nobody stored."""
    values: dict[str, Any] = {
        "auth_method": AuthMethod.SECRET,
        "scopes": ["openid", "email"],
        "require_pkce": True,
        "audience": "",
    }
    return Client(**(values | changes))


def read(rp: Client | None = None, **params: str | None) -> AuthorizationRequest:
    """The request as it is understood; a parameter of None is left out."""
    given = {name: value for name, value in (PARAMS | params).items() if value is not None}
    return validate(WORK, RING, rp or client(), "https://rp.test/", given, set())


def refused(rp: Client | None = None, **params: str | None) -> str:
    """The error of a request that is refused."""
    with pytest.raises(RequestError) as caught:
        read(rp, **params)
    return caught.value.code


# Parameters


def test_n87_each_parameter_has_its_longest_value() -> None:
    """N87: the last length that is taken, and the first that is not."""
    assert read(state="s" * 4096).state == "s" * 4096
    assert refused(state="s" * 4097) == "invalid_request"
    assert read(nonce="n" * 4094).nonce == "n" * 4094
    assert refused(nonce="n" * 4095) == "invalid_request"
    assert refused(nonce="\u00e9" * 700) == "invalid_request"
    assert read(max_age="999999999").max_age == 999_999_999
    for max_age in ("1000000000", "-1", "x", "\u0661"):
        assert refused(max_age=max_age) == "invalid_request"
    assert refused(state="a\0") == refused(other="a\0") == "invalid_request"
    assert read(login_hint="h" * 321).login_hint == "h" * 320
    words = " ".join(f"w{number}" for number in range(11))
    assert read(ui_locales=words).ui_locales == tuple(words.split()[:10])
    assert read(acr_values=words).acr_values == tuple(words.split()[:10])


def test_n87_the_form_of_parameters_at_its_limits() -> None:
    """N87: how many, how long, and which one is named."""
    assert parameters.malformed({f"p{number}": "x" for number in range(60)}) is None
    assert parameters.malformed({f"p{n}": "x" for n in range(61)}) == "too many parameters"
    for name, longest in (("state", 8_192), ("token", 65_536), ("id_token_hint", 65_536)):
        assert parameters.malformed({name: "x" * longest}) is None
        assert parameters.malformed({"first": "x", name: "x" * (longest + 1)}) == name
    assert parameters.malformed({"state": "a\0b"}) == "state"
    assert parameters.malformed({"state": "\ud800"}) == "state"
    for name in ("\u00e9tat", "a b"):
        assert parameters.malformed({name: "\0"}) == "a parameter"


def test_n07_each_parameter_has_one_value() -> None:
    """N07, RFC 6749 section 3.1: of query and body together; one without a value is omitted."""
    query, body = MultiDict([("a", "1"), ("b", "")]), MultiDict([("b", "2"), ("c", "3")])
    assert parameters.single(query, body) == ({"a": "1", "b": "2", "c": "3"}, set())
    assert parameters.single(query, MultiDict([("a", "1")])) == ({"a": "1"}, {"a"})
    assert parameters.single(MultiDict([("a", ""), ("a", "2"), ("a", "3")])) == ({"a": "2"}, {"a"})


def test_n36_parameters_are_read_from_a_form_body_only() -> None:
    """N36, RFC 6749 section 3.2."""
    kind = FORM
    empty: MultiDict[str, str] = MultiDict()
    once, twice = MultiDict([("a", "1")]), MultiDict([("a", "1"), ("a", "1")])
    assert parameters.form(kind, MultiDict([("a", "")]), once) == {"a": "1"}
    for given, status, words in (
        (("application/json", empty, once), 415, "Send the parameters as"),
        ((kind, once, once), 400, "Parameters belong in the body"),
        ((kind, MultiDict([("a", ""), ("a", "1")]), once), 400, "Parameters belong in the body"),
        ((kind, empty, twice), 400, "A parameter is repeated."),
        ((kind, empty, MultiDict([("a", "\0")])), 400, "Malformed: a."),
    ):
        with pytest.raises(InvalidRequestError) as caught:
            parameters.form(*given)
        assert caught.value.status_code == status
        assert caught.value.description.startswith(words)


def test_n10_missing_and_unsupported_parameters_are_named() -> None:
    """N10 to N12: the parameters that decide what kind of request it is."""
    assert refused(response_type=None) == "invalid_request"
    assert refused(response_type="token") == "unsupported_response_type"
    assert refused(request="x") == "request_not_supported"
    assert refused(request_uri="https://rp.test/r") == "request_uri_not_supported"
    assert refused(resource="https://other.test") == "invalid_target"
    assert read(resource="https://gateway.test").scopes == ("openid",)
    own = client(audience="https://api.test")
    assert read(own, resource="https://api.test").scopes == ("openid",)
    assert refused(own, resource="https://gateway.test") == "invalid_target"
    assert read(response_mode="form_post").response_mode == "form_post"
    assert read().response_mode == "query"
    assert refused(response_mode="fragment") == "invalid_request"
    with pytest.raises(RequestError) as caught:
        validate(WORK, RING, client(), "https://rp.test/", PARAMS, {"nonce"})
    assert caught.value.code == "invalid_request"


def test_scopes_are_the_registered_ones() -> None:
    """OIDC Core 3.1.2.1: ``openid`` always; no more than the client is registered for."""
    assert read(scope="openid email").scopes == ("openid", "email")
    for scope in (None, "email", 'openid "'):
        assert refused(scope=scope) == "invalid_scope"
    assert refused(scope="openid phone") == "invalid_scope"


@pytest.mark.parametrize(
    ("challenge", "method", "is_good"),
    [
        ("c" * 43, "S256", True),
        ("c" * 42, "S256", False),
        ("c" * 44, "S256", False),
        ("c" * 42 + "=", "S256", False),
        ("c" * 43, "plain", False),
        ("c" * 43, None, False),
        (None, "S256", False),
    ],
)
@pytest.mark.parametrize("required", [True, False])
def test_n22_incomplete_or_malformed_pkce_is_refused(
    challenge: str | None, method: str | None, is_good: bool, required: bool
) -> None:
    """N22: also by a client that need not use it."""
    rp = client(require_pkce=required)
    params = {"code_challenge": challenge, "code_challenge_method": method}
    if is_good:
        assert read(rp, **params).code_challenge == challenge
    else:
        assert refused(rp, **params) == "invalid_request"


def test_n22_only_a_client_with_the_waiver_may_omit_pkce() -> None:
    """N22."""
    params = {"code_challenge": None, "code_challenge_method": None}
    assert refused(**params) == "invalid_request"
    assert read(client(require_pkce=False), **params).code_challenge is None


def test_n14_valid_combinations_of_prompts() -> None:
    """OIDC Core 3.1.2.1: ``none`` stands alone."""
    assert read(prompt="none").prompt == ("none",)
    assert read(prompt="login consent").prompt == ("login", "consent")
    assert read(prompt=None).prompt == ()
    for prompt in ("none consent", "login other"):
        assert refused(prompt=prompt) == "invalid_request"


# The claims parameter


def asked(rp: Client | None = None, **members: Any) -> dict[str, Any]:
    """The claims that are kept of these requests."""
    return read(rp, claims=json.dumps(members)).claims


def test_a_client_gets_the_claims_of_its_own_scopes() -> None:
    """OIDC Core 5.5: others are ignored, unknown ones too; the level and the time are for all."""
    assert read().claims == {}
    wish = {"email": None, "phone_number": None, "acr": None, "auth_time": None, "x": None}
    kept = {"email": None, "acr": None, "auth_time": None}
    assert asked(id_token=wish) == {"userinfo": {}, "id_token": kept}
    assert asked(userinfo=wish | {"sub": None}, id_token=None) == {
        "userinfo": kept | {"sub": None},
        "id_token": {},
    }
    # What is ignored is not read either.
    assert asked(userinfo={"x": 7}) == {"userinfo": {}, "id_token": {}}


@pytest.mark.parametrize(
    ("name", "wish", "is_good"),
    [
        ("email", {}, True),
        ("email", {"essential": True}, True),
        ("email", {"essential": "true"}, False),
        ("email", {"essential": None}, False),
        ("email", {"value": 7}, True),
        ("email", "x", False),
        ("sub", {"value": "a"}, True),
        ("sub", {"value": 7}, False),
        ("sub", {"value": None}, False),
        ("sub", {"values": ["a"]}, False),
        ("acr", {}, True),
        ("acr", {"essential": True}, True),
        ("acr", {"value": ACR_MFA}, True),
        ("acr", {"value": 7}, False),
        ("acr", {"value": ACR_MFA, "values": [ACR_MFA]}, False),
        ("acr", {"values": [ACR_MFA, ACR_PHR]}, True),
        ("acr", {"values": [ACR_MFA, 7]}, False),
        ("acr", {"values": []}, False),
        ("acr", {"values": ACR_MFA}, False),
        ("auth_time", {"values": []}, True),
    ],
)
def test_a_malformed_request_of_one_claim_is_refused(name: str, wish: Any, is_good: bool) -> None:
    """OIDC Core 5.5.1."""
    claims = json.dumps({"id_token": {name: wish}})
    if is_good:
        assert read(claims=claims).claims["id_token"] == {name: wish}
    else:
        assert refused(claims=claims) == "invalid_request"


def test_n15_the_subject_that_the_client_expects() -> None:
    """N15: by the claim; a hint that is none of ours matches nobody."""
    assert read().expected_subject is None
    assert read(claims='{"id_token": {"sub": null}}').expected_subject is None
    assert read(claims='{"userinfo": {"sub": {"value": "a"}}}').expected_subject is None
    wish = '{"id_token": {"sub": {"value": "a"}}}'
    assert read(claims=wish).expected_subject == "a"
    assert read(id_token_hint="\u00e9").expected_subject == ""
    assert read(claims=wish, id_token_hint="no token").expected_subject == "a"


# What is decided


SESSION = SessionView("subject", "personal", NOW - timedelta(seconds=60), ACR_PASSWORD)
REQUEST = AuthorizationRequest(redirect_uri="https://rp.test/", scopes=("openid", "email"))
STATE = SignInState(session=SESSION, client=ClientView(trusted=True, minimum_acr=None))


def step(request: AuthorizationRequest = REQUEST, **changes: Any) -> interaction.Step:
    return decide(replace(STATE, **changes), request, NOW)


def demanding(*levels: str, essential: bool = True) -> AuthorizationRequest:
    """A request of one of these levels."""
    wish = {"essential": essential, "values": list(levels)}
    return replace(REQUEST, claims={"id_token": {"acr": wish}})


def test_n14_the_last_moment_of_max_age() -> None:
    """OIDC Core 3.1.2.1: older than asked, not as old."""
    assert step(replace(REQUEST, max_age=60)) == Proceed()
    assert step(replace(REQUEST, max_age=59)) == SignIn()
    silent = replace(REQUEST, max_age=59, prompt=("none",))
    assert step(silent) == Refuse("login_required")


def test_n14_a_sign_in_must_be_of_the_account_that_the_client_expects() -> None:
    """N15."""
    assert step(replace(REQUEST, expected_subject="subject")) == Proceed()
    other = step(replace(REQUEST, expected_subject="other"))
    assert other == Refuse("login_required", "another person is signed in")
    invalid = step(replace(REQUEST, expected_subject=""), session=None)
    assert invalid == Refuse("login_required", "the hint is not valid here")
    assert step(replace(REQUEST, expected_subject="other"), session=None) == SignIn()


def test_en03_a_machine_account_cannot_sign_in_with_a_browser() -> None:
    """MA-07: even where the application takes its kind elsewhere."""
    kinds = ClientView(trusted=True, minimum_acr=None, account_kinds=("machine", "personal"))
    answer = step(session=replace(SESSION, account_kind="machine"), client=kinds)
    assert answer == Refuse("access_denied", "machine accounts have no browser sign-on")


def test_n14_a_level_is_demanded_only_when_it_is_essential() -> None:
    """OIDC Core 5.5.1.1: one of several is enough; a wish is no demand."""
    assert step(demanding(ACR_MFA, essential=False)) == Proceed()
    assert step(demanding(ACR_MFA, ACR_PASSWORD)) == Proceed()
    unmet = "unmet_authentication_requirements"
    assert step(demanding(ACR_MFA, ACR_PHR)) == Refuse(unmet, f"this needs {ACR_MFA}")
    assert step(demanding("\u00e9")) == Refuse(unmet, "this needs a higher level")
    only = replace(REQUEST, claims={"id_token": {"acr": {"essential": True, "value": ACR_PHR}}})
    assert step(only) == Refuse(unmet, f"this needs {ACR_PHR}")
    minimum = ClientView(trusted=True, minimum_acr=ACR_MFA)
    assert step(client=minimum) == Refuse(unmet, f"this needs {ACR_MFA}")
    # The client's own level is named first.
    assert step(demanding(ACR_PHR), client=minimum) == Refuse(unmet, f"this needs {ACR_MFA}")


def test_n14_a_factor_is_asked_for_only_if_it_can_reach_the_level() -> None:
    """OIDC Core 3.1.2.1: never silently; and not when it would not be enough."""
    able = replace(SESSION, reachable_acr=ACR_MFA)
    assert step(demanding(ACR_MFA), session=able) == StepUp()
    assert isinstance(step(demanding(ACR_PHR), session=able), Refuse)
    silent = replace(demanding(ACR_MFA), prompt=("none",))
    assert isinstance(step(silent, session=able), Refuse)
    minimum = ClientView(trusted=True, minimum_acr=ACR_PHR)
    assert isinstance(step(demanding(ACR_MFA), session=able, client=minimum), Refuse)
    plain = ClientView(trusted=True, minimum_acr=None)
    assert interaction.needs_passkey(demanding(ACR_PHR), plain, ACR_MFA)
    assert not interaction.needs_passkey(demanding(ACR_MFA), plain, ACR_PHR)
    assert interaction.needs_passkey(REQUEST, minimum, ACR_MFA)


def test_n14_acr_values_are_a_wish() -> None:
    """RFC 9470 section 4, OIDC Core 3.1.2.1: whoever can reach one of the levels proves a factor;
    others go on without, and so does a silent request."""
    able = replace(SESSION, reachable_acr=ACR_MFA)
    for wish, expected in (
        ((ACR_MFA,), StepUp()),
        ((ACR_PHR, ACR_MFA), StepUp()),
        ((ACR_PHR,), Proceed()),
        ((ACR_MFA, ACR_PASSWORD), Proceed()),
        (("1", "2"), Proceed()),
        ((), Proceed()),
    ):
        asked = replace(REQUEST, acr_values=wish)
        assert step(asked, session=able) == expected, wish
        assert step(replace(asked, prompt=("none",)), session=able) == Proceed()
        assert step(asked) == Proceed()
        assert step(asked, session=replace(able, acr=ACR_MFA)) == Proceed()


def test_n14_a_wish_for_a_passkey_hides_other_factors_only_from_who_has_one() -> None:
    """A wish that nobody can meet does not stop a sign-in that needs another factor."""
    minimum = ClientView(trusted=True, minimum_acr=ACR_MFA)
    wish = replace(REQUEST, acr_values=(ACR_PHR,))
    assert interaction.needs_passkey(wish, minimum, ACR_PHR)
    assert not interaction.needs_passkey(wish, minimum, ACR_MFA)
    assert not interaction.needs_passkey(replace(wish, acr_values=("1",)), minimum, ACR_PHR)


def test_en03_an_application_accepts_its_kinds_of_account() -> None:
    """EN-03: the page asks for the other account; silently it is an error of its own."""
    mail = ClientView(trusted=True, minimum_acr=ACR_PHR, account_kinds=("email",))
    assert step(client=mail) == interaction.OtherAccount()
    silent = replace(REQUEST, prompt=("none",))
    assert step(silent, client=mail) == Refuse(
        "account_selection_required", "needs another account"
    )


def test_n14_an_account_is_chosen_once() -> None:
    """OIDC Core 3.1.2.1: by the answer, or by a sign-in for this request."""
    choose = replace(REQUEST, prompt=("select_account",))
    assert step(choose) == interaction.SelectAccount()
    assert step(choose, answers=Answers(account_chosen=True)) == Proceed()
    fresh = Authenticated(1, Evidence(("pwd",)), SecondFactorDecision(("always",)))
    assert step(choose, progress=fresh) == Proceed()
    # The page comes first: what is demanded is decided for the account that is chosen there.
    for more in (
        {"max_age": 0},
        {"prompt": ("login", "select_account")},
        {"expected_subject": "x"},
    ):
        assert step(replace(choose, **more)) == interaction.SelectAccount()
    assert step(choose, session=None) == SignIn()
    assert step(choose, session=None, has_others=True) == interaction.SelectAccount()
    assert step(session=None, has_others=True) == SignIn()
    for again in (replace(REQUEST, prompt=("login",)), replace(REQUEST, max_age=0)):
        at_once = replace(SESSION, auth_time=NOW)
        assert step(again, session=at_once) == SignIn()
        assert step(again, session=at_once, progress=fresh) == Proceed()


def test_consent_is_asked_for_scopes_not_agreed_to() -> None:
    """OIDC Core 3.1.2.4: of a client that is not trusted, or on demand; once."""
    foreign = ClientView(trusted=False, minimum_acr=None)
    some, every = frozenset({"openid"}), frozenset({"openid", "email", "phone"})
    exactly = frozenset(REQUEST.scopes)
    consent, silent = interaction.Consent(), replace(REQUEST, prompt=("none",))
    assert step(client=foreign) == consent
    assert step(client=foreign, answers=Answers(remembered_scopes=some)) == consent
    assert step(client=foreign, answers=Answers(remembered_scopes=every)) == Proceed()
    assert step(client=foreign, answers=Answers(remembered_scopes=exactly)) == Proceed()
    assert step(client=foreign, answers=Answers(consented=True)) == Proceed()
    assert step(silent, client=foreign) == Refuse("consent_required")
    on_demand = replace(REQUEST, prompt=("consent",))
    assert step(on_demand) == consent
    assert step(on_demand, answers=Answers(consented=True)) == Proceed()


def test_a_request_is_stored_with_its_interaction_as_it_was() -> None:
    """Tuples come back as tuples; the comparison of ``decide`` depends on it."""
    whole = replace(
        demanding(ACR_MFA), prompt=("login",), ui_locales=("fr",), acr_values=(ACR_PHR,), max_age=0
    )
    assert AuthorizationRequest.from_json(json.loads(json.dumps(whole.to_json()))) == whole


# Claims


SUBJECT = Subject(
    sub="s", username="moreaua", kind="personal", name="Ada Moreau", given_name="Ada",
    middle_name="", family_name="Moreau", email="a@b.example", phone="+14169671111",
    person_id="P1", locale="fr", zoneinfo="America/Toronto", updated_at=1, environment="sandbox",
)  # fmt: skip
EVERY = set(claim_rules.CLAIMS_SUPPORTED)


def test_empty_claims_except_role_groups_are_omitted() -> None:
    """OIDC Core 5.3.2."""
    full = claim_rules.build(SUBJECT, EVERY, [])
    assert (full["email_verified"], full["phone_number_verified"]) == (True, False)
    assert (full["groups"], full[PARTICIPANTS], full[PARTICIPANT_GROUPS]) == ([], [], [])
    assert not {"middle_name", claim_rules.SECOND_ACCOUNT} & set(full)
    bare = claim_rules.build(replace(SUBJECT, phone=""), EVERY, [])
    assert set(full) - set(bare) == {"phone_number", "phone_number_verified"}
    second = replace(SUBJECT, second_reason="transmission_rights", second_participant="109120")
    told = claim_rules.build(second, EVERY, [])[claim_rules.SECOND_ACCOUNT]
    assert told == {"reason": "transmission_rights", "participant": "109120"}
    assert claim_rules.build(second, {"email"}, []) == {"sub": "s", "email": "a@b.example"}


def test_role_groups_are_sorted_and_by_participant() -> None:
    """The order of the table says nothing."""
    rows = [
        HeldRoleGroup("B", "2", "Two"),
        HeldRoleGroup("A", "2", "Two"),
        HeldRoleGroup("B", "1", "One"),
    ]
    built = claim_rules.build(SUBJECT, set(claim_rules.GROUP_CLAIMS), rows)
    assert built["groups"] == ["A", "B"]
    assert built[PARTICIPANT_GROUPS] == ["1:B", "2:A", "2:B"]
    assert built[PARTICIPANTS] == [
        {"id": "1", "name": "One", "groups": ["B"]},
        {"id": "2", "name": "Two", "groups": ["A", "B"]},
    ]


def test_claims_are_requested_by_scope_and_by_name() -> None:
    """OIDC Core 5.4, 5.5: for the one target, of those that exist."""
    wish = {"userinfo": {"groups": None, "unheard": None}, "id_token": None}
    assert claim_rules.requested(["email", "x"], {}, "userinfo") == {"email", "email_verified"}
    assert claim_rules.requested(["participants"], wish, "userinfo") == {PARTICIPANTS, "groups"}
    assert claim_rules.requested([], wish, "id_token") == set()
    assert claim_rules.needs_groups({"email", "groups"})
    assert not claim_rules.needs_groups({"email"})


def held(count: int) -> list[HeldRoleGroup]:
    return [HeldRoleGroup(f"Group {number:03}", "109120", "Company") for number in range(count)]


@pytest.mark.parametrize("name", ["groups", PARTICIPANTS, PARTICIPANT_GROUPS])
def test_claims_about_role_groups_have_a_limit_each(name: str) -> None:
    """OIDC Core 5.6.2: the last number that is in the token, and the first that is not."""
    fits = claim_rules.build(SUBJECT, {name}, held(3))
    assert claim_rules.within_limit(fits, 3, "https://u") == fits
    moved = claim_rules.within_limit(claim_rules.build(SUBJECT, {name}, held(4)), 3, "https://u")
    assert moved == {
        "sub": "s",
        "_claim_names": {name: "userinfo"},
        "_claim_sources": {"userinfo": {"endpoint": "https://u"}},
    }


def test_claims_about_role_groups_have_a_limit_in_bytes() -> None:
    """N87: what the gateway signs it also reads."""
    rest = len(json.dumps({"groups": [""]}))
    longest = {"groups": ["x" * (claim_rules.MAX_GROUP_BYTES - rest)]}
    assert claim_rules.within_limit(longest, 9, "https://u") == longest
    longer = {"groups": [longest["groups"][0] + "x"]}
    assert "groups" not in claim_rules.within_limit(longer, 9, "https://u")
