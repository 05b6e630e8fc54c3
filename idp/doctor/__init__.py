"""What `gateway doctor` looks at: whether this installation can do its work, and what to do if not.

``checkup`` runs the checks, each within a bounded time, and ``findings`` is what they return.
``local_checks`` are about this machine, ``stored_checks`` about the database, ``reach_checks``
about other servers and the public address. They change nothing and send no message.
"""

__all__ = [
    "checkup",
]
