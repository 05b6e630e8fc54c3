"""Bound sessions over two gateways on one database: a proof begun at one and finished at the other,
tabs at once, a sign-out during a refresh, and a new secret key (docs/decisions/0074)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
from joserfc.jwk import ECKey

from tests.bound_browser import BIND, CHALLENGE, CHROME, OFFER, REFRESH, challenge_in, proof
from tests.faults.history import History
from tests.faults.installation import HOST_HEADER, Address, Installation, Process
from tests.faults.load import Answer, Client

#: Browsers bind sessions over https only; here, nothing looks at the scheme of the connection.
HTTPS = {"IDP_ISSUER": f"https://{HOST_HEADER}"}
TABS = 6


@dataclass
class Bound(Client):
    """A browser with a key. Each request goes to the next gateway."""

    key: ECKey | None = None
    identifier: str = ""
    #: The last registration that was offered.
    offer: str = ""

    def send(
        self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        return super().send(method, path, body, {"User-Agent": CHROME} | (headers or {}))

    def post(self, path: str, **headers: str) -> Answer:
        """What the browser sends on its own, with its cookies."""
        cookies = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        answer = self.send("POST", path, "", {"Cookie": cookies} | headers)
        self._keep(answer)
        return answer

    def _keep(self, answer: Answer) -> None:
        for line in answer.headers.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)

    def bind(self) -> None:
        """Sign in, and register a key where the next request goes."""
        assert self.sign_in()
        self.key = ECKey.generate_key("P-256")
        page = self.browse("GET", "/settings")
        assert page.status == 200
        signed = proof(self.key, challenge_in(self.offer), names_key=True)
        answer = self.post(BIND, **{"Secure-Session-Response": f'"{signed}"'})
        assert answer.status == 200, answer.text
        self.identifier = str(json.loads(answer.text)["session_identifier"])

    def browse(self, method: str, path: str, **fields: str) -> Answer:
        answer = super().browse(method, path, **fields)
        self.offer = answer.headers.getheader(OFFER) or self.offer
        return answer

    def challenge(self) -> str:
        """Begin a refresh: the challenge to sign."""
        answer = self.post(REFRESH, **{"Sec-Secure-Session-Id": self.identifier})
        assert answer.status == 403, answer.text
        return challenge_in(answer.headers.getheader(CHALLENGE) or "")

    def prove(self, challenge: str) -> Answer:
        """Finish it."""
        assert self.key is not None
        signed = proof(self.key, challenge, names_key=False)
        named = {"Sec-Secure-Session-Id": self.identifier}
        return self.post(REFRESH, **named, **{"Secure-Session-Response": signed})

    def forget_bound_cookie(self) -> None:
        """Its minutes are over."""
        for name in [name for name in self.cookies if name.endswith("bound")]:
            del self.cookies[name]

    def is_in(self) -> bool:
        """Whether a page of the account opens."""
        return self.browse("GET", "/settings").status == 200


def at(client: Bound, address: Address) -> Bound:
    """Another tab of the same browser, whose requests go to this gateway."""
    return replace(client, ports=[address], cookies=dict(client.cookies))


def tab(made: Installation, gateways: list[Process]) -> Bound:
    """A browser before two gateways."""
    addresses = [gateway.address for gateway in gateways]
    return Bound(0, addresses, made, History(made.folder / "history.jsonl"))


def old_registration(made: Installation) -> None:
    """The minute after the registration, in which the bound cookie is not needed yet, is over."""
    made.change("UPDATE browser_session SET bound_at = bound_at - interval '2 minutes'")


@pytest.fixture
def made(on_postgresql: Installation) -> Installation:
    on_postgresql.fill(people=1)
    on_postgresql.settings |= HTTPS
    return on_postgresql


def test_a_bound_session_is_one_over_two_gateways(made: Installation) -> None:
    """Registered at one after a page of the other; a refresh that begins at one is finished at the
    other; the cookie of either is good at both; tabs at both refresh at once."""
    gateways = [made.serve(workers=1) for _ in range(2)]
    browser = tab(made, gateways)
    browser.bind()
    first, second = (at(browser, gateway.address) for gateway in gateways)
    old_registration(made)
    for begins, ends in ((first, second), (second, first)):
        begins.forget_bound_cookie()
        assert not begins.is_in()
        challenge = begins.challenge()
        ends.cookies = dict(begins.cookies)
        assert ends.prove(challenge).status == 200
        assert ends.is_in()
        begins.cookies = dict(ends.cookies)
        assert begins.is_in()
        # A challenge is good once, at whichever gateway.
        assert begins.prove(challenge).status == 403
    tabs = [at(browser, gateways[n % 2].address) for n in range(TABS)]
    for one in tabs:
        one.cookies = dict(first.cookies)
        one.forget_bound_cookie()
    with ThreadPoolExecutor(TABS) as pool:
        challenges = list(pool.map(Bound.challenge, tabs))
        proved = list(pool.map(Bound.prove, tabs, challenges))
    assert [answer.status for answer in proved] == [200] * TABS
    assert all(one.is_in() for one in tabs)
    assert made.rows("SELECT count(*) FROM device_binding WHERE ended_at IS NULL") == [(1,)]
    assert made.rows("SELECT count(*) FROM event WHERE name = 'alarm.session_copied'") == [(0,)]


def test_a_sign_out_at_one_gateway_ends_a_refresh_at_the_other(made: Installation) -> None:
    """A proof that was begun before the sign-out opens nothing after it, and is no theft; a copy of
    the cookies at the other gateway opens nothing either."""
    gateways = [made.serve(workers=1) for _ in range(2)]
    browser = tab(made, gateways)
    browser.bind()
    first, second = (at(browser, gateway.address) for gateway in gateways)
    challenge = second.challenge()
    assert first.sign_out()
    second.prove(challenge)
    assert not second.is_in()
    assert made.rows("SELECT count(*) FROM browser_session WHERE ended_at IS NULL") == [(0,)]
    assert made.rows("SELECT count(*) FROM event WHERE name = 'alarm.session_copied'") == [(0,)]


def test_a_new_secret_key_ends_no_bound_session(made: Installation) -> None:
    """One gateway after the other gets the new key, with the previous one to verify. The cookie and
    the challenge of the previous key are good; those of the new one too, where both know it."""
    gateways = [made.serve(workers=1) for _ in range(2)]
    browser = tab(made, gateways)
    browser.bind()
    old_registration(made)
    challenge = browser.challenge()
    previous = made.settings["IDP_SECRET_KEY"]
    both = {"IDP_SECRET_KEY": "n" * 48, "IDP_SECRET_KEY_FALLBACKS": previous}
    # First everybody can verify with the new key, then everybody signs with it.
    for settings in ({"IDP_SECRET_KEY_FALLBACKS": "n" * 48}, both):
        for number, gateway in enumerate(gateways):
            assert gateway.stop() == 0
            gateways[number] = made.serve(workers=1, port=gateway.port, **settings)
            assert browser.is_in()
            assert browser.is_in()
    assert browser.prove(challenge).status == 200
    for _ in gateways:
        browser.forget_bound_cookie()
        assert not browser.is_in()
        assert browser.prove(browser.challenge()).status == 200
        assert browser.is_in()
    assert made.rows("SELECT count(*) FROM event WHERE name = 'alarm.session_copied'") == [(0,)]
