"""The end of a sign-in: one answer for each authorization request, in the form that fits."""

from __future__ import annotations

import pytest

from idp.clients import registry
from idp.policy.console import ConsoleRole
from tests.factor_steps import code, set_up_app
from tests.security.test_other_sites import send_form
from tests.world import AUTHORIZE, Rp, World, answer_of, hidden_fields

RESUME = "/oauth2/v1/authorize/resume"


def flow_of(page: str, action: str = "/signin") -> str:
    return hidden_fields(page, action)["flow"]


def test_n54_a_request_is_answered_once(world: World) -> None:
    """N54: after the code, another tab with the same sign-in gets the dashboard and no code."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser()
    page = browser.authorize(rp)
    flow = flow_of(page.text)
    assert "code" in answer_of(browser.sign_in(username, page=page))
    assert browser.get(RESUME, flow=flow).request.path == "/"
    assert len(world.events("authorize.granted")) == 1


def test_n54_a_refusal_is_given_once(world: World) -> None:
    """N54: after "no" to the scopes, another tab gets no second refusal."""
    rp, username = world.relying_party(trusted=False), world.account()
    browser = world.browser().signed_in(username)
    page = browser.authorize(rp)
    assert page.request.path == "/signin/consent"
    flow = flow_of(page.text, "/signin/consent")
    answer = browser.submit(page, "/signin/consent", decision="deny")
    assert answer_of(answer)["error"] == "access_denied"
    assert browser.get(RESUME, flow=flow).request.path == "/"
    assert len(world.events("authorize.refused")) == 1


def test_n59_only_the_answer_to_a_form_is_a_page(world: World) -> None:
    """N59: ``form-action`` governs a redirect after a form, also over several origins. Without a
    form, code and refusal are redirects."""
    rp, username = world.relying_party(trusted=False), world.account()
    browser = world.browser().signed_in(username)
    for decision, name in (("deny", "error"), ("allow", "code")):
        page = browser.authorize(rp)
        answer = browser.submit(page, "/signin/consent", decision=decision)
        assert answer.mimetype == "text/html"
        assert 'http-equiv="refresh"' in answer.text
        assert name in answer_of(answer)
    for prompt, name in ((None, "code"), ("none", "code"), ("none login", "error")):
        answer = browser.authorize(rp, prompt=prompt)
        assert answer.status_code == 303
        assert 'http-equiv="refresh"' not in answer.text
        assert name in answer_of(answer)


def location(world: World, rp: Rp, browser: object, **changes: str) -> str:
    """Where the authorization endpoint sends a browser first."""
    answer = browser.client.get(  # type: ignore[attr-defined]
        AUTHORIZE, query_string=rp.authorize_params(**changes), base_url=world.settings.issuer
    )
    return str(answer.headers["Location"])


def test_n14_who_has_to_sign_in_again_sees_the_page(world: World) -> None:
    """N14: the sign-in page sends a person on who is signed in, except for ``prompt=login``."""
    rp, username = world.relying_party(trusted=False), world.account()
    browser = world.browser()
    assert "again" not in location(world, rp, browser)
    browser.signed_in(username)
    assert "again=1" in location(world, rp, browser, prompt="login")
    consent = location(world, rp, browser)
    assert consent.startswith("/signin/consent")
    assert "again" not in consent
    page = browser.authorize(rp, prompt="login")
    assert page.request.path == "/signin"
    assert browser.get("/signin").request.path == "/"


@pytest.mark.parametrize(
    ("target", "role", "end"),
    [
        ("/", ConsoleRole.AUDITOR, "/console"),
        ("/settings", ConsoleRole.AUDITOR, "/settings"),
        ("/", None, "/"),
    ],
)
def test_n56_an_operator_starts_in_the_console_unless_another_page_was_asked_for(
    world: World, target: str, role: ConsoleRole | None, end: str
) -> None:
    """N56: the page that was asked for is returned to."""
    username = world.operator(role) if role else world.account()
    secret, _ = set_up_app(world, username)
    world.clock.advance(seconds=30)
    browser = world.browser()
    page = browser.sign_in(username, page=browser.get(target))
    if page.request.path == "/signin/factor":
        page = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert page.request.path == end


def test_n18_a_client_that_is_gone_gets_nothing(world: World) -> None:
    """N18: removed between the POST of another site's form and the GET."""
    rp = world.relying_party()
    path = send_form(world, AUTHORIZE, rp.authorize_params())
    with world.work() as work:
        work.db.delete(registry.get(work, rp.client_id))
    page = world.browser().get(path)
    assert page.status_code == 400
    assert "not registered with the gateway" in page.text
