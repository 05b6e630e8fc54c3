"""Both languages say everything."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import idp

ROOT = Path(idp.__file__).parent
CATALOGUE = ROOT / "translations/fr/LC_MESSAGES/messages.po"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]


def test_every_text_has_its_french() -> None:
    """GW-10: nothing is missing, nothing is left over, placeholders agree."""
    found = {message for _, _, message, _, _ in extract_from_dir(ROOT, method_map=METHODS)}
    with CATALOGUE.open("rb") as file:
        french = {m.id: m.string for m in read_po(file) if m.id}
    assert set(french) == found
    for text, translated in french.items():
        assert translated, text
        assert re.findall(r"%\(\w+\)s", text) == re.findall(r"%\(\w+\)s", translated), text
