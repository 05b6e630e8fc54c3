"""Relying parties and other OAuth clients: register, change and disable them, and manage their
secrets.

Sensitive changes need two operators (``client_proposals``). This package never issues a token.
"""

__all__ = [
    "client_data",
    "client_keys",
    "client_metadata",
    "client_proposals",
    "client_refusals",
    "client_secrets",
    "client_validation",
    "event_stream_refusals",
    "event_streams",
    "initial_tokens",
    "key_documents",
    "key_hosts",
    "logos",
    "proposal_contents",
    "registration_refusals",
    "registrations",
    "registry",
]
