"""What operators do for account holders: verify the caller, see the status, act.

Every action passes one gate (``account_actions``). No operator acts on an account of their own
person, or chooses or sees a lasting password.
"""

__all__ = [
    "account_actions",
    "account_status",
    "caller_verification",
    "helpdesk_refusals",
]
