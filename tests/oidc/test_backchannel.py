"""OpenID Connect Back-Channel Logout 1.0: relying parties are notified when a session ends."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Barrier, Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry
from sqlalchemy import select, update

from idp.cli.worker_parts import PARTS, work_round
from idp.clients import client_data, registry
from idp.directory import accounts, participants, role_group_assignments, role_groups
from idp.errors import Invalid
from idp.messages import delivery, token_delivery
from idp.messages.token_delivery import HttpLogoutSender
from idp.models import AccountState, MessageChannel, MessageState, OutboxMessage
from idp.networks import NetworkSet
from idp.oidc import logout_token
from idp.oidc.jwks import KeyRing
from idp.session import sessions
from tests.world import Browser, Rp, World, answer_of

LOOPBACK = NetworkSet(["127.0.0.0/8"])

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def listening(world: World, name: str = "EMI", **changes: Any) -> Rp:
    """A relying party with a ``backchannel_logout_uri``."""
    return world.relying_party(
        name, backchannel_logout_uri=f"https://{name.lower()}.rp.test/logout", **changes
    )


def signed_in(
    world: World, rp: Rp, username: str, browser: Browser | None = None
) -> dict[str, Any]:
    """The claims of the ID token of a sign-in."""
    browser = browser or world.browser()
    tokens = world.redeem(rp, browser.code(rp, username)).json or {}
    return id_claims(world, tokens["id_token"]) | {"tokens": tokens}


def suspended(world: World, *rps: Rp) -> list[str]:
    """Sign an account in at each relying party, then suspend it. Returns each ``sid``."""
    sids = []
    for rp in rps:
        username = world.account()
        sids.append(signed_in(world, rp, username)["sid"])
        world.set_state(username, AccountState.SUSPENDED)
    return sids


def id_claims(world: World, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(world.browser().get("/oauth2/v1/keys").json)
    return jwt.decode(token, keys, algorithms=["RS256", "ES256"]).claims


def told(world: World) -> list[tuple[str, dict[str, Any]]]:
    """The logout tokens that were sent since the last call, verified as a relying party does."""
    world.run_worker()
    keys = KeySet.import_key_set(world.browser().get("/oauth2/v1/keys").json)
    found = []
    for uri, token in world.logouts.sent:
        decoded = jwt.decode(token, keys, algorithms=["RS256", "ES256"])
        assert decoded.header["typ"] == "logout+jwt"
        now = int(world.clock.now().timestamp())
        JWTClaimsRegistry(
            now=now,
            iss={"essential": True, "value": world.settings.issuer},
            exp={"essential": True},
        ).validate(decoded.claims)
        found.append((uri, decoded.claims))
    world.logouts.sent.clear()
    return found


def test_n57_back_channel_logout_is_sent(world: World) -> None:
    """N57, Back-Channel Logout 1.0 section 2.4: the exact claims without a nonce, the subject of
    the ID token and the ``sid`` of each relying party. Those without a URI get nothing."""
    emi, crow = listening(world), listening(world, "CROW", id_token_alg="ES256")
    deaf, username = world.relying_party("Reports"), world.account()
    browser = world.browser()
    first = signed_in(world, emi, username, browser)
    second = signed_in(world, crow, username, browser)
    signed_in(world, deaf, username, browser)
    browser.get("/oauth2/v1/logout", id_token_hint=first["tokens"]["id_token"])
    found = told(world)
    assert sorted(uri for uri, _ in found) == [
        "https://crow.rp.test/logout",
        "https://emi.rp.test/logout",
    ]
    by_client = {claims["aud"]: claims for _, claims in found}
    for rp, id_token in ((emi, first), (crow, second)):
        claims = by_client[rp.client_id]
        assert set(claims) == {"iss", "sub", "aud", "iat", "exp", "jti", "events", "sid"}
        assert claims["sub"] == id_token["sub"]
        assert claims["sid"] == id_token["sid"]
        assert claims["events"] == {EVENT: {}}
        assert claims["exp"] - claims["iat"] == 120
    assert len({claims["jti"] for claims in by_client.values()}) == 2
    assert first["sid"] != second["sid"]
    assert told(world) == []


def end_by_operator(world: World, username: str) -> None:
    with world.work() as work:
        sessions.end_all(work, accounts.by_username(work, username), "ended_by_operator")


def state(to: AccountState) -> Callable[[World, str], None]:
    return lambda world, username: world.set_state(username, to)


@pytest.mark.parametrize(
    "end",
    [
        end_by_operator,
        state(AccountState.SUSPENDED),
        state(AccountState.LOCKED),
        state(AccountState.DEACTIVATED),
    ],
)
def test_n58_every_end_of_a_session_is_notified(
    world: World, end: Callable[[World, str], None]
) -> None:
    """N58: for each session of the account once, and for no session of another account."""
    rp, username, other = listening(world), world.account(), world.account()
    sids = {signed_in(world, rp, username)["sid"] for _ in range(2)}
    signed_in(world, rp, other)
    end(world, username)
    found = told(world)
    assert {claims["sid"] for _, claims in found} == sids
    assert len(found) == 2


@pytest.mark.parametrize("is_used", [False, True], ids=["unused", "at its end"])
def test_n58_a_session_that_runs_out_is_notified(world: World, is_used: bool) -> None:
    """N58, Back-Channel Logout 1.0 section 2: after an hour without use, and after twelve hours in
    any case, once. Offline access continues, as after a sign-out."""
    rp, username, browser = listening(world), world.account(), world.browser()
    first = signed_in(world, rp, username, browser)
    if is_used:
        for _ in range(14):
            world.clock.advance(3000)
            assert browser.get("/").request.path == "/"
        world.clock.advance(43_200 - 14 * 3000 - 1)
    else:
        world.clock.advance(3599)
    assert told(world) == []
    world.clock.advance(1)
    assert [claims["sid"] for _, claims in told(world)] == [first["sid"]]
    assert [row.data["why"] for row in world.events("session.ended")] == ["expired"]
    assert told(world) == []
    assert world.refresh(rp, first["tokens"]["refresh_token"]).status_code == 200


def test_n58_of_sessions_only_those_that_run_out_are_ended(world: World) -> None:
    """Also of one account."""
    rp, username = listening(world), world.account()
    first = signed_in(world, rp, username)
    world.clock.advance(1800)
    browser = world.browser()
    signed_in(world, rp, username, browser)
    world.clock.advance(1800)
    assert [claims["sid"] for _, claims in told(world)] == [first["sid"]]
    assert "code" in answer_of(browser.authorize(rp, prompt="none"))


def test_n33_a_withdrawn_consent_is_notified(world: World) -> None:
    """N33: in every session of the person, with offline access; the session at the gateway and
    other applications continue, and the next sign-in asks again and has a new ``sid``."""
    rp, crow = listening(world, trusted=False), listening(world, "CROW")
    username, browsers = world.account(), [world.browser(), world.browser()]
    found = []
    for browser in browsers:
        page = browser.sign_in(username, page=browser.authorize(rp))
        if page.request.path == "/signin/consent":
            page = browser.submit(page, "/signin/consent", decision="allow")
        tokens = world.redeem(rp, answer_of(page)["code"]).json or {}
        found.append((id_claims(world, tokens["id_token"])["sid"], tokens["refresh_token"]))
        signed_in(world, crow, username, browser)
    page = browsers[0].get("/settings/consents")
    action = page.text.split('action="/settings/consents/')[1].split('"')[0]
    browsers[0].submit(page, f"/settings/consents/{action}")
    sent = told(world)
    assert {(claims["aud"], claims["sid"]) for _, claims in sent} == {
        (rp.client_id, sid) for sid, _ in found
    }
    assert [world.refresh(rp, token).status_code for _, token in found] == [400, 400]
    page = browsers[1].authorize(rp)
    assert page.request.path == "/signin/consent"
    code = answer_of(browsers[1].submit(page, "/signin/consent", decision="allow"))["code"]
    again = id_claims(world, (world.redeem(rp, code).json or {})["id_token"])
    assert again["sid"] not in {sid for sid, _ in found}
    assert "code" in answer_of(browsers[0].authorize(crow, prompt="none"))


def test_a_removed_role_group_is_notified_and_the_next_sign_in_has_a_new_sid(world: World) -> None:
    """The session at the gateway continues. Each relying party that sees a removed role group gets
    one logout token. The next sign-in has a new ``sid`` (keycloak 22914) and the remaining
    groups."""
    emi, crow = listening(world), listening(world, "CROW")
    username, browser = world.account(), world.browser()
    for name in ("Trader", "Viewer", "Clerk"):
        world.role_group(name, "emi")
        world.grant_role(username, name)
    before = signed_in(world, emi, username, browser)
    signed_in(world, crow, username, browser)
    assert before["groups"] == ["Clerk", "Trader", "Viewer"]
    with world.work() as work:
        account = accounts.by_username(work, username)
        participant = participants.by_number(work, "109120")
        for name in ("Trader", "Viewer"):
            assert role_group_assignments.revoke(
                work, account, role_groups.by_name(work, name), participant
            )
    assert [(uri, claims["sid"]) for uri, claims in told(world)] == [
        ("https://emi.rp.test/logout", before["sid"])
    ]
    silent = answer_of(browser.authorize(emi, prompt="none"))
    after = id_claims(world, (world.redeem(emi, silent["code"]).json or {})["id_token"])
    assert after["groups"] == ["Clerk"]
    assert after["sid"] != before["sid"]
    browser.submit(browser.get("/signout"), "/signout")
    assert after["sid"] in {claims["sid"] for _, claims in told(world)}


def test_a_grant_that_outlives_its_session_has_no_sid(world: World) -> None:
    """Back-Channel Logout 1.0 section 2.7: a refresh token with offline_access stays valid, with
    the remaining groups and without the ``sid`` that ended. Other tokens of the sign-in end."""
    emi, username, browser = listening(world), world.account(), world.browser()
    for name in ("Trader", "Viewer"):
        world.role_group(name, "emi")
        world.grant_role(username, name)
    offline = signed_in(world, emi, username, browser)["tokens"]
    code = answer_of(browser.authorize(emi, prompt="none", scope="openid groups"))["code"]
    online = world.redeem(emi, code).json or {}
    world.revoke_role(username, "Trader")
    assert [claims["aud"] for _, claims in told(world)] == ["emi"]
    assert world.introspect(emi, online["access_token"]) == {"active": False}
    fresh = world.refresh(emi, offline["refresh_token"]).json or {}
    claims = id_claims(world, fresh["id_token"])
    assert (claims["groups"], "sid" in claims) == (["Viewer"], False)
    world.revoke_role(username, "Viewer")
    assert told(world) == []


def test_parallel_sign_ins_of_a_session_share_a_sid(world: World) -> None:
    """Six parallel requests, the first of the session at this application: six codes, one
    ``sid``."""
    emi, username, first = listening(world), world.account(), world.browser()
    first.signed_in(username)
    start = Barrier(6)
    found: list[str] = []

    def sign_on() -> None:
        tab = world.browser()
        tab.client._cookies = dict(first.client._cookies or {})
        start.wait()
        found.append(answer_of(tab.authorize(emi, prompt="none"))["code"])

    threads = [Thread(target=sign_on) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tokens = [world.redeem(emi, code).json or {} for code in found]
    assert len({id_claims(world, one["id_token"])["sid"] for one in tokens}) == 1
    assert len(tokens) == 6


def test_a_start_that_moves_into_the_future_is_notified(world: World) -> None:
    """The account has no role group until then."""
    emi, username = listening(world), world.account()
    world.role_group("Trader", "emi")
    world.grant_role(username, "Trader")
    sid = signed_in(world, emi, username)["sid"]
    with world.work() as work:
        account = accounts.by_username(work, username)
        participant = participants.by_number(work, "109120")
        group = role_groups.by_name(work, "Trader")
        for days in (-1, 0, 1):
            begin = world.clock.now() + timedelta(days=days)
            assert role_group_assignments.assign(
                work,
                account,
                group,
                participant,
                role_group_assignments.AssignmentTerms(valid_from=begin),
            )
    assert [claims["sid"] for _, claims in told(world)] == [sid]


def test_a_pending_code_starts_no_session_that_cannot_be_ended(world: World) -> None:
    """It was issued before the role group was removed, with a ``sid`` that has ended since."""
    emi, username, browser = listening(world), world.account(), world.browser()
    world.role_group("Trader", "emi")
    world.grant_role(username, "Trader")
    waiting = browser.code(emi, username)
    world.revoke_role(username, "Trader")
    refused = world.redeem(emi, waiting)
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_grant")
    again = answer_of(browser.authorize(emi, prompt="none"))["code"]
    sid = id_claims(world, (world.redeem(emi, again).json or {})["id_token"])["sid"]
    told(world)
    world.set_state(username, AccountState.SUSPENDED)
    assert [claims["sid"] for _, claims in told(world)] == [sid]


def test_an_added_role_group_is_not_notified(world: World) -> None:
    """More access ends no session."""
    rp, username = listening(world), world.account()
    signed_in(world, rp, username)
    world.role_group("Trader", "emi")
    world.grant_role(username, "Trader")
    assert told(world) == []


def test_r23_a_relying_party_that_fails_is_retried_and_delays_no_other(world: World) -> None:
    """R23: with a new token each time, at its present URI. Its other messages wait; those of other
    relying parties do not."""
    emi, crow = listening(world), listening(world, "CROW")
    ended = suspended(world, emi, emi, crow)
    world.logouts.failing["https://emi.rp.test/logout"] = requests.ConnectTimeout("secret")
    assert [claims["sid"] for _, claims in told(world)] == [ended[2]]
    assert world.logouts.tried.count("https://emi.rp.test/logout") == 1
    with world.work() as work:
        row = registry.get(work, "emi")
        moved = replace(
            client_data.current_data(row), backchannel_logout_uri="https://new.rp.test/logout"
        )
        registry.update(work, row, moved)
    world.clock.advance(28)
    assert told(world) == []
    world.clock.advance(3)
    assert [(uri, claims["sid"]) for uri, claims in told(world)] == [
        ("https://new.rp.test/logout", sid) for sid in ended[1::-1]
    ]


def test_r23_a_refused_token_delays_no_other(world: World) -> None:
    """R23: an answer of 400 is about one token. Other tokens for the same application are sent."""
    emi = listening(world)
    sids = suspended(world, emi, emi, emi)
    refusal = requests.Response()
    refusal.status_code = 400
    world.logouts.failing_once.append(requests.HTTPError(response=refusal))
    assert [claims["sid"] for _, claims in told(world)] == sids[1:]
    world.clock.advance(31)
    assert [claims["sid"] for _, claims in told(world)] == sids[:1]


def test_r23_after_a_timeout_another_message_is_sent_first(world: World) -> None:
    """R23: the message that failed first is retried last."""
    emi = listening(world)
    sids = suspended(world, emi, emi)
    world.logouts.failing_once.append(requests.Timeout())
    assert told(world) == []
    world.clock.advance(31)
    assert [claims["sid"] for _, claims in told(world)] == sids[::-1]


def test_r23_a_slow_answer_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    """R23: the time limit is for the whole answer, not for each part."""
    monkeypatch.setattr(token_delivery, "DEADLINE_SECONDS", 0.3)
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as server,
        pytest.raises(requests.Timeout),
    ):
        HttpLogoutSender(LOOPBACK).send(f"http://127.0.0.1:{server.getsockname()[1]}/", "token")


def test_r23_an_undeliverable_message_goes_to_the_dead_letter_queue(world: World) -> None:
    """R23, Z-22: in the dead-letter queue after ten attempts, without the text of the error."""
    rp, username = listening(world), world.account()
    signed_in(world, rp, username)
    world.set_state(username, AccountState.SUSPENDED)
    world.logouts.failing["https://emi.rp.test/logout"] = requests.ConnectionError("secret")
    for _ in range(delivery.MAX_ATTEMPTS):
        assert told(world) == []
        world.clock.advance(3601)
    with world.work() as work:
        (row,) = work.db.scalars(select(OutboxMessage).where(OutboxMessage.channel == "logout"))
        assert (row.state, row.last_error) == (MessageState.DEAD, "ConnectionError")


@pytest.mark.parametrize("change", ["address", "client", "recipient"])
def test_a_client_without_backchannel_logout_is_not_notified(world: World, change: str) -> None:
    """A client that was disabled, removed its URI, or is gone, before the worker sent the
    message."""
    rp, username = listening(world), world.account()
    signed_in(world, rp, username)
    world.set_state(username, AccountState.SUSPENDED)
    with world.work() as work:
        row = registry.get(work, "emi")
        if change == "client":
            registry.disable(work, row)
        elif change == "recipient":
            work.db.execute(update(OutboxMessage).values(recipient="gone"))
        else:
            registry.update(
                work, row, replace(client_data.current_data(row), backchannel_logout_uri="")
            )
    assert told(world) == []
    with world.work() as work:
        assert not work.db.scalars(
            select(OutboxMessage).where(OutboxMessage.state != MessageState.SENT)
        ).all()


def test_r23_mail_does_not_wait_for_relying_parties(world: World) -> None:
    """R23: the worker threads for mail never call the server of a relying party."""
    rp, username = listening(world), world.account()
    signed_in(world, rp, username)
    world.set_state(username, AccountState.SUSPENDED)
    world.mailer.sent.clear()
    others = {name: part for name, part in PARTS.items() if name != "logouts"}
    while work_round(world.worker_runtime, others):
        pass
    assert world.mailer.sent
    assert world.logouts.tried == []
    assert told(world)


def test_lists_of_mails_do_not_show_logout_tokens(world: World) -> None:
    """The outbox of the demo and the list of mails in the console show mails and texts only."""
    rp, username = listening(world), world.account()
    signed_in(world, rp, username)
    world.set_state(username, AccountState.SUSPENDED)
    assert {mail.channel for mail in world.mails()} == {"mail"}


@pytest.mark.parametrize(
    "uri",
    ["http://emi.rp.test/x", "https://emi.rp.test/x#y", "ca.emi:/x", "https://u@emi.rp.test/", "x"],
)
def test_an_invalid_backchannel_logout_uri_is_refused(world: World, uri: str) -> None:
    """Back-Channel Logout 1.0 section 2.2: absolute, https, no fragment."""
    with pytest.raises(Invalid, match="back-channel logout URI"):
        world.relying_party(backchannel_logout_uri=uri)


class Receiver(BaseHTTPRequestHandler):
    """The server of a relying party. It answers with the status in the path."""

    taken: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.taken.append(parse_qs(body)["logout_token"][0])
        self.send_response(int(self.path[1:]))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """No output."""


def test_r23_only_status_200_and_204_are_success() -> None:
    """Section 2.8: 200 and 204. A redirect, a refusal and a server error are failures with their
    status, and no redirect is followed."""
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    sender = HttpLogoutSender(LOOPBACK)
    try:
        for status in (200, 204):
            sender.send(f"{address}/{status}", "token")
        for status in (302, 307, 400, 404, 500, 503):
            with pytest.raises(requests.HTTPError) as raised:
                sender.send(f"{address}/{status}", "token")
            assert delivery._code(raised.value) == str(status)
        assert Receiver.taken == ["token"] * 8
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_r23_without_a_sender_logouts_wait(world: World) -> None:
    """R23: nothing is lost; they are sent when a sender is configured."""
    rp, username = listening(world), world.account()
    sid = signed_in(world, rp, username)["sid"]
    world.set_state(username, AccountState.SUSPENDED)
    runtime = world.worker_runtime
    without = replace(runtime, ports=replace(runtime.ports, logouts=None))
    delivery.deliver_due(without, {MessageChannel.LOGOUT: logout_token.sender(KeyRing())})
    with world.work() as work:
        (row,) = work.db.scalars(select(OutboxMessage).where(OutboxMessage.channel == "logout"))
        assert (row.state, row.last_error) == (MessageState.QUEUED, "ConfigurationError")
    world.clock.advance(minutes=5)
    assert [claims["sid"] for _, claims in told(world)] == [sid]
