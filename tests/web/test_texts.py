"""No member of an enumeration is without its text."""

from __future__ import annotations

from enum import StrEnum

import pytest
from flask import render_template_string
from flask_babel import force_locale

from hosted_pages import texts
from hosted_pages.texts import MissingText
from idp.mfa.question_pool import POOL
from idp.models import Event
from idp.web import i18n, questions
from idp.web.console import labels
from tests.world import World


class Colour(StrEnum):
    """Two values to be named."""

    RED = "red"
    BLUE = "blue"


def test_a_missing_text_is_an_error_at_import() -> None:
    """The error names what is missing."""
    with pytest.raises(MissingText, match=r"^no text for <Colour\.BLUE: 'blue'>$") as missing:
        texts.complete(Colour, {Colour.RED: "Red"})
    assert missing.value.members == (Colour.BLUE,)


def test_every_question_of_the_pool_has_its_text(world: World) -> None:
    """MF-05: a question that only an older row names is shown by its name; a form that names none
    of the pool gets nothing."""
    with world.app.test_request_context("/"):
        assert all(questions.words(name).endswith("?") for name in POOL)
        assert questions.words("first_moped") == "first_moped"
        assert questions.words_or_nothing("first_moped") == ""
    with pytest.raises(MissingText, match="first_pet"):
        texts.complete(POOL, {name: name for name in POOL if name != "first_pet"})


def test_a_member_can_be_excluded_explicitly() -> None:
    """Where something else than a table has its text."""
    table = texts.complete(Colour, {Colour.RED: "Red"}, without=(Colour.BLUE,))
    assert table.of("red") == "Red"


def test_an_unknown_stored_value_is_shown_as_it_is() -> None:
    """A row of another release is never an error of the server."""
    assert texts.complete(Colour, {Colour.RED: "Red", Colour.BLUE: "Blue"}).of("green") == "green"


@pytest.mark.parametrize(
    ("reason", "data", "shown"),
    [
        ("account_locked", {"method": "passkey"}, "Correct passkey, but the account was locked"),
        ("account_locked", {"method": "password"}, "Correct password, but the account was locked"),
        ("account_locked", {}, "The account was locked"),
        ("unknown_account", {}, "Unknown account"),
        ("reason_of_another_release", {}, "reason_of_another_release"),
    ],
)
def test_a_refused_sign_in_is_shown_with_the_factor_used(
    world: World, reason: str, data: dict[str, str], shown: str
) -> None:
    """Only what was sent is called right; an older event does not say what that was."""
    event = Event(name="signin.refused", reason=reason, data=data)
    with world.app.test_request_context("/"):
        assert labels.refused(event) == shown


def test_cr09_an_extension_is_written_in_the_language_of_the_page(world: World) -> None:
    """CR-09: "ext." in English, "poste" in French."""
    written = []
    for language in ("en", "fr"):
        with world.app.test_request_context(headers={"Accept-Language": language}):
            written.append(i18n.phone("+16135550100", "12"))
    assert written == ["+1 613-555-0100 ext. 12", "+1 613-555-0100, poste 12"]


def test_texts_of_templates_are_translated_formatted_and_escaped(world: World) -> None:
    """The language can change between two texts of one request; a text is always a format string,
    and its variables are escaped."""
    text = "{{ _('until %(at)s', at='<b>') }} {{ _('100%% here') }} {{ _('Participant') }}"
    with world.app.test_request_context(base_url=world.settings.issuer):
        english = render_template_string(text)
        with force_locale("fr"):
            french = render_template_string(text)
        assert english == "until &lt;b&gt; 100% here Participant"
        assert french == "jusqu’au &lt;b&gt; 100% here Participant"
        assert render_template_string(text) == english


def test_texts_of_imported_components_are_in_the_language_of_the_page(world: World) -> None:
    """Templates are compiled for each language: so are those that they import."""
    text = "{% import '_components.html' as ui %}{{ ui.pager(first='/first') }}"
    with world.app.test_request_context(base_url=world.settings.issuer):
        english = render_template_string(text)
        with force_locale("fr"):
            french = render_template_string(text)
    assert "First page" in english
    assert "Première page" in french
