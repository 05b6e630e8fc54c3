"""Why second factors are refused."""

from __future__ import annotations

from enum import StrEnum

from idp.errors import Refused
from service_base.phrases import N_


class FactorRefusal(StrEnum):
    """Why a code or an answer was refused."""

    WRONG_CODE = "wrong_code"
    CODE_USED = "code_used"
    TOO_MANY_CODES = "too_many_codes"
    WRONG_ANSWER = "wrong_answer"


class LastRequiredFactor(Refused):
    """The policy requires the factor."""

    template = N_("the last required verification method cannot be removed")


class TooManyFactors(Refused):
    """The account has as many factors as it can have."""

    template = N_("an account has at most {most} verification methods")
    most: int
