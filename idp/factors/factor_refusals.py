"""Why second factors are refused."""

from __future__ import annotations

from enum import StrEnum


class FactorRefusal(StrEnum):
    """Why a code or an answer was refused."""

    WRONG_CODE = "wrong_code"
    CODE_USED = "code_used"
    TOO_MANY_CODES = "too_many_codes"
    WRONG_ANSWER = "wrong_answer"
