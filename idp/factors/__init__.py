"""Second factors of an account: enrol, verify and remove them.

The algorithms are in ``idp.mfa``; this package stores the results. It never decides whether a
factor is required, and never starts a session.
"""

__all__ = [
    "authenticators",
    "automatic_passkeys",
    "enrolment",
    "factor_codes",
    "factor_refusals",
    "passkeys",
    "recovery_codes",
    "recovery_phone",
    "security_question",
]
