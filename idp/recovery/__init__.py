"""Forgotten passwords, unlocking and password changes by the holder.

It answers the same to everyone, and proves the holder before anything changes. It opens no session
of its own; sign-in does.
"""

__all__ = [
    "self_service",
]
