"""Second factors: authenticator apps and recovery codes (N14, N53, N61 to N66)."""

from __future__ import annotations

import json
import re
import threading
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp.accounts import directory, factors, lifecycle
from idp.mfa import recovery_codes, totp
from idp.models import AccountKind, AccountState, Authenticator, RecoveryCode
from idp.policy.scopes import ACR_MFA, ACR_PASSWORD
from tests.console.desk import Desk
from tests.security.test_login_cookies import cookie_of
from tests.world import NEW_PASSWORD, PASSWORD, Browser, World, answer_of, hidden_fields

CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}


def set_up(world: World, username: str) -> tuple[str, list[str]]:
    """An authenticator app through the pages; returns its secret and the recovery codes."""
    browser = world.browser().signed_in(username)
    page = browser.get("/settings/authenticator")
    fields = {"current": PASSWORD, "name": "My telephone"}
    page = browser.submit(page, "/settings/authenticator", **fields)
    secret = re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    page = browser.submit(page, "/settings/authenticator/confirm", code=code(world, secret))
    codes = re.findall(r"<li><code>([0-9A-Z-]+)</code></li>", page.text)
    world.clock.advance(seconds=30)
    return secret, codes


def code(world: World, secret: str, steps: int = 0) -> str:
    """What the app shows, some steps away from now."""
    return pyotp.TOTP(secret).at(world.clock.now() + timedelta(seconds=30 * steps))


def half_signed_in(
    world: World, username: str, password: str = PASSWORD
) -> tuple[Browser, TestResponse]:
    """A browser whose password was right and that is asked for the code."""
    browser = world.browser()
    page = browser.sign_in(username, password)
    assert page.request.path == "/signin/factor", page.text
    return browser, page


def is_in(browser: Browser) -> bool:
    return "Sign in" not in browser.get("/settings").text


@pytest.fixture
def holder(world: World) -> tuple[str, str, list[str]]:
    """An account with an app: its name, the secret, the recovery codes."""
    username = world.account()
    return username, *set_up(world, username)


@pytest.mark.parametrize("kind", [AccountKind.PERSONAL, AccountKind.MACHINE])
def test_mf01_an_app_is_set_up_and_asked_for(world: World, kind: AccountKind) -> None:
    """MF-01, SP-04: password, QR and key, first code; ten recovery codes; then every sign-in."""
    username = world.account(kind=kind)
    secret, codes = set_up(world, username)
    assert len(secret) == 32
    assert len(set(codes)) == recovery_codes.COUNT
    kinds = [mail.kind for mail in world.mails(to=username)]
    assert {"factor_added", "recovery_codes_made"} <= set(kinds)
    browser, page = half_signed_in(world, username)
    assert not is_in(browser)
    done = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert done.request.path == "/"
    assert world.events("signin.succeeded")[-1].data["amr"] == ["pwd", "otp", "mfa"]
    page = browser.get("/settings").text
    assert "My telephone" in page
    assert "10 left" in page


def test_the_qr_code_says_what_the_key_says(world: World) -> None:
    """The same secret in the picture's address, with issuer and user name."""
    username = world.account()
    browser = world.browser().signed_in(username)
    page = browser.get("/settings/authenticator")
    page = browser.submit(page, "/settings/authenticator", current=PASSWORD)
    assert "<svg" in page.text
    assert "script" not in page.text.split("<svg")[1].split("</svg>")[0]
    secret = re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    parts = urlsplit(totp.uri(secret, username=username, issuer="IESO Gateway Sandbox"))
    query = parse_qs(parts.query)
    assert (parts.scheme, query["secret"], query["issuer"]) == (
        "otpauth", [secret], ["IESO Gateway Sandbox"],
    )  # fmt: skip
    assert page.headers["Cache-Control"] == "no-store"


def test_n64_a_code_counts_once_and_never_an_earlier_one(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N64: the same, the step before it, then the next one."""
    username, secret, _ = holder
    browser, page = half_signed_in(world, username)
    used = code(world, secret)
    assert browser.submit(page, "/signin/factor", code=used).status_code == 200
    browser, page = half_signed_in(world, username)
    for old in (used, code(world, secret, -1)):
        assert browser.submit(page, "/signin/factor", code=old).status_code == 400
    world.clock.advance(seconds=30)
    fresh = code(world, secret)
    assert browser.submit(page, "/signin/factor", code=fresh).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.translate({ord(str(n)): 0xFF10 + n for n in range(10)}),
        lambda c: c.translate({ord(str(n)): 0x0660 + n for n in range(10)}),
        lambda c: c + "0",
        lambda c: c[:5],
        lambda c: f"{(int(c) + 1) % 1_000_000:06}",
        lambda _c: "",
        lambda c: f"{c}\x00",
    ],
)
def test_n64_only_six_ascii_digits_are_a_code(
    world: World, holder: tuple[str, str, list[str]], change: object
) -> None:
    """N64: other digits, one more, one fewer, a wrong one; spaces and dashes do not matter."""
    username, secret, _ = holder
    browser, page = half_signed_in(world, username)
    bad = change(code(world, secret))  # type: ignore[operator]
    assert browser.submit(page, "/signin/factor", code=bad).status_code == 400
    good = code(world, secret)
    typed = f" {good[:3]} {good[3:]}-"
    assert browser.submit(page, "/signin/factor", code=typed).status_code == 200


def test_n64_the_step_memory_holds_when_the_clock_jumps_back(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N92, R16: an hour back, no code of that hour counts again."""
    username, secret, _ = holder
    browser, page = half_signed_in(world, username)
    browser.submit(page, "/signin/factor", code=code(world, secret))
    world.clock.advance(hours=-1)
    browser, page = half_signed_in(world, username)
    assert browser.submit(page, "/signin/factor", code=code(world, secret)).status_code == 400


def test_n64_n65_of_sixteen_at_once_one_wins(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N64, N65: the same code, and the same recovery code, in sixteen browsers."""
    username, secret, codes = holder
    for typed in (code(world, secret), codes[0]):
        assert sorted(at_once(world, username, typed)) == [303] + [400] * 15
        world.clock.advance(minutes=16)


def at_once(world: World, username: str, typed: str) -> list[int]:
    """The same code in sixteen browsers at the same time: the statuses."""
    pairs = [half_signed_in(world, username) for _ in range(16)]
    barrier = threading.Barrier(16, timeout=60)
    statuses: list[int] = []

    def attempt(browser: Browser, form: dict[str, str]) -> None:
        barrier.wait()
        answer = browser.client.post("/signin/factor", data=form, base_url=browser.base)
        statuses.append(answer.status_code)

    threads = [
        threading.Thread(
            target=attempt,
            args=(browser, hidden_fields(page.text, "/signin/factor") | {"code": typed}),
        )
        for browser, page in pairs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def test_n65_a_recovery_code_works_once_and_is_hashed(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N65: in any case and grouping, once, with a notice; nothing readable at rest."""
    username, _, codes = holder
    browser, page = half_signed_in(world, username)
    typed = codes[3].lower().replace("-", " ")
    assert browser.submit(page, "/signin/factor", code=typed).status_code == 200
    assert "Codes left: 9" in world.mails("recovery_code_used")[-1].text
    browser, page = half_signed_in(world, username)
    assert browser.submit(page, "/signin/factor", code=codes[3]).status_code == 400
    with world.work() as work:
        stored = "".join(row.digest for row in work.db.scalars(select(RecoveryCode)))
        sealed = work.db.scalars(select(Authenticator.secret_sealed)).one()
    plain = [one.replace("-", "") for one in codes]
    assert not any(one in stored for one in plain)
    assert holder[1] not in sealed
    told = json.dumps([event.data for event in world.events()])
    assert not any(one in told for one in (*codes, holder[1]))


def test_n65_new_recovery_codes_end_the_old_ones(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """Made with a code; the earlier ones are dead."""
    username, secret, codes = holder
    browser, page = half_signed_in(world, username)
    browser.submit(page, "/signin/factor", code=code(world, secret))
    world.clock.advance(seconds=30)
    page = browser.get("/settings/recovery-codes")
    page = browser.submit(page, "/settings/recovery-codes", code=code(world, secret))
    fresh = re.findall(r"<li><code>([0-9A-Z-]+)</code></li>", page.text)
    assert len(fresh) == 10
    browser, page = half_signed_in(world, username)
    assert browser.submit(page, "/signin/factor", code=codes[0]).status_code == 400
    assert browser.submit(page, "/signin/factor", code=fresh[0]).status_code == 200


def test_n63_of_parallel_guesses_no_more_count_than_of_serial_ones(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N63: nine wrong ones, then sixteen at once: the lock is there, the right one is refused."""
    username, secret, _ = holder
    for _ in range(9):
        browser, page = half_signed_in(world, username)
        browser.submit(page, "/signin/factor", code="AAAA")
    assert at_once(world, username, "000000") == [400] * 16
    reasons = [event.reason for event in world.events("factor.checked")]
    assert reasons.count("wrong_code") == 25
    browser, page = half_signed_in(world, username)
    assert browser.submit(page, "/signin/factor", code=code(world, secret)).status_code == 400
    assert world.events("factor.checked")[-1].reason == "too_many_codes"


def test_n63_ten_wrong_codes_lock_the_factor_everywhere(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N63: per account, over sessions and pages; the right one is refused, then it opens."""
    username, secret, codes = holder
    for number in range(10):
        browser, page = half_signed_in(world, username)
        browser.submit(page, "/signin/factor", code=f"{number:06}" if number % 2 else "AAAA")
    browser, page = half_signed_in(world, username)
    for typed in (code(world, secret), codes[0]):
        assert browser.submit(page, "/signin/factor", code=typed).status_code == 400
    assert world.events("factor.checked")[-1].reason == "too_many_codes"
    assert len(world.mails("factor_failed", to=username)) == 1
    world.clock.advance(minutes=15)
    assert browser.submit(page, "/signin/factor", code=code(world, secret)).status_code == 200


STEPS = {
    "applications": lambda b, _p: b.get("/"),
    "settings": lambda b, _p: b.get("/settings"),
    "setup": lambda b, _p: b.get("/settings/authenticator"),
    "empty form": lambda b, p: b.submit(p, "/signin/factor"),
    "password page": lambda b, p: b.get(
        "/signin/password", flow=hidden_fields(p.text, "/signin/factor")["flow"]
    ),
    "consent": lambda b, p: b.post(
        "/signin/consent", hidden_fields(p.text, "/signin/factor") | {"decision": "allow"}
    ),
    "sign in again": lambda b, _p: b.get("/signin"),
}


@pytest.mark.parametrize("step", STEPS)
def test_n61_nothing_leads_past_the_code(
    world: World, holder: tuple[str, str, list[str]], step: str
) -> None:
    """N61: no session and no code for an application by going elsewhere."""
    username, secret, _ = holder
    rp = world.relying_party()
    browser = world.browser()
    page = browser.sign_in(username, page=browser.authorize(rp))
    before = len(world.events("signin.succeeded"))
    answer = STEPS[step](browser, page)
    assert "code=" not in answer.headers.get("Location", "")
    assert not is_in(browser)
    assert "error=login_required" in browser.authorize(rp, prompt="none").headers["Location"]
    assert len(world.events("signin.succeeded")) == before
    done = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert "code" in answer_of(done)


def test_n62_the_factor_of_one_flow_is_none_of_another(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N62: a second flow stays pending; another browser cannot use the first one's."""
    username, secret, _ = holder
    browser, first = half_signed_in(world, username)
    second = hidden_fields(browser.sign_in(username).text, "/signin/factor")["flow"]
    stranger = world.browser()
    token = hidden_fields(stranger.get("/signin").text, "/signin")["csrf_token"]
    flow = hidden_fields(first.text, "/signin/factor")["flow"]
    stolen = {"flow": flow, "csrf_token": token, "code": code(world, secret)}
    assert "Sign in" in stranger.post("/signin/factor", stolen).text
    assert second != flow
    assert browser.submit(first, "/signin/factor", code=code(world, secret)).status_code == 200


def test_n14_acr_and_amr_tell_what_happened(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N14, OIDC Core 2: password alone, and with the code."""
    username, secret, _ = holder
    rp, plain = world.relying_party(), world.account()
    tokens = world.signed_in_tokens(rp, plain)
    assert world.introspect(rp, tokens["access_token"])["acr"] == ACR_PASSWORD
    browser = world.browser()
    page = browser.sign_in(username, page=browser.authorize(rp))
    granted = answer_of(browser.submit(page, "/signin/factor", code=code(world, secret)))
    tokens = world.redeem(rp, granted["code"]).json or {}
    assert world.introspect(rp, tokens["access_token"])["acr"] == ACR_MFA


def test_n14_an_application_that_demands_more_gets_it_by_a_step_up(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N14, N53: a remembered browser signs in by password; the demanding application asks for the
    code, the session rises, and its cookie changes. Whoever has no factor gets no code."""
    username, secret, _ = holder
    rp = world.relying_party("CROW", minimum_acr=ACR_MFA)
    browser, page = half_signed_in(world, username)
    browser.sign_in(username, remember="1")
    page = browser.sign_in(username, page=browser.get("/signin"), remember="1")
    browser.submit(page, "/signin/factor", code=code(world, secret))
    browser.submit(browser.get("/signout"), "/signout")
    world.clock.advance(minutes=1)
    assert browser.sign_in(username).request.path == "/"
    before = cookie_of(browser)
    silent = browser.authorize(rp, prompt="none")
    assert "unmet_authentication_requirements" in silent.headers["Location"]
    page = browser.authorize(rp)
    assert page.request.path == "/signin/factor"
    wrong = browser.submit(page, "/signin/factor", code="000000")
    assert wrong.status_code == 400
    answer = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert "code" in answer_of(answer)
    assert cookie_of(browser) != before
    plain = world.browser().signed_in(world.account())
    assert "unmet_authentication_requirements" in plain.authorize(rp).headers["Location"]


def test_a_remembered_browser_is_not_asked(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """MF-03: until it is forgotten; another browser is."""
    username, secret, _ = holder
    browser = world.browser()
    page = browser.sign_in(username, remember="1")
    browser.submit(page, "/signin/factor", code=code(world, secret))
    browser.submit(browser.get("/signout"), "/signout")
    assert browser.sign_in(username).request.path == "/"
    half_signed_in(world, username)
    world.clock.advance(days=30)
    assert browser.sign_in(username).request.path == "/signin/factor"


def test_n66_a_reset_neither_removes_nor_skips_the_factor(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N66: by mail, and by a temporary password of an agent."""
    username, secret, _ = holder
    browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=username)
    world.run_worker()
    link = world.mails("password_reset_link")[-1].links[0].removeprefix(world.settings.issuer)
    browser.submit(browser.get(link), "/recover/open", **CHOICE)
    half_signed_in(world, username, NEW_PASSWORD)
    temporary = Desk.of(world).temporary_password(username)
    browser = world.browser()
    page = browser.sign_in(username, temporary)
    other = "Marble-Otter3-window"
    page = browser.submit(page, "/signin/password", current=temporary, password=other, again=other)
    assert page.request.path == "/signin/factor"
    assert not is_in(browser)
    done = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert done.request.path == "/"


CHANGES = {
    "/settings/authenticator": {"name": "Thief's"},
    "/settings/authenticator/{id}/remove": {},
    "/settings/recovery-codes": {},
}


@pytest.mark.parametrize("path", CHANGES)
def test_n66_an_open_session_alone_changes_no_factor(
    world: World, holder: tuple[str, str, list[str]], path: str
) -> None:
    """N66, GHSA-hp74-gm6m-2qm5: a fresh code is asked for; password and used codes do not do."""
    username, secret, _ = holder
    browser, page = half_signed_in(world, username)
    used = code(world, secret)
    browser.submit(page, "/signin/factor", code=used)
    with world.work() as work:
        (row,) = factors.of(work, directory.by_username(work, username))
        path, before = path.replace("{id}", row.public_id), row.public_id
    page = browser.get(path)
    for proof in ({}, {"current": PASSWORD}, {"code": ""}, {"code": used}, {"code": "000000"}):
        answer = browser.submit(page, path, **proof)
        assert answer.status_code == 400, proof
    with world.work() as work:
        account = directory.by_username(work, username)
        assert [row.public_id for row in factors.of(work, account)] == [before]
        assert factors.begun(work, account) is None
        assert factors.recovery_codes_left(work, account) == 10


def test_n66_the_first_app_needs_the_password(world: World) -> None:
    """N66: a browser left open is not enough; what is begun counts only with a right code."""
    username = world.account()
    browser = world.browser().signed_in(username)
    page = browser.get("/settings/authenticator")
    assert browser.submit(page, "/settings/authenticator", current="wrong").status_code == 400
    page = browser.submit(page, "/settings/authenticator", current=PASSWORD)
    wrong = browser.submit(page, "/settings/authenticator/confirm", code="000000")
    assert wrong.status_code == 400
    assert world.browser().sign_in(username).request.path == "/"
    world.clock.advance(minutes=15)
    late = browser.submit(page, "/settings/authenticator/confirm", code="000000")
    assert "took too long" in late.text


def test_n73_nobody_removes_the_app_of_another(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N73: 404, with whatever proof."""
    with world.work() as work:
        (row,) = factors.of(work, directory.by_username(work, holder[0]))
        path = f"/settings/authenticator/{row.public_id}/remove"
    stranger = world.browser().signed_in(world.account())
    assert stranger.get(path).status_code == 404


def test_mf08_an_app_is_removed_with_its_recovery_codes(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """MF-07, MF-08: by a code; a notice; the next sign-in asks for the password only."""
    username, secret, codes = holder
    browser, page = half_signed_in(world, username)
    browser.submit(page, "/signin/factor", code=code(world, secret))
    (path,) = re.findall(
        r'href="(/settings/authenticator/[^"]+/remove)"', browser.get("/settings").text
    )
    done = browser.submit(browser.get(path), path, code=codes[1])
    assert "The authenticator app is removed" in done.text
    assert world.mails("factor_removed", to=username)
    assert world.browser().sign_in(username).request.path == "/"
    with world.work() as work:
        assert factors.recovery_codes_left(work, directory.by_username(work, username)) == 0


def test_a_second_app_is_added_by_a_code_of_the_first(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """Opening "set up" does not delete the old one (keycloak 38593); either works afterwards."""
    username, secret, _ = holder
    browser, page = half_signed_in(world, username)
    browser.submit(page, "/signin/factor", code=code(world, secret))
    world.clock.advance(seconds=30)
    page = browser.get("/settings/authenticator")
    page = browser.submit(page, "/settings/authenticator", code=code(world, secret), name="Two")
    second = re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    browser.submit(page, "/settings/authenticator/confirm", code=code(world, second))
    world.clock.advance(seconds=60)
    for one in (secret, second):
        browser, page = half_signed_in(world, username)
        assert browser.submit(page, "/signin/factor", code=code(world, one)).status_code == 200


def test_cr_resets_a_factor_and_the_password_with_it(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """MF-07, N66: after verifying the caller; never from the password alone afterwards."""
    username, secret, codes = holder
    desk = Desk.of(world)
    half, page = half_signed_in(world, username)
    assert "My telephone" in desk.open(username).text
    assert desk.act("reset-factors", username).status_code == 400
    desk.verify(username)
    assert desk.act("reset-factors", username).status_code == 303
    assert world.account_row(username).state == AccountState.RESET_REQUIRED
    assert world.browser().sign_in(username).status_code == 400
    for typed in (code(world, secret), codes[0]):
        assert "Sign in" in half.submit(page, "/signin/factor", code=typed).text
    link = world.mails("factors_reset")[-1].links[0].removeprefix(world.settings.issuer)
    browser = world.browser()
    browser.submit(browser.get(link), "/recover/open", **CHOICE)
    assert world.browser().sign_in(username, NEW_PASSWORD).request.path == "/"
    assert desk.act("reset-factors", username).status_code == 400


def test_a_half_done_sign_in_dies_with_a_change_of_password(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """keycloak 46476, N58: a lock ends it too, and the code is not accepted."""
    username, secret, _ = holder
    half, page = half_signed_in(world, username)
    world.clock.advance(seconds=1)
    world.set_state(username, AccountState.LOCKED)
    answer = half.submit(page, "/signin/factor", code=code(world, secret))
    assert "Sign in" in answer.text
    with world.work() as work:
        lifecycle.resume(work, directory.by_username(work, username), reason="test")
    browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=username)
    world.run_worker()
    link = world.mails("password_reset_link")[-1].links[0].removeprefix(world.settings.issuer)
    half, page = half_signed_in(world, username)
    world.clock.advance(seconds=1)
    browser.submit(browser.get(link), "/recover/open", **CHOICE)
    answer = half.submit(page, "/signin/factor", code=code(world, secret))
    assert not is_in(half)
    assert "Sign in" in answer.text


def test_the_secret_has_enough_bits_and_is_the_apps(world: World) -> None:
    """RFC 4226 section 4: 160 bits; RFC 6238 appendix B: its test vector."""
    assert len(totp.secret_of(b"\x00" * totp.SECRET_BYTES)) == 32
    secret = totp.secret_of(b"12345678901234567890")
    moment = world.clock.now().fromtimestamp(59, tz=world.clock.now().tzinfo)
    assert totp.matching_step(secret, "287082", moment, after=0) == 1
    assert totp.matching_step(secret, "287082", moment, after=1) is None
