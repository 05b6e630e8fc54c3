"""Text messages with codes, within limits: each costs money, and whoever can have them sent to
numbers of his own earns by it (toll fraud). The only door to text messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from sqlalchemy import func, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.errors import Refused
from idp.messages import queue
from idp.models import Account, OneTimeCode
from idp.policy.addresses import network_of
from idp.policy.lockout import Budget
from idp.policy.phone_number import country_of
from idp.session import failed_attempts
from idp.transaction import UnitOfWork

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def send(
    work: UnitOfWork,
    kind: str,
    account: Account,
    number: str,
    make: Callable[[], str],
    **words: str,
) -> None:
    """Queue a text with a code, which ``make`` makes, to an E.164 number. Raises Refused, with the
    name of the limit, when there were enough; then no code is made, an earlier one stays good, and
    the reason is in the trail."""
    reason = _refusal(work, account, number)
    if reason is not None:
        events.record(work, AuditAction.TEXT_REFUSED, reason=reason, account=account, kind=kind)
        raise Refused(reason)
    queue.enqueue_sms(work, kind, account, number, code=make(), **words)


def _refusal(work: UnitOfWork, account: Account, number: str) -> str | None:
    if country_of(number) not in work.settings.sms_countries:
        return "texts_country"
    if _accounts_of(work, account, number) > work.settings.sms_number_accounts:
        return "texts_number_accounts"
    for name, key, whose, budget in _budgets(work, account, number):
        if not failed_attempts.consume(work, key, whose, budget):
            return name
    return None


def _accounts_of(work: UnitOfWork, account: Account, number: str) -> int:
    """How many accounts had codes sent to the number within a day, this one included."""
    query = select(func.count(OneTimeCode.account_id.distinct())).where(
        OneTimeCode.destination == number,
        OneTimeCode.created_at > work.now - DAY,
        OneTimeCode.account_id != account.id,
    )
    return (work.db.scalar(query) or 0) + 1


def _budgets(
    work: UnitOfWork, account: Account, number: str
) -> Iterator[tuple[str, str, Account | None, Budget]]:
    """Name, key, owner and size, the narrowest first, always in this order: two senders that
    wait for each other's rows cannot be."""
    limits = work.settings
    digest = work.vault.digest("text-number", number)
    yield (
        "texts_account",
        f"text-hour:{account.id}",
        account,
        _sent_within(limits.sms_account_hour, HOUR),
    )
    yield (
        "texts_account",
        f"text-day:{account.id}",
        account,
        _sent_within(limits.sms_account_day, DAY),
    )
    yield "texts_number", f"text-number:{digest}", None, _sent_within(limits.sms_number_day, DAY)
    if work.origin.ip:
        key = f"text-network:{network_of(work.origin.ip)}"
        yield "texts_network", key, None, _sent_within(limits.sms_network_hour, HOUR)
    key = f"text-country:{country_of(number)}"
    yield "texts_country", key, None, _sent_within(limits.sms_country_hour, HOUR)
    yield "texts_all", "text-all:", None, _sent_within(limits.sms_hour, HOUR)


def _sent_within(uses: int, window: timedelta) -> Budget:
    return Budget(uses, window, window)
