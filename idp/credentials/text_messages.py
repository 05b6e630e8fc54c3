"""Send codes by text message, within limits. Each message costs money, and attackers profit from
messages to their own numbers (toll fraud). All text messages are sent from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from sqlalchemy import func, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.errors import CodeNotSent, SendLimit
from idp.messages import queue
from idp.messages.message_kinds import TextMessageKind
from idp.models import Account, OneTimeCode
from idp.policy.addresses import network_of
from idp.policy.lockout import Budget
from idp.policy.phone_number import country_of
from idp.session import failed_attempts
from idp.transaction import UnitOfWork

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def send(
    work: UnitOfWork,
    kind: TextMessageKind,
    account: Account,
    number: str,
    make: Callable[[], str],
    **words: str,
) -> None:
    """Queue a text message with a code to an E.164 number. ``make`` creates the code. Raises
    CodeNotSent with the limit that is reached; then no code is created, an earlier code
    stays valid, and the reason is recorded."""
    reason = _refusal(work, account, number)
    if reason is not None:
        events.record(work, AuditAction.TEXT_REFUSED, reason=reason, account=account, kind=kind)
        raise CodeNotSent(reason)
    queue.enqueue_sms(work, kind, account, number, code=make(), **words)


def _refusal(work: UnitOfWork, account: Account, number: str) -> SendLimit | None:
    if country_of(number) not in work.settings.sms_countries:
        return SendLimit.TEXTS_COUNTRY
    if _accounts_of(work, account, number) > work.settings.sms_number_accounts:
        return SendLimit.TEXTS_NUMBER_ACCOUNTS
    for name, key, whose, budget in _budgets(work, account, number):
        if not failed_attempts.consume(work, key, whose, budget):
            return name
    return None


def _accounts_of(work: UnitOfWork, account: Account, number: str) -> int:
    """How many accounts, including this one, had codes sent to the number in the last day."""
    query = select(func.count(OneTimeCode.account_id.distinct())).where(
        OneTimeCode.destination == number,
        OneTimeCode.created_at > work.now - DAY,
        OneTimeCode.account_id != account.id,
    )
    return (work.db.scalar(query) or 0) + 1


def _budgets(
    work: UnitOfWork, account: Account, number: str
) -> Iterator[tuple[SendLimit, str, Account | None, Budget]]:
    """Name, key, account and size of each limit, the narrowest first. The fixed order prevents
    deadlocks between concurrent senders."""
    limits = work.settings
    digest = work.vault.digest("text-number", number)
    yield (
        SendLimit.TEXTS_ACCOUNT,
        f"text-hour:{account.id}",
        account,
        _sent_within(limits.sms_account_hour, HOUR),
    )
    yield (
        SendLimit.TEXTS_ACCOUNT,
        f"text-day:{account.id}",
        account,
        _sent_within(limits.sms_account_day, DAY),
    )
    yield (
        SendLimit.TEXTS_NUMBER,
        f"text-number:{digest}",
        None,
        _sent_within(limits.sms_number_day, DAY),
    )
    if work.origin.ip:
        key = f"text-network:{network_of(work.origin.ip)}"
        yield SendLimit.TEXTS_NETWORK, key, None, _sent_within(limits.sms_network_hour, HOUR)
    key = f"text-country:{country_of(number)}"
    yield SendLimit.TEXTS_COUNTRY, key, None, _sent_within(limits.sms_country_hour, HOUR)
    yield SendLimit.TEXTS_ALL, "text-all:", None, _sent_within(limits.sms_hour, HOUR)


def _sent_within(uses: int, window: timedelta) -> Budget:
    return Budget(uses, window, window)
