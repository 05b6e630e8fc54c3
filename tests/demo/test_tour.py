"""The guided tour: its steps are done when the audit log says so; it exists in the demo only."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from html import unescape

import pytest

from idp.demo.people import REGISTRATION_PUSHER
from idp.directory import accounts
from idp.factors import security_question
from registration_bridge.bridge_client import BridgeClient
from registration_bridge.export_mapping import EXTENSION
from registration_bridge.reconciliation import PATCH
from tests.console.desk import FACTS
from tests.factor_steps import last_code
from tests.gallery.recovery_views import ANSWER, CHOICE, hidden_link
from tests.gallery.signin_views import demo_rp
from tests.gallery.studio import Studio, open_studio
from tests.scim.test_client import Wired
from tests.world import TOKEN, Browser, World, answer_of

pytestmark = pytest.mark.demo
STEPS = ["activation", "applications", "risk", "telephone", "push", "machine", "grant"]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A gateway of the demonstration in this process."""
    with open_studio(tmp_path_factory.mktemp("tour"), "en") as studio:
        yield studio


def done(studio: Studio) -> list[str]:
    """The steps that the page shows as done."""
    page = studio.browser().get("/demo/tour").text
    sections = dict(re.findall(r'<section class="step" aria-labelledby="(\w+)">(.*?)</h2>', page,
                               re.DOTALL))  # fmt: skip
    assert set(sections) == {*STEPS, "after"}
    found = [name for name in STEPS if ">Step done<" in sections[name]]
    assert f"Steps done: {len(found)} of 7" in page
    return found


def command(studio: Studio, step: str) -> str:
    """The command of a step."""
    page = studio.browser().get("/demo/tour").text
    section = page[page.index(f'aria-labelledby="{step}"') :]
    (shown,) = re.findall(r'<pre class="command"[^>]*>(.*?)</pre>', section.split("</section>")[0],
                          re.DOTALL)  # fmt: skip
    return unescape(shown)


def signed_in(studio: Studio, role: str, app: str, browser: Browser, **more: str) -> None:
    """The person enters this application, with a code where one is required."""
    rp = demo_rp(studio, app)
    page = browser.authorize(rp)
    if page.status_code == 200:
        page = browser.sign_in(studio.username(role), studio.password(role), page)
    if page.request.path == "/signin/factor":
        page = browser.submit(page, "/signin/factor", code=studio.totp(role), **more)
    assert studio.world.redeem(rp, answer_of(page)["code"]).status_code == 200


def activate(studio: Studio) -> None:
    """The link of the page, a password, e-mail codes, a question and recovery codes."""
    page = studio.browser().get("/demo/tour").text
    (link,) = re.findall(r'href="http://localhost:\d+(/activate[^"]+)"', page)
    browser = studio.browser()
    page = browser.submit(browser.get(link), "/activate", **CHOICE)
    assert done(studio) == []
    page = browser.submit(page, "/enrol", do="skip")
    place = hidden_link(page, "email")
    page = browser.get(place)
    page = browser.submit(page, "/enrol/email", do="begin")
    browser.submit(page, "/enrol/email", code=last_code(studio.world, "email"))
    page = browser.submit(browser.get(place.replace("/email", "")), "/enrol")
    with studio.world.work() as work:
        holder = accounts.by_username(work, studio.username("pending"))
        question = security_question.short_list(work, holder)[0]
    for answers in ({"question": question, "answer": ANSWER}, {"do": "show"}, {"do": "kept"}, {}):
        page = browser.submit(page, "/enrol", **answers)


def use_applications(studio: Studio) -> None:
    """Three applications in one session. Two in another one do not count."""
    browser = studio.browser()
    for app in ("EMI", "CROW"):
        signed_in(studio, "trader", app, browser)
    signed_in(studio, "trader", "Reports", studio.browser())
    assert "applications" not in done(studio)
    signed_in(studio, "trader", "Reports", browser)


def meet_the_risk_engine(studio: Studio) -> None:
    """In a new browser, in the same one, which is remembered, and in another one."""
    browser = studio.browser()
    signed_in(studio, "outage_coordinator", "CROW", browser, remember="1")
    browser.submit(browser.get("/signout"), "/signout")
    signed_in(studio, "outage_coordinator", "CROW", browser)
    assert "risk" not in done(studio)
    signed_in(studio, "outage_coordinator", "CROW", studio.browser())


def reset_by_telephone(studio: Studio) -> None:
    """Customer Relations verifies the caller, who chooses a new password."""
    desk = studio.enter("customer_relations")
    username = studio.username("settlements_analyst")
    path = f"/console/accounts/{studio.subject(username)}"
    studio.form(desk, f"{path}/caller", fact=FACTS, ticket="CR-1001")
    page = studio.confirmed(desk, f"{path}/actions/temporary-password")
    (given,) = re.findall(r'<p class="big"><code>([^<]+)<', page.text)
    browser = studio.browser()
    page = browser.sign_in(username, given)
    assert "telephone" not in done(studio)
    browser.submit(page, "/signin/password", current=given, **CHOICE)


def push(studio: Studio) -> None:
    """The credentials and the JSON of the command."""
    words = shlex.split(command(studio, "push"))
    credentials = words[words.index("--user") + 1]
    token = token_of(studio.world, credentials, grant_type="client_credentials", scope="scim")
    answer = studio.world.app.test_client(use_cookies=False).post(
        "/scim/v2/Users",
        json=json.loads(words[-1]),
        headers={"Authorization": f"Bearer {token}"},
        base_url=studio.world.settings.issuer,
    )
    assert answer.status_code == 201, answer.text


def use_a_machine(studio: Studio) -> None:
    """The credentials and the fields of the command."""
    words = shlex.split(command(studio, "machine").replace("\\\n", ""))
    credentials = words[words.index("--user") + 1]
    fields = [words[at + 1] for at, word in enumerate(words) if word == "--data"]
    token_of(studio.world, credentials, **dict(field.split("=") for field in fields))


def token_of(world: World, credentials: str, **fields: str) -> str:
    """A token of the credentials ``name:secret``."""
    name, _, secret = credentials.partition(":")
    answer = world.app.test_client(use_cookies=False).post(
        TOKEN, data=fields, auth=(name, secret), base_url=world.settings.issuer
    )
    assert answer.status_code == 200, answer.text
    return str((answer.json or {})["access_token"])


def grant(studio: Studio) -> None:
    """Registration pushes one role group more, and EMI sees it."""
    world = studio.world
    with BridgeClient(
        world.settings.issuer,
        REGISTRATION_PUSHER,
        key=studio.secrets["registration_push_key"],
        clock=lambda: world.clock.now().timestamp(),
    ) as bridge:
        for prefix in ("", "/oauth2/"):
            bridge._session.mount(world.settings.issuer + prefix, Wired(world))
        user = bridge.find("userName", studio.username("outage_coordinator"))
        assert user is not None
        more = {"roleGroup": "EMI Market Data Viewer", "participantId": "109120"}
        grants = [*user[EXTENSION]["grants"], more]
        change = {"op": "replace", "path": f"{EXTENSION}:grants", "value": grants}
        body = {"schemas": [PATCH], "Operations": [change]}
        path = f"/Users/{user['id']}"
        (result,) = bridge.bulk([{"method": "PATCH", "path": path, "data": body}])
    assert result.is_done, result.detail
    assert "grant" not in done(studio)
    signed_in(studio, "outage_coordinator", "EMI", studio.browser())


DOERS = dict(
    zip(
        STEPS,
        (
            activate, use_applications, meet_the_risk_engine, reset_by_telephone, push,
            use_a_machine, grant,
        ),
        strict=True,
    )
)  # fmt: skip


def test_each_step_is_done_when_a_client_has_done_it(studio: Studio) -> None:
    """One after the other; none before, and no other with it."""
    assert done(studio) == []
    for number, name in enumerate(STEPS):
        DOERS[name](studio)
        assert done(studio) == STEPS[: number + 1], name
    page = studio.browser().get("/demo/tour").text
    assert "You have done all steps." in page
    assert studio.password("trader") in page


def test_the_tour_exists_in_the_demo_only(world: World) -> None:
    """It shows passwords: elsewhere there is no such page."""
    assert world.browser().get("/demo/tour").status_code == 404
