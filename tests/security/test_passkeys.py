"""Passkeys: set up, alone, as second step; every way in which an answer does not hold (N67)."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from idp.directory import accounts
from idp.factors import authenticators, passkeys
from idp.mfa import passkey_ceremony
from idp.models import AccountState, Authenticator
from idp.networks import NetworkSet
from idp.policy.scopes import ACR_PHR
from tests.authenticator import SoftAuthenticator, b64, unb64
from tests.console.desk import Desk
from tests.factor_steps import (
    add_passkey,
    code,
    device_of,
    half_signed_in,
    is_in,
    options_on,
    set_up_app,
    verify,
)
from tests.world import PASSWORD, Browser, World, answer_of

PATH = "/settings/factors/passkey"


@pytest.fixture
def holder(world: World) -> tuple[str, SoftAuthenticator]:
    """An account with a passkey."""
    username = world.account()
    device = device_of(world)
    add_passkey(world, world.browser().signed_in(username), device, current=PASSWORD)
    return username, device


def alone(browser: Browser, device: SoftAuthenticator, **changes: Any) -> TestResponse:
    """Sign in by the passkey alone."""
    page = browser.get("/signin")
    answer = device.get(options_on(page), **changes)
    return browser.submit(page, "/signin/passkey", credential=answer)


def reasons(world: World) -> str | None:
    return world.events("factor.checked")[-1].reason


def test_a_passkey_alone_signs_in(world: World, holder: tuple[str, SoftAuthenticator]) -> None:
    """N14 (acr): phr, with what it was in amr; no second step; the trail has the risk."""
    _, device = holder
    browser = world.browser()
    assert alone(browser, device).request.path == "/"
    event = world.events("signin.succeeded")[-1]
    assert event.data["amr"] == ["hwk", "user", "mfa"]
    assessed = world.events("signin.assessed")[-1].data
    assert (assessed["decision"], assessed["no_prompt_reasons"]) == ("no_prompt", ["passkey"])
    rp = world.relying_party("CROW", minimum_acr=ACR_PHR)
    assert "code" in answer_of(browser.authorize(rp))


def test_a_synced_passkey_is_not_a_hardware_factor(world: World) -> None:
    """RFC 8176: swk; settings say that it can be in its maker's account."""
    username, device = world.account(), device_of(world, is_synced=True)
    browser = world.browser().signed_in(username)
    add_passkey(world, browser, device, current=PASSWORD)
    assert "not synced yet" in browser.get("/settings/factors").text
    device.is_backed_up = True
    assert alone(world.browser(), device).request.path == "/"
    assert world.events("signin.succeeded")[-1].data["amr"] == ["swk", "user", "mfa"]
    assert "to all your devices" in browser.get("/settings/factors").text


def test_a_passkey_as_second_factor_and_for_a_step_up(
    world: World, holder: tuple[str, SoftAuthenticator]
) -> None:
    """The keys of the account are named; an application that demands phr offers nothing less."""
    username, device = holder
    browser, page = half_signed_in(world, username)
    named = json.loads(options_on(page))["allowCredentials"]
    assert [entry["id"] for entry in named] == list(device.keys)
    page = browser.submit(page, "/signin/factor", credential=device.get(options_on(page)))
    assert page.request.path == "/"
    assert world.events("signin.succeeded")[-1].data["amr"] == ["pwd", "hwk", "user", "mfa"]


def test_a_step_up_to_phr_accepts_passkeys_only(world: World) -> None:
    """N14: a code of an app does not reach it."""
    username = world.account()
    secret, _ = set_up_app(world, username)
    browser, page = half_signed_in(world, username)
    browser.submit(page, "/signin/factor", code=code(world, secret))
    rp = world.relying_party("CROW", minimum_acr=ACR_PHR)
    assert "unmet" in browser.authorize(rp).headers["Location"]
    world.clock.advance(seconds=30)
    device = device_of(world)
    add_passkey(world, browser, device, code=code(world, secret))
    browser.submit(browser.get("/signout"), "/signout")
    world.clock.advance(seconds=30)
    page = browser.sign_in(username)
    method = page.text.split('href="/signin/factor?')[1].split('"')[0].replace("&amp;", "&")
    page = browser.get(f"/signin/factor?{method}")
    browser.submit(page, "/signin/factor", code=code(world, secret))
    page = browser.authorize(rp)
    world.clock.advance(seconds=30)
    assert "Authenticator app" not in page.text
    tried = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert tried.status_code == 400
    page = browser.submit(tried, "/signin/factor", credential=device.get(options_on(tried)))
    assert "code" in answer_of(page)


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "another origin": ({"origin": "https://evil.example"}, "not_verified"),
    "another port": ({"origin": "https://gateway.test:8443"}, "not_verified"),
    "plain http": ({"origin": "http://gateway.test"}, "not_verified"),
    "another RP": ({"rp_id": "evil.example"}, "not_verified"),
    "user not verified": ({"verifies_user": False}, "not_verified"),
    "in a frame of another site": ({"client_data": {"crossOrigin": True}}, "cross_origin"),
    "under another site": ({"client_data": {"topOrigin": "https://evil.example"}}, "cross_origin"),
    "another ceremony": ({"client_data": {"type": "webauthn.create"}}, "not_verified"),
    "counter falls": ({"step": -1}, "counter_fell"),
    "counter stands still": ({"step": 0}, "counter_fell"),
    "became synced": ({"is_synced": True}, "backup_eligibility_changed"),
    "backed up although it cannot be": ({"is_backed_up": True}, "not_verified"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("way", ["alone", "second step"])
def test_n67_an_invalid_response_is_refused(
    world: World, holder: tuple[str, SoftAuthenticator], name: str, way: str
) -> None:
    """N67: refused, the reason in the trail only, the counter as it was; afterwards the right one
    still works."""
    username, device = holder
    assert alone(world.browser(), device).request.path == "/"
    assert alone(world.browser(), device).request.path == "/"
    faults, reason = FAULTS[name]
    before = {field: getattr(device, field) for field in faults}
    for field, value in faults.items():
        setattr(device, field, value)
    if way == "alone":
        browser = world.browser()
        answer = alone(browser, device)
    else:
        browser, page = half_signed_in(world, username)
        answer = browser.submit(page, "/signin/factor", credential=device.get(options_on(page)))
    assert answer.status_code == 400
    assert reasons(world) == reason
    assert not is_in(browser)
    assert len(world.mails("passkey_copied", to=username)) == (reason == "counter_fell")
    for field, value in before.items():
        setattr(device, field, value)
    device.counter = 10
    assert alone(world.browser(), device).request.path == "/"


TAMPER: dict[str, Callable[[dict[str, Any]], None]] = {
    "signature": lambda a: a["response"].update(signature=b64(b"x" * 70)),
    "no signature": lambda a: a["response"].pop("signature"),
    "data": lambda a: a["response"].update(authenticatorData=b64(b"short")),
    "no client data": lambda a: a["response"].pop("clientDataJSON"),
    "client data no JSON": lambda a: a["response"].update(clientDataJSON=b64(b"{")),
    "challenge no text": lambda a: a["response"].update(
        clientDataJSON=b64(json.dumps({"challenge": 7}).encode())
    ),
    "user handle of another": lambda a: a["response"].update(userHandle=b64(b"y" * 64)),
    "no user handle": lambda a: a["response"].pop("userHandle"),
    "unknown key": lambda a: a.update(id=b64(b"z" * 32), rawId=b64(b"z" * 32)),
    "ids differ": lambda a: a.update(rawId=b64(b"z" * 32)),
    "no response": lambda a: a.pop("response"),
    "response no object": lambda a: a.update(response=[1]),
}


@pytest.mark.parametrize("name", TAMPER)
def test_n67_an_altered_response_is_refused(
    world: World, holder: tuple[str, SoftAuthenticator], name: str
) -> None:
    """N67, N86: 400 whatever is broken, never a fault of ours."""
    _, device = holder
    browser = world.browser()
    page = browser.get("/signin")
    answer = json.loads(device.get(options_on(page)))
    TAMPER[name](answer)
    refused = browser.submit(page, "/signin/passkey", credential=json.dumps(answer))
    assert refused.status_code == 400
    assert not is_in(browser)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "7", "{}" * 20000, "\x00", '{"id": "é"}'])
def test_n67_a_malformed_response_is_refused(world: World, text: str) -> None:
    """N86: at the sign-in page and at the registration."""
    browser = world.browser()
    page = browser.get("/signin")
    assert browser.submit(page, "/signin/passkey", credential=text).status_code == 400
    browser = world.browser().signed_in(world.account())
    page = verify(browser, PATH, current=PASSWORD)
    assert browser.submit(page, PATH, credential=text).status_code == 400


def test_n67_a_challenge_is_valid_once_in_its_browser_for_five_minutes(
    world: World, holder: tuple[str, SoftAuthenticator]
) -> None:
    """N67: replay, another browser's, another purpose's, late, made up."""
    username, device = holder
    browser = world.browser()
    page = browser.get("/signin")
    answer = device.get(options_on(page))
    assert browser.submit(page, "/signin/passkey", credential=answer).request.path == "/"
    browser.submit(browser.get("/signout"), "/signout")
    again = browser.submit(browser.get("/signin"), "/signin/passkey", credential=answer)
    assert (again.status_code, reasons(world)) == (400, "challenge_used")

    stranger = world.browser()
    answer = device.get(options_on(browser.get("/signin")))
    page = stranger.get("/signin")
    refused = stranger.submit(page, "/signin/passkey", credential=answer)
    assert (refused.status_code, reasons(world)) == (400, "challenge_unknown")

    half, page = half_signed_in(world, username)
    answer = device.get(options_on(page))
    refused = half.submit(half.get("/signin"), "/signin/passkey", credential=answer)
    assert (refused.status_code, reasons(world)) == (400, "challenge_unknown")
    answer = device.get(options_on(half.get("/signin")))
    refused = half.submit(page, "/signin/factor", credential=answer)
    assert (refused.status_code, reasons(world)) == (400, "challenge_unknown")

    late = world.browser()
    page = late.get("/signin")
    world.clock.advance(minutes=5)
    refused = late.submit(page, "/signin/passkey", credential=device.get(options_on(page)))
    assert (refused.status_code, reasons(world)) == (400, "challenge_expired")

    made_up = json.dumps({"challenge": b64(b"a.99.b"), "allowCredentials": []})
    # From a network of its own: what one network repeats is not written each time.
    other = world.browser()
    other.client.environ_base["REMOTE_ADDR"] = "192.0.2.77"
    refused = other.submit(other.get("/signin"), "/signin/passkey", credential=device.get(made_up))
    assert (refused.status_code, reasons(world)) == (400, "challenge_unknown")


def test_n67_a_passkey_of_another_account_is_refused(
    world: World, holder: tuple[str, SoftAuthenticator]
) -> None:
    """N67, GHSA-f66q-9rf6-8795: as second step, and before a change in settings."""
    username, device = holder
    other, other_device = world.account(), device_of(world)
    add_passkey(world, world.browser().signed_in(other), other_device, current=PASSWORD)
    browser, page = half_signed_in(world, username)
    stolen = next(iter(other_device.keys))
    answer = other_device.get(options_on(page), key_id=stolen)
    assert browser.submit(page, "/signin/factor", credential=answer).status_code == 400
    assert reasons(world) == "passkey_of_another"
    mine = world.browser()
    alone(mine, other_device)
    page = mine.get(PATH)
    answer = device.get(options_on(page), key_id=next(iter(device.keys)))
    assert mine.submit(page, "/settings/verify", credential=answer).status_code == 400
    assert not is_in(browser)


@pytest.mark.parametrize(
    "state", [AccountState.LOCKED, AccountState.SUSPENDED, AccountState.DEACTIVATED]
)
def test_n58_a_passkey_of_a_deactivated_account_is_refused(
    world: World, holder: tuple[str, SoftAuthenticator], state: AccountState
) -> None:
    """N47, N58: refused in the words of every other refusal."""
    username, device = holder
    world.set_state(username, state)
    answer = alone(world.browser(), device)
    assert answer.status_code == 400
    refused = world.events("signin.refused")[-1]
    assert refused.reason == f"account_{state}"
    shown = Desk.of(world).open(username).text
    assert "Correct passkey, but the account was " in shown
    assert "Correct password" not in shown


def test_a_denied_network_refuses_a_passkey_that_signs_in_alone(
    world: World, holder: tuple[str, SoftAuthenticator]
) -> None:
    """N51, MF-03: what the operator keeps out stays out, in the words of a key that does not hold;
    from elsewhere the same key works."""
    username, device = holder
    runtime = world.app.extensions["runtime"]
    denied = NetworkSet(["198.51.100.66/32"])
    world.app.extensions["runtime"] = replace(
        runtime, ports=replace(runtime.ports, denied_networks=denied)
    )
    browser = world.browser()
    browser.client.environ_base["REMOTE_ADDR"] = "198.51.100.66"
    answer = alone(browser, device)
    assert (answer.status_code, is_in(browser)) == (400, False)
    assert "This passkey does not belong to an account" in answer.text
    assert world.events("signin.refused")[-1].reason == "network_denied"
    browser.client.environ_base["REMOTE_ADDR"] = "198.51.100.65"
    assert alone(browser, device).request.path == "/"
    # The first reason is recorded, as for a password.
    world.set_state(username, AccountState.LOCKED)
    browser.client.environ_base["REMOTE_ADDR"] = "198.51.100.66"
    assert alone(browser, device).status_code == 400
    assert world.events("signin.refused")[-1].reason == "account_locked"


@pytest.mark.parametrize("way", ["alone", "second step"])
def test_an_expired_passkey_page_says_so_and_the_next_attempt_works(
    world: World, holder: tuple[str, SoftAuthenticator], way: str
) -> None:
    """N67: five minutes on, the passkey is not looked at; the page that says so takes it. Nobody
    is told of a failed second step."""
    username, device = holder
    browser, path = world.browser(), "/signin/passkey"
    page = browser.get("/signin")
    if way == "second step":
        (browser, page), path = half_signed_in(world, username), "/signin/factor"
    world.clock.advance(minutes=5)
    late = browser.submit(page, path, credential=device.get(options_on(page)))
    assert late.status_code == 400
    assert "This page was open for more than five minutes" in late.text
    assert "does not belong to an account" not in late.text
    assert not world.mails("factor_failed")
    done = browser.submit(late, path, credential=device.get(options_on(late)))
    assert (done.status_code, is_in(browser)) == (200, True)


def test_an_expired_setup_page_is_distinguished_from_a_bad_key(world: World) -> None:
    """N67: the same when a passkey is made."""
    username, device = world.account(), device_of(world)
    with world.work() as work:
        account = accounts.by_username(work, username)
        made = device.create(passkeys.creation_options(work, account, "flow"))
    world.clock.advance(minutes=5)
    with world.work() as work:
        account = accounts.by_username(work, username)
        assert passkeys.register(work, account, "flow", made, "") is passkeys.Fault.LATE
        assert passkeys.register(work, account, "flow", "{}", "") is passkeys.Fault.WRONG


@pytest.mark.parametrize("way", ["alone", "second step"])
def test_a_passkey_whose_backup_eligibility_changed_is_refused_with_instructions(
    world: World, holder: tuple[str, SoftAuthenticator], way: str
) -> None:
    """N67 (backup eligibility, WebAuthn level 3 section 6.1.3): refused, but the holder learns
    why and what to do. A copy that was made meanwhile of a key that can be copied is no fault."""
    username, device = holder
    device.is_synced = True
    if way == "alone":
        answer = alone(world.browser(), device)
    else:
        browser, page = half_signed_in(world, username)
        answer = browser.submit(page, "/signin/factor", credential=device.get(options_on(page)))
    assert answer.status_code == 400
    assert "This passkey has changed since you set it up" in answer.text
    assert "remove the passkey in Settings and set it up again" in answer.text
    other, synced = world.account(), device_of(world, is_synced=True)
    add_passkey(world, world.browser().signed_in(other), synced, current=PASSWORD)
    for synced.is_backed_up in (True, False):
        assert alone(world.browser(), synced).request.path == "/"


@pytest.mark.parametrize("form", ["packed", "fido-u2f", "tpm", "android-key", "made-up"])
def test_unrequested_attestation_is_ignored(world: World, form: str) -> None:
    """WebAuthn level 3 section 6.5.4: none is asked for, so a statement decides nothing."""
    username, device = world.account(), device_of(world)
    device.attestation = (form, {"alg": -7, "sig": b"not a signature", "x5c": [b"no certificate"]})
    done = add_passkey(world, world.browser().signed_in(username), device, current=PASSWORD)
    assert done.status_code == 200
    assert alone(world.browser(), device).request.path == "/"


def test_n51_a_lock_out_of_passwords_does_not_block_a_passkey(
    world: World, holder: tuple[str, SoftAuthenticator]
) -> None:
    """N51: an attacker elsewhere cannot keep the holder out."""
    username, device = holder
    for _ in range(11):
        world.browser().sign_in(username, "wrong")
    assert world.browser().sign_in(username).status_code == 400
    assert alone(world.browser(), device).request.path == "/"


def test_a_removed_or_reset_passkey_is_refused(
    world: World, holder: tuple[str, SoftAuthenticator]
) -> None:
    """MF-08: and it cannot be registered anew under the old id."""
    username, device = holder
    with world.work() as work:
        account = accounts.by_username(work, username)
        authenticators.remove(work, account, authenticators.list_usable(work, account)[0])
    answer = alone(world.browser(), device)
    assert (answer.status_code, reasons(world)) == (400, "unknown_passkey")


def signals(page: TestResponse, name: str) -> Any:
    """What a page tells the browser of passkeys."""
    found = re.search(rf'data-passkey-{name}="([^"]*)"', page.text)
    return json.loads(html.unescape(found[1])) if found else None


def test_sp04_the_browser_learns_which_passkeys_exist(
    world: World, holder: tuple[str, SoftAuthenticator]
) -> None:
    """WebAuthn level 3, signal methods: all passkeys with the present name; none after removal."""
    username, device = holder
    browser = world.browser()
    alone(browser, device)
    told = signals(browser.get("/settings/factors"), "accepted")
    key, (_, handle) = next(iter(device.keys.items()))
    assert told == {
        "rpId": "gateway.test",
        "userId": handle,
        "name": username,
        "displayName": told["displayName"],
        "allAcceptedCredentialIds": [key],
    }
    with world.work() as work:
        account = accounts.by_username(work, username)
        authenticators.remove(work, account, authenticators.list_usable(work, account)[0])
    told = signals(browser.get("/settings/factors"), "accepted")
    assert told["allAcceptedCredentialIds"] == []
    other = world.browser()
    other.sign_in(world.account())
    assert signals(other.get("/settings/factors"), "accepted") is None


def test_the_browser_learns_of_a_passkey_that_does_not_exist(
    world: World, holder: tuple[str, SoftAuthenticator]
) -> None:
    """A refused passkey that exists is not called unknown, nor one of a malformed response."""
    username, device = holder
    key = next(iter(device.keys))
    device.verifies_user = False
    assert signals(alone(world.browser(), device), "unknown") is None
    device.verifies_user = True
    with world.work() as work:
        account = accounts.by_username(work, username)
        authenticators.remove(work, account, authenticators.list_usable(work, account)[0])
    refused = alone(world.browser(), device)
    assert signals(refused, "unknown") == {"rpId": "gateway.test", "credentialId": key}
    browser = world.browser()
    page = browser.get("/signin")
    refused = browser.submit(page, "/signin/passkey", credential="{}")
    assert (refused.status_code, signals(refused, "unknown")) == (400, None)


@pytest.mark.parametrize(
    ("aaguid", "typed", "name"),
    [
        ("fbfc3007-154e-4ecc-8c0b-6e020557d7bd", "", "iCloud Keychain"),
        ("fbfc3007-154e-4ecc-8c0b-6e020557d7bd", "My phone", "My phone"),
        ("2fc0579f-8113-47ea-b116-bb5a8db9202a", "", "YubiKey 5"),
        ("00000000-0000-0000-0000-000000000000", "", ""),
    ],
)
def test_mf08_a_passkey_has_the_name_of_its_provider_until_it_is_named(
    world: World, aaguid: str, typed: str, name: str
) -> None:
    username, device = world.account(), device_of(world)
    device.aaguid = UUID(aaguid).bytes
    with world.work() as work:
        account = accounts.by_username(work, username)
        made = device.create(passkeys.creation_options(work, account, "flow"))
        row = passkeys.register(work, account, "flow", made, typed)
        assert isinstance(row, Authenticator)
        assert row.name == name


def test_password_managers_find_where_passkeys_are_managed(world: World) -> None:
    """W3C, A Well-Known URL for Relying Party Passkey Endpoints."""
    found = world.browser().get("/.well-known/passkey-endpoints")
    assert found.json == {
        "enroll": "https://gateway.test/settings/factors/passkey",
        "manage": "https://gateway.test/settings/factors",
    }


@pytest.mark.parametrize("fault", ["verifies_user", "origin", "rp_id", "client_data"])
def test_n67_an_invalid_registration_is_refused(world: World, fault: str) -> None:
    """N67: nothing is set up; the other ways stay as they were."""
    values: dict[str, Any] = {
        "verifies_user": False,
        "origin": "https://evil.example",
        "rp_id": "evil.example",
        "client_data": {"crossOrigin": True},
    }
    username = world.account()
    browser = world.browser().signed_in(username)
    done = add_passkey(world, browser, device_of(world, **{fault: values[fault]}), current=PASSWORD)
    assert done.status_code == 400
    with world.work() as work:
        assert authenticators.list_usable(work, accounts.by_username(work, username)) == []
    assert world.browser().sign_in(username).request.path == "/"


def test_n67_the_same_key_is_registered_once(
    world: World, holder: tuple[str, SoftAuthenticator]
) -> None:
    """N67: neither again nor for another account; browsers are told which there are."""
    _, device = holder
    browser = world.browser()
    alone(browser, device)
    page = browser.get(PATH)
    page = browser.submit(page, "/settings/verify", credential=device.get(options_on(page)))
    asked = json.loads(options_on(page))
    assert [entry["id"] for entry in asked["excludeCredentials"]] == list(device.keys)
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["attestation"] == "none"
    assert len(unb64(asked["user"]["id"])) == 64
    again = device.create(options_on(page), anew=False)
    assert browser.submit(page, PATH, credential=again).status_code == 400
    assert reasons(world) == "known_already"
    thief = world.browser().signed_in(world.account())
    page = verify(thief, PATH, current=PASSWORD)
    again = device.create(options_on(page), anew=False)
    assert thief.submit(page, PATH, credential=again).status_code == 400


def client_data() -> str:
    return b64(json.dumps({"challenge": b64(b"c"), "type": "webauthn.get"}).encode())


def read(**response: Any) -> passkey_ceremony.Answer:
    told = {"id": b64(b"k"), "response": {"clientDataJSON": client_data()} | response}
    return passkey_ceremony.read(json.dumps(told))


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({}, ""),
        ({"transports": None}, ""),
        ({"transports": ["usb", "made-up", "nfc", "usb"]}, "usb,nfc"),
        ({"transports": [7, ["usb"], {}, "usb"]}, "usb"),
    ],
)
def test_n67_only_known_transports_are_kept(told: dict[str, Any], kept: str) -> None:
    """N67, WebAuthn section 5.8.4: what is not a transport of the standard is ignored."""
    assert read(**told).transports == kept


def test_n67_an_answer_without_a_user_handle_has_none() -> None:
    """N67: at registration, and for keys that do not keep one."""
    assert read().user_handle == read(userHandle=None).user_handle == ""
    assert read(userHandle="YQ==").user_handle == "YQ"


def test_n67_the_longest_answer() -> None:
    """N67: as long as the limit is read, one character more is not."""
    text = json.dumps({"id": b64(b"k"), "response": {"clientDataJSON": client_data()}})
    longest = text.ljust(passkey_ceremony.MAX_ANSWER)
    assert passkey_ceremony.read(longest).challenge == b"c"
    with pytest.raises(passkey_ceremony.PasskeyRefused) as told:
        passkey_ceremony.read(longest + " ")
    assert told.value.reason is passkey_ceremony.PasskeyRefusal.TOO_LONG


def test_n67_options_name_the_transports_of_each_key(world: World) -> None:
    """N67: those that a browser knows; none are named for a key that told none."""
    keys = [
        passkey_ceremony.Passkey(b64(name), "", 0, False, False, transports)
        for name, transports in (
            (b"a", "usb,unheard-of,internal"),
            (b"b", "unheard-of"),
            (b"c", ""),
        )
    ]
    site = passkey_ceremony.site_of(world.settings.issuer, "Gateway")
    options = json.loads(passkey_ceremony.request_options(site, challenge=b"c", allowed=keys))
    assert [entry.get("transports") for entry in options["allowCredentials"]] == [
        ["usb", "internal"], None, None,
    ]  # fmt: skip
    username, device = world.account(), device_of(world)
    add_passkey(world, world.browser().signed_in(username), device, current=PASSWORD)
    _, page = half_signed_in(world, username)
    (named,) = json.loads(options_on(page))["allowCredentials"]
    assert named["transports"] == ["internal"]
