"""Browsers and what they hold: sessions, recognised browsers, sign-ins under way, failed attempts.

It ends sessions and says which relying parties have to hear of it. It never asks who may sign in,
and knows no password and no role group.
"""

__all__ = [
    "browsers",
    "failed_attempts",
    "interactions",
    "sessions",
]
