"""The audit trail: events are written here, chained, read, exported and verified.

A change writes its event through ``events`` in its own transaction. Nothing here changes an
account, a client or a session. No event is deleted; only ``chain`` updates one, to set its
sequence number and its seal.
"""

__all__ = [
    "actions",
    "chain",
    "events",
    "lost_events",
    "sign_in_activity",
    "trail",
    "verification",
]
