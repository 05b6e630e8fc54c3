"""What the worker does, part by part, and which thread does it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from idp.audit import chain
from idp.cli.common import unit_of_work
from idp.clients import client_proposals
from idp.directory import lifecycle, number_of_accounts, role_group_assignments
from idp.maintenance import alarms, reminders
from idp.messages import delivery
from idp.messages.delivery import Sender
from idp.messages.message_kinds import CODES, MessageKind
from idp.models import MessageChannel
from idp.oidc import event_token, logout_token
from idp.oidc.jwks import KeyRing
from idp.recovery import recovery_requests
from idp.session import sessions
from idp.signin import population_counts
from idp.transaction import Runtime, UnitOfWork
from service_base.worker_threads import Parts, work_through

#: Maximum steps, and transfers to other servers, of one part in one round.
MAX_STEPS = 100
MAX_TRANSFERS = 5


def work_round(runtime: Runtime, parts: Parts[Runtime] | None = None) -> bool:
    """Run one round of these parts, or of all; returns whether there was anything to do."""
    return work_through(runtime, PARTS if parts is None else parts)


def _recover(runtime: Runtime) -> int:
    return _until_idle(runtime, recovery_requests.process_next)


def _remind(runtime: Runtime) -> int:
    return _until_idle(runtime, reminders.send_next)


#: Expiry of accounts, assignments, proposals and sessions.
ENDS = (
    lifecycle.deactivate_next_expired,
    role_group_assignments.revoke_next_expired,
    client_proposals.expire_next,
    sessions.end_next_expired,
)


def _end(runtime: Runtime) -> int:
    return _until_idle(runtime, lambda work: any(step(work) for step in ENDS))


def _until_idle(runtime: Runtime, step: Callable[[UnitOfWork], bool]) -> int:
    """Repeat a step, each in its own transaction, until there is nothing left or the maximum is
    reached, so that other parts get their turn."""
    for done in range(MAX_STEPS):
        with runtime.step() as work:
            found = step(work)
        if not found:
            return done
    return MAX_STEPS


def _alarm(runtime: Runtime) -> int:
    with unit_of_work(runtime) as work:
        return alarms.raise_due(work)


def _send_codes(runtime: Runtime) -> int:
    return _deliver(runtime, {MessageChannel.MAIL: delivery.send_mail}, kinds=CODES)


def _send_mail(runtime: Runtime) -> int:
    return _deliver(runtime, {MessageChannel.MAIL: delivery.send_mail})


def _send_texts(runtime: Runtime) -> int:
    return _deliver(runtime, {MessageChannel.SMS: delivery.send_sms})


def _send_logouts(runtime: Runtime) -> int:
    return _deliver(runtime, {MessageChannel.LOGOUT: logout_token.sender(KeyRing())})


def _push_events(runtime: Runtime) -> int:
    return _deliver(runtime, {MessageChannel.EVENT: event_token.sender(KeyRing())})


def _deliver(
    runtime: Runtime, senders: Mapping[MessageChannel, Sender], kinds: Collection[MessageKind] = ()
) -> int:
    with runtime.one_session():
        return delivery.deliver_due(runtime, senders, kinds=kinds, limit=MAX_TRANSFERS)


def _seal(runtime: Runtime) -> int:
    with unit_of_work(runtime) as work:
        return chain.seal_pending(work)


def _count(runtime: Runtime) -> int:
    with unit_of_work(runtime) as work:
        return population_counts.refresh(work) + number_of_accounts.add_up(work)


#: The threads of a worker and their parts. Those after ``upkeep`` wait for other servers.
THREADS: Mapping[str, Parts[Runtime]] = {
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
    "events": {"events": _push_events},
}
#: All parts.
PARTS: Parts[Runtime] = {name: part for parts in THREADS.values() for name, part in parts.items()}
