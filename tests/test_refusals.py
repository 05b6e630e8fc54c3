"""Refusals are classes with data; their sentences are made in one place."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import idp
import registration_bridge
from idp.clients.client_refusals import (
    ClientNameInvalid,
    RegistrationInvalid,
    RuleFault,
    RuleViolated,
    UriInvalid,
    UriUse,
)
from idp.directory.directory_refusals import ParticipantEnded, PhoneInvalid, RoleGroupExists
from idp.errors import Conflict, Invalid, Refusal, Refused, fields_of
from idp.policy.redirect_uri import UriFault
from idp.web import refusal_texts
from service_base.phrases import Phrase
from tests.world import World


def every(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """All refusals of the services and of the bridge."""
    for package in (idp, registration_bridge):
        root = Path(str(package.__file__)).parent
        for path in root.rglob("*refusals.py"):
            import_module(".".join(path.relative_to(root.parent).with_suffix("").parts))
    for one in kind.__subclasses__():
        yield one
        yield from every(one)


def test_a_refusal_has_data_and_one_sentence() -> None:
    """Callers read the class and its data; the sentence names them."""
    refusal = ParticipantEnded("109120")
    assert refusal.number == "109120"
    assert isinstance(refusal, Refused)
    assert refusal.detail == str(refusal) == "participant 109120 has ended"
    assert PhoneInvalid("12\n").detail == r"'12\n' is not a phone number"
    with pytest.raises(Refused, match="participant 109120 has ended"):
        raise refusal


def test_a_refusal_with_several_faults_lists_each() -> None:
    """All are found at once, and each is a value."""
    faults = (
        ClientNameInvalid(200),
        RuleViolated(RuleFault.PKCE_WAIVED),
        UriInvalid(UriUse.REDIRECT, "ftp://a", UriFault.SCHEME),
    )
    refusal = RegistrationInvalid(faults)
    assert refusal.faults == faults
    assert refusal.detail == (
        "the name is 1 to 200 printable characters; PKCE can be waived for a confidential client "
        "only; redirect URI 'ftp://a' must use https"
    )


@pytest.mark.parametrize("kind", [Invalid, Conflict, Refused])
def test_callers_never_compare_the_text_of_a_refusal(kind: type[Refusal]) -> None:
    """A sentence instead of a class is an error."""
    with pytest.raises(TypeError):
        kind("the participant has ended")  # type: ignore[call-arg]


def test_a_refusal_without_its_sentence_is_found_at_import() -> None:
    """So is a sentence that names what the refusal does not have."""
    with pytest.raises(TypeError, match="Silent has no sentence"):

        class Silent(Refused):
            number: str

    with pytest.raises(TypeError, match="Wrong has no participant"):

        class Wrong(Refused):
            template = "participant {participant} has ended"
            number: str


def test_a_page_shows_the_sentence_in_its_language(world: World) -> None:
    """With the phrases in its data."""
    refusal = UriInvalid(UriUse.HOME, "http://a", UriFault.SCHEME)
    with world.app.test_request_context(headers={"Accept-Language": "fr"}):
        assert refusal_texts.of(RoleGroupExists("EMI")) == "Le groupe de rôles EMI existe déjà."
        assert refusal_texts.of(refusal) == "URL d’accueil 'http://a'\u00a0: doit utiliser https."
        both = RegistrationInvalid((ClientNameInvalid(200), refusal))
        assert refusal_texts.of(both).startswith(
            "le nom compte de 1 à 200 caractères affichables; "
        )
    with world.app.test_request_context(headers={"Accept-Language": "en"}):
        assert refusal_texts.of(RoleGroupExists("EMI")) == "Role group EMI already exists."


def test_a_translated_sentence_names_the_same_data() -> None:
    """A wrong name in braces would be an error of the page."""
    with (Path(str(idp.__file__)).parent / "translations/fr/LC_MESSAGES/messages.po").open(
        "rb"
    ) as file:
        french = {str(message.id): message.string for message in read_po(file) if message.id}
    known = [kind for kind in every() if kind.template in french]
    assert len(known) > 60
    for kind in known:
        assert fields_of(french[kind.template]) == fields_of(kind.template), kind.__name__


def test_the_data_of_refusals_are_not_sentences() -> None:
    """Reasons that are stored or compared are names; phrases are texts and are never stored."""
    names = [one for kind in _enumerations() for one in kind if " " in one]
    assert not names


def _enumerations() -> Iterator[type[StrEnum]]:
    for kind in StrEnum.__subclasses__():
        if kind.__module__.endswith("_refusals") and not issubclass(kind, Phrase):
            yield kind
