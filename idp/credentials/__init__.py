"""Secrets and their delivery: passwords, hashing, links, one-time codes, text messages, notices.

A secret is stored as a hash or a keyed digest, and most are valid once. This package never decides
who may have a secret, starts a session or changes the state of an account.
"""

__all__ = [
    "assertions",
    "certificates",
    "credential_refusals",
    "dpop_proofs",
    "hashing",
    "links",
    "notices",
    "one_time_codes",
    "passwords",
    "signed_challenges",
    "signed_proofs",
    "temporary_passwords",
    "text_messages",
]
