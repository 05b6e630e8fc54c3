"""Queue messages in the outbox, in the transaction of the change they report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from idp.messages.message_kinds import MailKind, MessageKind, NotificationKind, TextMessageKind
from idp.messages.message_refusals import RecipientInvalid
from idp.models import MessageChannel, MessageState, OutboxMessage
from idp.policy.email_address import BadAddress, stored_address
from idp.policy.event_types import RETENTION
from idp.transaction import UnitOfWork
from service_base import request_ids

if TYPE_CHECKING:
    from idp.messages.rendering import RenderedMessage
    from idp.models import Account, Person


def enqueue(
    work: UnitOfWork, kind: MailKind, account: Account, *, to: Person | None = None, **data: Any
) -> OutboxMessage:
    """Queue a mail to the account's holder, or to another recipient, in the account's language.
    Raises Invalid if the recorded address is not one plain address."""
    person = to or account.person
    try:
        recipient = stored_address(person.email)
    except BadAddress as error:
        raise RecipientInvalid(account.username, error.fault) from error
    from idp.messages.rendering import render

    words = render(kind, _locale(account), work.settings, person.full_name, account.username, data)
    return _add(work, kind, account.id, MessageChannel.MAIL, recipient, words.subject, _body(words))


def enqueue_sms(
    work: UnitOfWork, kind: TextMessageKind, account: Account, number: str, **data: Any
) -> OutboxMessage:
    """Queue a text message to an E.164 number of the account's holder."""
    from idp.messages.rendering import render_sms

    words = render_sms(kind, _locale(account), work.settings, data)
    return _add(work, kind, account.id, MessageChannel.SMS, number, words.subject, _body(words))


def enqueue_logout(work: UnitOfWork, account: Account, client_id: str, sid: str) -> OutboxMessage:
    """Queue a back-channel logout for the relying party's ``sid``. The token is created on
    delivery, because it is valid for minutes only."""
    body = {"text": f"sub {account.subject}, sid {sid}", "html": ""}
    body |= {"sub": account.subject, "sid": sid}
    kind, channel = NotificationKind.BACK_CHANNEL_LOGOUT, MessageChannel.LOGOUT
    return _add(work, kind, account.id, channel, client_id, "Back-channel logout", body)


def enqueue_event(
    work: UnitOfWork,
    client_id: str,
    kind: NotificationKind,
    body: dict[str, Any],
    *,
    account_id: int | None,
    is_pushed: bool,
) -> OutboxMessage:
    """Queue a security event for a client. The worker pushes it, or it waits until the client polls
    it. The token is created on delivery."""
    words = {"text": f"{kind} {body.get('sub', '')}".strip(), "html": ""}
    channel = MessageChannel.EVENT if is_pushed else MessageChannel.KEPT_EVENT
    row = _add(work, kind, account_id, channel, client_id, "Security event", body | words)
    if not is_pushed:
        # The worker has nothing to do before.
        row.next_attempt_at = work.now + RETENTION
    return row


def _locale(account: Account) -> str:
    from idp.messages.rendering import LOCALES

    return account.locale if account.locale in LOCALES else "en"


def _body(words: RenderedMessage) -> dict[str, str]:
    return {"text": words.text, "html": words.html}


def _add(
    work: UnitOfWork,
    kind: MessageKind,
    account_id: int | None,
    channel: MessageChannel,
    recipient: str,
    subject: str,
    body: dict[str, str],
) -> OutboxMessage:
    host = urlsplit(work.settings.issuer).hostname or "localhost"
    message = OutboxMessage(
        message_id=f"<{work.token(16)}@{host}>",
        channel=channel,
        kind=str(kind),
        account_id=account_id,
        recipient=recipient,
        subject=subject[:300],
        body_sealed=work.vault.encrypt(json.dumps(body)),
        state=MessageState.QUEUED,
        attempts=0,
        next_attempt_at=work.now,
        created_at=work.now,
        traceparent=request_ids.traceparent(),
    )
    work.add(message)
    return message
