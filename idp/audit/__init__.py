"""The audit trail: events are written here, chained, read, exported and verified.

Every change writes its event through ``events`` in its own transaction. Nothing here changes an
account, a client or a session, and no event is ever changed or deleted.
"""

__all__ = [
    "actions",
    "chain",
    "events",
    "lost_events",
    "trail",
    "verification",
]
