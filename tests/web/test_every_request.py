"""What every request passes, and what is answered before it: the public documents."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from flask import Response, url_for
from werkzeug.test import TestResponse, create_environ

from idp.current import GatewayResponse
from idp.grants import signing_keys
from idp.web import kept_documents
from tests.world import World

#: Hooks before and after a request without page. A number here may only decrease.
BOUNDS = {"before": 3, "after": 3, "teardown": 0}
NEW_IN_EACH = ("X-Request-Id",)
KEYS = "/oauth2/v1/keys"


def test_every_request_passes_this_many_hooks(world: World) -> None:
    """Before: id and host, form token, origin of scripts. After: cookies, the same, headers and
    log. Limits are checked by the views that have one."""
    app = world.app
    assert len(app.before_request_funcs[None]) <= BOUNDS["before"]
    assert len(app.after_request_funcs[None]) <= BOUNDS["after"]
    assert len(app.teardown_request_funcs.get(None, [])) <= BOUNDS["teardown"]
    for name in ("oidc", "forward", "pages"):
        assert not app.before_request_funcs.get(name), name
        assert not app.after_request_funcs.get(name), name


@pytest.mark.parametrize("status", [200, 201, 204, 302, 304, 400, 503])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Location": "/é?q=ü"},
        {"Content-Location": "/é"},
        {"Content-Length": "3"},
        {"Vary": "Cookie", "ETag": '"e"', "Last-Modified": "Sun, 08 Mar 2026 12:00:00 GMT"},
    ],
)
@pytest.mark.parametrize("body", ["text", [b"text"], iter([b"text"])])
def test_headers_are_sent_as_werkzeug_sends_them(
    status: int, more: dict[str, str], body: Any
) -> None:
    environ = create_environ("/")
    response = GatewayResponse(body, status)
    response.headers.update(more)
    expected = Response.get_wsgi_headers(response, environ).to_wsgi_list()
    assert response.get_wsgi_headers(environ).to_wsgi_list() == expected


def ask(world: World, path: str, method: str = "GET", **headers: str) -> TestResponse:
    client = world.app.test_client(use_cookies=False)
    return client.open(path, method=method, base_url=world.settings.issuer, headers=headers)


def by_the_application(world: World, path: str, method: str = "GET", **headers: str) -> Any:
    """The same request to Flask alone."""
    kept: kept_documents.KeptDocuments = world.app.wsgi_app  # type: ignore[assignment]
    with patch.object(world.app, "wsgi_app", kept._application):
        return ask(world, path, method, **headers)


def content(answer: TestResponse) -> tuple[int, list[tuple[str, str]], bytes]:
    changing = (*NEW_IN_EACH, "Date")
    pairs = sorted(pair for pair in answer.headers if pair[0] not in changing)
    return answer.status_code, pairs, answer.data


@pytest.mark.parametrize("path", kept_documents.PATHS)
def test_a_kept_answer_is_the_answer_of_the_application(world: World, path: str) -> None:
    """GET, HEAD and 304, with every header; what is not plain goes to the application."""
    etag = ask(world, path).headers.get("ETag", '"none"')
    assert (etag != '"none"') == (path != "/healthz")
    requests: list[tuple[str, dict[str, str]]] = [
        ("GET", {}),
        ("HEAD", {}),
        ("OPTIONS", {}),
        ("POST", {}),
        ("GET", {"Origin": "https://any.test"}),
        ("OPTIONS", {"Origin": "https://any.test", "Access-Control-Request-Method": "GET"}),
        ("GET", {"If-None-Match": etag}),
        ("HEAD", {"If-None-Match": etag}),
        ("GET", {"If-None-Match": f"W/{etag}"}),
        ("GET", {"If-None-Match": "*"}),
        ("GET", {"If-None-Match": '"other"'}),
        ("GET", {"If-Match": '"other"'}),
        ("GET", {"Range": "bytes=0-3"}),
        ("GET", {"Host": "evil.example"}),
        ("GET", {"Cookie": "a=b"}),
        ("GET", {"Accept-Language": "fr"}),
    ]
    for method, headers in requests:
        kept = ask(world, path, method, **headers)
        assert content(kept) == content(by_the_application(world, path, method, **headers)), headers
        assert {name for name in NEW_IN_EACH if name in kept.headers} == set(NEW_IN_EACH)


@pytest.mark.parametrize("path", kept_documents.PATHS)
def test_a_kept_answer_needs_no_application(world: World, path: str) -> None:
    """Ids are new in each."""
    ask(world, path)
    with patch.object(world.app, "full_dispatch_request", side_effect=AssertionError):
        answers = [ask(world, path) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    for name in NEW_IN_EACH:
        assert len({answer.headers[name] for answer in answers}) == 3


@pytest.mark.parametrize(
    "headers", [{"Cookie": "a=b"}, {"Host": "evil.example"}, {"If-None-Match": '"x"'}]
)
def test_what_one_client_got_is_not_kept_for_others(world: World, headers: dict[str, str]) -> None:
    """Only the answer to a request that says nothing about its sender is kept."""
    ask(world, KEYS, **headers)
    kept: kept_documents.KeptDocuments = world.app.wsgi_app  # type: ignore[assignment]
    assert kept._documents == {}


def test_a_new_key_is_shown_when_the_process_reads_the_keys_again(world: World) -> None:
    """Within the time of the setting, whoever reads them first."""
    before = ask(world, KEYS)
    with world.work() as work:
        signing_keys.rotate(work, "ES256", force=True)
    world.clock.advance(seconds=world.settings.key_cache - 1)
    assert ask(world, KEYS).data == before.data
    world.clock.advance(seconds=1)
    after = ask(world, KEYS, **{"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert len(after.json["keys"]) == len(before.json["keys"]) + 1
    assert ask(world, KEYS).data == after.data


def test_an_address_that_is_kept_begins_with_the_path_of_the_application(world: World) -> None:
    """A proxy may serve it below a path; an address without variables is built once for each."""
    found = []
    for root in ("", "/below", ""):
        with world.app.test_request_context(environ_overrides={"SCRIPT_NAME": root}):
            found.append(url_for("login.signin"))
    assert found == ["/signin", "/below/signin", "/signin"]
