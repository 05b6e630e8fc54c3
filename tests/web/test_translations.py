"""Both languages say everything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import hosted_pages
import idp
import registration
from registration import notice_texts

IDP, HOSTED, REGISTRATION = (
    Path(str(package.__file__)).parent for package in (idp, hosted_pages, registration)
)
ROOTS = (IDP, HOSTED, REGISTRATION)
PO = "translations/fr/LC_MESSAGES/messages.po"
#: A colon without its space, a space that breaks or does not belong there, bare quotation marks.
WRONG_SPACE = re.compile(r"(?<!\u00a0):(?=\s|$)|\s[;?!]|«(?!\u00a0)|(?<!\u00a0)»")
#: Short texts that mean something else in registration: a noun, or a list of another gender.
OTHER_MEANING = {"All", "Change", "From"}
#: Fields of page texts, and of the sentences of refusals.
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}")
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]


def catalogue(root: Path) -> dict[str | tuple[str, ...], str | tuple[str, ...]]:
    """The French texts of a package."""
    with (root / PO).open("rb") as file:
        return {m.id: m.string for m in read_po(file) if m.id}


@pytest.mark.parametrize("root", ROOTS, ids=lambda path: path.name)
def test_every_text_has_a_french_translation(root: Path) -> None:
    """GW-10: nothing is missing, nothing is left over, placeholders agree."""
    found = {message for _, _, message, _, _ in extract_from_dir(root, method_map=METHODS)}
    french = catalogue(root)
    assert set(french) == found
    for message, translated in french.items():
        for text, shown in zip(_forms(message), _forms(translated), strict=True):
            assert shown, text
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(shown)), text


@pytest.mark.parametrize("root", [IDP, REGISTRATION], ids=lambda path: path.name)
def test_packages_translate_a_text_in_the_same_way(root: Path) -> None:
    """GW-10: an application merges its catalogue with the shared one, so a text that two have is
    the same in both."""
    ours, shared = catalogue(root), catalogue(HOSTED)
    assert {text: ours[text] for text in ours.keys() & shared} == {
        text: shared[text] for text in ours.keys() & shared
    }


def _unused_words() -> tuple[str, ...]:
    """The English words that CONTRIBUTING.md rules out."""
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (line,) = [one for one in text.splitlines() if one.startswith("Words that we do not use")]
    return tuple(re.findall(r"\*([^*]+)\*", line))


#: Of the column "not", what has no other meaning in a text.
REPLACED = ("log in", "log on", "login name", "passcode", "second factor", "second step",
            "prove that it is you", "confirm that it is you", "telephone")  # fmt: skip


@pytest.mark.parametrize("root", ROOTS, ids=lambda path: path.name)
def test_texts_keep_to_the_list_of_words(root: Path) -> None:
    """One word for one thing (CONTRIBUTING.md, Words)."""
    unused = (*_unused_words(), *REPLACED)
    assert len(unused) > 15
    pattern = re.compile(rf"\b({'|'.join(unused)})\b", re.IGNORECASE)
    for message in catalogue(root):
        for text in _forms(message):
            assert not pattern.findall(PLACEHOLDER.sub("", text)), text


def test_applications_translate_a_text_in_the_same_way() -> None:
    """GW-10: people see both applications, so what both say is the same in French."""
    ours, theirs = catalogue(IDP), catalogue(REGISTRATION)
    different = {text for text in ours.keys() & theirs.keys() if ours[text] != theirs[text]}
    assert different == OTHER_MEANING


@pytest.mark.parametrize("root", ROOTS, ids=lambda path: path.name)
def test_french_punctuation_has_the_spaces_of_quebec(root: Path) -> None:
    """GW-10: a space that does not break before a colon and inside quotation marks; none before
    a semicolon, a question mark or an exclamation mark, as in Quebec."""
    french = [text for string in catalogue(root).values() for text in _forms(string)]
    wrong = [text for text in french if WRONG_SPACE.search(re.sub(r"\w+://", "", text))]
    assert wrong == []


def test_the_colon_is_translated() -> None:
    """GW-10: a sign that a page sets after a text has no French."""
    bare = re.compile(r"(\}\}|%\}|</\w+>):(?=\s|<|$)")
    pages = [path for root in ROOTS for path in root.rglob("*.html")]
    assert [str(path) for path in pages if bare.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("path", sorted(IDP.rglob("*.fr.txt")), ids=lambda path: path.name)
def test_mails_have_the_same_spaces(path: Path) -> None:
    """GW-10: the same of what people read in mails and text messages."""
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\w+://", "x", path.read_text("utf-8"), flags=re.DOTALL)
    assert WRONG_SPACE.findall(text) == []


def test_mails_of_registration_have_the_same_spaces() -> None:
    """GW-10: the same of the mails of registration."""
    mails = [texts["fr"] for texts in notice_texts.TEXTS.values()]
    french = [part for mail in mails for part in (mail.subject, mail.body)]
    french += [notice_texts.ADDED["fr"], notice_texts.REMOVED["fr"], notice_texts.FOOT["fr"]]
    assert [text for text in french if WRONG_SPACE.search(text)] == []


def _forms(string: str | tuple[str, ...]) -> tuple[str, ...]:
    """A text, or its singular and plural."""
    return (string,) if isinstance(string, str) else string
