"""Sign-in, second factor, consent, sign-out and errors."""

from __future__ import annotations

from collections.abc import Iterator

from idp.directory import accounts
from idp.factors import authenticators
from idp.mfa.assurance import FactorKind
from idp.policy.scopes import ACR_MFA, ACR_PHR, DEVICE_CODE
from tests.factor_steps import device_of, options_on
from tests.gallery.studio import Studio, View
from tests.world import AUTHORIZE, Rp, answer_of, hidden_fields

STATUSES = (400, 403, 404, 405, 408, 409, 413, 429, 500, 503)
#: The first parts of the names of these views.
AREAS = frozenset(
    {"signin", "factor", "application", "accounts", "device", "signout", "kept", "error"}
)


def views(studio: Studio) -> Iterator[View]:
    """All of them."""
    yield from _first_page(studio)
    yield from _password_first(studio)
    yield from _second_step(studio)
    yield from _applications(studio)
    yield from _devices(studio)
    yield from _sign_out(studio)
    yield from _kept_forms(studio)
    yield from _errors(studio)


def demo_rp(studio: Studio, name: str) -> Rp:
    """An application of the demonstration."""
    client_id = name.lower()
    offset = {"emi": 1, "crow": 2, "reports": 3, "workspaces": 4}[client_id]
    base = f"http://localhost:{int(studio.world.settings.issuer.rpartition(':')[2]) + offset}"
    secret = studio.secrets["client_secrets"][client_id]
    return Rp(client_id, secret, f"{base}/callback")


def _first_page(studio: Studio) -> Iterator[View]:
    browser = studio.browser()
    page = browser.get("/signin")
    yield View("signin/page", page)
    yield View("signin/page-help", page, opened=True)
    yield View("signin/wrong", browser.sign_in("tremblam", "not the password", page))
    yield View("signin/locked", studio.browser().sign_in("kowalskp", "not the password"))
    answer = browser.submit(page, "/signin/passkey", credential="{}")
    yield View("signin/wrong-passkey", answer)
    emi = demo_rp(studio, "EMI")
    yield View("signin/application", studio.browser().authorize(emi))
    late = studio.browser()
    address = late.authorize(emi).request.full_path
    studio.world.clock.advance(hours=3)
    yield View("signin/late", late.get(address))
    yield View("signin/other-browser", studio.browser().get(address))


def _password_first(studio: Studio) -> Iterator[View]:
    studio.person("given", "Rosa Valenti")
    username = studio.username("given")
    given = studio.temporary_password(username)
    browser = studio.browser()
    page = browser.sign_in(username, given)
    yield View("signin/password-temporary", page)
    fields = {"current": given, "password": "rosa", "again": "different"}
    yield View("signin/password-broken", browser.submit(page, "/signin/password", **fields))
    studio.person("old", "Anil Grewal")
    studio.world.clock.advance(days=2)
    with studio.settings(password_max_age_days=1):
        page = studio.browser().sign_in(studio.username("old"))
    yield View("signin/password-renewal", page)


def _second_step(studio: Studio) -> Iterator[View]:
    browser = studio.browser()
    page = browser.sign_in(studio.username("trader"), studio.password("trader"))
    yield View("factor/email", page)
    yield View("factor/email-others", page, opened=True)
    yield View("factor/email-wrong", browser.submit(page, "/signin/factor", code="000000"))
    for _ in range(7):
        page = browser.submit(page, "/signin/factor", do="send")
    yield View("factor/email-too-many", page)
    studio.person("app", "Julie Arsenault")
    _prefer(studio, "app", FactorKind.TOTP)
    page = studio.browser().sign_in(studio.username("app"))
    yield View("factor/app", page)
    studio.person("text", "Samir Hosseini")
    _add(studio, "text", FactorKind.SMS)
    yield View("factor/text", studio.browser().sign_in(studio.username("text")))
    studio.person("key", "Liang Zhang")
    browser = studio.enter("key")
    path = "/settings/factors/passkey"
    page = studio.proved(browser, path, "key")
    answer = device_of(studio.world).create(options_on(page))
    browser.submit(page, path, credential=answer, name="My laptop")
    _prefer(studio, "key", FactorKind.PASSKEY)
    browser = studio.browser()
    page = browser.sign_in(studio.username("key"))
    yield View("factor/passkey", page)
    yield View("factor/passkey-others", page, opened=True)
    wrong = browser.submit(page, "/signin/factor", credential="{}")
    yield View("factor/passkey-wrong", wrong)


def _prefer(studio: Studio, role: str, kind: FactorKind) -> None:
    with studio.world.work() as work:
        account = accounts.by_username(work, studio.username(role))
        for row in authenticators.list_usable(work, account):
            row.is_preferred = row.kind == kind


def _add(studio: Studio, role: str, kind: FactorKind) -> None:
    with studio.world.work() as work:
        account = accounts.by_username(work, studio.username(role))
        row = authenticators.start_enrolment(work, account, kind)
        row.destination = "+14169671111"
        row.confirmed_at = work.now
    _prefer(studio, role, kind)


def _applications(studio: Studio) -> Iterator[View]:
    emi, workspaces = demo_rp(studio, "EMI"), demo_rp(studio, "Workspaces")
    browser = studio.enter("trader")
    yield View("application/choose-account", browser.authorize(emi, prompt="select_account"))
    yield View("application/other-account", browser.authorize(workspaces, scope="openid"))
    yield from _several_accounts(studio, emi)
    asked = studio.world.relying_party("Forecasts", trusted=False)
    yield View("application/consent", browser.authorize(asked))
    answer = browser.client.get(
        AUTHORIZE,
        query_string=emi.authorize_params(response_mode="form_post"),
        base_url=browser.base,
    )
    yield View("application/form-post", answer)
    studio.person("onward", "Derek Hamilton")
    strict = studio.world.relying_party("Planning", minimum_acr=ACR_MFA)
    browser = studio.browser()
    page = browser.authorize(strict)
    page = browser.sign_in(studio.username("onward"), page=page)
    yield View("application/step-up", page)
    form = hidden_fields(page.text, "/signin/factor")
    answer = browser.client.post(
        "/signin/factor",
        data={**form, "code": studio.totp("onward")},
        base_url=browser.base,
    )
    while "Location" in answer.headers:
        answer = browser.client.get(answer.headers["Location"], base_url=browser.base)
    yield View("application/onward", answer)


def _devices(studio: Studio) -> Iterator[View]:
    scopes = ("openid", "profile", "groups", "participants", "offline_access")
    terminal = studio.world.relying_party(
        "Terminal", grant_types=(DEVICE_CODE, "refresh_token"), redirect_uris=(),
        auth_method="none", trusted=False, scopes=scopes,
    )  # fmt: skip

    def code() -> str:
        path = "/oauth2/v1/device_authorization"
        answer = studio.world.post(terminal, path, scope=" ".join(scopes))
        return str((answer.json or {})["user_code"])

    browser = studio.enter("trader")
    yield View("device/code", browser.get("/device"))
    page = browser.get("/device", user_code=code())
    yield View("device/code-from-link", page)
    yield View("device/code-wrong", browser.submit(page, "/device", user_code="WDJB-MJHT"))
    page = browser.submit(page, "/device", user_code=code())
    yield View("device/confirm", page)
    late = browser.submit(browser.get("/device"), "/device", user_code=code())
    yield View("device/connected", browser.submit(page, "/device/confirm", decision="allow"))
    page = browser.submit(browser.get("/device"), "/device", user_code=code())
    yield View("device/refused", browser.submit(page, "/device/confirm", decision="refuse"))
    studio.world.clock.advance(minutes=11)
    yield View("device/late", browser.submit(late, "/device/confirm", decision="allow"))
    strict = studio.world.relying_party(
        "Workbench",
        grant_types=(DEVICE_CODE,),
        redirect_uris=(),
        minimum_acr=ACR_PHR,
    )
    answer = studio.world.post(strict, "/oauth2/v1/device_authorization", scope="openid")
    code_of_strict = str((answer.json or {})["user_code"])
    page = browser.submit(browser.get("/device"), "/device", user_code=code_of_strict)
    yield View("device/too-weak", page)


def _several_accounts(studio: Studio, emi: Rp) -> Iterator[View]:
    """One person with an account for each of two participants."""
    for role, participant in (("one", "109121"), ("another", "109120")):
        studio.person(role, "Chidi Okafor", username=f"okafor{role}", person_id="200501")
        studio.world.grant_role(studio.username(role), "EMI Bids and Offers", participant)
    browser = studio.enter("one")
    yield View("accounts/one", browser.get("/accounts"))
    page = browser.submit(browser.get("/accounts"), "/accounts", choice="other")
    page = browser.sign_in(studio.username("another"), page=page)
    browser.submit(page, "/signin/factor", code=studio.totp("another"))
    yield View("accounts/several", browser.get("/accounts"))
    several = browser.authorize(emi, prompt="select_account")
    yield View("application/choose-account-of-several", several)
    question = browser.get("/signout")
    yield View("signout/question-accounts", question)
    yield View("signout/done-one", browser.submit(question, "/signout", which="one"))
    yield View("signin/other-accounts", browser.authorize(emi))


def _sign_out(studio: Studio) -> Iterator[View]:
    browser = studio.enter("outage_coordinator")
    yield View("signout/question", browser.get("/signout"))
    crow = demo_rp(studio, "CROW")
    studio.world.redeem(crow, answer_of(browser.authorize(crow))["code"])
    asked = browser.get("/oauth2/v1/logout", client_id=crow.client_id)
    yield View("signout/question-application", asked)
    yield View("signout/done", browser.submit(browser.get("/signout"), "/signout"))
    yield View("signout/done-already", browser.get("/signout"))


def _kept_forms(studio: Studio) -> Iterator[View]:
    browser = studio.enter("settlements_analyst")
    page = browser.get("/settings/preferences")
    browser.client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
    profile = {"preferred_name": "Noé", "zone": "America/Toronto", "csrf_token": "old"}
    yield View("kept/form", browser.post("/settings/preferences", profile))
    secret = {"current": "x", "password": "y", "again": "y", "csrf_token": "old"}
    yield View("kept/secret", browser.post("/settings/password", secret))
    browser.client.delete_cookie(studio.world.settings.cookie_name("session"))
    answer = browser.submit(page, "/settings/preferences", preferred_name="Noé")
    yield View("kept/sign-in", answer)
    answer = browser.sign_in(
        studio.username("settlements_analyst"), studio.password("settlements_analyst"), answer
    )
    if answer.request.path == "/signin/factor":
        code = studio.totp("settlements_analyst")
        answer = browser.submit(answer, "/signin/factor", code=code)
    yield View("kept/after-sign-in", answer)
    del browser.client.environ_base["HTTP_SEC_FETCH_SITE"]
    yield View("kept/elsewhere", browser.post("/settings/preferences", {"csrf_token": "old"}))


def _errors(studio: Studio) -> Iterator[View]:
    for status in STATUSES:
        yield View(f"error/{status}", studio.browser().get(f"/studio/{status}"))
    browser = studio.enter("trader")
    yield View("error/signed-in-404", browser.get("/nowhere"))
    yield View("error/signed-in-403", browser.get("/console"))
    emi = demo_rp(studio, "EMI")
    yield View("error/unknown-client", browser.get(AUTHORIZE, client_id="nobody"))
    bad = browser.authorize(emi, redirect_uri="https://elsewhere.example")
    yield View("error/redirect-uri", bad)
