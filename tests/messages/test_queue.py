"""Putting a mail into the outbox."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

from idp.directory import accounts
from idp.messages import outbox_reader, queue
from idp.messages.message_kinds import MailKind
from idp.models import AccountState, MessageState, OutboxMessage
from idp.policy.email_address import BadAddress, email_key, single_address, stored_address
from idp.policy.names import name_key
from tests.world import World


def queued(world: World, locale: str = "en", times: int = 1) -> list[OutboxMessage]:
    """The rows of one mail written ``times`` times, detached."""
    username = world.account(state=AccountState.PENDING)
    with world.work() as work:
        account = accounts.by_username(work, username)
        account.locale = locale
        for _ in range(times):
            queue.enqueue(work, MailKind.NOT_ACTIVATED, account)
    with world.work() as work:
        found = list(work.db.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))
        work.db.expunge_all()
        return found


def test_a_queued_message_has_recipient_kind_and_due_time(world: World) -> None:
    """NT: kind, account and recipient; due at once, not yet tried."""
    (row,) = queued(world)
    assert (row.channel, row.kind, row.state) == ("mail", "not_activated", MessageState.QUEUED)
    assert row.recipient == "holder1@participant.example"
    assert row.account_id is not None
    assert (row.attempts, row.leased_until, row.sent_at) == (0, None, None)
    assert row.created_at == row.next_attempt_at == world.clock.now()


def test_r04_each_mail_has_a_message_id_of_its_own_on_the_host_of_the_issuer(world: World) -> None:
    """R04: made once, with the row; nothing of a request goes into it (N60)."""
    rows = queued(world, times=3)
    for row in rows:
        assert re.fullmatch(r"<[A-Za-z0-9_-]{22}@gateway\.test>", row.message_id)
    assert len({row.message_id for row in rows}) == 3


@pytest.mark.parametrize(
    ("locale", "greeting"), [("en", "Hello "), ("fr", "Bonjour "), ("de", "Hello ")]
)
def test_a_mail_is_in_the_language_of_the_account(world: World, locale: str, greeting: str) -> None:
    """English stands in for a language that has no mails."""
    (row,) = queued(world, locale)
    with world.work() as work:
        body = json.loads(work.vault.decrypt(row.body_sealed))
    assert sorted(body) == ["html", "text"]
    assert body["text"].startswith(greeting)


def test_the_newest_messages_are_shown_first(world: World) -> None:
    """At most as many as asked for."""
    ids = [row.id for row in queued(world, times=3)]
    with world.work() as work:
        assert [shown.id for shown in outbox_reader.recent(work, limit=2)] == [ids[2], ids[1]]


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("ada@participant.example", "ada@participant.example"),
        ("Ada.M+gw@Participant.Example", "Ada.M+gw@participant.example"),
        ("o'neil@participant.example", "o'neil@participant.example"),
    ],
)
def test_one_plain_address_is_accepted(typed: str, address: str) -> None:
    """RFC 5322 section 3.4.1; the case of the local part is the holder's own."""
    assert single_address(typed) == address


@pytest.mark.parametrize(
    "text",
    [
        "x@y.example, z@evil.test",
        "x@y.example,z@evil.test",
        "x@y.example z@evil.test",
        "x@y.example;z@evil.test",
        "x@y.example\n",
        "x@y.example\rBcc: z@evil.test",
        "x@y.example\0",
        "x@y@evil.test",
        "<x@y.example>",
        '"x"@y.example',
        "x@[127.0.0.1]",
        "group:x@y.example;",
        "é@y.example",
        "x@é..example",
        "x@xn--a.example",
        "x" * 65 + "@y.example",
        "x@" + "y" * 64 + ".example",
        "x@localhost",
        " x@y.example",
    ],
)
def test_n85_anything_but_one_plain_address_is_refused(text: str) -> None:
    """N85, F7: a second recipient, a header, a name, a Unicode local part."""
    with pytest.raises(ValueError, match=r"."):
        single_address(text)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("x@y.example", "x@y.example"),
        ("X.y+z@Y.Example", "X.y+z@y.example"),
        ("x@xn--mller-kva.example", "x@xn--mller-kva.example"),
        ("x@müller.example", "x@xn--mller-kva.example"),
        ("x@MÜLLER.example", "x@xn--mller-kva.example"),
        ("x@électricité.example", "x@xn--lectricit-93aj.example"),
        ("x" * 64 + "@y.example", "x" * 64 + "@y.example"),
    ],
)
def test_n85_international_domains_are_kept_as_mail_systems_use_them(
    text: str, stored: str
) -> None:
    """RFC 5891: either form is taken, and stored as one."""
    assert single_address(text) == stored
    assert email_key(text) == name_key(stored)


@given(st.text(max_size=20), st.text(min_size=1, max_size=20))
@example("x", "faß.example")
@example("x", "ⅷ.example")
@example("x", "xn--fa-hia.example")
def test_n85_a_stored_address_is_stored_as_it_is(local: str, domain: str) -> None:
    """Whatever is taken is plain ASCII, and taken again unchanged."""
    try:
        stored = single_address(f"{local}@{domain}")
    except ValueError:
        return
    assert stored.isascii()
    assert single_address(stored) == stored
    assert stored_address(stored) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x@y.example, z@evil.test",
        "x@y.example z@evil.test",
        "x@y.example;z@evil.test",
        "x@y.example\n",
        "x@y.example\rBcc: z@evil.test",
        "x@y@evil.test",
        "<x@y.example>",
        "é@y.example",
        "no address",
        "x" * 250 + "@y.example",
    ],
)
def test_n85_a_row_changed_by_other_means_adds_no_recipient_and_no_header(text: str) -> None:
    """N85: a stored address is not read in full again, but never ends up as more than one."""
    with pytest.raises(BadAddress):
        stored_address(text)
