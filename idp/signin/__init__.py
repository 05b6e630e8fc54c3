"""Signing in: one attempt, its risk, the second step, and the session at its end.

Only this package opens a session. It asks ``factors``, ``credentials`` and ``idp.mfa``, and never
changes an account's state or role groups.
"""

__all__ = [
    "attempt",
    "population_counts",
]
