"""The outbox worker: at least once, never lost, always the same Message-ID."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.message import EmailMessage

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from idp.directory import accounts
from idp.errors import Invalid
from idp.messages import delivery, outbox_reader, queue
from idp.messages.message_kinds import MailKind
from idp.models import AccountState, MessageState, OutboxMessage
from idp.transaction import Runtime
from tests.world import World


def means_of(world: World, mailer: object | None = None) -> Runtime:
    runtime: Runtime = world.app.extensions["runtime"]
    if mailer is None:
        return runtime
    return replace(runtime, ports=replace(runtime.ports, mailer=mailer))  # type: ignore[arg-type]


def deliver_once(world: World, mailer: object | None = None) -> int:
    with world.app.app_context():
        return delivery.deliver_due(means_of(world, mailer))


def rows(world: World) -> list[OutboxMessage]:
    with world.work() as work:
        found = list(work.db.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))
        work.db.expunge_all()
        return found


def one_message(world: World) -> None:
    """A single queued mail."""
    username = world.account(state=AccountState.PENDING)
    with world.work() as work:
        queue.enqueue(work, MailKind.NOT_ACTIVATED, accounts.by_username(work, username))


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


class Slow:
    """A mail system that takes its time. During transfer number ``meanwhile_at`` another worker
    has a round."""

    def __init__(
        self, world: World, *, seconds: int, meanwhile_at: int, fails: bool = False
    ) -> None:
        self.world, self.seconds, self.fails = world, seconds, fails
        self.meanwhile_at, self.taken_by_others = meanwhile_at, 0
        self.sent: list[EmailMessage] = []

    def send(self, message: EmailMessage) -> None:
        self.sent.append(message)
        self.world.clock.advance(self.seconds)
        if len(self.sent) == self.meanwhile_at:
            self.taken_by_others = deliver_once(self.world)
        if self.fails:
            raise TimeoutError


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


def test_r14_a_failed_delivery_is_retried_and_ends_as_a_logged_dead_letter(world: World) -> None:
    """R14: backoff doubles to an hour; after the last try the row is dead, with a named fault."""
    one_message(world)
    waits = []
    for attempt in range(1, delivery.MAX_ATTEMPTS + 1):
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
    world.clock.advance(delivery.LEASE_SECONDS)
    assert deliver_once(world) == 1
    assert [world.mailer.sent[0]["Message-ID"]] == dying.taken


def test_r04_killed_before_the_transfer_nothing_is_lost(world: World) -> None:
    """R04: the lease keeps the row until its end, not a second longer."""
    one_message(world)
    (before,) = rows(world)
    with world.work() as work:
        assert delivery._claim(work, delivery.TO_PEOPLE, delivery.LEASE_SECONDS) is not None
    world.clock.advance(delivery.LEASE_SECONDS - 1)
    assert deliver_once(world) == 0
    world.clock.advance(1)
    assert deliver_once(world) == 1
    assert [message["Message-ID"] for message in world.mailer.sent] == [before.message_id]


def test_r14_a_slow_server_does_not_expire_the_leases_of_later_messages(world: World) -> None:
    """R14: twelve transfers of 15 seconds outlast one lease; nobody else sends them as well."""
    for _ in range(12):
        one_message(world)
    slow = Slow(world, seconds=15, meanwhile_at=9)
    assert deliver_once(world, slow) + slow.taken_by_others == 12
    sent = [message["Message-ID"] for message in (*slow.sent, *world.mailer.sent)]
    assert sorted(sent) == sorted(row.message_id for row in rows(world))


def test_a_failure_after_the_lease_does_not_change_the_result_of_another_worker(
    world: World,
) -> None:
    """The message was taken over and sent: it stays sent."""
    one_message(world)
    slow = Slow(world, seconds=delivery.LEASE_SECONDS, meanwhile_at=1, fails=True)
    assert deliver_once(world, slow) == 1
    assert slow.taken_by_others == 1
    (row,) = rows(world)
    assert (row.state, row.attempts, row.last_error) == (MessageState.SENT, 2, None)


def test_r14_a_message_that_cannot_be_decrypted_delays_no_other(world: World) -> None:
    """R14: its key is gone; it is tried, put off and in the end dead, and the rest is sent."""
    one_message(world)
    with world.work() as work:
        row = work.db.scalars(select(OutboxMessage)).one()
        row.body_sealed = Fernet(Fernet.generate_key()).encrypt(b"{}").decode()
    one_message(world)
    assert deliver_once(world) == 2
    states = [(row.state, row.last_error) for row in rows(world)]
    assert states == [(MessageState.QUEUED, "ConfigurationError"), (MessageState.SENT, None)]


def test_concurrent_workers_send_each_message_once(world: World) -> None:
    """SKIP LOCKED on PostgreSQL, the conditional UPDATE on SQLite."""
    for _ in range(20):
        one_message(world)
    with ThreadPoolExecutor(4) as workers:
        tried = sum(workers.map(lambda _: deliver_once(world), range(4)))
    assert tried == 20
    assert len({message["Message-ID"] for message in world.mailer.sent}) == 20
    assert len(world.mailer.sent) == 20


def test_a_round_has_a_limit(world: World) -> None:
    """The oldest come first."""
    for _ in range(3):
        one_message(world)
    with world.app.app_context():
        assert delivery.deliver_due(means_of(world), limit=2) == 2
    assert [row.state for row in rows(world)] == ["sent", "sent", "queued"]


def test_a_message_of_a_rolled_back_change_is_never_sent(world: World) -> None:
    """I5: the mail is in the transaction of the change."""
    username = world.account(state=AccountState.PENDING)
    with pytest.raises(RuntimeError), world.work() as work:  # noqa: PT012
        queue.enqueue(work, MailKind.NOT_ACTIVATED, accounts.by_username(work, username))
        raise RuntimeError
    assert deliver_once(world) == 0


def test_the_body_is_encrypted_at_rest(world: World) -> None:
    """A link waiting to be sent cannot be read from the database."""
    one_message(world)
    (row,) = rows(world)
    assert "gateway.test" not in row.body_sealed
    with world.work() as work:
        (shown,) = outbox_reader.recent(work)
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
        account = accounts.by_username(work, username)
        account.person.email = address
        queue.enqueue(work, MailKind.NOT_ACTIVATED, account)
