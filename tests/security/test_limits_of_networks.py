"""What strangers use up in a network, and what they cannot: right secrets get through (N50 to N52;
docs/decisions/0029)."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from idp.app import create_app, db
from idp.clients import client_secrets
from idp.directory import accounts
from idp.machines import registered_networks
from idp.models import AccountKind, Throttle
from idp.settings import Settings
from tests.factor_steps import code, half_signed_in, set_up_app
from tests.security.test_lockout import WRONG, browser_at
from tests.security.test_machines import NAME, NETWORKS, VERIFY, basic, token, verify
from tests.world import TOKEN, Rp, World

#: A registered network of the machine account, and one of nobody's.
PLANT, ELSEWHERE = "192.0.2.7", "198.51.100.9"
LIMIT = 20


@pytest.fixture
def strict(world: World, settings: Settings) -> Iterator[World]:
    """A gateway that looks at few failures of a network."""
    limited = replace(settings, signin_failure_limit=f"{LIMIT} per 15 minute")
    app = create_app(limited, world.app.extensions["runtime"].ports)
    yield World(app, limited, world.clock, world.mailer, world.sms)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def service(world: World) -> Rp:
    """A web service, and a machine account that may use it from the plant."""
    rp = world.relying_party("MIM", is_resource_server=True, audience="https://mim.rp.test/soap")
    world.account(NAME, kind=AccountKind.MACHINE)
    world.role_group("MIM Web Services", rp.client_id, kind="machine")
    world.grant_role(NAME, "MIM Web Services")
    with world.work() as work:
        registered_networks.replace(work, accounts.by_username(work, NAME), NETWORKS)
    return rp


def as_client(world: World, name: str, secret: str, ip: str = PLANT) -> TestResponse:
    """A client asks for a token with a code that nobody issued."""
    return world.app.test_client(use_cookies=False).post(
        TOKEN,
        data={"grant_type": "authorization_code", "code": "x", "redirect_uri": "https://x.test/"},
        headers={"Authorization": basic(name, secret)},
        base_url=world.settings.issuer,
        environ_base={"REMOTE_ADDR": ip},
    )


def assert_waits(answer: TestResponse) -> None:
    """It says for how long, a second of rounding included."""
    assert 1 <= int(answer.headers["Retry-After"]) <= 901
    assert answer.headers["Cache-Control"] == "no-store"


def test_n52_failing_programs_do_not_block_others_at_the_token_endpoint(
    strict: World, service: Rp
) -> None:
    """N52, MA-08: strangers get 429 as OAuth JSON; the machine of the plant and a client do not."""
    seen = [as_client(strict, f"stranger-{n}", "wrong").status_code for n in range(LIMIT + 1)]
    assert seen == [401] * LIMIT + [429]
    refused = as_client(strict, "stranger", "wrong")
    assert refused.status_code == 429
    assert refused.json == {
        "error": "temporarily_unavailable",
        "error_description": "Too many requests; wait and try again.",
    }
    assert_waits(refused)
    assert token(strict, ip=PLANT).status_code == 200
    known = as_client(strict, service.client_id, service.secret)
    assert (known.status_code, (known.json or {})["error"]) == (400, "invalid_grant")
    # Another network has lost nothing, and the machine is none of its own.
    assert token(strict, ip=ELSEWHERE).status_code == 401
    assert as_client(strict, "stranger", "wrong", ELSEWHERE).status_code == 401


def test_n52_concurrent_guesses_get_no_more_attempts(
    world: World, settings: Settings, service: Rp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N52: all six passed the check of the budget before any was refused; three get an answer."""
    limited = replace(settings, signin_failure_limit="3 per 15 minute")
    app = create_app(limited, world.app.extensions["runtime"].ports)
    strict = World(app, limited, world.clock, world.mailer, world.sms)
    barrier, matches = threading.Barrier(6, timeout=60), client_secrets.matches

    def at_once(*given: Any) -> bool:
        barrier.wait()
        return matches(*given)

    monkeypatch.setattr(client_secrets, "matches", at_once)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: as_client(strict, f"stranger-{n}", "wrong"), range(6)))
    assert sorted(answer.status_code for answer in answers) == [401] * 3 + [429] * 3
    monkeypatch.undo()
    assert as_client(strict, "stranger", "wrong").status_code == 429
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_n52_a_request_without_credentials_is_no_failure(strict: World, service: Rp) -> None:
    """N52, MA-11: a proxy or a library that asks first, to be challenged, uses up nothing."""
    client = strict.app.test_client(use_cookies=False)
    for form in ({}, {"client_id": service.client_id, "client_secret": ""}, {"client_id": NAME}):
        for _ in range(LIMIT + 1):
            answer = client.post(
                TOKEN,
                data={"grant_type": "client_credentials", **form},
                base_url=strict.settings.issuer,
                environ_base={"REMOTE_ADDR": PLANT},
            )
            assert answer.status_code == 401
    assert as_client(strict, "stranger", "wrong").status_code == 401


def test_n52_a_correct_client_secret_is_accepted_in_a_limited_network(
    strict: World, service: Rp
) -> None:
    """N52: wrong secrets of one client stop wrong secrets of that client in that network, and
    neither the right one nor anybody else."""
    name = service.client_id
    seen = [as_client(strict, name, f"wrong-{n}").status_code for n in range(LIMIT + 1)]
    assert seen == [401] * LIMIT + [429]
    refused = as_client(strict, name, "wrong")
    assert refused.status_code == 429
    assert (refused.json or {})["error"] == "temporarily_unavailable"
    assert_waits(refused)
    assert as_client(strict, name, service.secret).status_code == 400
    assert as_client(strict, name, service.secret, ELSEWHERE).status_code == 400
    assert as_client(strict, name, "wrong", ELSEWHERE).status_code == 401
    assert as_client(strict, "stranger", "wrong").status_code == 401
    assert token(strict, ip=PLANT).status_code == 200


def test_n52_forward_authentication_never_answers_429(strict: World, service: Rp) -> None:
    """N52, MA-11: 403 with Retry-After, which nginx passes on; the machine of the plant gets in."""
    wrong = [
        verify(strict, ip=PLANT, authorization=basic(f"APIIESO9{n:04}", "wrong")).status_code
        for n in range(LIMIT + 1)
    ]
    assert wrong == [401] * LIMIT + [403]
    refused = verify(strict, ip=PLANT, authorization=basic("APIIESO99999", "wrong"))
    assert (refused.status_code, refused.data) == (403, b"")
    assert refused.headers["X-Gateway-Error"] == "temporarily_unavailable"
    assert_waits(refused)
    assert verify(strict, ip=PLANT).status_code == 204
    assert verify(strict, ip=PLANT, authorization=None).status_code == 401


def test_n52_an_old_machine_password_does_not_block_the_correct_one(
    strict: World, service: Rp
) -> None:
    """N49, N52, MA-11: one program that goes on sending its old password guesses once, at both
    doors; the right password from the same address gets in."""
    for number in range(LIMIT + 5):
        old = verify(strict, ip=PLANT, authorization=basic(password="old password"))
        assert old.status_code == (401 if number < LIMIT else 403)
        wrong = token(strict, ip=PLANT, client_secret="old password")
        assert wrong.status_code == (401 if number < LIMIT else 429)
    assert_waits(old)
    assert verify(strict, ip=PLANT).status_code == 204
    assert token(strict, ip=PLANT).status_code == 200


def test_n49_guesses_at_a_machine_account_are_limited(strict: World, service: Rp) -> None:
    """N49, N52: ten different passwords of one address in a window, however often each comes and
    at whichever door; then the right one waits as a wrong one does."""
    for number in range(9):
        for _ in range(2):
            verify(strict, ip=PLANT, authorization=basic(password=f"guess {number}"))
    assert verify(strict, ip=PLANT).status_code == 204
    strict.clock.advance(minutes=2)
    for number in range(9):
        verify(strict, ip=PLANT, authorization=basic(password=f"another {number}"))
    assert token(strict, ip=PLANT).status_code == 200
    strict.clock.advance(minutes=2)
    for number in range(10):
        token(strict, ip=PLANT, client_secret=f"third {number}")
    assert [verify(strict, ip=PLANT).status_code, token(strict, ip=PLANT).status_code] == [403, 401]
    with strict.work() as work:
        before = work.db.scalar(select(func.count()).select_from(Throttle))
    for number in range(5):
        token(strict, ip=PLANT, client_secret=f"fourth {number}")
    with strict.work() as work:
        # While it is locked, guesses are not even remembered.
        assert work.db.scalar(select(func.count()).select_from(Throttle)) == before
    strict.clock.advance(minutes=15)
    assert verify(strict, ip=PLANT).status_code == 204


def test_n52_a_machine_account_has_a_limit_of_its_own_only_in_its_networks(
    strict: World, service: Rp
) -> None:
    """N52, N35: its name gives it a budget in its own networks only."""
    for _ in range(LIMIT):
        assert verify(strict, ip=ELSEWHERE).status_code == 401
    assert verify(strict, ip=ELSEWHERE).status_code == 403
    assert verify(strict, ip=PLANT).status_code == 204


def test_n52_an_ipv6_network_has_one_limit(strict: World, service: Rp) -> None:
    """N52: another address of the /64 is no other network."""
    for number in range(LIMIT):
        assert as_client(strict, "stranger", "x", f"2001:db8::{number + 1:x}").status_code == 401
    assert as_client(strict, "stranger", "x", "2001:db8::ffff:1").status_code == 429
    assert as_client(strict, "stranger", "x", "2001:db8:0:1::1").status_code == 401


def test_n51_usual_networks_and_remembered_browsers_are_not_limited(strict: World) -> None:
    """N51, N52: strangers get a page with 429; whoever is known here does not."""
    office, mobile, guest = strict.account(), strict.account(), strict.account()
    browser_at(strict, PLANT).signed_in(office)
    phone = browser_at(strict, ELSEWHERE)
    phone.sign_in(mobile, remember="1")
    phone.submit(phone.get("/signout"), "/signout")
    for number in range(LIMIT):
        assert browser_at(strict, PLANT).sign_in(f"nobody-{number}", WRONG).status_code == 400
    refused = browser_at(strict, PLANT).sign_in(guest)
    assert refused.status_code == 429
    assert "Wait a minute" in refused.text
    assert_waits(refused)
    assert browser_at(strict, PLANT).sign_in(office).status_code == 200
    phone.client.environ_base["REMOTE_ADDR"] = PLANT
    assert phone.sign_in(mobile).status_code == 200


def test_n51_wrong_codes_after_a_correct_password_do_not_limit_the_network(strict: World) -> None:
    """N51: wrong codes of one person take nothing from the next one in the same network."""
    names = [strict.account(), strict.account()]
    secrets = [set_up_app(strict, name)[0] for name in names]
    strict.clock.advance(minutes=5)
    first, second = (half_signed_in(strict, name) for name in names)
    path = "/signin/factor"
    answers = [first[0].submit(first[1], path, code="000000").status_code for _ in range(LIMIT + 1)]
    assert answers[-1] == 429
    page = second[0].submit(second[1], path, code=code(strict, secrets[1]))
    assert page.status_code == 200
    assert page.request.path != path


def test_recovery_names_the_longest_wait(world: World, settings: Settings) -> None:
    """F4: every 429 says when to come back."""
    limited = replace(settings, recovery_limit="1 per hour")
    app = create_app(limited, world.app.extensions["runtime"].ports)
    lone = World(app, limited, world.clock, world.mailer)
    browser = lone.browser()
    page = browser.get("/recover")
    browser.submit(page, "/recover", username="x")
    refused = browser.submit(page, "/recover", username="x")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 3601
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_n52_a_failed_assertion_counts_for_the_client_that_it_names(
    strict: World, service: Rp
) -> None:
    """N52: whatever it is worth; the network keeps its budget."""
    claims = b64encode(json.dumps({"sub": service.client_id}).encode()).decode().rstrip("=")
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": f"e30.{claims}.AA",
    }
    answers = [
        strict.app.test_client(use_cookies=False).post(
            TOKEN, data=form, base_url=strict.settings.issuer, environ_base={"REMOTE_ADDR": PLANT}
        )
        for _ in range(LIMIT + 1)
    ]
    assert [answer.status_code for answer in answers] == [401] * LIMIT + [429]
    assert as_client(strict, "stranger", "wrong").status_code == 401


ODD_NAMES = ("\0", "a\0b", "APIIESO00042@\0", "@", "@@", "x" * 900, "\ud800", "%00", "%ED%A0%80")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_n52_malformed_names_count_for_the_network(strict: World, service: Rp, name: str) -> None:
    """N52: whatever a request names, it is a refusal and no error of the server."""
    claims = b64encode(json.dumps({"sub": name}).encode()).decode().rstrip("=")
    sent = name.encode("utf-8", "surrogatepass")
    header = {"Authorization": f"Basic {b64encode(sent + b':wrong').decode()}"}
    form = {"grant_type": "client_credentials", "client_secret": "wrong"}
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    signed = {"client_assertion_type": kind, "client_assertion": f"e30.{claims}.AA"}
    client = strict.app.test_client(use_cookies=False)
    how: dict[str, Any] = {"base_url": strict.settings.issuer}
    answers = [
        client.get(f"{VERIFY}?service=mim", headers=header, **how),
        client.post(TOKEN, data={"grant_type": "client_credentials"}, headers=header, **how),
        client.post(TOKEN, data=form | {"client_id": sent}, **how),
        client.post(TOKEN, data={"grant_type": "client_credentials"} | signed, **how),
        strict.browser().sign_in(name.encode("utf-8", "replace").decode(), "wrong"),
    ]
    assert {answer.status_code for answer in answers} <= {400, 401}
