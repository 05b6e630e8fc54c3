"""The ids of requests (W3C Trace Context) and the lines of the log."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from idp.app import create_app
from idp.directory import accounts
from idp.models import OutboxMessage
from service_base import logs, request_ids
from tests.scim.pusher import USERS, Pusher, user
from tests.world import World

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def lines(world: World) -> Iterator[Any]:
    """Returns the lines of the log so far."""
    stream = io.StringIO()
    logs.configure("DEBUG", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logs.configure(world.settings.log_level)


@pytest.mark.parametrize(
    "sent",
    [
        "", "00", "x" * 55, SENT.upper(), SENT + "-more", SENT + "\n", " " + SENT, f"{SENT},{SENT}",
        f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01", f"0x-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-0g",
    ],
)  # fmt: skip
def test_a_traceparent_that_is_not_valid_begins_a_new_trace(sent: str) -> None:
    """W3C Trace Context section 3.2.2 and 4.3."""
    ids = request_ids.of_request(sent)
    assert (ids.parent_id, len(ids.trace_id), len(ids.request_id)) == ("", 32, 16)
    assert ids.trace_id != TRACE
    assert request_ids.of_work(sent).request_id == ""


@pytest.mark.parametrize(
    ("sent", "is_sampled"),
    [(SENT, True), (SENT[:-1] + "0", False), (f"00-{TRACE}-{SPAN}-03", True),
     (f"01-{TRACE}-{SPAN}-01-what-comes-later", True)],
)  # fmt: skip
def test_a_valid_traceparent_is_continued(sent: str, is_sampled: bool) -> None:
    """Section 3.2.4: also one of a later version. The request gets an id of its own."""
    ids = request_ids.of_request(sent)
    assert (ids.trace_id, ids.parent_id, ids.is_sampled) == (TRACE, SPAN, is_sampled)
    assert ids.request_id != SPAN
    assert ids.traceparent == f"00-{TRACE}-{ids.request_id}-0{int(is_sampled)}"
    later = request_ids.of_work(ids.traceparent)
    assert (later.trace_id, later.request_id) == (TRACE, ids.request_id)


def test_a_line_names_the_account_that_asks_or_the_only_one_that_is_concerned() -> None:
    """A line that named one account of many would mislead."""
    ids = request_ids.of_work(None)
    assert set(ids.in_line()) == {"trace_id"}
    with request_ids.used(ids):
        request_ids.concerns("a")
        request_ids.concerns("a")
        assert ids.account == "a"
        request_ids.concerns("b")
        assert ids.account == ""
        request_ids.is_asked_by("operator")
    assert ids.in_line() == {"trace_id": ids.trace_id, "account": "operator"}
    request_ids.concerns("nobody asks")
    assert (request_ids.current(), request_ids.traceparent()) == (None, None)


@pytest.mark.parametrize("path", ["/signin", "/.well-known/openid-configuration"])
def test_only_a_trusted_proxy_names_the_trace_of_a_request(
    world: World, lines: Any, path: str
) -> None:
    """Anybody else could mix requests into the trace of somebody else. The second answer of a
    public document comes from memory."""
    settings = replace(world.settings, trusted_proxies=("127.0.0.0/8",))
    trusting = create_app(settings, world.app.extensions["runtime"].ports)
    logs.configure(world.settings.log_level, stream := io.StringIO())
    for app in (trusting, world.app):
        for _ in range(2):
            answer = app.test_client().get(
                path, base_url=world.settings.issuer, headers={"traceparent": SENT}
            )
            line = json.loads(stream.getvalue().splitlines()[-1])
            assert (line["trace_id"] == TRACE) is (app is trusting)
            assert line["request_id"] == answer.headers["X-Request-Id"] != SPAN
    assert request_ids.current() is None


def test_the_lines_of_the_worker_name_the_request_that_asked(world: World, lines: Any) -> None:
    """By way of a recovery request and of the outbox. Nobody asked for a mail of a command."""
    username = world.account()
    browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=username, channel="mail")
    (asked,) = [line for line in lines() if line.get("method") == "POST"]
    world.run_worker()
    sent = {line["kind"]: line for line in lines() if line["event"] == "message_sent"}
    found = sent["password_reset_link"]
    assert (found["trace_id"], found["request_id"]) == (asked["trace_id"], asked["request_id"])
    with world.work() as work:
        assert found["account"] == accounts.by_username(work, username).subject
        rows = work.db.query(OutboxMessage.kind, OutboxMessage.traceparent)
        assert dict(rows.all())["password_reset_link"].split("-")[1] == asked["trace_id"]


def test_a_push_names_the_account_that_it_is_about(world: World, lines: Any) -> None:
    """Of several accounts, none."""
    pusher = Pusher.of(world)
    made = pusher.send("POST", USERS, user()).json or {}
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": str(n), "data": user(n)} for n in (2, 3)
    ]
    pusher.send("POST", "/scim/v2/Bulk", {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations,
    })  # fmt: skip
    one, several = [line for line in lines() if line.get("path", "").startswith("/scim/")]
    assert (one["account"], one["status"]) == (made["id"], 201)
    assert "account" not in several


def test_n84_libraries_write_no_lines_below_info(lines: Any) -> None:
    """urllib3, for one, writes whole addresses with their queries."""
    logging.getLogger("urllib3.connectionpool").debug("GET /?token=secret")
    logging.getLogger("gateway.request").debug("ours")
    assert [line["event"] for line in lines()] == ["ours"]
