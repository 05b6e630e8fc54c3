"""The pages of a person who is signed in: applications, settings, programs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from idp.models import AccountKind
from tests.factor_steps import last_code
from tests.gallery.recovery_views import ANSWER, WEAK, hidden_link, set_up_views
from tests.gallery.studio import Studio, View
from tests.world import KEY, PASSWORD, Browser, Rp

PROGRAMS = "/settings/programs"
AUTOMATIC = "/settings/automatic-passkeys"
#: The first parts of the names of these views.
AREAS = frozenset({"home", "settings", "programs", "demo"})


def views(studio: Studio) -> Iterator[View]:
    """All of them."""
    yield from _home(studio)
    yield from _factors(studio)
    yield from _password_and_phone(studio)
    yield from _programs(studio)
    for name in ("outbox", "components", "tour"):
        yield View(f"demo/{name}", studio.browser().get(f"/demo/{name}"))
    machine = Rp(studio.username("machine"), studio.password("machine"), "")
    studio.world.post(machine, grant_type="client_credentials", resource="mim")
    yield View("demo/tour-begun", studio.browser().get("/demo/tour"))


def _home(studio: Studio) -> Iterator[View]:
    browser = studio.enter("trader", remember="1")
    yield View("home/applications", browser.get("/"))
    yield View("home/menu", browser.get("/"), opened=True)
    studio.person("empty", "Wanda Eriksen")
    yield View("home/no-application", studio.enter("empty").get("/"))
    forecasts = studio.world.relying_party("Weather", trusted=False)
    page = browser.authorize(forecasts)
    browser.submit(page, "/signin/consent", decision="allow")
    studio.enter("trader")
    for name in ("factors", "sessions", "consents", "preferences"):
        yield View(f"settings/{name}", browser.get(f"/settings/{name}"))
    yield View("settings/page", browser.get("/settings"))
    new = studio.enter("empty")
    yield View("settings/page-of-new-person", new.get("/settings"))
    yield View("settings/consents-of-new-person", new.get("/settings/consents"))


def _factors(studio: Studio) -> Iterator[View]:
    studio.person("careful", "Pascal Robichaud")
    browser = studio.enter("careful")
    studio.tire()
    page = browser.get("/settings/factors/passkey")
    yield View("settings/verify", page)
    yield View("settings/verify-others", page, opened=True)
    yield View("settings/verify-wrong", browser.submit(page, "/settings/verify", code="000000"))
    studio.proved(browser, "/settings/factors/passkey", "careful")
    yield from set_up_views(studio, browser, "/settings/factors/totp", "settings/factors")
    own = hidden_link(browser.get("/settings/factors"), "own")
    page = browser.get(own)
    yield View("settings/own-factor", page)
    yield View("settings/own-factor-renamed", browser.submit(page, own, name="Phone", do="rename"))
    for address in re.findall(r'href="(/settings/factors/own/[^"]+)"', page_of(browser)):
        last = browser.submit(browser.get(address), address, do="remove")
    yield View("settings/own-factor-needed", last)
    page = browser.get("/settings/recovery-codes")
    yield View("settings/recovery-codes", page)
    shown = browser.submit(page, "/settings/recovery-codes")
    yield View("settings/recovery-codes-shown", shown)
    page = browser.get(AUTOMATIC)
    yield View("settings/automatic-passkeys", page)
    browser.submit(page, AUTOMATIC, do="on")
    yield View("settings/automatic-passkeys-on", browser.get(AUTOMATIC))
    page = browser.get("/settings/question")
    yield View("settings/question", page)
    question = re.findall(r'<option value="([a-z_-]+)"', page.text)[0]
    wrong = browser.submit(page, "/settings/question", question=question, answer="x")
    yield View("settings/question-wrong", wrong)
    done = browser.submit(page, "/settings/question", question=question, answer=ANSWER)
    yield View("settings/question-saved", done)
    studio.tire()
    with studio.settings(enrolment="optional"):
        studio.person("plain", "Ines Laflamme", factors=False)
        plain = studio.enter("plain")
        page = plain.get("/settings/factors/totp")
        yield View("settings/verify-password", page)
        wrong = plain.submit(page, "/settings/verify", current="wrong")
        yield View("settings/verify-password-wrong", wrong)


def page_of(browser: Browser) -> str:
    """The text of the factors in settings."""
    return browser.get("/settings/factors").text


def _password_and_phone(studio: Studio) -> Iterator[View]:
    path = "/settings/password"
    studio.person("renewed", "Elif Yilmaz")
    browser = studio.enter("renewed")
    page = browser.get(path)
    yield View("settings/password", page)
    yield View("settings/password-wrong", browser.submit(page, path, current="wrong", **WEAK))
    path = "/settings/phone"
    page = browser.get(path)
    yield View("settings/phone", page)
    number = {"number": "416 967 1111 ext 3", "current": PASSWORD, "do": "send"}
    yield View("settings/phone-wrong", browser.submit(page, path, **number))
    page = browser.submit(page, path, **(number | {"number": "416 967 1111"}))
    yield View("settings/phone-code", page)
    wrong = browser.submit(page, f"{path}/code", code="000000")
    yield View("settings/phone-code-wrong", wrong)
    code = last_code(studio.world, "sms")
    yield View("settings/phone-saved", browser.submit(page, f"{path}/code", code=code))
    yield View("settings/phone-registered", browser.get(path))


def _programs(studio: Studio) -> Iterator[View]:
    studio.person("robot", "Zoltan Quinn", username="APIIESO00077", kind=AccountKind.MACHINE)
    for role, name in (("robot", "empty"), ("machine", "page")):
        browser = studio.enter(role)
        yield View(f"programs/{name}", browser.get(PROGRAMS))
    yield View("home/machine", browser.get("/"))
    yield View("settings/machine", browser.get("/settings"))
    yield View("settings/machine-password", browser.get("/settings/password"))
    page = browser.get(PROGRAMS)
    wrong = browser.submit(page, f"{PROGRAMS}/test", ip="here")
    yield View("programs/test-wrong", wrong)
    yield View("programs/test", browser.submit(page, f"{PROGRAMS}/test", ip="192.0.2.7"))
    path = f"{PROGRAMS}/keys"
    page = studio.proved(browser, path, "machine")
    yield View("programs/key", page)
    wrong = browser.submit(page, path, label="Control room", key="x", days="30")
    yield View("programs/key-wrong", wrong)
    public = KEY.as_pem(private=False).decode()
    done = browser.submit(page, path, label="Control room", key=public, days="30")
    yield View("programs/key-saved", done)
