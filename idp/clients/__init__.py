"""Relying parties and other OAuth clients: registered, changed, disabled, their secrets.

A client with far reach is changed by two operators (``client_proposals``). Nothing here issues a
token.
"""

__all__ = [
    "client_proposals",
    "client_secrets",
    "registry",
]
