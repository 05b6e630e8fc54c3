"""R04: the worker as a process, killed before and after the transfer; nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import update

from idp.directory import accounts
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import MessageState, OutboxMessage
from tests.live import free_ports
from tests.world import World, environ_of

ROOT = Path(__file__).resolve().parents[2]


class KillingSink:
    """A mail server that kills its client at a chosen moment, once."""

    def __init__(self) -> None:
        self.when = ""
        self.victim: subprocess.Popen[bytes] | None = None
        self.mails: list[Any] = []
        #: One entry for each mail, once its client was answered or killed.
        self.arrived: Queue[str] = Queue()

    def _kill(self, moment: str) -> None:
        if self.when == moment and self.victim is not None:
            self.when = ""
            os.kill(self.victim.pid, signal.SIGKILL)
            self.victim.wait(30)

    async def handle_MAIL(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        self._kill("before")
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content))
        self._kill("after")
        self.arrived.put(str(self.mails[-1]["Message-ID"]))
        return "250 OK"


@pytest.fixture
def sink() -> Iterator[tuple[KillingSink, int]]:
    """The server and its port."""
    handler, port = KillingSink(), free_ports(1)
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


def start_worker(world: World, port: int) -> subprocess.Popen[bytes]:
    """``gateway worker`` on the database of the test."""
    environ = environ_of(world) | {
        "IDP_SMTP_HOST": "127.0.0.1",
        "IDP_SMTP_PORT": str(port),
        "IDP_SMTP_SECURITY": "none",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "idp.cli", "worker", "--interval", "0.1"], env=environ, cwd=ROOT
    )


def row_of(world: World, pk: int) -> OutboxMessage:
    with world.work() as work:
        row = work.db.get_one(OutboxMessage, pk)
        work.db.expunge_all()
        return row


@pytest.mark.parametrize("moment", ["before", "after"])
def test_r04_killed_in_a_transfer_nothing_is_lost(
    world: World, sink: tuple[KillingSink, int], moment: str
) -> None:
    """R04, I5: still queued, sent again when the lease is over, under the same Message-ID."""
    handler, port = sink
    username = world.account()
    world.clock.moment = datetime.now(UTC)
    with world.work() as work:
        work.db.execute(update(OutboxMessage).values(state=MessageState.SENT))
        made = queue.enqueue(work, MailKind.ACCOUNT_RESTORED, accounts.by_username(work, username))
        work.db.flush()
        pk, message_id = made.id, made.message_id
    handler.when = moment
    handler.victim = start_worker(world, port)
    assert handler.victim.wait(60) == -signal.SIGKILL
    assert len(handler.mails) == (0 if moment == "before" else 1)
    row = row_of(world, pk)
    assert (row.state, row.attempts) == (MessageState.QUEUED, 1)
    assert row.leased_until is not None
    with world.work() as work:
        work.db.get_one(OutboxMessage, pk).leased_until = datetime(2020, 1, 1, tzinfo=UTC)
    if moment == "after":
        assert handler.arrived.get(timeout=60) == message_id
    second = start_worker(world, port)
    try:
        assert handler.arrived.get(timeout=60) == message_id
    finally:
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0
    assert {mail["Message-ID"] for mail in handler.mails} == {message_id}
    assert len(handler.mails) == (1 if moment == "before" else 2)
    assert row_of(world, pk).state == MessageState.SENT
