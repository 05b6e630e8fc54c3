"""Signing in: the first factor, its risk, the second factor, and the session at the end.

``state_loader`` makes the state of a sign-in from what is stored, ``transitions`` changes it. Only
this package starts a session. It asks ``factors``, ``credentials`` and ``idp.mfa``, and never
changes the state or the role groups of an account.
"""

__all__ = [
    "assurance_levels",
    "completion",
    "first_factor",
    "password_change",
    "population_counts",
    "second_factor",
    "signin_refusals",
    "state_loader",
    "transitions",
]
