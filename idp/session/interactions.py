"""Sign-ins in progress, bound to the browser that started them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, insert, select, update

from idp.db import table
from idp.models import Account, Client, Consent, Interaction
from idp.models.records import AnyClient
from idp.policy.local_path import safe_path
from idp.policy.signin_state import Stage
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared

_OF_HANDLE = select(Interaction).where(Interaction.handle == bindparam("handle"))
_INSERT = Prepared(insert(table(Interaction)).inline())
_COMPLETE = Prepared(
    update(table(Interaction)).where(
        table(Interaction).c.id == bindparam("key"), table(Interaction).c.completed_at.is_(None)
    )
)


def begin(
    work: UnitOfWork,
    browser: str,
    *,
    client: AnyClient | None = None,
    request: dict[str, Any] | None = None,
    return_to: str = "/",
) -> Interaction:
    """Store the request of a sign-in for the browser whose cookie holds ``browser``."""
    interaction = Interaction(**_new(work, browser, client, request or {}, safe_path(return_to)))
    work.db.add(interaction)
    return interaction


def store(work: UnitOfWork, browser: str, client: AnyClient, request: dict[str, Any]) -> str:
    """As ``begin``, for a request of an application that another request continues. Returns the
    handle."""
    values = _new(work, browser, client, request, "/")
    work.write(_INSERT, values)
    return str(values["handle"])


def _new(
    work: UnitOfWork,
    browser: str,
    client: AnyClient | None,
    request: dict[str, Any],
    return_to: str,
) -> dict[str, Any]:
    return {
        "handle": work.token(24),
        "browser": work.vault.digest("browser", browser),
        "client_id": client.id if client is not None else None,
        "request": request,
        "return_to": return_to,
        "created_at": work.now,
        "expires_at": work.after(seconds=work.settings.interaction_ttl),
        "stage": Stage.STARTED,
        "has_secret": False,
        "remember": False,
    }


def find(work: UnitOfWork, handle: str, browser: str | None) -> Interaction | None:
    """The unfinished interaction with this handle, if this browser started it (N54)."""
    if not handle or len(handle) > 64 or not browser:
        return None
    row = work.db.scalar(_OF_HANDLE, {"handle": handle})
    if row is None or row.completed_at is not None or work.now >= row.expires_at:
        return None
    return row if work.vault.matches("browser", browser, row.browser) else None


def restart(
    work: UnitOfWork, handle: str, browser: str, *, former: str | None, is_same_origin: bool
) -> Interaction | None:
    """A new interaction with the request of an unfinished one, without its progress.

    Two browsers may do this: the one that started the old interaction, after it expired (its cookie
    held ``former``), and one that lost its cookie on a page of this site (``is_same_origin``). A
    link to another person's sign-in starts nothing (N54)."""
    if not handle or len(handle) > 64:
        return None
    row = work.db.scalar(_OF_HANDLE, {"handle": handle})
    if row is None or row.completed_at is not None or row.client is None or row.client.disabled_at:
        return None
    is_own = former is not None and work.vault.matches("browser", former, row.browser)
    if not is_own and not is_same_origin:
        return None
    return begin(work, browser, client=row.client, request=row.request)


def complete(work: UnitOfWork, interaction: Interaction) -> bool:
    """Mark it as finished; False when another tab was first. It is answered once."""
    return bool(work.run(_COMPLETE, {"key": interaction.id, "completed_at": work.now}).rowcount)


def consent_of(work: UnitOfWork, account_id: int, client: AnyClient) -> Consent | None:
    """The stored consent of the account to this client, if any."""
    return work.db.scalar(
        select(Consent).where(Consent.account_id == account_id, Consent.client_id == client.id)
    )


def remember_consent(work: UnitOfWork, account: Account, client: Client, scopes: list[str]) -> None:
    """Store consent to these scopes, in addition to earlier ones."""
    row = consent_of(work, account.id, client)
    if row is None:
        row = Consent(account_id=account.id, client_id=client.id, scopes=[], granted_at=work.now)
        work.db.add(row)
    row.scopes = sorted({*row.scopes, *scopes})
    row.granted_at = work.now


def consents(work: UnitOfWork, account: Account) -> list[Consent]:
    """All consents of the account."""
    return list(work.db.scalars(select(Consent).where(Consent.account_id == account.id)))
