"""The log of registration: ids in each line, and no secret."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest

from registration.app import create_app
from service_base import logs
from service_base.refusals import ConfigurationError
from service_base.worker_threads import work_through
from tests.monitoring.test_request_ids import SENT, SPAN, TRACE
from tests.registration.api_tokens import access_token, trust_our_key
from tests.registration.participant import RA
from tests.registration.test_pages import BASE, Site
from tests.registration.test_pages import site as _site

HERE = "/api/v1/organizations"
site = _site


@pytest.fixture
def written() -> io.StringIO:
    """The log at its lowest level, as written."""
    stream = io.StringIO()
    logs.configure("DEBUG", stream)
    return stream


def test_n84_each_line_has_the_ids_of_its_request_and_no_secret(
    site: Site, written: io.StringIO
) -> None:
    """People by cookie, programs by access token, refused ones too, and the worker."""
    trust_our_key(site.app)
    tokens = [access_token(RA), access_token(RA, aud="urn:other"), "no-token-at-all"]
    for token in tokens:
        head = {"Authorization": f"Bearer {token}"}
        site.app.test_client().get(HERE, headers=head, base_url=BASE)
    browser = site.browser(RA)
    assert browser.get("/", base_url=BASE).status_code == 200
    cookie = browser.get_cookie(site.runtime.settings.cookie_name("session"))
    assert cookie is not None
    browser.get("/callback?code=canary-code&iss=wrong", base_url=BASE)
    work_through(site.runtime, {"canary": lambda _runtime: 1})
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    by_path = {line["path"]: line for line in lines if line["event"] == "request"}
    assert by_path["/"]["account"] == RA
    assert {line["account"] for line in lines if line["event"] == "api_call"} == {f"scim-{RA}"}
    for line in lines:
        assert re.fullmatch("[0-9a-f]{32}", line["trace_id"])
        assert line["logger"] == "worker" or re.fullmatch("[0-9a-f]{16}", line["request_id"])
    secrets = [*tokens, cookie.value, "canary-code", "id-token"]
    assert not [secret for secret in secrets if secret in written.getvalue()]


def test_only_a_trusted_proxy_names_the_trace_of_a_request(
    site: Site, written: io.StringIO
) -> None:
    settings = replace(site.runtime.settings, trusted_proxies=("127.0.0.0/8",))
    trusting = create_app(settings, site.runtime.ports)
    for app in (trusting, site.app):
        answer = app.test_client().get("/healthz", base_url=BASE, headers={"traceparent": SENT})
        line = json.loads(written.getvalue().splitlines()[-1])
        assert (line["trace_id"] == TRACE) is (app is trusting)
        assert line["request_id"] == answer.headers["X-Request-Id"] != SPAN
    trusting.extensions["runtime"].close()


@pytest.mark.parametrize(
    ("network", "fault"),
    [("10.0.0.0/7", "is too wide: anybody in it names any address"), ("proxy", "is not a network")],
)
def test_the_networks_of_proxies_are_checked(site: Site, network: str, fault: str) -> None:
    settings = replace(site.runtime.settings, trusted_proxies=(network,))
    with pytest.raises(ConfigurationError) as refused:
        settings.validate()
    assert refused.value.detail == f"REGISTRATION_TRUSTED_PROXIES: {network} {fault}"
