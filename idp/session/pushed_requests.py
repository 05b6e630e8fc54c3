"""Authorization requests that clients pushed before the browser came (RFC 9126)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from idp.models import PushedRequest
from idp.models.records import AnyClient
from idp.transaction import UnitOfWork, spend_once

PREFIX = "urn:ietf:params:oauth:request_uri:"
#: The browser must come within this time.
SECONDS = 90


def store(work: UnitOfWork, client: AnyClient, request: dict[str, Any]) -> str:
    """Store a validated request for ``SECONDS``; returns its ``request_uri``."""
    secret = work.token(32)
    work.db.add(
        PushedRequest(
            digest=work.vault.digest("pushed-request", secret),
            client_id=client.id,
            request=request,
            expires_at=work.after(seconds=SECONDS),
        )
    )
    return PREFIX + secret


def find(work: UnitOfWork, client: AnyClient, request_uri: str) -> PushedRequest | None:
    """The request of this client that has not expired and has no answer yet. Until then it may be
    loaded several times: people reload pages (RFC 9126 section 4)."""
    secret = request_uri.removeprefix(PREFIX)
    if secret == request_uri or not 0 < len(secret) <= 100:
        return None
    digests = work.vault.digests("pushed-request", secret)
    row = work.db.scalar(select(PushedRequest).where(PushedRequest.digest.in_(digests)))
    if row is None or row.client_id != client.id or row.used_at is not None:
        return None
    return row if work.now < row.expires_at else None


def spend(work: UnitOfWork, pushed_id: int) -> bool:
    """Before the answer to a request. Of concurrent callers, exactly one gets True (N26)."""
    row = work.db.get(PushedRequest, pushed_id)
    return row is not None and spend_once(work, row, PushedRequest.used_at)
