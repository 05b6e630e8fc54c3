"""Forgotten passwords, unlocking, and password changes by the holder.

It answers the same to everyone, and verifies the holder before anything changes. It starts no
session; ``idp.signin`` does.
"""

__all__ = [
    "account_recovery",
    "password_replacement",
    "recovery_refusals",
    "recovery_requests",
]
