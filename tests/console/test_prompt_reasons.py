"""Why extra verification was asked for, on the operator's page."""

from __future__ import annotations

import pytest

from idp.mfa.prompt_reasons import EvidenceCode, PromptReason
from idp.policy.console import ACCESS
from idp.web import factor_words
from idp.web.console import prompt_reason_texts
from tests.console.desk import Desk
from tests.world import World


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_console_answers_with_and_without_the_last_slash(world: World, slash: str) -> None:
    """With a slash at the end and without."""
    answer = Desk.of(world, ACCESS).browser.get(f"/console{slash}")
    assert answer.status_code == 200
    assert "<h1" in answer.text


def test_reasons_for_operators_are_in_the_third_person(world: World) -> None:
    """The holder's page says "you", the operator's page "the person"."""
    code = PromptReason.NEW_DEVICE
    with world.app.test_request_context():
        assert factor_words.reasons([code]) == ["You have not used this browser before."]
        assert prompt_reason_texts.reasons([code, code]) == [
            "The person has not used this browser before."
        ]
        texts = [prompt_reason_texts.TEXTS.of(reason) for reason in PromptReason]
        assert not [text for text in texts if "you" in text.lower().replace("your", "you").split()]


def test_evidence_is_in_words(world: World) -> None:
    """Also as a reason, where the holder has no text for it."""
    entry = {"feature": "rarity", "code": "how_often", "shown": "", "weight": 0.7}
    with world.app.test_request_context():
        assert prompt_reason_texts.evidence([entry]) == [
            entry | {"feature": "frequency", "code": "how often the person signs in"}
        ]
        assert prompt_reason_texts.reasons([EvidenceCode.HOW_OFTEN, "of_another_release"]) == [
            "how often the person signs in",
            "of_another_release",
        ]
