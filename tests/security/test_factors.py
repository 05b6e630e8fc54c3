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

from idp.directory import accounts, lifecycle
from idp.factors import authenticators, security_question
from idp.factors import recovery_codes as recovery_codes_service
from idp.mfa import recovery_code, totp
from idp.mfa.assurance import FactorKind
from idp.models import AccountKind, AccountState, Authenticator, RecoveryCode
from idp.policy.scopes import ACR_MFA, ACR_PASSWORD
from tests.console.desk import Desk
from tests.factor_steps import (
    APP,
    code,
    half_signed_in,
    is_in,
    paper_on,
    secret_on,
    set_up_app,
    verify,
)
from tests.security.test_login_cookies import cookie_of
from tests.world import NEW_PASSWORD, PASSWORD, Browser, World, answer_of, hidden_fields

CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}


@pytest.fixture
def holder(world: World) -> tuple[str, str, list[str]]:
    """An account with an app: its name, the secret, the recovery codes."""
    username = world.account()
    return username, *set_up_app(world, username)


@pytest.mark.parametrize("kind", [AccountKind.PERSONAL, AccountKind.MACHINE])
def test_mf01_an_authenticator_app_is_set_up_and_required(world: World, kind: AccountKind) -> None:
    """MF-01, SP-04: password, QR and key, first code; ten recovery codes; then every sign-in."""
    username = world.account(kind=kind)
    secret, codes = set_up_app(world, username)
    assert len(secret) == 32
    assert len(set(codes)) == recovery_code.COUNT
    kinds = [mail.kind for mail in world.mails(to=username)]
    assert {"factor_added", "recovery_codes_made"} <= set(kinds)
    browser, page = half_signed_in(world, username)
    assert not is_in(browser)
    done = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert done.request.path == "/"
    assert world.events("signin.succeeded")[-1].data["amr"] == ["pwd", "otp", "mfa"]
    page = browser.get("/settings/factors").text
    assert "My telephone" in page
    assert "10 left" in page


def test_the_qr_code_contains_the_shown_key(world: World) -> None:
    """The same secret in the picture's address, with issuer and user name."""
    username = world.account()
    browser = world.browser().signed_in(username)
    page = browser.submit(verify(browser, APP, current=PASSWORD), APP, do="begin")
    assert "<svg" in page.text
    assert "script" not in page.text.split("<svg")[1].split("</svg>")[0]
    secret = secret_on(page)
    parts = urlsplit(totp.uri(secret, username=username, issuer="IESO Gateway Sandbox"))
    query = parse_qs(parts.query)
    assert (parts.scheme, query["secret"], query["issuer"]) == (
        "otpauth", [secret], ["IESO Gateway Sandbox"],
    )  # fmt: skip
    assert page.headers["Cache-Control"] == "no-store"


def test_n64_a_code_is_accepted_once_and_earlier_ones_never(
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


def test_n64_a_used_code_is_refused_after_the_clock_jumps_back(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N92, R16: an hour back, no code of that hour counts again."""
    username, secret, _ = holder
    browser, page = half_signed_in(world, username)
    browser.submit(page, "/signin/factor", code=code(world, secret))
    world.clock.advance(hours=-1)
    browser, page = half_signed_in(world, username)
    assert browser.submit(page, "/signin/factor", code=code(world, secret)).status_code == 400


def test_n64_n65_one_of_sixteen_concurrent_uses_succeeds(
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
    assert "codes left: 9" in world.mails("recovery_code_used")[-1].text
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


def test_n65_new_recovery_codes_invalidate_the_old_ones(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """Made with a code; the earlier ones are dead."""
    username, secret, codes = holder
    browser, page = half_signed_in(world, username)
    browser.submit(page, "/signin/factor", code=code(world, secret))
    world.clock.advance(seconds=30)
    page = verify(browser, "/settings/recovery-codes", code=code(world, secret))
    fresh = paper_on(browser.submit(page, "/settings/recovery-codes"))
    assert len(fresh) == 10
    browser, page = half_signed_in(world, username)
    assert browser.submit(page, "/signin/factor", code=codes[0]).status_code == 400
    assert browser.submit(page, "/signin/factor", code=fresh[0]).status_code == 200


def test_n63_concurrent_guesses_get_no_more_attempts_than_serial_ones(
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
    "setup": lambda b, _p: b.get(APP),
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
def test_n61_the_code_cannot_be_skipped(
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


def test_n62_a_factor_proved_in_one_flow_does_not_count_in_another(
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


def test_n14_acr_and_amr_match_the_factors_used(
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
    world.clock.advance(days=6)
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


def test_n14_a_resource_that_needs_a_factor_gets_it_by_acr_values_and_max_age(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """RFC 9470 section 4: the person signs in again and proves the factor, and the token says so.
    A person without a factor only signs in again."""
    username, secret, _ = holder
    rp, plain = world.relying_party(), world.account()
    browser, page = half_signed_in(world, username)
    browser.submit(page, "/signin/factor", code=code(world, secret), remember="1")
    world.clock.advance(minutes=10)
    asked = {"acr_values": ACR_MFA, "max_age": "300"}
    page = browser.sign_in(username, page=browser.authorize(rp, **asked))
    assert page.request.path == "/signin/factor"
    granted = answer_of(browser.submit(page, "/signin/factor", code=code(world, secret)))
    tokens = world.redeem(rp, granted["code"]).json or {}
    said = world.introspect(rp, tokens["access_token"])
    assert (said["acr"], said["auth_time"]) == (ACR_MFA, int(world.clock.now().timestamp()))
    tokens = world.signed_in_tokens(rp, plain, **asked)
    assert world.introspect(rp, tokens["access_token"])["acr"] == ACR_PASSWORD


def test_a_remembered_browser_needs_no_second_factor(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """MF-03: in the first days from the network where a factor was verified; until it is forgotten.
    Another browser is asked."""
    username, secret, _ = holder
    browser = world.browser()
    page = browser.sign_in(username, remember="1")
    browser.submit(page, "/signin/factor", code=code(world, secret))
    browser.submit(browser.get("/signout"), "/signout")
    assert browser.sign_in(username, remember="1").request.path == "/"
    browser.submit(browser.get("/signout"), "/signout")
    here = browser.client.environ_base["REMOTE_ADDR"]
    browser.client.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    page = browser.sign_in(username)
    assert "Your account is new" in page.text
    browser.client.environ_base["REMOTE_ADDR"] = here
    world.clock.advance(days=6)
    assert browser.sign_in(username).request.path == "/"
    half_signed_in(world, username)
    world.clock.advance(days=25)
    page = browser.sign_in(username)
    assert page.request.path == "/signin/factor"
    assert "You did not ask us to remember this browser" in page.text


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
    APP: {"do": "begin", "name": "Thief's"},
    "/settings/factors/email": {"do": "begin"},
    "/settings/factors/own/{id}": {"do": "remove"},
    "/settings/recovery-codes": {},
    "/settings/automatic-passkeys": {"do": "on"},
    "/settings/question": {"question": "first_pet", "answer": "rex and co"},
}


@pytest.mark.parametrize("path", CHANGES)
def test_n66_an_open_session_alone_changes_no_factor(
    world: World, holder: tuple[str, str, list[str]], path: str
) -> None:
    """N66, GHSA-hp74-gm6m-2qm5: a fresh code is asked for; password, used codes and a proof of
    some minutes ago do not do."""
    username, secret, _ = holder
    browser, page = half_signed_in(world, username)
    used = code(world, secret)
    browser.submit(page, "/signin/factor", code=used)
    with world.work() as work:
        (row,) = authenticators.list_usable(work, accounts.by_username(work, username))
        fields, before = CHANGES[path], row.public_id
        path = path.replace("{id}", before)

    def try_it() -> None:
        token = hidden_fields(browser.get("/settings/verify").text, "/settings/verify")
        answer = browser.post(path, {"csrf_token": token["csrf_token"], **fields})
        assert answer.request.path == "/settings/verify"

    try_it()
    page = browser.get(path)
    assert page.request.path == "/settings/verify"
    for proof in ({}, {"current": PASSWORD}, {"code": ""}, {"code": used}, {"code": "000000"}):
        assert browser.submit(page, "/settings/verify", **proof).status_code == 400, proof
    try_it()
    world.clock.advance(seconds=30)
    cookie = cookie_of(browser)
    done = browser.submit(page, "/settings/verify", code=code(world, secret))
    assert done.request.path == path
    assert cookie_of(browser) != cookie
    world.clock.advance(minutes=5)
    try_it()
    with world.work() as work:
        account = accounts.by_username(work, username)
        assert [row.public_id for row in authenticators.list_usable(work, account)] == [before]
        assert authenticators.pending(work, account, FactorKind.TOTP) is None
        assert security_question.find(work, account) is None
        assert recovery_codes_service.count_unused(work, account) == 10


def test_n66_the_first_factor_needs_the_password(world: World) -> None:
    """N66: a browser left open is not enough; what is begun counts only with a right code."""
    username = world.account()
    browser = world.browser().signed_in(username)
    page = browser.get(APP)
    assert browser.submit(page, "/settings/verify", current="wrong").status_code == 400
    page = browser.submit(page, "/settings/verify", current=PASSWORD)
    page = browser.submit(page, APP, do="begin")
    assert browser.submit(page, APP, code="000000").status_code == 400
    assert world.browser().sign_in(username).request.path == "/"
    world.clock.advance(minutes=15)
    page = verify(browser, APP, current=PASSWORD)
    late = browser.submit(page, APP, code="000000")
    assert "has expired" in late.text


def test_n73_a_factor_of_another_account_cannot_be_changed(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """N73: 404, with whatever proof."""
    with world.work() as work:
        (row,) = authenticators.list_usable(work, accounts.by_username(work, holder[0]))
        path = f"/settings/factors/own/{row.public_id}"
    stranger = world.browser().signed_in(world.account())
    assert verify(stranger, path, current=PASSWORD).status_code == 404


def own(browser: Browser) -> list[str]:
    """The pages of one's own factors, as settings list them."""
    return re.findall(
        r'href="(/settings/factors/own/[^"]+)"', browser.get("/settings/factors").text
    )


def test_mf08_an_app_is_removed_with_its_recovery_codes(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """MF-07, MF-08: by a code; a notice; where enrolment is optional the last one may go, and
    the next sign-in asks for the password only."""
    username, secret, codes = holder
    browser, page = half_signed_in(world, username)
    browser.submit(page, "/signin/factor", code=code(world, secret))
    (path,) = own(browser)
    page = verify(browser, path, code=codes[1])
    assert "Your verification method was removed" in browser.submit(page, path, do="remove").text
    assert world.mails("factor_removed", to=username)
    assert world.browser().sign_in(username).request.path == "/"
    with world.work() as work:
        account = accounts.by_username(work, username)
        assert recovery_codes_service.count_unused(work, account) == 0


def test_a_second_app_is_added_by_a_code_of_the_first(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """Opening "set up" does not delete the old one (keycloak 38593); either works afterwards."""
    username, secret, _ = holder
    browser, page = half_signed_in(world, username)
    browser.submit(page, "/signin/factor", code=code(world, secret))
    world.clock.advance(seconds=30)
    page = browser.submit(verify(browser, APP, code=code(world, secret)), APP, do="begin")
    second = secret_on(page)
    browser.submit(page, APP, code=code(world, second))
    world.clock.advance(seconds=60)
    for one in (secret, second):
        browser, page = half_signed_in(world, username)
        assert browser.submit(page, "/signin/factor", code=code(world, one)).status_code == 200


def test_customer_relations_resets_the_factors_and_the_password(
    world: World, holder: tuple[str, str, list[str]]
) -> None:
    """MF-07, N66: after verifying the caller; never from the password alone afterwards."""
    username, secret, codes = holder
    desk = Desk.of(world)
    half, page = half_signed_in(world, username)
    assert "My telephone" in desk.browser.get(f"{desk.path(username)}/factors").text
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


def test_a_password_change_ends_a_sign_in_between_the_factors(
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
        lifecycle.resume(work, accounts.by_username(work, username), reason="test")
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


def test_the_secret_is_long_enough_and_works_in_the_app(world: World) -> None:
    """RFC 4226 section 4: 160 bits; RFC 6238 appendix B: its test vector."""
    assert len(totp.secret_of(b"\x00" * totp.SECRET_BYTES)) == 32
    secret = totp.secret_of(b"12345678901234567890")
    moment = world.clock.now().fromtimestamp(59, tz=world.clock.now().tzinfo)
    assert totp.matching_step(secret, "287082", moment, after=0) == 1
    assert totp.matching_step(secret, "287082", moment, after=1) is None


def test_mf01_an_app_whose_clock_is_a_minute_ahead_keeps_working(world: World) -> None:
    """RFC 6238 section 6: how far it was off is learned, from the setup and from each sign-in. A
    minute more at once is too much."""
    username, browser = world.account(), world.browser()
    browser.sign_in(username)
    page = verify(browser, APP, current=PASSWORD)
    page = browser.submit(page, APP, name="Old telephone", do="begin")
    secret = secret_on(page)

    def ahead(seconds: int) -> str:
        return str(pyotp.TOTP(secret).at(world.clock.now() + timedelta(seconds=seconds)))

    browser.submit(page, APP, code=ahead(60))
    for seconds, accepted in ((60, True), (90, True), (180, False), (0, True)):
        world.clock.advance(hours=1)
        browser, page = half_signed_in(world, username)
        browser.submit(page, "/signin/factor", code=ahead(seconds))
        assert is_in(browser) is accepted, seconds
