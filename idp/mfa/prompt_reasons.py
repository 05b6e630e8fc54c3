"""Why a second factor is asked for, or not."""

from __future__ import annotations

from enum import StrEnum


class PromptReason(StrEnum):
    """Why a second factor is asked for. Other evidence of the risk engine is not shown to anybody
    but operators."""

    OPERATOR_CHANGE = "operator_change"
    NEW_DEVICE = "new_device"
    FORGOTTEN_DEVICE = "forgotten_device"
    STOLEN_DEVICE = "stolen_device"
    FIRST_SIGN_IN = "first_sign_in"
    YOUNG_ACCOUNT = "young_account"
    DORMANT_ACCOUNT = "dormant_account"
    NEW_COUNTRY = "new_country"
    IMPOSSIBLE_TRAVEL = "impossible_travel"
    AFTER_NEW_PASSWORD = "after_new_password"
    AFTER_UNLOCK = "after_unlock"
    AFTER_FACTOR_CHANGE = "after_factor_change"
    AFTER_COPIED_PASSKEY = "after_copied_passkey"
    NEW_NETWORK = "new_network"
    NEW_BROWSER = "new_browser"
    UNUSUAL_HOUR = "unusual_hour"
    FAILURES_BEFORE = "failures_before"
    FAILURES_OF_NETWORK = "failures_of_network"
    LISTED_NETWORK = "listed_network"
    UNLIKE_YOU = "unlike_you"
    NOT_REMEMBERED = "not_remembered"
    ALWAYS = "always"
    DUE = "due"
    ENROLMENT = "enrolment"
    STEP_UP = "step_up"
    #: The risk could not be assessed.
    NOT_ASSESSED = "not_assessed"


class Feature(StrEnum):
    """What the risk engine compares."""

    NETWORK = "network"
    #: A network or provider that the person has not used before.
    NOVELTY = "novelty"
    BROWSER = "browser"
    #: A proved key of the browser.
    KEY = "key"
    RARITY = "rarity"
    HOUR = "hour"
    FAILURES = "failures"


class EvidenceCode(StrEnum):
    """What the risk engine found about a feature. Codes that a holder can understand are prompt
    reasons too, of the same name."""

    USUAL_NETWORK = "usual_network"
    NEW_NETWORK = PromptReason.NEW_NETWORK
    LISTED_NETWORK = PromptReason.LISTED_NETWORK
    USUAL_BROWSER = "usual_browser"
    NEW_BROWSER = PromptReason.NEW_BROWSER
    PROVED_KEY = "proved_key"
    #: How often the person signs in, compared with others.
    HOW_OFTEN = "how_often"
    HOUR = "hour"
    UNUSUAL_HOUR = PromptReason.UNUSUAL_HOUR
    FAILURES_BEFORE = PromptReason.FAILURES_BEFORE
    FAILURES_OF_NETWORK = PromptReason.FAILURES_OF_NETWORK


#: What is recorded as a reason to ask.
Reason = PromptReason | EvidenceCode


class NoPromptReason(StrEnum):
    """Why no second factor is required."""

    #: A passkey with user verification counts as two factors.
    PASSKEY = "passkey"
    #: The risk is low, and the holder wanted this browser remembered.
    LOW_RISK = "low_risk"
    REMEMBERED_BROWSER = "remembered_browser"
    #: The rule is ``every_30_days``, and a factor was verified in this browser within that time.
    RECENT_FACTOR = "recent_factor"
    #: A factor would be required, but the account has none.
    NO_FACTOR_SET_UP = "no_factor_set_up"


class AccountChange(StrEnum):
    """What happened to an account since its last sign-in, so that the next one is verified."""

    NEW_PASSWORD = "new_password"
    UNLOCK = "unlock"
    FACTOR_CHANGE = "factor_change"
    COPIED_PASSKEY = "copied_passkey"


#: The reason to ask for a second factor after each; a change without one is found at import.
AFTER = {change: PromptReason(f"after_{change}") for change in AccountChange}
