"""The outbox worker: at least once, never lost, always the same Message-ID."""

from __future__ import annotations

from dataclasses import replace
from email.message import EmailMessage

import pytest
from sqlalchemy import select

from idp.accounts import directory
from idp.errors import Invalid
from idp.messages import deliver, queue, read
from idp.models import AccountState, MessageState, OutboxMessage
from idp.transaction import Means
from tests.world import World


def means_of(world: World, mailer: object | None = None) -> Means:
    means: Means = world.app.extensions["means"]
    if mailer is None:
        return means
    return replace(means, ports=replace(means.ports, mailer=mailer))  # type: ignore[arg-type]


def deliver_once(world: World, mailer: object | None = None) -> int:
    with world.app.app_context():
        return deliver.deliver_due(means_of(world, mailer))


def rows(world: World) -> list[OutboxMessage]:
    with world.work() as work:
        found = list(work.db.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))
        work.db.expunge_all()
        return found


def one_message(world: World) -> None:
    """A single queued mail."""
    username = world.account(state=AccountState.PENDING)
    with world.work() as work:
        queue.enqueue(work, "not_activated", directory.by_username(work, username))


class Failing:
    """A mail system that is down."""

    def send(self, _message: EmailMessage) -> None:
        raise OSError("connection refused by mail.internal for secret-link")


class Dying:
    """The process is killed right after the transfer."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def send(self, message: EmailMessage) -> None:
        self.taken.append(message["Message-ID"])
        raise SystemExit


def test_a_due_message_is_sent_once(world: World) -> None:
    """One transfer, both parts, marked as sent by a program."""
    one_message(world)
    assert deliver_once(world) == 1
    assert deliver_once(world) == 0
    (message,) = world.mailer.sent
    assert message["To"] == "holder1@participant.example"
    assert message["Auto-Submitted"] == "auto-generated"
    assert {part.get_content_type() for part in message.iter_parts()} == {
        "text/plain",
        "text/html",
    }
    assert rows(world)[0].state == MessageState.SENT


def test_r14_a_failing_server_is_tried_again_later_and_given_up_aloud(world: World) -> None:
    """R14: backoff doubles to an hour; after the last try the row is dead, with a named fault."""
    one_message(world)
    waits = []
    for attempt in range(1, deliver.MAX_ATTEMPTS + 1):
        assert deliver_once(world, Failing()) == 1
        (row,) = rows(world)
        assert row.attempts == attempt
        assert row.last_error == "OSError"
        wait = (row.next_attempt_at - world.clock.now()).total_seconds()
        if row.state == MessageState.QUEUED:
            assert deliver_once(world, Failing()) == 0
            waits.append(wait)
            world.clock.advance(wait)
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert rows(world)[0].state == MessageState.DEAD
    assert deliver_once(world) == 0


def test_r04_killed_after_the_transfer_nothing_is_lost(world: World) -> None:
    """R04: the row stays; after the lease another worker sends it under the same Message-ID."""
    one_message(world)
    dying = Dying()
    with pytest.raises(SystemExit):
        deliver_once(world, dying)
    assert deliver_once(world) == 0  # the lease is not over
    world.clock.advance(deliver.LEASE_SECONDS)
    assert deliver_once(world) == 1
    assert [world.mailer.sent[0]["Message-ID"]] == dying.taken


def test_a_message_of_a_rolled_back_change_is_never_sent(world: World) -> None:
    """I5: the mail is in the transaction of the change."""
    username = world.account(state=AccountState.PENDING)
    with pytest.raises(RuntimeError), world.work() as work:  # noqa: PT012
        queue.enqueue(work, "not_activated", directory.by_username(work, username))
        raise RuntimeError
    assert deliver_once(world) == 0


def test_the_body_is_sealed_at_rest(world: World) -> None:
    """A link waiting to be sent cannot be read from the database."""
    one_message(world)
    (row,) = rows(world)
    assert "gateway.test" not in row.body_sealed
    with world.work() as work:
        (shown,) = read.recent(work)
    assert "Hello Ada Moreau" in shown.text
    assert all(link.startswith("https://gateway.test") for link in shown.links)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example, c@evil.test",
        "a@b.example\r\nBcc: c@evil.test",
        "Ada <a@b.example>",
        "a@b.example;c@evil.test",
        "ädä@b.example",
        "a b@b.example",
        "a@b",
        "",
    ],
)
def test_n85_only_one_plain_address_gets_mail(world: World, address: str) -> None:
    """N85, F7: refused where the account is made, and again where the mail is written."""
    with pytest.raises(Invalid):
        world.account(email=address) if address else world.account(email=" ")
    username = world.account(state=AccountState.PENDING)
    with pytest.raises(Invalid), world.work() as work:  # noqa: PT012
        account = directory.by_username(work, username)
        account.person.email = address
        queue.enqueue(work, "not_activated", account)
