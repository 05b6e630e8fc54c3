"""Second factors of an account: enrolled, verified, removed.

Calculations are in ``idp.mfa``; here they meet the database. Nothing here decides whether a factor
is needed, or opens a session.
"""

__all__ = [
    "authenticators",
    "enrolment",
    "factor_codes",
    "passkeys",
    "recovery_codes",
    "recovery_phone",
    "security_question",
]
