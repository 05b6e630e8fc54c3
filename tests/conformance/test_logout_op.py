"""RP-Initiated, Back-Channel and Front-Channel Logout OP: a test for each module, by its name."""

from __future__ import annotations

from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from tests.conformance.flow import DISCOVERY, Flow

LOGOUT = "/oauth2/v1/logout"
BACK = "https://emi.rp.test/signed-out"


def discovery(flow: Flow) -> dict[str, Any]:
    client = flow.world.app.test_client(use_cookies=False)
    return dict(client.get(DISCOVERY, base_url=flow.world.settings.issuer).json or {})


def is_signed_in(flow: Flow) -> bool:
    return "code" in flow.response(flow.request(prompt="none"))


def confirm(flow: Flow, page: TestResponse) -> TestResponse:
    """The page that asks; its answer is a page of the gateway too."""
    assert page.status_code == 200
    assert "Sign out of the gateway?" in page.text
    return flow.browser.submit(page, f"{LOGOUT}/confirm")


def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(flow: Flow) -> None:
    """RP-Initiated Logout 2.1: the endpoint, by https."""
    assert discovery(flow)["end_session_endpoint"] == f"{flow.world.settings.issuer}{LOGOUT}"


@pytest.mark.parametrize(
    "state", ["5Rk1", None], ids=["oidcc_rp_initiated_logout", "oidcc_rp_initiated_logout_no_state"]
)
def test_oidcc_rp_initiated_logout(flow: Flow, state: str | None) -> None:
    """Section 3: back to the registered URI, with the state if there was one; signed out."""
    sent = {"id_token_hint": flow.tokens()["id_token"], "post_logout_redirect_uri": BACK}
    answer = flow.browser.get(LOGOUT, **sent, **({"state": state} if state else {}))
    assert answer.headers["Location"] == (f"{BACK}?state={state}" if state else BACK)
    assert not is_signed_in(flow)


@pytest.mark.parametrize(
    "address",
    [f"{BACK}/other", f"{BACK}?extra=1"],
    ids=[
        "oidcc_rp_initiated_logout_bad_post_logout_redirect_uri",
        "oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri",
    ],
)
def test_oidcc_rp_initiated_logout_unregistered_uri(flow: Flow, address: str) -> None:
    """Section 3: the gateway does not redirect to a URI that is not registered."""
    hint = flow.tokens()["id_token"]
    page = flow.browser.get(LOGOUT, id_token_hint=hint, post_logout_redirect_uri=address, state="x")
    assert "Location" not in page.headers
    assert address not in page.text


@pytest.mark.parametrize(
    "hint",
    ["modified", "bad", None],
    ids=[
        "oidcc_rp_initiated_logout_modified_id_token_hint",
        "oidcc_rp_initiated_logout_bad_id_token_hint",
        "oidcc_rp_initiated_logout_no_id_token_hint",
    ],
)
def test_oidcc_rp_initiated_logout_without_a_genuine_hint(flow: Flow, hint: str | None) -> None:
    """Section 6: the person is asked, and the gateway does not redirect."""
    token = flow.tokens()["id_token"]
    head, body, signature = token.split(".")
    other = signature[:-8] + ("A" * 8 if signature[-8:] != "A" * 8 else "B" * 8)
    hints = {"modified": f"{head}.{body}.{other}", "bad": "not-a-token"}
    sent = {"id_token_hint": hints[hint]} if hint else {}
    page = flow.browser.get(LOGOUT, **sent, post_logout_redirect_uri=BACK, state="x")
    done = confirm(flow, page)
    assert "Location" not in done.headers
    assert not is_signed_in(flow)


@pytest.mark.parametrize(
    "sent",
    [{}, {"state": "5Rk1"}],
    ids=["oidcc_rp_initiated_logout_no_params", "oidcc_rp_initiated_logout_only_state"],
)
def test_oidcc_rp_initiated_logout_without_parameters(flow: Flow, sent: dict[str, str]) -> None:
    """Section 2: all parameters are optional; the person is asked."""
    flow.tokens()
    done = confirm(flow, flow.browser.get(LOGOUT, **sent))
    assert "Location" not in done.headers
    assert not is_signed_in(flow)


def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(flow: Flow) -> None:
    """Section 2: with a hint alone the person is signed out, on a page of the gateway."""
    page = flow.browser.get(LOGOUT, id_token_hint=flow.tokens()["id_token"], state="x")
    assert page.status_code == 200
    assert "You are signed out" in page.text
    assert not is_signed_in(flow)


def test_oidcc_backchannel_logout_discovery_endpoint_verification(flow: Flow) -> None:
    """Back-Channel Logout 2.1."""
    known = discovery(flow)
    assert known["backchannel_logout_supported"] is True
    assert known["backchannel_logout_session_supported"] is True


def test_oidcc_backchannel_rp_initiated_logout(flow: Flow) -> None:
    """Back-Channel Logout 2.4, 2.5: the relying party gets one logout token for its session, beside
    the redirect of the browser."""
    flow.rp = flow.world.relying_party(
        "OTHER", require_pkce=False, backchannel_logout_uri="https://other.rp.test/logout"
    )
    tokens = flow.tokens()
    flow.browser.get(LOGOUT, id_token_hint=tokens["id_token"])
    flow.world.run_worker()
    ((address, token),) = flow.world.logouts.sent
    logout, known = flow.claims({"id_token": token}), flow.claims(tokens)
    assert address == "https://other.rp.test/logout"
    assert logout["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert [logout[name] for name in ("iss", "aud", "sub", "sid")] == [
        known[name] for name in ("iss", "aud", "sub", "sid")
    ]
    assert "nonce" not in logout


def test_oidcc_frontchannel_logout_discovery_endpoint_verification(flow: Flow) -> None:
    """Front-Channel Logout 3."""
    known = discovery(flow)
    assert known["frontchannel_logout_supported"] is True
    assert known["frontchannel_logout_session_supported"] is True


def test_oidcc_frontchannel_rp_initiated_logout(flow: Flow) -> None:
    """Front-Channel Logout 2: a frame with ``iss`` and ``sid``, then the address of the relying
    party."""
    flow.rp = flow.world.relying_party(
        "OTHER",
        require_pkce=False,
        frontchannel_logout_uri="https://other.rp.test/front",
        frontchannel_logout_session_required=True,
    )
    tokens, back = flow.tokens(), "https://other.rp.test/signed-out"
    page = flow.browser.get(
        LOGOUT, id_token_hint=tokens["id_token"], post_logout_redirect_uri=back, state="5Rk1"
    )
    known = flow.claims(tokens)
    wanted = urlencode({"iss": known["iss"], "sid": known["sid"]})
    assert f'<iframe src="https://other.rp.test/front?{wanted}"' in unescape(page.text)
    assert f'href="{back}?state=5Rk1"' in page.text
