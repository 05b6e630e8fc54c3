"""All rate limits of the application in one table. Limits counted in the database are elsewhere:
lock-outs in ``idp.session.failed_attempts``, text messages in ``idp.credentials.text_messages``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idp.limits import budgets


@dataclass(frozen=True)
class Rule:
    """A limit on some endpoints."""

    #: The setting with the limit.
    setting: str
    #: Each endpoint is counted separately.
    endpoints: tuple[str, ...]
    #: The key that a request counts under.
    budget: Callable[[], str] = budgets.by_network
    #: Which requests count.
    applies: Callable[[], bool] = budgets.is_post
    #: The response that counts; None for all.
    refusal: int | None = None
    #: Whether only refused requests use up the budget of an account or client: valid credentials
    #: are accepted, invalid ones get 429 when the budget is used up.
    allows_valid_credentials: bool = False


RULES = (
    Rule("signin_limit", ("login.signin", "login.passkey")),
    Rule(
        "recovery_limit",
        ("recover.start", "recover.unlock", "recover.reset_code", "recover.unlock_code"),
    ),
    # What is refused is counted apart: guessing is dear, signing in many people is not. A passkey
    # alone is not among it: nobody guesses a signature.
    Rule("signin_failure_limit", ("login.signin",), budgets.by_name, refusal=400),
    Rule(
        "signin_failure_limit",
        (
            "login.change_password",
            "login.factor",
            "login.enrol",
            # Codes of devices.
            "login.device",
            "profile.verify",
        ),
        budgets.by_holder,
        refusal=400,
    ),
    # Client secrets and signatures cannot be guessed, and failed attempts of machine accounts are
    # limited in the database (``machines``), so valid credentials can pass first.
    Rule(
        "signin_failure_limit",
        ("oidc.token", "oidc.par", "oidc.device_authorization"),
        budgets.by_client,
        budgets.sends_client_credentials,
        401,
        True,
    ),
    Rule(
        "signin_failure_limit",
        ("oidc.register_client", "oidc.registration"),
        applies=budgets.is_any,
        refusal=401,
    ),
    Rule(
        "signin_failure_limit",
        ("forward.verify",),
        budgets.by_basic,
        budgets.sends_basic,
        401,
        True,
    ),
)
#: Pushes, by client; each operation of a Bulk counts (``counter.count_push``).
PUSH = "push_limit"
