"""Checks of the database and of what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select

from idp import schema_version
from idp.audit import chain
from idp.clients import registry
from idp.doctor.findings import Finding, Installation, fault, ok, skipped, warning
from idp.grants import signing_keys
from idp.maintenance import clock
from idp.messages import outbox_reader
from idp.models import Event, KeyState, MessageState, OutboxMessage
from idp.policy.scopes import SCIM
from idp.transaction import DatabaseError, UnitOfWork

#: Seconds by which the clocks of this machine and of the database may differ.
MOST_APART = 2.0
#: A message or an event that waits for longer: no worker runs.
WAITS = timedelta(minutes=5)
#: Days after which a key that signs should be replaced.
KEY_DAYS = 190
UPGRADE = "Run: gateway db upgrade"
NO_TABLES = "not checked: the tables are not those of this release"


def check_database(installation: Installation) -> Iterator[Finding]:
    """It answers."""
    url = installation.settings.database_url
    kind = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
    try:
        with installation.runtime.step() as work:
            work.db.execute(select(1))
    except DatabaseError as error:
        reason = str(getattr(error, "orig", "") or type(error).__name__).strip().splitlines()[0]
        yield fault(f"{kind} does not answer: {reason}", "Start it, or correct IDP_DATABASE_URL.")
        return
    yield ok(f"{kind} answers")
    if kind == "SQLite" and installation.settings.environment == "production":
        yield warning("SQLite has one writer at a time", "Use PostgreSQL in production.")


def check_migrations(installation: Installation) -> Iterator[Finding]:
    """The tables are those of this release."""
    status = _schema(installation)
    if status == schema_version.SchemaStatus.OK:
        yield ok("the tables are those of this release")
    elif status in schema_version.USABLE:
        yield warning(f"the tables are of another release ({status})", "Upgrade this gateway.")
    else:
        yield fault(f"the database has {status}", UPGRADE)


def _schema(installation: Installation) -> schema_version.SchemaStatus:
    try:
        with installation.runtime.step() as work:
            return schema_version.SCHEMA.status(work.db.connection())
    except DatabaseError:
        return schema_version.SchemaStatus.AWAY


def check_clock(installation: Installation) -> Iterator[Finding]:
    """The clocks of this machine and of the database agree."""
    with installation.runtime.step() as work:
        if work.db.get_bind().dialect.name == "sqlite":
            yield skipped("SQLite has the clock of this machine")
            return
        apart = abs(clock.ahead_of_database(work))
    if apart > MOST_APART:
        yield warning(
            f"the clock of the database differs by {apart:.1f} seconds",
            "Synchronize both machines with the same time servers.",
        )
    else:
        yield ok("the database has the same time")


def check_keys(installation: Installation) -> Iterator[Finding]:
    """There are keys that sign and next ones, and they can be decrypted."""
    if _schema(installation) not in schema_version.USABLE:
        yield skipped(NO_TABLES)
        return
    with installation.runtime.step() as work:
        yield from _keys(work)


def _keys(work: UnitOfWork) -> Iterator[Finding]:
    keys = [key for key in signing_keys.every_key(work)
            if key.state in (KeyState.ACTIVE, KeyState.NEXT)]  # fmt: skip
    if not any(key.state == KeyState.ACTIVE for key in keys):
        yield fault("no key signs", UPGRADE)
    for key in keys:
        try:
            signing_keys.private_key(work, key)
        except Exception as error:
            yield fault(
                f"the {key.alg} key {key.kid} cannot be decrypted: {type(error).__name__}",
                "Add the key that encrypted it to IDP_KEY_ENCRYPTION_KEYS.",
            )
            continue
        days = (work.now - (key.activated_at or key.created_at)).days
        if key.state == KeyState.ACTIVE and days > KEY_DAYS:
            advice = f"Run: gateway key rotate --alg {key.alg}"
            yield warning(f"the {key.alg} key has signed for {days} days", advice)
        else:
            yield ok(f"{key.alg}: the {key.state} key can be used")


def check_audit(installation: Installation) -> Iterator[Finding]:
    """The worker seals the audit log."""
    if _schema(installation) not in schema_version.USABLE:
        yield skipped(NO_TABLES)
        return
    with installation.runtime.step() as work:
        oldest, number = chain.oldest_unsealed_at(work), chain.count_unsealed(work)
        now = work.now
    if oldest is not None and now - oldest > WAITS:
        yield fault(
            f"{number} records wait for their seal, the oldest since {oldest.isoformat()}",
            "Start the worker: gateway worker",
        )
    else:
        yield ok("every record has its seal, or will have it soon")


def check_worker(installation: Installation) -> Iterator[Finding]:
    """It sends what is due, and nothing was given up."""
    if _schema(installation) not in schema_version.USABLE:
        yield skipped(NO_TABLES)
        return
    with installation.runtime.step() as work:
        waiting = outbox_reader.overdue_seconds(work)
        dead = select(OutboxMessage.id).where(OutboxMessage.state == MessageState.DEAD).limit(1)
        has_dead = work.db.scalar(dead) is not None
    if waiting > WAITS.total_seconds():
        yield fault(
            f"a message has been due for {waiting} seconds", "Start the worker: gateway worker"
        )
    else:
        yield ok("no message waits for the worker")
    if has_dead:
        yield warning(
            "messages were given up",
            "Open Undelivered messages in the console, repair the cause and send them again.",
        )


def check_pushers(installation: Installation) -> Iterator[Finding]:
    """The registration system is a client, and was there lately."""
    if _schema(installation) not in schema_version.USABLE:
        yield skipped(NO_TABLES)
        return
    with installation.runtime.step() as work:
        pushers = [
            one.client_id
            for one in registry.list_clients(work)
            if SCIM in one.scopes and one.disabled_at is None
        ]
        seen = {
            name: work.db.scalar(
                select(Event.at).where(Event.client_id == name).order_by(Event.id.desc()).limit(1)
            )
            for name in pushers
        }
    if not pushers:
        yield skipped("no client may push accounts")
    for name, moment in seen.items():
        if moment is None:
            yield warning(
                f"{name} has never been here", "Check its address of the gateway and its key."
            )
        else:
            yield ok(f"{name} was last here at {moment.isoformat(timespec='seconds')}")
