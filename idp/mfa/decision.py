"""The decision whether to require a second factor: a rule applied to a risk (manual 9.1.2; MF-03,
Z-13)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from idp.mfa.prompt_reasons import NoPromptReason, PromptReason, Reason
from idp.mfa.risk_values import Band, Risk
from idp.mfa.second_factor_rule import Rule

DUE = timedelta(days=30)
#: Evidence above this weight is given as a reason.
SUSPICIOUS = 0.5


@dataclass(frozen=True)
class Browser:
    """The state of this browser; it does not apply to the person's other browsers."""

    is_remembered: bool = False
    #: When a second factor was last verified in it.
    proved_at: datetime | None = None


@dataclass(frozen=True)
class NoPrompt:
    """The first factor is enough."""

    #: The reasons; never empty.
    reasons: tuple[NoPromptReason, ...]


@dataclass(frozen=True)
class Prompt:
    """A second factor is required; a strong one, if available, with ``needs_strong``."""

    #: Names, the strongest evidence first.
    reasons: tuple[Reason, ...]
    needs_strong: bool = False


Decision = NoPrompt | Prompt


def decide(risk: Risk | None, rule: Rule, browser: Browser, now: datetime) -> Decision:
    """Without a risk (the assessment failed) a second factor is required."""
    if risk is None:
        return Prompt((PromptReason.NOT_ASSESSED,))
    reasons = list(dict.fromkeys(_reasons(risk, rule, browser, now)))
    if not reasons:
        recent = (NoPromptReason.RECENT_FACTOR,) if rule is Rule.EVERY_30_DAYS else ()
        return NoPrompt((NoPromptReason.LOW_RISK, NoPromptReason.REMEMBERED_BROWSER, *recent))
    return Prompt(tuple(reasons), needs_strong=risk.band is Band.HIGH)


def _reasons(risk: Risk, rule: Rule, browser: Browser, now: datetime) -> Iterable[Reason]:
    yield from risk.hits
    # Without a history there is nothing to compare.
    if risk.band is not Band.LOW and PromptReason.FIRST_SIGN_IN not in risk.hits:
        weighty = sorted(risk.evidence, key=lambda entry: -entry.weight)
        codes = dict.fromkeys(entry.code for entry in weighty if entry.weight > SUSPICIOUS)
        yield from codes if codes or risk.hits else [PromptReason.UNLIKE_YOU]
    if not browser.is_remembered and not risk.hits:
        yield PromptReason.NOT_REMEMBERED
    if rule is Rule.ALWAYS:
        yield PromptReason.ALWAYS
    if rule is Rule.EVERY_30_DAYS and not _is_fresh(browser, now):
        yield PromptReason.DUE


def _is_fresh(browser: Browser, now: datetime) -> bool:
    return browser.proved_at is not None and now - browser.proved_at < DUE
