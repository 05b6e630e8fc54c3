"""The help desk: operators verify the caller, see the account status and act for account holders.

Every action passes the same checks (``account_actions``). No operator acts on an account of their
own, or chooses or sees a permanent password.
"""

__all__ = [
    "account_actions",
    "account_status",
    "caller_verification",
    "consequences",
    "helpdesk_refusals",
]
