"""What a request presents as client authentication, and which check fails (N28, N29)."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from types import SimpleNamespace
from typing import Any, cast

import pytest

from idp.credentials.assertions import ASSERTION_TYPE
from idp.models import AuthMethod
from idp.oidc.client_auth import (
    MAX_CREDENTIAL,
    ClientAuthenticationError,
    ClientRefused,
    SeveralCredentials,
    presented_credentials,
)
from idp.oidc.server import ProtocolRequest


def request(params: dict[str, str], header: str | None = None) -> ProtocolRequest:
    headers = {} if header is None else {"Authorization": header}
    return cast(ProtocolRequest, SimpleNamespace(params=params, headers=headers, presented=None))


def basic(text: str | bytes, scheme: str = "Basic") -> str:
    raw = text if isinstance(text, bytes) else text.encode()
    return f"{scheme} {b64encode(raw).decode()}"


def assertion(claims: Any) -> str:
    """One whose signature nobody looks at yet."""
    body = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.x"


SIGNED = assertion({"sub": "emi"})
BY_KEY = {"client_assertion": SIGNED, "client_assertion_type": ASSERTION_TYPE}


@pytest.mark.parametrize(
    ("params", "header", "expected"),
    [
        ({}, None, (AuthMethod.NONE, "", "")),
        ({"client_id": "emi"}, None, (AuthMethod.NONE, "emi", "")),
        ({"client_id": "emi", "client_secret": "s"}, None, (AuthMethod.POST, "emi", "s")),
        ({"client_secret": "s"}, None, (AuthMethod.POST, "", "s")),
        ({}, basic("emi:s"), (AuthMethod.BASIC, "emi", "s")),
        ({"client_id": "emi"}, basic("emi:s"), (AuthMethod.BASIC, "emi", "s")),
        ({}, basic("e%3Ami+x:s%3A+y:z"), (AuthMethod.BASIC, "e:mi x", "s: y:z")),
        ({}, basic("emi:s", "bASIC"), (AuthMethod.BASIC, "emi", "s")),
        ({}, f"Basic  {b64encode(b'emi:s').decode()} ", (AuthMethod.BASIC, "emi", "s")),
        (BY_KEY, None, (AuthMethod.KEY, "emi", SIGNED)),
        (BY_KEY | {"client_id": "emi"}, None, (AuthMethod.KEY, "emi", SIGNED)),
    ],
)
def test_n29_each_method_is_recognised(
    params: dict[str, str], header: str | None, expected: tuple[AuthMethod, str, str]
) -> None:
    """RFC 6749 section 2.3.1, RFC 7523 section 2.2."""
    assert presented_credentials(request(params, header)) == expected


BASIC, KEY = AuthMethod.BASIC, AuthMethod.KEY


@pytest.mark.parametrize(
    ("params", "header", "expected"),
    [
        # Another scheme, or nothing that can be read: nobody is named.
        ({}, basic("emi:s", "Bearer"), (None, "", "")),
        ({}, "Basic", ("secret", "", BASIC)),
        ({}, "Basic ?", (None, "", "")),
        ({}, basic(b"\xff:s"), (None, "", "")),
        ({}, basic("emi:"), ("secret", "emi", BASIC)),
        ({}, basic("emi"), ("secret", "emi", BASIC)),
        ({"client_assertion": SIGNED}, None, ("type", "emi", KEY)),
        ({"client_assertion_type": ASSERTION_TYPE}, None, ("sub", "", KEY)),
        (BY_KEY | {"client_assertion_type": "saml"}, None, ("type", "emi", KEY)),
        (BY_KEY | {"client_assertion": assertion({})}, None, ("sub", "", KEY)),
        (BY_KEY | {"client_assertion": assertion({"sub": 7})}, None, ("sub", "", KEY)),
        (BY_KEY | {"client_assertion": assertion([])}, None, ("sub", "", KEY)),
        (
            BY_KEY | {"client_assertion": "x", "client_id": "other"},
            None,
            ("sub", "other", KEY),
        ),
    ],
)
def test_n29_malformed_credentials_are_refused(
    params: dict[str, str], header: str | None, expected: tuple[str | None, str, str]
) -> None:
    """One answer outside; the trail has the check, whom the request named, and its method."""
    assert failed(ClientRefused, params, header) == expected


def failed(
    kind: type[ClientAuthenticationError], params: dict[str, str], header: str | None
) -> tuple[str | None, str, str]:
    with pytest.raises(kind) as caught:
        presented_credentials(request(params, header))
    return caught.value.check, caught.value.name, caught.value.sent


@pytest.mark.parametrize(
    ("params", "header", "expected"),
    [
        (
            {"client_id": "x", "client_secret": "s"},
            basic("emi:s"),
            ("more_than_one_method", "x", BASIC),
        ),
        ({"client_secret": "s"}, basic("emi:s"), ("more_than_one_method", "", BASIC)),
        ({"client_id": "x"}, basic("emi:s"), ("more_than_one_client", "emi", BASIC)),
        (BY_KEY, basic("emi:s"), ("more_than_one_method", "emi", KEY)),
        (BY_KEY | {"client_secret": "s"}, None, ("more_than_one_method", "emi", KEY)),
        ({"client_assertion": "x"}, basic("emi:s"), ("more_than_one_method", "", KEY)),
        (BY_KEY | {"client_id": "x"}, None, ("more_than_one_client", "emi", KEY)),
    ],
)
def test_n28_two_methods_or_two_clients_are_refused(
    params: dict[str, str], header: str | None, expected: tuple[str | None, str, str]
) -> None:
    """N28, RFC 6749 section 2.3; whether either is right is not looked at."""
    assert failed(SeveralCredentials, params, header) == expected


def test_n87_credentials_have_a_maximum_length() -> None:
    """N87: the last length that is read; names are cut for the trail."""
    # 3000 bytes are 4000 characters of base64.
    longest = basic("emi:" + "s" * 2996)
    assert presented_credentials(request({}, longest))[2] == "s" * 2996
    assert failed(ClientRefused, {}, basic("emi:" + "s" * 2997)) == (None, "", "")
    name = "e" * (MAX_CREDENTIAL + 1)
    assert presented_credentials(request({}, basic(f"{name}:s")))[1] == name[:MAX_CREDENTIAL]
    by_key = BY_KEY | {"client_assertion": assertion({"sub": name})}
    assert presented_credentials(request(by_key))[1] == name[:MAX_CREDENTIAL]
