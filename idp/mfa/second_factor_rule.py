"""When a second factor is required: the rule of an environment, a client or a role group."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from idp.mfa.prompt_reasons import PromptReason


class Rule(StrEnum):
    """When a second factor is required, the mildest rule first. Each rule includes the ones before
    it."""

    RISK = "risk"
    EVERY_30_DAYS = "every_30_days"
    ALWAYS = PromptReason.ALWAYS


def strictest(rules: Iterable[str]) -> Rule:
    """The strictest rule; an unknown name means always."""
    order = list(Rule)
    named = [Rule(name) if name in order else Rule.ALWAYS for name in rules if name]
    return max(named, key=order.index, default=Rule.RISK)
