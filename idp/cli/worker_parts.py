"""What the worker does, part by part, and which thread does it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from flask import Flask

from idp.audit import chain
from idp.cli.common import unit_of_work
from idp.clients import client_proposals
from idp.directory import lifecycle, role_group_assignments
from idp.foundation import runtime
from idp.maintenance import alarms, reminders
from idp.messages import delivery
from idp.messages.delivery import Sender
from idp.messages.message_kinds import CODES, MessageKind
from idp.models import MessageChannel
from idp.oidc import logout_token
from idp.recovery import recovery_requests
from idp.signin import population_counts
from idp.transaction import UnitOfWork, committing
from service_base.worker_threads import Parts, work_through

#: Maximum steps, and transfers to other servers, of one part in one round.
MAX_STEPS = 100
MAX_TRANSFERS = 5


def work_round(app: Flask, parts: Parts[Flask] | None = None) -> bool:
    """Run one round of these parts, or of all; returns whether there was anything to do."""
    return work_through(app, PARTS if parts is None else parts)


def _recover(app: Flask) -> int:
    return _until_idle(app, recovery_requests.process_next)


def _remind(app: Flask) -> int:
    return _until_idle(app, reminders.send_next)


#: Expiry of accounts, assignments and proposals.
ENDS = (
    lifecycle.deactivate_next_expired,
    role_group_assignments.revoke_next_expired,
    client_proposals.expire_next,
)


def _end(app: Flask) -> int:
    return _until_idle(app, lambda work: any(step(work) for step in ENDS))


def _until_idle(app: Flask, step: Callable[[UnitOfWork], bool]) -> int:
    """Repeat a step, each in its own transaction, until there is nothing left or the maximum is
    reached, so that other parts get their turn."""
    for done in range(MAX_STEPS):
        with app.app_context(), committing(runtime(app).work()) as work:
            found = step(work)
        if not found:
            return done
    return MAX_STEPS


def _alarm(app: Flask) -> int:
    with unit_of_work(app) as work:
        return alarms.raise_due(work)


def _send_codes(app: Flask) -> int:
    return _deliver(app, {MessageChannel.MAIL: delivery.send_mail}, kinds=CODES)


def _send_mail(app: Flask) -> int:
    return _deliver(app, {MessageChannel.MAIL: delivery.send_mail})


def _send_texts(app: Flask) -> int:
    return _deliver(app, {MessageChannel.SMS: delivery.send_sms})


def _send_logouts(app: Flask) -> int:
    with app.app_context():
        ring = app.extensions["oidc"].ring
    return _deliver(app, {MessageChannel.LOGOUT: logout_token.sender(ring)})


def _deliver(
    app: Flask, senders: Mapping[MessageChannel, Sender], kinds: Collection[MessageKind] = ()
) -> int:
    with app.app_context():
        return delivery.deliver_due(runtime(app), senders, kinds=kinds, limit=MAX_TRANSFERS)


def _seal(app: Flask) -> int:
    with unit_of_work(app) as work:
        return chain.seal_pending(work)


def _count(app: Flask) -> int:
    with unit_of_work(app) as work:
        return population_counts.refresh(work)


#: The threads of a worker and their parts. Those after ``upkeep`` wait for other servers.
THREADS: Mapping[str, Parts[Flask]] = {
    "recovery": {"recovery": _recover},
    "upkeep": {
        "ends": _end,
        "reminders": _remind,
        "alarms": _alarm,
        "population": _count,
        "trail": _seal,
    },
    "codes": {"codes": _send_codes},
    "mail": {"mail": _send_mail},
    "texts": {"texts": _send_texts},
    "logouts": {"logouts": _send_logouts},
}
#: All parts.
PARTS: Parts[Flask] = {name: part for parts in THREADS.values() for name, part in parts.items()}
