"""A form is read as Werkzeug reads it, with the same limits."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from flask import Request
from werkzeug.exceptions import HTTPException
from werkzeug.test import create_environ

from hosted_pages.form_requests import FORM
from idp.current import GatewayRequest

MOST = 1000
BODIES = (
    b"", b"a=1", b"a=1&a=2&b=", b"a", b"&&=&=x", b"a=%C3%A9+%20", b"a=\xc3\xa9", b"a=\xff&b=1",
    b"a=%FF&b=%zz", b"a=%00", b"a;b=1", b"x" * MOST, b"x" * (MOST + 1), b"a=1&" * 200,
)  # fmt: skip
TYPES = (
    FORM, f"{FORM}; charset=utf-8", FORM.upper(), f" {FORM}", "multipart/form-data; boundary=b",
    "application/json", "", None,
)  # fmt: skip


def outcome(kind: type[Request], environ: dict[str, Any], body: bytes) -> Any:
    """What a view would see of the body."""
    sent = environ | {"wsgi.input": BytesIO(body)}
    request = kind(sent)
    request.max_content_length = MOST
    try:
        form = list(request.form.items(multi=True))
        files = list(request.files.items(multi=True))
        return type(request.form), form, files, request.get_data(), request.mimetype
    except HTTPException as error:
        return error.code


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("length", ["right", "short", "long", "none", "wrong"])
@pytest.mark.parametrize("is_terminated", [True, False])
def test_a_form_is_read_as_werkzeug_reads_it(
    body: bytes, content_type: str | None, length: str, *, is_terminated: bool
) -> None:
    environ = create_environ("/", method="POST", data=b"x")
    announced = {
        "right": str(len(body)), "short": "1", "long": str(MOST + 1), "none": None, "wrong": "-1x",
    }[length]  # fmt: skip
    environ |= {"CONTENT_LENGTH": announced, "CONTENT_TYPE": content_type}
    environ = {name: value for name, value in environ.items() if value is not None}
    if is_terminated:
        environ["wsgi.input_terminated"] = True
    expected = outcome(Request, environ, body)
    assert outcome(GatewayRequest, environ, body) == expected
    if is_terminated and len(body) > MOST:
        assert expected == 413 or content_type not in TYPES[:4]


def test_what_was_read_before_its_form_is_its_form() -> None:
    environ = create_environ("/", method="POST", data=b"a=1", content_type=FORM)
    request = GatewayRequest(environ)
    assert request.get_data() == b"a=1"
    assert request.form.to_dict() == {"a": "1"}


def test_a_body_is_read_once() -> None:
    environ = create_environ("/", method="POST", data=b"a=1", content_type=FORM)
    request = GatewayRequest(environ | {"wsgi.input_terminated": True})
    assert request.form.to_dict() == {"a": "1"}
    assert request.form is request.form
    assert request.get_data() == b""
