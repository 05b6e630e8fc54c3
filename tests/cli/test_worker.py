"""The worker: what waits for another server keeps nothing else waiting, and it says how it is
(R14, R23)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from http.client import HTTPConnection
from typing import Any
from urllib.request import urlopen

import pytest
from sqlalchemy import func, select, update

from idp.cli.worker_parts import THREADS
from idp.directory import accounts
from idp.messages import delivery, queue
from idp.messages.message_kinds import MailKind, TextMessageKind
from idp.models import Event, MessageState, OutboxMessage, RecoveryRequest
from idp.recovery import recovery_requests
from idp.recovery.recovery_requests import Channel, Goal
from idp.transaction import Runtime
from service_base.monitoring_port import answering
from service_base.worker_threads import STALE_SECONDS, WorkerThreads
from tests.live import free_ports
from tests.monitoring import exposed
from tests.serving.wire import ROOT
from tests.world import World, environ_of

PATIENCE = 120


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


class SlowForNotices:
    """A mail server that takes a notice only when it is told to, and codes at once."""

    def __init__(self) -> None:
        self.release, self.inside = threading.Event(), threading.Event()
        self.taken: list[str] = []

    def send(self, message: EmailMessage) -> None:
        if "code" not in message["Subject"]:
            self.inside.set()
            assert self.release.wait(PATIENCE)
        self.taken.append(message["Subject"])


@contextmanager
def running(workers: WorkerThreads) -> Iterator[None]:
    thread = threading.Thread(target=workers.run)
    thread.start()
    try:
        yield
    finally:
        workers.stop()
        thread.join(PATIENCE)


def enqueue(world: World, username: str, *kinds: str) -> None:
    with world.work() as work:
        account = accounts.by_username(work, username)
        for kind in kinds:
            data = {"code": "123456", "expires_at": work.now} if kind.endswith("_code") else {}
            if kind.startswith("sms_"):
                queue.enqueue_sms(work, kind, account, "+14165550100", code="123456")
            else:
                queue.enqueue(work, kind, account, **data)


def all_sent(world: World) -> None:
    with world.work() as work:
        work.db.execute(update(OutboxMessage).values(state=MessageState.SENT))


def with_mailer(world: World, mailer: Any) -> None:
    runtime: Runtime = world.app.extensions["runtime"]
    changed = replace(runtime, ports=replace(runtime.ports, mailer=mailer))
    world.app.extensions["runtime"] = changed


def test_r14_a_slow_mail_server_delays_no_other_work(world: World) -> None:
    """R14: while it keeps a notice, codes, texts, recovery and sealing go on."""
    username = world.account()
    all_sent(world)
    enqueue(world, username, MailKind.ACCOUNT_RESTORED)
    mailer = SlowForNotices()
    with_mailer(world, mailer)
    workers = WorkerThreads(world.worker_runtime, THREADS, interval=0.02)

    def count(query: Any) -> int:
        with world.work() as work:
            return int(work.db.scalar(query) or 0)

    waiting = select(func.count()).where(RecoveryRequest.processed_at.is_(None))
    unsealed = select(func.count()).where(Event.seq.is_(None))
    with running(workers):
        assert mailer.inside.wait(PATIENCE)
        with world.work() as work:
            recovery_requests.request_recovery(work, Goal.RESET, Channel.MAIL, username)
        enqueue(world, username, MailKind.FACTOR_CODE, TextMessageKind.FACTOR_CODE)
        wait_until(lambda: len(mailer.taken) == 1)
        assert mailer.taken[0].endswith("Your verification code")
        wait_until(lambda: len(world.sms.sent) == 1)
        wait_until(lambda: count(waiting) == 0)
        wait_until(lambda: count(unsealed) == 0)
        assert not mailer.release.is_set()
        mailer.release.set()
        wait_until(lambda: len(mailer.taken) >= 2)


def test_a_code_is_sent_before_older_notices(world: World) -> None:
    """Somebody waits for it at a page; the same order in every thread."""
    username = world.account()
    all_sent(world)
    enqueue(world, username, MailKind.ACCOUNT_RESTORED, MailKind.ACCOUNT_RESTORED)
    world.clock.advance(60)
    with world.work() as work:
        recovery_requests.request_recovery(work, Goal.RESET, Channel.MAIL, username)
    assert THREADS["recovery"]["recovery"](world.worker_runtime) == 1
    enqueue(world, username, MailKind.FACTOR_CODE)
    assert delivery.deliver_due(world.worker_runtime, limit=2) == 2
    code, link = (mail["Subject"] for mail in world.mailer.sent)
    assert code.endswith("Your verification code")
    assert link.endswith("Reset your password")


def test_the_thread_for_codes_sends_codes_only(world: World) -> None:
    """It must be free when a code comes."""
    username = world.account()
    all_sent(world)
    enqueue(world, username, MailKind.ACCOUNT_RESTORED)
    assert THREADS["codes"]["codes"](world.worker_runtime) == 0
    enqueue(world, username, MailKind.SETUP_CODE)
    assert THREADS["codes"]["codes"](world.worker_runtime) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_is_restarted(world: World) -> None:
    """What ends a thread ends neither its worker thread nor another one."""
    runs = {"first": 0, "second": 0}

    def dies(_runtime: Runtime) -> int:
        runs["first"] += 1
        if runs["first"] == 1:
            raise SystemExit
        return 0

    def lives(_runtime: Runtime) -> int:
        runs["second"] += 1
        return 0

    workers = WorkerThreads(
        world.worker_runtime, {"a": {"dies": dies}, "b": {"lives": lives}}, interval=0.01
    )
    with running(workers):
        wait_until(lambda: runs["first"] > 2 and runs["second"] > 2)
        assert workers.state()["status"] == "ok"


def test_a_failing_part_does_not_stop_the_others(world: World) -> None:
    """The next part of the same thread has its turn."""
    done = threading.Event()

    def fails(_runtime: Runtime) -> int:
        raise ValueError

    def works(_runtime: Runtime) -> int:
        done.set()
        return 0

    workers = WorkerThreads(
        world.worker_runtime, {"a": {"fails": fails, "works": works}}, interval=0.01
    )
    with running(workers):
        assert done.wait(PATIENCE)
        wait_until(lambda: workers.state()["threads"]["a"].get("failing") == ["fails"])
        # Another start would not help: it is tried again anyway.
        assert workers.state()["status"] == "ok"


def test_health_names_the_thread_that_hangs(world: World) -> None:
    """503 as long as a thread has finished nothing for five minutes, 200 again when it goes on."""
    seconds = {"now": 1000.0}
    release, inside = threading.Event(), threading.Event()

    def hangs(_runtime: Runtime) -> int:
        inside.set()
        release.wait(PATIENCE)
        return 0

    workers = WorkerThreads(
        world.worker_runtime,
        {"mail": {"mail": hangs}, "other": {"other": lambda _runtime: 0}},
        interval=0.01,
        now=lambda: seconds["now"],
    )
    port = free_ports(1)
    with running(workers), answering("127.0.0.1", port, workers.state):
        assert inside.wait(PATIENCE)
        assert ask(port)[0] == 200
        assert ask(port, "/")[0] == 404
        seconds["now"] += STALE_SECONDS + 1
        wait_until(lambda: workers.state()["threads"]["other"]["status"] == "ok")
        status, said = ask(port)
        assert (status, said["status"]) == (503, "stale")
        assert said["threads"]["mail"] == {"status": "stale", "seconds": STALE_SECONDS + 1}
        assert said["threads"]["other"] == {"status": "ok", "seconds": 0}
        release.set()
        wait_until(lambda: ask(port)[0] == 200)


def ask(port: int, path: str = "/healthz") -> tuple[int, dict[str, Any]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_the_worker_process_reports_its_health_and_stops_cleanly(world: World) -> None:
    """``gateway worker --health-port``: all six threads, its metrics, and an end with exit code
    0."""
    world.clock.moment = datetime.now(UTC)
    port = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "-m", "idp.cli", "worker", "--health-port", str(port)],
        env=environ_of(world),
        cwd=ROOT,
    )

    def answers() -> bool:
        assert process.poll() is None
        try:
            return ask(port)[0] == 200
        except OSError:
            return False

    try:
        wait_until(answers)
        assert set(ask(port)[1]["threads"]) == {
            "recovery", "upkeep", "codes", "mail", "texts", "logouts", "events",
        }  # fmt: skip

        def names() -> list[str]:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
                return [name for name, _ in exposed.samples(answer.read().decode())]

        assert names().count("gateway_worker_thread_idle_seconds") == 7
        wait_until(lambda: "gateway_worker_rounds_total" in names())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
