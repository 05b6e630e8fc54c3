"""The enrolment steps and their order (AC-04, Z-12)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from idp.mfa.assurance import FactorKind, is_strong


class Step(StrEnum):
    """A page of enrolment."""

    #: A code by mail: a password alone permits no enrolment (N66).
    PROOF = "proof"
    #: The recovery telephone; can be skipped.
    PHONE = "phone"
    FACTOR = "factor"
    QUESTION = "question"
    #: The recovery codes, shown once.
    CODES = "codes"
    FINISH = "finish"


ORDER = tuple(Step)
#: Steps completed on their page; the others are complete when their factor exists.
PASSED_BY_HAND = (Step.PHONE, Step.FACTOR, Step.CODES)


@dataclass(frozen=True)
class Policy:
    """What the environment requires."""

    #: Whether text messages can be sent.
    offers_texts: bool
    #: Whether codes by mail are a sufficient factor.
    weak_counts: bool

    def is_enough(self, kinds: frozenset[FactorKind]) -> bool:
        """Whether these factors meet the policy: at least one that counts."""
        return any(self.weak_counts or is_strong(kind) for kind in kinds)


@dataclass(frozen=True)
class State:
    """What is already set up."""

    is_proved: bool
    kinds: frozenset[FactorKind]
    has_question: bool
    passed: frozenset[str]


def next_step(policy: Policy, state: State) -> Step:
    """The first step that remains; ``FINISH`` if none does."""
    done = {
        Step.PROOF: state.is_proved,
        Step.PHONE: not policy.offers_texts or Step.PHONE in state.passed,
        Step.FACTOR: policy.is_enough(state.kinds) and Step.FACTOR in state.passed,
        Step.QUESTION: state.has_question,
        Step.CODES: Step.CODES in state.passed,
    }
    return next((step for step in ORDER if not done.get(step)), Step.FINISH)
