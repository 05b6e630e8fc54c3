"""What has to be set up before an account opens anything, and in which order (AC-04, Z-12)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from idp.mfa.assurance import FactorKind, is_strong


class Step(StrEnum):
    """A page of enrolment."""

    #: A code by mail: a password alone sets up no factor (N66).
    PROOF = "proof"
    #: The telephone for recovery; can be passed over.
    PHONE = "phone"
    FACTOR = "factor"
    QUESTION = "question"
    #: The recovery codes, shown once.
    CODES = "codes"
    FINISH = "finish"


ORDER = tuple(Step)
#: Steps that are done when their page says so; the others when what they set up is there.
PASSED_BY_HAND = (Step.PHONE, Step.FACTOR, Step.CODES)


@dataclass(frozen=True)
class Policy:
    """What this environment demands."""

    #: Whether text messages can be sent at all.
    offers_texts: bool
    #: Whether a code by mail is enough of a factor.
    weak_counts: bool

    def is_enough(self, kinds: frozenset[FactorKind]) -> bool:
        """Whether these factors are what is required: at least one that counts."""
        return any(self.weak_counts or is_strong(kind) for kind in kinds)


@dataclass(frozen=True)
class State:
    """What is there already."""

    is_proved: bool
    kinds: frozenset[FactorKind]
    has_question: bool
    passed: frozenset[str]


def next_step(policy: Policy, state: State) -> Step:
    """The first step that is still owed; ``FINISH`` when all are done."""
    done = {
        Step.PROOF: state.is_proved,
        Step.PHONE: not policy.offers_texts or Step.PHONE in state.passed,
        Step.FACTOR: policy.is_enough(state.kinds) and Step.FACTOR in state.passed,
        Step.QUESTION: state.has_question,
        Step.CODES: Step.CODES in state.passed,
    }
    return next((step for step in ORDER if not done.get(step)), Step.FINISH)
