"""Secrets and how they reach people: passwords, hashing, links, one-time codes, texts, notices.

A secret is kept as a hash or a keyed digest and used once where it can be. Nothing here decides who
may have one, opens a session or changes the state of an account.
"""

__all__ = [
    "assertions",
    "hashing",
    "links",
    "notices",
    "one_time_codes",
    "passwords",
    "temporary_passwords",
    "text_messages",
]
