"""N83, N84, N86, N87: whatever is sent, the answer is a named refusal and nothing leaks."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from idp.directory import accounts, activation
from idp.models import AccountState
from idp.policy.console import ConsoleRole
from service_base import logs
from tests.console.desk import Desk
from tests.factor_steps import add_sent, set_up_app
from tests.scim.pusher import USERS, Pusher, user
from tests.world import NEW_PASSWORD, PASSWORD, VERIFIER, Browser, World, hidden_fields

HOSTILE = [
    "'", '"', ";", "' OR '1'='1", "\0", "\ud800", str(2**63), "-1", "%00", "{{7*7}}", "${7*7}",
    "<img src=x>", "../../etc/passwd", "\r\nX: y", "\u202e", "a" * 9_000, "[]", "{}", "null",
]  # fmt: skip
NAMES = [
    "client_id", "redirect_uri", "scope", "state", "nonce", "prompt", "max_age", "claims",
    "id_token_hint", "login_hint", "ui_locales", "acr_values", "code_challenge",
    "code_challenge_method", "response_mode", "response_type", "grant_type", "code",
    "code_verifier", "refresh_token", "token", "token_type_hint", "client_secret", "username",
    "password", "again", "current", "flow", "next", "locale", "zoneinfo", "decision", "choice",
    "post_logout_redirect_uri", "access_token", "channel", "number", "do", "q", "fact", "ticket",
    "reason", "person", "actor", "client", "name", "since", "until", "at", "participant", "group",
    "before", "after", "format", "alg", "confirm", "description", "kind", "role_groups",
    "home_url", "redirect_uris", "scopes", "grant_types", "auth_method", "minimum_acr",
    "account_kinds", "confirmation", "days", "description_fr", "details", "list", "name_fr",
    "icon", "logo", "networks", "order", "overlap_hours", "person_id", "sort", "tab", "who",
]  # fmt: skip
FORM = "application/x-www-form-urlencoded"


def routes(world: World, subject: str) -> list[tuple[str, str]]:
    """Every method and path of the application, arguments filled in; the accounts of the console
    are the one with this subject."""
    values = {
        "public_id": "x", "subject": subject, "client_id": "emi", "kid": "x", "action": "lock",
        "tab": "access", "digest": "x",
        "consent_id": "9", "number": "9", "kind": "totp",
        "resource_endpoint": "Users", "resource_id": "x", "path": "x", "stream_id": "x",
    }  # fmt: skip
    found = []
    for rule in world.app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        path = re.sub(r"<(?:[^<>]*:)?(\w+)>", lambda name: values[name[1]], rule.rule)
        found += [(method, path) for method in (rule.methods or set()) & {"GET", "POST"}]
    return sorted(found)


def signed_in(world: World) -> Browser:
    browser = world.browser()
    browser.sign_in(world.account())
    return browser


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.dictionaries(
        st.sampled_from(NAMES), st.sampled_from(HOSTILE) | st.text(max_size=40), max_size=8
    ),
    good=st.booleans(),
)
def test_n86_no_input_causes_an_internal_error(
    world: World, values: dict[str, str], good: bool
) -> None:
    """N86: never a 5xx, no SQL and no trace in the answer, on every route there is."""
    if "browser" not in world.made:
        browser = world.browser().signed_in(world.operator(*ConsoleRole))
        page = browser.get("/settings").text
        world.made |= {
            "browser": browser,
            "rp": world.relying_party(),
            "subject": world.account_row(world.account()).subject,
            "token": re.findall(r'name="csrf_token" value="([^"]+)"', page)[0],
        }
    browser, rp = world.made["browser"], world.made["rp"]
    sent = (rp.authorize_params() | {"csrf_token": world.made["token"]} if good else {}) | values
    body = urlencode({k: v.encode("utf-8", "surrogatepass") for k, v in sent.items()})
    for method, path in routes(world, world.made["subject"]):
        if path in ("/signout", "/settings/sessions/end-others"):
            continue
        if method == "GET":
            answer = browser.client.get(f"{path}?{body}", base_url=browser.base)
        else:
            answer = browser.client.post(path, data=body, content_type=FORM, base_url=browser.base)
        assert answer.status_code < 500, (method, path, values)
        assert "SELECT" not in answer.text
        assert "Traceback" not in answer.text
        answer.close()


@pytest.mark.parametrize("value", HOSTILE)
def test_n86_hostile_path_arguments_cause_no_internal_error(world: World, value: str) -> None:
    """N86: ids in paths are values like any other; nobody else's rows are found (IDOR)."""
    browser = signed_in(world)
    raw = quote(value.encode("utf-8", "surrogatepass"), safe="")
    page = browser.get("/settings/preferences")
    token = hidden_fields(page.text, "/settings/preferences")
    for path in (f"/settings/sessions/{raw}/end", f"/settings/consents/{raw}/revoke"):
        answer = browser.client.post(path, data=token, base_url=browser.base)
        assert answer.status_code in (400, 404, 405, 413, 308)


@pytest.mark.parametrize("name", ["\0", "a\0b", "a\ud800b"])
def test_n86_a_name_that_no_database_can_store_is_unknown(world: World, name: str) -> None:
    """N86: a login name with a NUL or a lone surrogate is refused like any other, and noted."""
    browser = world.browser()
    page = browser.get("/signin")
    fields = hidden_fields(page.text, "/signin") | {"username": name, "password": PASSWORD}
    body = urlencode({k: v.encode("utf-8", "surrogatepass") for k, v in fields.items()})
    answer = browser.client.post("/signin", data=body, content_type=FORM, base_url=browser.base)
    assert answer.status_code == 400
    assert world.events("signin.refused")[-1].account_id is None


@pytest.mark.parametrize(
    "path", ["/oauth2/v1/token", "/signin", "/recover", "/oauth2/v1/authorize"]
)
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"x=" + b"a" * 11_000_000, FORM),
        (b"&".join(b"k%d=v" % n for n in range(100_000)), FORM),
        (b"[" * 100_000, "application/json"),
        (b"\x1f\x8b" + b"\0" * 400_000, FORM),
        (b"--b\r\n" * 60_000, "multipart/form-data; boundary=b"),
    ],
)
def test_n87_large_bodies_are_refused(
    world: World, path: str, body: bytes, content_type: str
) -> None:
    """N87, F3: 413 or 400 (415 where a form is asked), quickly and without reading it all."""
    answer = world.app.test_client().post(
        path,
        data=body,
        content_type=content_type,
        headers={"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {},
        base_url=world.settings.issuer,
    )
    assert answer.status_code in (400, 413, 415)


@pytest.fixture
def log_lines(world: World) -> Iterator[io.StringIO]:
    """What the application writes to its log at its lowest level, as written."""
    stream = io.StringIO()
    logs.configure("DEBUG", stream)
    yield stream
    logs.configure(world.settings.log_level)


HOSTILE_TEXT = 'x\r\n{"event":"forged"}\x1b[31m"},{"a":"\u2028'


def test_n83_one_event_is_one_json_line(world: World, log_lines: io.StringIO) -> None:
    """N83: line breaks, ANSI and JSON in user name and user agent stay inside their value."""
    browser = world.browser()
    page = browser.client.get(
        "/signin",
        base_url=browser.base,
        headers={
            "User-Agent": HOSTILE_TEXT.replace("\r\n", " ").encode("ascii", "ignore").decode()
        },
    )
    browser.submit(page, "/signin", username=HOSTILE_TEXT, password="x")
    browser.get("/nothing/" + quote(HOSTILE_TEXT))
    lines = log_lines.getvalue().splitlines()
    assert len(lines) >= 3
    for line in lines:
        assert json.loads(line)["event"] == "request"
        assert "\x1b" not in line
    with world.work() as work:
        from idp.audit import trail

        for line in trail.export(work):
            assert json.loads(line)["name"] != "forged"


def test_n84_entered_secrets_are_not_stored_or_logged(world: World, log_lines: io.StringIO) -> None:
    """N84: password, code, tokens, cookie, client secret and link, after each was used, are in no
    log, no event, no page but their own, and not in the database's plain text. Each line of the log
    has the ids of its request."""
    rp = world.relying_party(
        grant_types=("authorization_code", "refresh_token", "client_credentials")
    )
    username = world.account()
    pending = world.account(state=AccountState.PENDING)
    with world.work() as work:
        link = activation.invite(work, accounts.by_username(work, pending)).split("token=")[1]
    browser = world.browser()
    browser.get(f"/activate?token={link}")
    page = browser.get("/activate")
    browser.submit(page, "/activate", password=NEW_PASSWORD, again=NEW_PASSWORD)
    other = world.browser()
    code = other.code(rp, username)
    tokens = world.redeem(rp, code).json or {}
    fresh = world.refresh(rp, tokens["refresh_token"]).json or {}
    world.redeem(rp, code)
    world.browser().sign_in(username, "Wrong-Canary9-password")
    cookie = other.client.get_cookie("__Host-gw-sandbox-session", domain="gateway.test")
    recognition = other.client.get_cookie("__Host-gw-sandbox-browser", domain="gateway.test")
    assert cookie is not None
    assert recognition is not None
    with world.work() as work:
        accounts.by_username(work, username).recovery_phone = "+14169671111"
    asking = world.browser()
    asking.submit(asking.get("/recover"), "/recover", username=username, channel="sms")
    world.run_worker()
    digits = re.findall(r"\b\d{6}\b", world.sms.sent[-1][1])[0]
    page = asking.submit(asking.get("/recover/code"), "/recover/code", code=digits)
    app_secret, paper = set_up_app(world, world.account())
    own = world.browser().signed_in(world.account())
    add_sent(world, own, "email", current=PASSWORD)
    page = own.get("/settings/question")
    name = re.findall(r'<option value="(\w+)"', page.text)[0]
    own.submit(page, "/settings/question", question=name, answer="Canary of Kapuskasing")
    mailed = re.findall(r"^(\d{6})$", world.mails("setup_code")[-1].text, re.MULTILINE)[0]
    disown = re.findall(r"not-me\?token=([\w-]+)", world.mails("activation_finished")[-1].text)[0]
    world.browser().get(f"/recover/not-me?token={disown}")
    temporary = Desk.of(world).temporary_password(username)
    world.browser().sign_in(username, temporary)
    own_token = (world.post(rp, grant_type="client_credentials").json or {})["access_token"]
    pusher = Pusher.of(world)
    assert pusher.send("POST", USERS, user()).status_code == 201
    world.run_worker()
    invited = re.findall(r"activate\?token=([\w-]+)", world.mails("account_created")[-1].text)[0]
    canaries = {
        "password": PASSWORD,
        "new password": NEW_PASSWORD,
        "wrong password": "Wrong-Canary9-password",
        "verifier": VERIFIER,
        "code": code,
        "cookie": cookie.value,
        "recognition": recognition.value,
        # Six digits alone stand in many numbers: as they are written in words.
        "code by telephone": f"{digits} is your code",
        "code by mail": f"\n{mailed}\n",
        "answer": "Canary of Kapuskasing",
        "answer, normalised": "canary of kapuskasing",
        "this was not me": disown,
        "secret of an app": app_secret,
        "recovery code": paper[0],
        "recovery code, bare": paper[1].replace("-", ""),
        "temporary password": temporary,
        "client secret": rp.secret,
        "link": link,
        "link of a push": invited,
        "token of a pusher": pusher.token,
        "token by client credentials": own_token,
        "access token": tokens["access_token"],
        "id token": tokens["id_token"],
        "refresh token": tokens["refresh_token"],
        "successor": fresh["refresh_token"],
    }
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    named = {line.get("account") for line in lines}
    for line in lines:
        assert re.fullmatch("[0-9a-f]{32}", line["trace_id"]), line
        is_of_request = line["logger"] not in ("worker", "gateway.outbox")
        assert not is_of_request or re.fullmatch("[0-9a-f]{16}", line["request_id"]), line
    with world.work() as work:
        from idp.audit import trail

        known = {name: accounts.by_username(work, name).subject for name in (username, pending)}
        places = {"log": log_lines.getvalue(), "trail": "\n".join(trail.export(work))}
    if world.settings.database_url.startswith("sqlite"):
        path = Path(world.settings.database_url.removeprefix("sqlite:///"))
        files = [path, path.with_name(path.name + "-wal")]
        places["database"] = "".join(f.read_bytes().decode("latin-1") for f in files if f.exists())
    found = [(name, place) for name, value in canaries.items() for place, text in places.items()
             if value in text]  # fmt: skip
    assert found == []
    assert named >= set(known.values())
    assert not [name for name in known if name in places["log"]]
