"""Mail servers and relying parties that do not answer (R14, R23; I5)."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from sqlalchemy import select

from idp.messages import queue
from idp.messages.message_kinds import TextMessageKind
from idp.models import Account
from tests.certificates import Certificate
from tests.faults.checker import check
from tests.faults.conftest import Figures
from tests.faults.history import History, patience
from tests.faults.installation import Installation
from tests.faults.load import Client
from tests.faults.servers import HOST, wait_for

#: How a mail server can fail: the answer to DATA, or what it does instead.
WAYS = ("tarpit", "451 4.3.0 later", "554 5.7.1 no", "drop")


class MailServer:
    """Speaks enough SMTP to accept mails, or to fail in a chosen way."""

    def __init__(self) -> None:
        self.way = ""
        self.mails: list[bytes] = []
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as file, suppress(OSError, ValueError):
            if self.way == "tarpit":
                connection.recv(65536)
                time.sleep(20)
                return
            self._say(file, "220 here")
            while line := file.readline():
                if line.upper().startswith(b"DATA"):
                    self._say(file, "354 go on")
                    body = b""
                    while (line := file.readline()) not in (b".\r\n", b""):
                        body += line
                    if self.way == "drop":
                        self.mails.append(body)
                        return
                    self._say(file, self.way or "250 OK")
                    if not self.way:
                        self.mails.append(body)
                else:
                    self._say(file, "221 Bye" if line.upper().startswith(b"QUIT") else "250 OK")

    @staticmethod
    def _say(file: object, line: str) -> None:
        file.write(line.encode() + b"\r\n")  # type: ignore[attr-defined]
        file.flush()  # type: ignore[attr-defined]

    def ids(self) -> list[str]:
        return [str(message_from_bytes(mail)["Message-ID"]) for mail in list(self.mails)]


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    made = MailServer()
    yield made
    made.listener.close()


def due_now(installation: Installation) -> None:
    """Do not wait for the next attempt, which is half a minute and more away."""
    installation.change(
        "UPDATE outbox_message SET next_attempt_at = created_at, leased_until = NULL"
        " WHERE state = 'queued'"
    )


def test_r14_a_mail_server_that_fails(
    on_sqlite: Installation, mail_server: MailServer, figures: Figures
) -> None:
    """R14, I5: it is slow, refuses for now or for good, or drops the connection after the mail. The
    page answers as before, and every mail arrives under one Message-ID when the server is well."""
    on_sqlite.fill(people=6)
    gateway = on_sqlite.serve(workers=1)
    on_sqlite.work(
        IDP_SMTP_HOST=HOST, IDP_SMTP_PORT=str(mail_server.port), IDP_SMTP_SECURITY="none"
    )
    history = History(on_sqlite.folder / "history.jsonl")
    seconds: dict[str, float] = {}
    for number, way in enumerate(("", *WAYS)):
        mail_server.way = way
        client = Client(number, [gateway.port], on_sqlite, history)
        client.keys()
        assert client.recover()
        seconds[way or "well"] = history.calls[-1].seconds
        if way:
            wait_for(
                lambda: on_sqlite.rows(
                    "SELECT id FROM outbox_message WHERE attempts > 0 AND state <> 'sent'"
                ),
                60,
                f"an attempt: {way}",
            )
        mail_server.way = ""
        if way == "tarpit":
            continue
        due_now(on_sqlite)
        wait_for(
            lambda: (
                due_now(on_sqlite)
                or not on_sqlite.rows("SELECT id FROM outbox_message WHERE state <> 'sent'")
            ),
            90,
            f"the mail: {way}",
        )
    check(on_sqlite, history)
    sent = {row[0] for row in on_sqlite.rows("SELECT message_id FROM outbox_message")}
    assert set(mail_server.ids()) == sent
    assert len(sent) == len(WAYS) + 1
    assert max(seconds.values()) < 5 * patience()
    figures(
        mails=len(sent), deliveries=len(mail_server.mails), slowest_answer=max(seconds.values())
    )


class Provider:
    """Takes text messages by https, or takes connections and never answers."""

    def __init__(self, folder: Path) -> None:
        now = datetime.now(UTC)
        made = Certificate(
            names=[x509.IPAddress(ip_address(HOST))],
            first=now - timedelta(days=1),
            last=now + timedelta(days=1),
        )
        #: Of its authority, and with its key.
        self.authority, chain = folder / "authority.pem", folder / "chain.pem"
        self.authority.write_text(made.pem)
        chain.write_text(made.pem + made.key_pem)
        self.hangs, self.texts, self.over = True, [], threading.Event()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain)
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                if not provider.hangs:
                    self.request = provider.context.wrap_socket(self.request, server_side=True)
                super().setup()

            def handle(self) -> None:
                if provider.hangs:
                    provider.over.wait(60)
                else:
                    super().handle()

            def finish(self) -> None:
                super().finish()
                self.request.close()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.texts.append(parse_qs(body)["To"][0])
                self.send_response(201)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.server.daemon_threads = True

    @property
    def settings(self) -> dict[str, str]:
        return {
            "IDP_SMS_URL": f"https://{HOST}:{self.server.server_port}/messages",
            "IDP_SMS_USERNAME": "gateway",
            "IDP_SMS_PASSWORD": "of-the-provider",
            "IDP_SMS_FROM": "+14165550100",
            "REQUESTS_CA_BUNDLE": str(self.authority),
        }


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    made = Provider(tmp_path)
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.over.set()
    made.server.shutdown()
    made.server.server_close()
    thread.join(10)


def test_r14_a_provider_of_text_messages_that_hangs(
    on_sqlite: Installation, mail_server: MailServer, provider: Provider, figures: Figures
) -> None:
    """R14: requests and mails do not wait for it. Each text is tried again and arrives when it is
    well."""
    on_sqlite.fill(people=3)
    numbers = [f"+1416555010{n}" for n in (1, 2)]
    with on_sqlite.world() as world, world.work() as work:
        account = work.db.scalars(
            select(Account).where(Account.username == on_sqlite.people[0])
        ).one()
        for number in numbers:
            queue.enqueue_sms(work, TextMessageKind.FACTOR_CODE, account, number, code="123456")
    gateway = on_sqlite.serve(workers=1, **provider.settings)
    on_sqlite.work(
        IDP_SMTP_HOST=HOST, IDP_SMTP_PORT=str(mail_server.port), IDP_SMTP_SECURITY="none",
        **provider.settings,
    )  # fmt: skip
    history = History(on_sqlite.folder / "history.jsonl")
    texts = "SELECT count(*) FROM outbox_message WHERE channel = 'sms'"
    tried = f"{texts} AND state = 'queued' AND last_error IS NOT NULL"
    client = Client(1, [gateway.port], on_sqlite, history)
    client.keys()
    assert client.recover()
    answer = history.calls[-1].seconds
    mail = wait_for(lambda: mail_server.mails, 60, "the mail")
    assert on_sqlite.rows(tried) == [(0,)]
    wait_for(lambda: on_sqlite.rows(tried) == [(2,)], 90, "an attempt of each text")
    provider.hangs = False
    due_now(on_sqlite)
    wait_for(lambda: on_sqlite.rows(f"{texts} AND state = 'sent'") == [(2,)], 60, "the texts")
    assert sorted(provider.texts) == numbers
    check(on_sqlite, history)
    assert answer < 5 * patience()
    figures(answer=answer, mail=mail, texts=len(provider.texts))


@contextmanager
def silent() -> Iterator[int]:
    """A server that takes connections and never answers."""
    with socket.create_server((HOST, 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def test_r23_a_relying_party_that_never_answers_delays_no_sign_out(
    on_sqlite: Installation, figures: Figures
) -> None:
    """R23: people sign out as fast as before; the logout stays in the outbox and is tried again."""
    on_sqlite.fill(people=3)
    with silent() as port:
        on_sqlite.change(
            "UPDATE client SET backchannel_logout_uri = ? WHERE client_id = 'emi'",
            f"http://{HOST}:{port}/logout",
        )
        gateway = on_sqlite.serve(workers=1)
        on_sqlite.work(IDP_OUTBOUND_NETWORKS="127.0.0.0/8")
        history = History(on_sqlite.folder / "history.jsonl")
        for number in range(3):
            client = Client(number, [gateway.port], on_sqlite, history)
            assert client.new_grant()
            assert client.sign_out()
            assert history.calls[-1].seconds < 5 * patience()
        wait_for(
            lambda: on_sqlite.rows(
                "SELECT id FROM outbox_message WHERE channel = 'logout' AND attempts > 0"
                " AND last_error IS NOT NULL"
            ),
            60,
            "an attempt",
        )
    assert on_sqlite.rows(
        "SELECT count(*) FROM outbox_message WHERE channel = 'logout' AND state = 'queued'"
    ) == [(3,)]
    check(on_sqlite, history)
    figures(slowest=max(c.seconds for c in history.named("sign_out")))
