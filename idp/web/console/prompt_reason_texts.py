"""Why a second factor was required, in sentences about the account holder for operators.

The pages for account holders use ``factor_words``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_babel import lazy_gettext as _

from hosted_pages.texts import complete
from idp.mfa.prompt_reasons import EvidenceCode, Feature, PromptReason

TEXTS = complete(
    PromptReason,
    {
        PromptReason.OPERATOR_CHANGE: _(
            "A change in the console requires extra verification in the last 15 minutes."
        ),
        PromptReason.NEW_DEVICE: _("The person has not used this browser before."),
        PromptReason.FORGOTTEN_DEVICE: _(
            "The browser is no longer remembered, or the person signed out everywhere."
        ),
        PromptReason.STOLEN_DEVICE: _("The browser is different from the one that was remembered."),
        PromptReason.FIRST_SIGN_IN: _("This is the first sign-in of the person."),
        PromptReason.YOUNG_ACCOUNT: _(
            "The account is new. During the first days a code is required, until the person has "
            "signed in with one in this browser and from this network. For an administrator, or "
            "if the account has a role group with a rule of its own, it is required every time."
        ),
        PromptReason.DORMANT_ACCOUNT: _("The person had not signed in for a long time."),
        PromptReason.NEW_COUNTRY: _("The person has not signed in from this country before."),
        PromptReason.IMPOSSIBLE_TRAVEL: _(
            "The last sign-in was too far away to travel from in this time."
        ),
        PromptReason.AFTER_NEW_PASSWORD: _("The password was changed."),
        PromptReason.AFTER_UNLOCK: _("The account was unlocked."),
        PromptReason.AFTER_FACTOR_CHANGE: _("The verification methods were changed."),
        PromptReason.AFTER_COPIED_PASSKEY: _("A passkey of the person may have been copied."),
        PromptReason.NEW_NETWORK: _("The person does not usually sign in from this network."),
        PromptReason.NEW_BROWSER: _("The person does not usually use this type of browser."),
        PromptReason.UNUSUAL_HOUR: _("The person does not usually sign in at this time."),
        PromptReason.FAILURES_BEFORE: _(
            "There were recent failed sign-in attempts for the account."
        ),
        PromptReason.FAILURES_OF_NETWORK: _(
            "There were many failed sign-in attempts from the network."
        ),
        PromptReason.LISTED_NETWORK: _("The network has a history of abuse."),
        PromptReason.UNLIKE_YOU: _("The sign-in is different from the usual ones of the person."),
        PromptReason.NOT_REMEMBERED: _("The person did not ask to remember this browser."),
        PromptReason.ALWAYS: _(
            "The access of the person requires extra verification at every sign-in."
        ),
        PromptReason.DUE: _("Extra verification is required once a month in each browser."),
        PromptReason.ENROLMENT: _("The person has not finished setting up extra verification."),
        PromptReason.STEP_UP: _("The application requires extra verification."),
        PromptReason.NOT_ASSESSED: _("The risk could not be assessed."),
    },
)
#: What the risk engine compared, and what it found.
FEATURES = complete(
    Feature,
    {
        Feature.NETWORK: _("network"),
        Feature.NOVELTY: _("new network"),
        Feature.BROWSER: _("browser"),
        Feature.KEY: _("key of the browser"),
        Feature.RARITY: _("frequency"),
        Feature.HOUR: _("time of day"),
        Feature.FAILURES: _("failed attempts"),
    },
)
EVIDENCE = complete(
    EvidenceCode,
    {
        EvidenceCode.USUAL_NETWORK: _("usual network"),
        EvidenceCode.NEW_NETWORK: _("unusual network"),
        EvidenceCode.LISTED_NETWORK: _("network with a history of abuse"),
        EvidenceCode.USUAL_BROWSER: _("usual browser"),
        EvidenceCode.NEW_BROWSER: _("unusual browser"),
        EvidenceCode.PROVED_KEY: _("the browser proved its key"),
        EvidenceCode.HOW_OFTEN: _("how often the person signs in"),
        EvidenceCode.HOUR: _("time of the sign-in"),
        EvidenceCode.UNUSUAL_HOUR: _("unusual time of the sign-in"),
        EvidenceCode.FAILURES_BEFORE: _("failed attempts for the account"),
        EvidenceCode.FAILURES_OF_NETWORK: _("failed attempts from the network"),
    },
)


def reasons(codes: Iterable[str]) -> list[str]:
    """The texts of the reasons, each once. The code of another release is shown unchanged."""
    return list(
        dict.fromkeys(TEXTS.of(code) if code in TEXTS else EVIDENCE.of(code) for code in codes)
    )


def evidence(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The evidence of a recorded assessment, in words."""
    return [
        entry | {"feature": FEATURES.of(entry["feature"]), "code": EVIDENCE.of(entry["code"])}
        for entry in entries
    ]
