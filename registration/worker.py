"""What the worker does: pushes to the gateway, mails, the nightly comparison with the gateway, the
ends of what has expired, and the seals of the history."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete

from registration import (
    expired_holdings,
    gateway_comparison,
    history,
    notice_delivery,
    push_delivery,
)
from registration.models import SpentToken
from registration.transaction import Runtime
from service_base.worker_threads import Parts


def _seal(runtime: Runtime) -> int:
    with runtime.work() as work:
        return history.seal_pending(work)


def _forget(runtime: Runtime) -> int:
    """Delete logout tokens that can no longer be repeated."""
    with runtime.work() as work:
        gone = work.db.execute(delete(SpentToken).where(SpentToken.expires_at <= work.now))
        return int(gone.rowcount)  # type: ignore[attr-defined]


#: The threads and their parts. Those that wait for other servers delay no other part.
THREADS: Mapping[str, Parts[Runtime]] = {
    "pushes": {"pushes": push_delivery.deliver_due},
    "notices": {"notices": notice_delivery.deliver_due},
    "comparison": {"comparison": gateway_comparison.compare_nightly},
    "upkeep": {"expired": expired_holdings.close_all, "history": _seal, "spent_tokens": _forget},
}
#: All parts.
PARTS: Parts[Runtime] = {name: part for parts in THREADS.values() for name, part in parts.items()}
