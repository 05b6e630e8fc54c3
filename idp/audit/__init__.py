"""The audit trail: events are written here, chained, read, exported and verified.

A change writes its event through ``events`` in its own transaction. Nothing here changes an
account, a client or a session. Only ``archive`` deletes events, which it wrote into a file before;
only ``chain`` updates one, to set its sequence number and its seal. ``security_events`` queues what
receivers are told of an event.
"""

__all__ = [
    "actions",
    "archive",
    "chain",
    "events",
    "lost_events",
    "security_events",
    "sign_in_activity",
    "trail",
    "verification",
]
