"""Many sign-ins at once on real sockets: hashing keeps nobody else waiting (N47, N88)."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from urllib.parse import urlencode

import pytest

from tests.serving.wire import Served, answer_on, answered, request, serve
from tests.world import World, hidden_fields

pytestmark = pytest.mark.xdist_group("wire")
FORM = "application/x-www-form-urlencoded"


def test_n88_many_wrong_sign_ins_do_not_delay_other_requests(world: World) -> None:
    """N88, N47: 80 wrong passwords at once, at the cost of production; health, keys and tokens come
    before the last of them. Those for which there is no room are told so at once."""
    rp = world.relying_party(grant_types=("client_credentials",), scopes=("scim",))
    with serve(world, "--workers", "1", IDP_BCRYPT_COST="12") as served:
        page, cookie = form(served)
        flood = [served.send(sign_in(page, cookie, f"nobody{n}")) for n in range(80)]
        assert served.get("/healthz").status == 200
        assert served.get("/oauth2/v1/keys").status == 200
        asked = urlencode({"grant_type": "client_credentials", "scope": "scim"}).encode()
        basic = b64encode(f"{rp.client_id}:{rp.secret}".encode()).decode()
        token = served.send(
            request("POST", "/oauth2/v1/token", asked, Content_Type=FORM,
                    Authorization=f"Basic {basic}")
        )  # fmt: skip
        assert answer_on(token)[0].status == 200
        assert len(answered(flood)) < len(flood)
        answers = [answer_on(connection, "POST") for connection in flood]
    counts = Counter(answer.status for answer, _ in answers)
    assert set(counts) == {400, 503}
    for answer, body in answers:
        if answer.status == 503:
            assert answer.headers["Retry-After"] == "5"
            assert b"not available right now" in body


def form(served: Served) -> tuple[dict[str, str], str]:
    """The sign-in form's hidden fields, and the cookie that goes with them."""
    answer, body = answer_on(served.send(request("GET", "/signin")))
    cookies = answer.headers.get_all("Set-Cookie") or []
    return hidden_fields(body.decode(), "/signin"), "; ".join(c.split(";")[0] for c in cookies)


def sign_in(page: dict[str, str], cookie: str, username: str) -> bytes:
    body = urlencode(page | {"username": username, "password": "wrong Heron7 lantern"}).encode()
    return request("POST", "/signin", body, Content_Type=FORM, Cookie=cookie)
