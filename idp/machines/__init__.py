"""Accounts of programs: their networks, keys, and the one check behind each use by a program.

A machine account never has a session of a browser, and no person signs in with one.
"""

__all__ = [
    "machine_accounts",
    "machine_keys",
]
