"""Changes that reach far need a second factor of the last 15 minutes (N66)."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from urllib.parse import urlencode

import pyotp
import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from idp.clients import client_proposals, logos, registry
from idp.directory import accounts, role_groups
from idp.factors import authenticators
from idp.grants import signing_keys
from idp.machines import machine_keys
from idp.mfa.assurance import FactorKind
from idp.models import AccountKind, BrowserSession, KeyState
from idp.policy.console import ConsoleRole
from idp.web.console import factor_check
from idp.web.console.gate import ROUTES
from tests.console.desk import Desk, trip_breaker
from tests.console.test_two_operators import DATA
from tests.factor_steps import code, last_code
from tests.world import OTHER_KEY, PASSWORD, World

ACCESS = ConsoleRole.ACCESS
Fields = list[tuple[str, str]]
#: The answer to a confirmation page.
CONFIRMED = [("reason", "maintenance"), ("details", "a < b"), ("ticket", "CH-7")]


def with_app(world: World, username: str) -> str:
    """Give an operator an authenticator app; returns its secret."""
    secret = pyotp.random_base32()
    with world.work() as work:
        account = accounts.by_username(work, username)
        row = authenticators.start_enrolment(work, account, FactorKind.TOTP)
        row.secret_sealed = work.vault.encrypt(secret)
        row.confirmed_at = account.enrolled_at = work.now
    return secret


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk.of(world, ACCESS)


@pytest.fixture
def secret(world: World, desk: Desk) -> str:
    return with_app(world, desk.username)


def stale(world: World) -> None:
    """No factor was proved in any session."""
    with world.work() as work:
        work.db.execute(update(BrowserSession).values(factor_at=None))


def send(desk: Desk, path: str, fields: Fields) -> TestResponse:
    """A form as a browser sends it, without a fresh proof."""
    return desk.browser.client.post(
        path,
        data=urlencode([("csrf_token", desk.token()), *fields]),
        content_type="application/x-www-form-urlencoded",
        base_url=desk.browser.base,
    )


def kept(page: TestResponse, path: str, button: str = 'name="code"') -> Fields:
    """The hidden fields of the form on the page that has this field or button."""
    (form,) = [
        form
        for form in re.findall(r"<form\b.*?</form>", page.text, re.DOTALL)
        if f'action="{path}"' in form and button in form and 'id="recovery"' not in form
    ]
    found = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', form)
    return [(name, unescape(value)) for name, value in found if name != "csrf_token"]


def registration(name: str) -> Fields:
    """The form of an application, with lists and lines."""
    return [
        ("name", name), ("auth_method", "private_key_jwt"), ("scopes", "openid email"),
        ("account_kinds", "personal"),
        ("grant_types", "authorization_code"), ("grant_types", "refresh_token"),
        ("redirect_uris", "https://tra.rp.test/a\r\nhttps://tra.rp.test/b?x=1&y=2"),
        ("new_key", OTHER_KEY.as_pem(private=False).decode()), ("require_pkce", "1"),
        ("id_token_alg", "RS256"), ("access_token_alg", "ES256"), ("access_token_format", "jwt"),
        ("role_groups", "Viewer"), ("role_groups", "Trader"),
    ]  # fmt: skip


def prepare(world: World) -> dict[str, tuple[str, Fields]]:
    """For each change that needs a fresh factor: where its form goes, and what it holds."""
    for name in ("Viewer", "Trader"):
        world.role_group(name)
    world.relying_party()
    world.relying_party("Crow")
    trip_breaker(world)
    holder, other = world.account(), world.account()
    world.grant_role(holder, "Trader")
    subject, proposer = world.account_row(holder).subject, world.operator(ACCESS)
    with world.work() as work:
        registry.disable(work, registry.get(work, "crow"))
        operator = accounts.by_username(work, proposer)
        work.origin = replace(work.origin, actor=proposer, person_id=operator.person_id)
        outcome = client_proposals.create(work, DATA, client_id="registration")
        proposal = outcome.proposal.public_id if outcome.proposal else ""
        (kid,) = [
            key.kid
            for key in signing_keys.every_key(work)
            if (key.alg, key.state) == ("ES256", KeyState.ACTIVE)
        ]
        person_id = accounts.by_username(work, holder).person.person_id
        logo = logos.store(work, logos.read("icon:market"))
        viewer = role_groups.by_name(work, "Viewer").id
    program = world.account(kind=AccountKind.MACHINE)
    machine = f"/console/accounts/{world.account_row(program).subject}"
    with world.work() as work:
        pem = OTHER_KEY.as_pem(private=False).decode()
        row = machine_keys.add(work, accounts.by_username(work, program), pem, label="Mill")
        machine_kid = row.kid
    account, pair = f"/console/accounts/{subject}", ("participant", "109120")
    return {
        "new_client": ("/console/clients/new", [("client_id", "tra"), *registration("TRA")]),
        "update_client": ("/console/clients/emi", registration("Else")),
        "set_logo": ("/console/clients/emi/logo/use", [("logo", logo)]),
        "rotate_secret": ("/console/clients/emi/secret", [("overlap_hours", "5")]),
        "enable_client": ("/console/clients/crow/enable", []),
        "confirm_proposal": (f"/console/proposals/{proposal}/confirm", []),
        "issue_initial_token": (
            "/console/initial-tokens",
            [("name", "Northern Lakes"), ("uses", "5"), ("days", "3")],
        ),
        "new_group": ("/console/role-groups/new", [("name", "New"), ("kind", "personal")]),
        "describe_group": (f"/console/role-groups/{viewer}/texts", [("name_fr", "Lecture")]),
        "set_rule": ("/console/role-groups/rule", [("name", "Viewer"), ("rule", "always")]),
        "grant": (f"{account}/grant", [("group", "Viewer"), pair]),
        "add_member": (
            f"/console/role-groups/{viewer}/members",
            [("username", other), pair, ("valid_from", ""), ("valid_until", "2027-11-30")],
        ),
        "revoke": (f"{account}/revoke", [("group", "Trader"), pair]),
        "set_contact": (
            "/console/participants/contact",
            [
                ("number", "109120"),
                ("person_id", person_id),
                ("function", "rights_administrator"),
                ("change", "appoint"),
            ],
        ),
        "new_account": (
            "/console/accounts/new",
            [
                ("kind", "personal"),
                ("person_id", "N1"),
                ("given_name", "Nora"),
                ("family_name", "New"),
                ("email", "nora@participant.example"),
                ("locale", "en"),
            ],
        ),
        "correct_person": (
            f"{account}/person",
            [("given_name", "Grace"), ("email", "g@x.example")],
        ),
        "remove_machine_key": (f"{machine}/keys/{machine_kid}/remove", []),
        "change_custodian": (f"{machine}/custodian", [("person_id", person_id)]),
        "rotate_key": ("/console/keys/rotate", [("alg", "RS256")]),
        "revoke_key": (f"/console/keys/{kid}/revoke", []),
        "confirm_mass_change": ("/console/alarms/breaker", []),
    }


def test_n66_each_change_asks_for_a_factor_and_then_continues_unchanged(
    world: World, desk: Desk, secret: str
) -> None:
    """N66, over all changes: nothing is done before the proof, nothing typed is lost, and after it
    the change is made once."""
    forms = prepare(world)
    assert {f"console.{name}" for name in forms} == set(factor_check.ENDPOINTS)
    forms["rotate_secret"], forms["update_client"] = (
        forms.pop("rotate_secret"), forms.pop("update_client"),
    )  # fmt: skip
    for name, (path, fields) in forms.items():
        stale(world)
        before = len(world.events())
        page = send(desk, path, fields)
        if 'name="confirmation"' in page.text:
            fields = [*kept(page, path, 'name="confirmation"'), *CONFIRMED]
            fields += [("typed", path.split("/")[3])] if name == "revoke_key" else []
            page = send(desk, path, fields)
        assert (page.status_code, "Verify your identity" in page.text) == (200, True), name
        assert "What you entered is kept" in page.text
        assert len(world.events()) == before, name
        hidden = kept(page, path)
        assert [pair for pair in hidden if pair[0] not in ("proof", "method")] == fields, name
        done = send(desk, path, [*hidden, ("code", code(world, secret))])
        assert done.status_code in (200, 303), (name, done.text)
        assert "Verify your identity" not in done.text, name
        made = [event for event in world.events()[before:] if event.actor == desk.username]
        assert made, name
        world.clock.advance(seconds=30)
    with world.work() as work:
        made_client = registry.get(work, "tra")
        assert made_client.redirect_uris[1] == "https://tra.rp.test/b?x=1&y=2"
        assert made_client.grant_types == ["authorization_code", "refresh_token"]
        assert [group.name for group in made_client.role_groups] == ["Trader", "Viewer"]
        assert len(made_client.keys) == 1
        assert registry.get(work, "registration").scopes == ["scim"]


#: What operators of Access Management may send without: it takes power away, or gives none.
WITHOUT = {
    "console.disable_client", "console.end_old_secret", "console.withdraw_proposal",
    "console.revoke_initial_token",
    "console.retry_message", "console.act", "console.end_session",
    "console.verify_caller", "console.deny_caller",
    "console.send_code", "console.check_code", "console.upload_logo",
}  # fmt: skip


def test_n66_every_console_form_needs_a_fresh_factor_or_is_a_listed_exception(world: World) -> None:
    """N66: every form of Access Management is in one of the two tables."""
    sent = {
        rule.endpoint
        for rule in world.app.url_map.iter_rules()
        if rule.endpoint.startswith("console.")
        and "POST" in (rule.methods or set())
        and ACCESS in ROUTES[rule.endpoint]
    }
    assert sent - WITHOUT == set(factor_check.ENDPOINTS)


def test_n66_a_factor_is_fresh_for_fifteen_minutes(world: World, desk: Desk, secret: str) -> None:
    """N66: to the second; the proof of one change serves the next ones."""
    path, form = "/console/role-groups/new", [("kind", "personal")]
    page = send(desk, path, [*form, ("name", "One")])
    world.clock.advance(seconds=30)
    assert send(desk, path, [*kept(page, path), ("code", code(world, secret))]).status_code == 303
    world.clock.advance(seconds=899)
    assert send(desk, path, [*form, ("name", "Two")]).status_code == 303
    world.clock.advance(seconds=1)
    assert "Verify your identity" in send(desk, path, [*form, ("name", "Three")]).text


def test_n66_a_wrong_code_changes_nothing_and_keeps_the_form(
    world: World, desk: Desk, secret: str
) -> None:
    """N63, N66: 400, the form still there; the right code then does it. Codes are used once."""
    path = "/console/role-groups/new"
    form = [("name", "One"), ("kind", "personal"), ("description", '"<b>" & more')]
    page = send(desk, path, form)
    wrong = send(desk, path, [*kept(page, path), ("code", "000000")])
    assert wrong.status_code == 400
    assert kept(wrong, path) == kept(page, path)
    assert world.events("role_group.created")[-1].data["group"] != "One"
    right = code(world, secret)
    assert send(desk, path, [*kept(wrong, path), ("code", right)]).status_code == 303
    stale(world)
    again = send(desk, path, [("proof", "1"), *form, ("code", right)])
    assert again.status_code == 400


def test_n66_the_form_is_kept_while_a_mailed_code_is_entered(
    world: World, desk: Desk, secret: str
) -> None:
    """N66: asked for by a button, sent, entered; the form goes through every page."""
    with world.work() as work:
        row = authenticators.start_enrolment(
            work, accounts.by_username(work, desk.username), FactorKind.EMAIL
        )
        row.confirmed_at = work.now
        public_id = row.public_id
    path, form = "/console/role-groups/new", [("name", "One"), ("kind", "personal")]
    page = send(desk, path, form)
    asked = kept(page, path, 'value="send"')
    assert ("method", public_id) in asked
    sent = send(desk, path, [*asked, ("do", "send")])
    assert "We sent a verification code to your e-mail address" in sent.text
    by_app = kept(sent, path, 'value="show"')
    assert "authenticator app" in send(desk, path, [*by_app, ("do", "show")]).text
    typed = [*kept(sent, path), ("code", last_code(world, "email"))]
    assert send(desk, path, typed).status_code == 303
    assert world.events("role_group.created")[-1].data["group"] == "One"


def test_n66_a_recent_sign_in_counts_only_if_it_used_a_second_factor(
    world: World, desk: Desk, secret: str
) -> None:
    """N66: whoever has just signed in with two factors is not asked a second time."""
    path, form = "/console/role-groups/new", [("name", "One"), ("kind", "personal")]
    assert "Verify your identity" in send(desk, path, form).text
    browser = world.browser()
    page = browser.sign_in(desk.username, PASSWORD)
    assert page.request.path == "/signin/factor"
    world.clock.advance(seconds=30)
    browser.submit(page, "/signin/factor", code=code(world, secret))
    assert send(Desk(world, desk.username, browser), path, form).status_code == 303


def test_n66_without_a_factor_the_change_is_not_possible(world: World, desk: Desk) -> None:
    """N66: a password is no second factor; the page says where to set one up."""
    path, form = "/console/role-groups/new", [("name", "One"), ("kind", "personal")]
    for fields in (form, [*form, ("proof", "1"), ("code", PASSWORD), ("current", PASSWORD)]):
        answer = send(desk, path, fields)
        assert answer.status_code == 403
        assert "Set up extra verification first" in answer.text
    assert world.events("role_group.created")[-1].data["group"] != "One"


def test_n74_a_refused_change_keeps_session_and_fresh_factor(
    world: World, desk: Desk, secret: str
) -> None:
    """N53, N74: a refusal after the proof ends neither the session nor the proof."""
    path = f"{desk.path(desk.username)}/grant"
    form = [("group", "Gateway Auditor"), ("participant", "IESO")]
    page = send(desk, path, form)
    answer = send(desk, path, [*kept(page, path), ("code", code(world, secret))])
    assert answer.status_code == 403
    assert desk.browser.get("/console").status_code == 200
    fields = [("name", "One"), ("kind", "personal")]
    assert send(desk, "/console/role-groups/new", fields).status_code == 303
