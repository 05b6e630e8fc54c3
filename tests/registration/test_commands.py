"""The command ``registration``, its worker, and mails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from registration import catalogue, catalogue_tables, history, notice_delivery, serving
from registration.cli import gateway_commands, main
from registration.models import AccessRole, ContactRole, History, Market, Notice
from registration.transaction import Runtime, UnitOfWork
from registration.worker import PARTS
from service_base.worker_threads import work_through
from tests.fakes import FakeMailer
from tests.registration.fake_bridge import FakeBridge

SECRET = "registration-secret-of-the-tests-0001"


def run(path: Path, *words: str, **more: str) -> Result:
    environ = {
        "REGISTRATION_SECRET_KEY": SECRET,
        "REGISTRATION_DATABASE_URL": f"sqlite:///{path}/registration.db",
        "REGISTRATION_LOG_LEVEL": "ERROR",
    } | more
    return CliRunner(env=environ).invoke(main, list(words))


def test_the_database_is_made_and_filled(tmp_path: Path) -> None:
    """``registration db upgrade``, twice; other commands name it until then."""
    early = run(tmp_path, "worker", "--once")
    assert (early.exit_code, early.output) == (
        1, "database: the database has no tables; run: registration db upgrade\n",
    )  # fmt: skip
    for _ in range(2):
        done = run(tmp_path, "db", "upgrade")
        assert (done.exit_code, done.output) == (0, "The database is up to date.\n"), done.output
    assert run(tmp_path, "worker", "--once").exit_code == 0
    assert run(tmp_path, "history", "verify").output == (
        "Every sealed entry is as it was written.\n"
    )


def test_settings_are_listed_without_secrets(tmp_path: Path) -> None:
    rows = json.loads(run(tmp_path, "settings", "--json").output)
    found = {row["name"]: (row["value"], row["source"]) for row in rows}
    assert found["REGISTRATION_SECRET_KEY"] == ("(set)", "environment")
    assert found["REGISTRATION_FRESH_SECONDS"] == ("900", "default")
    assert SECRET not in run(tmp_path, "settings").output


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    done = run(tmp_path, "worker", "--once", REGISTRATION_ISSUER="ftp://x.example")
    assert (done.exit_code, done.output) == (
        2, "configuration: REGISTRATION_ISSUER must be https\n",
    )  # fmt: skip


def test_the_catalogue_is_in_the_tables(work: UnitOfWork) -> None:
    """CO-08, AR-12: all of it, once; a changed text is changed."""
    wanted = catalogue.packaged()
    sizes = len(wanted.markets), len(wanted.contact_roles), len(wanted.access_roles)
    assert catalogue_tables.write(work, wanted) == sum(sizes)
    for kind, size in zip((Market, ContactRole, AccessRole), sizes, strict=True):
        assert work.db.scalar(select(func.count()).select_from(kind)) == size
    assert catalogue_tables.write(work, wanted) == 0
    work.db.scalars(select(Market)).first().name = "Other"  # type: ignore[union-attr]
    assert catalogue_tables.write(work, wanted) == 1
    actions = work.db.scalars(select(History.action)).all()
    assert actions == ["catalogue.changed", "catalogue.changed"]


def mail(work: UnitOfWork) -> Notice:
    notice = Notice(
        kind="test", recipient="marie@lakes.example", language="fr", subject="Objet",
        body="Bonjour\n", message_id="<1@registration.test>", state="queued",
        next_attempt_at=work.now, created_at=work.now,
    )  # fmt: skip
    work.db.add(notice)
    work.db.flush()
    return notice


def test_the_worker_sends_mails_and_seals(runtime: Runtime) -> None:
    with runtime.work() as work:
        mail(work)
        history.record(work, "test")
    assert work_through(runtime, PARTS)
    assert not work_through(runtime, PARTS)
    mailer = runtime.ports.mailer
    assert isinstance(mailer, FakeMailer)
    (message,) = mailer.sent
    assert message["To"] == "marie@lakes.example"
    assert message["From"] == "Online IESO Registration <registration@ieso.example>"
    assert message["Content-Language"] == "fr"
    with runtime.work() as work:
        assert work.db.scalars(select(Notice.state)).one() == "sent"
        assert work.db.scalars(select(History.seq)).one() == 1


def test_tm13_the_history_outlives_seven_years(runtime: Runtime) -> None:
    """TM-13: no part of the worker deletes an entry, and after eight years the chain is whole."""
    clock: Any = runtime.ports.clock
    with runtime.work() as work:
        for number in range(3):
            history.record(work, "test", reason=str(number))
    for _ in range(3):
        work_through(runtime, PARTS)
        clock.advance(days=4 * 365)
    with runtime.work() as work:
        kept = work.db.scalars(select(History).where(History.action == "test")).all()
        assert [one.reason for one in kept] == ["0", "1", "2"]
        assert history.verify(work) is None


def test_a_mail_that_fails_is_sent_again_and_then_given_up(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runtime.work() as work:
        mail(work)

    def refuse(_message: object) -> None:
        raise OSError

    monkeypatch.setattr(runtime.ports.mailer, "send", refuse)
    for _ in range(10):
        assert notice_delivery.deliver_due(runtime) == 1
        assert notice_delivery.deliver_due(runtime) == 0
        runtime.ports.clock.advance(hours=2)  # type: ignore[attr-defined]
    assert notice_delivery.deliver_due(runtime) == 0
    with runtime.work() as work:
        notice = work.db.scalars(select(Notice)).one()
        assert (notice.state, notice.attempts, notice.last_error) == ("dead", 10, "OSError")


def test_pr07_the_command_shows_what_differs(
    runtime: Runtime, bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table and JSON; exit code 1 if there is a difference, or if the gateway is away."""

    @contextmanager
    def opened() -> Iterator[Runtime]:
        yield runtime

    monkeypatch.setattr(gateway_commands, "opened", opened)
    call = lambda *words: CliRunner().invoke(main, ["reconcile", *words])  # noqa: E731
    found = call()
    assert (found.exit_code, found.output) == (
        0, "0 compared, 0 skipped, 0 differences, 0 pushes ordered\n",
    )  # fmt: skip
    bridge.kept["1"] = {"id": "1", "userName": "stranger"}
    found = call()
    assert (found.exit_code, found.output.splitlines()[0].split(maxsplit=1)) == (
        1, ["stranger", "only at the gateway"],
    )  # fmt: skip
    (drift,) = json.loads(call("--json", "--repair").output)["drifts"]
    assert (drift["account"], drift["kind"]) == ("stranger", "extra")
    bridge.is_away = True
    found = call()
    assert (found.exit_code, found.output) == (1, "Error: the gateway: no answer\n")


def test_running_requests_have_seconds_to_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does not end in this time after SIGTERM is killed."""
    told = []
    monkeypatch.setattr(serving, "serve", lambda options, level: told.append((options, level)))
    environ = {"REGISTRATION_SECRET_KEY": SECRET}
    assert CliRunner(env=environ).invoke(main, ["serve", "--stop-seconds", "0"]).exit_code == 2
    with monkeypatch.context() as patched:
        patched.setattr("registration.schema.SCHEMA.require", lambda _engine: None)
        done = CliRunner(env=environ).invoke(main, ["serve", "--stop-seconds", "3"])
    assert done.exit_code == 0, done.output
    ((options, level),) = told
    assert serving._server(options, level).workers_kill_timeout == 3
