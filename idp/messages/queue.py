"""Putting a message into the outbox, in the transaction of the change it tells of."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from idp.errors import Invalid
from idp.messages.kinds import LOCALES, render
from idp.models import Account, MessageState, OutboxMessage
from idp.policy.email_address import single_address
from idp.transaction import Work


def enqueue(work: Work, kind: str, account: Account, **data: Any) -> OutboxMessage:
    """Write a mail to the account's holder, in the account's language. Raises Invalid when the
    address on record is not one plain address."""
    locale = account.locale if account.locale in LOCALES else "en"
    person = account.person
    try:
        recipient = single_address(person.email)
    except ValueError as error:
        raise Invalid(f"the address of {account.username}: {error}") from error
    words = render(kind, locale, work.settings, person.full_name, account.username, data)
    host = urlsplit(work.settings.issuer).hostname or "localhost"
    message = OutboxMessage(
        message_id=f"<{work.token(16)}@{host}>",
        channel="mail",
        kind=kind,
        account_id=account.id,
        recipient=recipient,
        subject=words.subject[:300],
        body_sealed=work.vault.seal(json.dumps({"text": words.text, "html": words.html})),
        state=MessageState.QUEUED,
        attempts=0,
        next_attempt_at=work.now,
        created_at=work.now,
    )
    work.db.add(message)
    return message
