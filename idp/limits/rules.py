"""All rate limits of the application in one table. What is counted in the database is elsewhere:
lock-outs in ``idp.session.failed_attempts``, text messages in ``idp.credentials.text_messages``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idp.limits import budgets


@dataclass(frozen=True)
class Rule:
    """A limit on some endpoints."""

    #: The setting that holds it.
    setting: str
    #: Each of them has a count of its own.
    endpoints: tuple[str, ...]
    #: Whom a request counts for.
    budget: Callable[[], str] = budgets.by_network
    #: Which requests are looked at.
    applies: Callable[[], bool] = budgets.is_post
    #: The answer that counts; None for every one.
    refusal: int | None = None
    #: Whether a budget that is one's own uses up only what is refused: the right secret gets
    #: through, the wrong one gets 429 when the budget is empty.
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
        ("login.change_password", "login.factor", "login.enrol", "profile.verify"),
        budgets.by_holder,
        refusal=400,
    ),
    # Nobody guesses the secret of a client, or a signature, and what a machine may guess wrong is
    # in the database (``machines``): looking at them first lets nobody guess more.
    Rule(
        "signin_failure_limit",
        ("oidc.token",),
        budgets.by_client,
        budgets.sends_client_credentials,
        401,
        True,
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
