"""Access Management: relying parties, role groups, keys, messages, settings."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from sqlalchemy import select

from idp.cli import client_commands
from idp.clients import client_data, client_secrets, registry
from idp.clients.client_data import ClientData
from idp.directory import accounts
from idp.messages import dead_letters, queue
from idp.messages.message_kinds import MailKind, TextMessageKind
from idp.models import AccountState, MessageState, OutboxMessage
from idp.policy.console import ConsoleRole
from idp.recovery import recovery_requests
from idp.web.console import client_pages
from idp.web.field_names import LABELS
from tests.console.desk import Desk
from tests.world import Rp, World

FORM: dict[str, str | list[str]] = {
    "client_id": "tra",
    "name": "Transmission Rights Auction",
    "description": "Bids for rights",
    "home_url": "https://tra.rp.test/signin",
    "auth_method": "client_secret_basic",
    "grant_types": ["authorization_code", "refresh_token"],
    "account_kinds": ["personal"],
    "scopes": "openid profile email groups participants offline_access",
    "redirect_uris": "https://tra.rp.test/callback",
    "post_logout_redirect_uris": "https://tra.rp.test/out",
    "backchannel_logout_uri": "https://tra.rp.test/logout",
    "allowed_origins": "",
    "require_pkce": "1",
    "trusted": "1",
    "minimum_acr": "",
    "id_token_alg": "RS256",
    "access_token_alg": "ES256",
    "access_token_format": "jwt",
    "audience": "",
    "role_groups": ["TRA Bidder"],
}


@pytest.fixture
def desk(world: World) -> Desk:
    world.role_group("TRA Bidder")
    return Desk.of(world, ConsoleRole.ACCESS)


def secret_in(page: str) -> str:
    found = re.findall(r"Client secret: <code>([^<]+)</code>", page)
    assert len(found) == 1
    return str(found[0])


def test_the_console_and_the_command_line_have_every_flag_of_a_client() -> None:
    flags = {item.name for item in fields(ClientData) if item.type == "bool"}
    assert set(client_pages.FLAGS) == set(client_commands._FLAGS) == flags
    assert flags <= set(LABELS)


def test_a_client_registered_in_the_console_works(world: World, desk: Desk) -> None:
    """Registered, used, edited, given a new secret, switched off: seen from the relying party."""
    made = desk.post("/console/clients/new", **FORM)
    rp = Rp("tra", secret_in(made.text), "https://tra.rp.test/callback")
    assert made.headers["Cache-Control"] == "no-store"
    username = world.account()
    world.grant_role(username, "TRA Bidder")
    tokens = world.signed_in_tokens(rp, username)
    assert world.introspect(rp, tokens["access_token"])["active"]
    page = desk.browser.get("/console/clients/tra").text
    assert rp.secret not in page
    assert "Transmission Rights Auction" in desk.browser.get("/console/clients").text
    changed = {k: v for k, v in FORM.items() if k != "client_id"} | {"name": "TRA", "trusted": ""}
    changed["uses_popups"] = "1"
    assert 'name="uses_popups" value="1">' in page
    assert desk.post("/console/clients/tra", **changed).status_code == 303
    with world.work() as work:
        row = registry.get(work, "tra")
        assert (row.name, row.trusted, row.require_pkce) == ("TRA", False, True)
        assert row.uses_popups
        assert [group.name for group in row.role_groups] == ["TRA Bidder"]
    fresh = secret_in(desk.post("/console/clients/tra/secret", overlap_hours="0").text)
    assert fresh != rp.secret
    assert world.refresh(rp, tokens["refresh_token"]).status_code == 401
    rp.secret = fresh
    assert world.refresh(rp, tokens["refresh_token"]).status_code == 200
    world.set_state(username, AccountState.LOCKED)
    world.run_worker()
    assert [uri for uri, _ in world.logouts.sent] == ["https://tra.rp.test/logout"]
    assert desk.post("/console/clients/tra/disable").status_code == 303
    assert world.introspect_status(rp, tokens["access_token"]) == 401
    assert {event.actor for event in world.events("client.updated")} == {desk.username}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "name is 1 to 200"),
        ({"redirect_uris": "javascript:alert(1)"}, "redirect URI"),
        ({"redirect_uris": "http://evil.example/cb"}, "redirect URI"),
        ({"redirect_uris": ""}, "needs a redirect URI"),
        ({"grant_types": ["password"]}, "grant_types are among"),
        ({"id_token_alg": "none"}, "id_token_alg"),
        ({"auth_method": "none", "grant_types": ["client_credentials"]}, "client_credentials"),
        ({"client_id": "x"}, "client ID"),
        ({"client_id": "emi"}, "exists"),
        ({"allowed_origins": "*"}, "origin"),
        ({"backchannel_logout_uri": "http://tra.rp.test/logout"}, "back-channel logout URI"),
        ({"jwks_uri": "http://tra.rp.test/keys"}, "key set URI"),
        ({"frontchannel_logout_uri": "https://x.test/"}, "scheme, host and port of a redirect URI"),
    ],
)
def test_n09_an_invalid_registration_is_refused_with_its_reason(
    world: World, desk: Desk, change: dict[str, str | list[str]], words: str
) -> None:
    """N09: 400, the fault in words, what was typed still there, nothing stored."""
    world.relying_party()
    before = len(world.events("client.created"))
    answer = desk.post("/console/clients/new", **(FORM | change))
    assert answer.status_code == 400
    assert words in answer.text
    assert "https://tra.rp.test/out" in answer.text
    assert len(world.events("client.created")) == before


@pytest.mark.parametrize("typed", ["", "a day", "24h", "-1", "1.5", "\u0662", "721", "99999"])
def test_an_unreadable_overlap_changes_no_secret(world: World, desk: Desk, typed: str) -> None:
    """UI-09: the form says so and keeps what was typed; the secret is the one before."""
    rp = world.relying_party()
    fields = {"overlap_hours": typed} if typed else {}
    answer = desk.post("/console/clients/emi/secret", **fields)
    assert answer.status_code == 400
    assert "An old secret works for 0 to 720 whole hours" in answer.text
    assert f'name="overlap_hours" type="text" inputmode="numeric" value="{typed}"' in answer.text
    with world.work() as work:
        row = registry.get(work, "emi")
        assert client_secrets.matches(work, row, rp.secret)
        assert row.former_secret_digest is None
    assert world.events("client.secret_rotated") == []


PROFILE = {
    "push_person_id": "employeeNumber",
    "push_account_kind": "email",
    "push_default_participant": "109120",
}


def test_a_mapping_profile_is_set_in_the_console(world: World, desk: Desk) -> None:
    """UI-09: chosen from lists; a form that does not name it leaves it; it can be taken away."""
    page = desk.browser.get("/console/clients/new").text
    for name in ("externalId", "userName", "employeeNumber"):
        assert f'<option value="{name}">{name}</option>' in page
    assert desk.post("/console/clients/new", **FORM, **PROFILE).status_code == 200
    assert _profile(world) == PROFILE
    page = desk.browser.get("/console/clients/tra").text
    assert '<option value="employeeNumber" selected>' in page
    assert '<option value="email" selected>' in page
    assert re.search(r'name="push_default_participant"[^>]* value="109120"', page)
    rest = {k: v for k, v in FORM.items() if k != "client_id"}
    kept = {"push_default_participant": "109120"}
    assert desk.post("/console/clients/tra", **rest, **kept).status_code == 303
    assert _profile(world) == PROFILE
    assert desk.post("/console/clients/tra", **rest, push_person_id="").status_code == 303
    assert _profile(world)["push_person_id"] == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"push_person_id": "title"}, "push_person_id is one of externalId, userName"),
        ({"push_account_kind": "machine"}, "push_account_kind is one of personal, email"),
        ({"push_default_participant": "1" * 21}, "a participant number is 1 to 20"),
        ({"push_default_participant": "é"}, "a participant number is 1 to 20"),
    ],
)
def test_an_invalid_mapping_profile_is_refused_with_its_reason(
    world: World, desk: Desk, change: dict[str, str], words: str
) -> None:
    answer = desk.post("/console/clients/new", **FORM, **PROFILE | change)
    assert (answer.status_code, words in answer.text) == (400, True)
    with world.work() as work:
        assert registry.find(work, "tra") is None


def _profile(world: World) -> dict[str, str]:
    with world.work() as work:
        row = registry.get(work, "tra")
        return {name: getattr(row, name) for name in PROFILE}


def test_which_role_groups_an_application_sees(world: World, desk: Desk) -> None:
    """The next token shows the change."""
    rp = world.relying_party()
    username = world.account()
    world.grant_role(username, "TRA Bidder")
    with world.work() as work:
        data = client_data.current_data(registry.get(work, "emi"))
    form = FORM | {
        "name": data.name,
        "home_url": data.home_url,
        "redirect_uris": "\n".join(data.redirect_uris),
        "post_logout_redirect_uris": "",
    }

    def groups() -> object:
        tokens = world.signed_in_tokens(rp, username)
        return world.introspect(rp, tokens["access_token"]).get("groups")

    before = groups()
    assert desk.post("/console/clients/emi", **form).status_code == 303
    after = groups()
    assert not before
    assert after == ["TRA Bidder"]
    assert world.events("client.role_groups")[-1].data["after"] == ["TRA Bidder"]


def test_a_role_group_is_created(desk: Desk) -> None:
    """Named faults, then the list shows it."""
    assert (
        desk.post("/console/role-groups/new", name="TRA Bidder", kind="personal").status_code == 400
    )
    assert desk.post("/console/role-groups/new", name="<b>", kind="personal").status_code == 400
    assert desk.post("/console/role-groups/new", name="TRA X", kind="robot").status_code == 400
    assert desk.post("/console/role-groups/new", name="TRA X", kind="machine").status_code == 303
    assert "TRA X" in desk.browser.get("/console/role-groups").text


def test_n89_a_compromised_key_is_revoked(world: World, desk: Desk) -> None:
    """N89: typed once more to confirm; then its tokens are refused and a refresh gives new ones."""
    rp, username = world.relying_party(id_token_alg="RS256"), world.account()
    tokens = world.signed_in_tokens(rp, username)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}

    def userinfo() -> int:
        answer = world.app.test_client().get(
            "/oauth2/v1/userinfo", headers=bearer, base_url=world.settings.issuer
        )
        return answer.status_code

    assert userinfo() == 200
    page = desk.browser.get("/console/keys").text
    with world.work() as work:
        from idp.grants import signing_keys
        from idp.models import KeyState

        (kid,) = [
            key.kid
            for key in signing_keys.every_key(work)
            if key.alg == "ES256" and key.state == KeyState.ACTIVE
        ]
    assert kid in page
    path = f"/console/keys/{kid}/revoke"
    for confirm in ("", "yes", kid[:-1]):
        assert desk.post(path, typed=confirm).status_code == 400
    assert userinfo() == 200
    assert desk.post(path, typed=kid).status_code == 303
    world.clock.advance(seconds=10)
    assert userinfo() == 401
    jwks = world.app.test_client().get("/oauth2/v1/keys", base_url=world.settings.issuer)
    assert kid not in jwks.text
    assert world.refresh(rp, tokens["refresh_token"]).status_code == 200
    assert world.events("key.revoked")[-1].actor == desk.username


def test_keys_are_rotated_when_caches_have_the_next(world: World, desk: Desk) -> None:
    """N90: too early is refused in words, with the time in the zone of the page."""
    assert desk.post("/console/keys/rotate", alg="RS256").status_code == 303
    early = desk.post("/console/keys/rotate", alg="RS256")
    assert early.status_code == 400
    assert re.search(
        r"can sign from \d+ November 2026, \d\d:\d\d EST; relying parties may not have it",
        early.text,
    )
    assert desk.post("/console/keys/rotate", alg="HS256").status_code == 400


def test_r14_a_dead_letter_is_shown_and_retried(world: World, desk: Desk) -> None:
    """R14: why it failed, its words without the secrets; then it is delivered."""
    username = world.account()
    with world.work() as work:
        account = accounts.by_username(work, username)
        recovery_requests.request_recovery(
            work, recovery_requests.Goal.RESET, recovery_requests.Channel.MAIL, username
        )
        work.db.flush()
        assert recovery_requests.process_next(work)
        work.db.flush()
        row = work.db.scalars(
            select(OutboxMessage).where(OutboxMessage.kind == MailKind.PASSWORD_RESET_LINK)
        ).one()
        row.state, row.attempts, row.last_error = MessageState.DEAD, 10, "SMTPDataError 550"
        work.db.flush()
        pk = row.id
    page = desk.browser.get("/console/messages").text
    assert "SMTPDataError 550" in page
    assert "reset the password of your account" in page
    assert "/recover/open?token=•••" in page
    assert not re.search(r"token=[\w-]{8}", page)
    with world.work() as work:
        account = accounts.by_username(work, username)
        text = queue.enqueue_sms(
            work, TextMessageKind.RESET_CODE, account, "+14169671111", code="123456"
        )
        assert "123456" not in dead_letters.redacted_text(work, text)
    assert desk.post(f"/console/messages/{pk}/retry").status_code == 303
    assert desk.post(f"/console/messages/{pk}/retry").status_code == 404
    world.run_worker()
    with world.work() as work:
        assert work.db.get_one(OutboxMessage, pk).state == MessageState.SENT
    assert world.events("message.retried")[-1].data == {"message": pk}


def test_settings_in_force_show_no_secret(world: World, desk: Desk) -> None:
    """N84: only that it is set."""
    page = desk.browser.get("/console/settings").text
    assert "IDP_LOCKOUT_FAILURES" in page
    for secret in (
        world.settings.secret_key,
        *world.settings.key_encryption_keys,
        *world.settings.password_peppers,
        world.settings.database_url,
    ):
        assert secret not in page
