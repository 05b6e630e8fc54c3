"""Accessibility of every page, as axe judges it: all of its rules, best practices included."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.gallery.chromium import open_stage
from tests.gallery.studio import LOCALES, View
from tests.gallery.walk import MODULES, Walker

pytestmark = pytest.mark.browser
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
#: The rules whose findings depend on colours: the dark scheme is asked for these only.
COLOURS = ["color-contrast", "link-in-text-block"]
#: The rules whose findings depend on words: pages in French, which have the elements and styles of
#: the English ones, are asked for these only.
TEXTS = [
    "aria-command-name", "aria-dialog-name", "aria-input-field-name", "aria-meter-name",
    "aria-progressbar-name", "aria-toggle-field-name", "aria-tooltip-name", "aria-treeitem-name",
    "button-name", "document-title", "empty-heading", "empty-table-header",
    "form-field-multiple-labels", "frame-title", "frame-title-unique", "html-has-lang",
    "html-lang-valid", "html-xml-lang-mismatch", "image-alt",
    "image-redundant-alt", "input-button-name", "input-image-alt", "label", "label-title-only",
    "landmark-unique", "link-name", "role-img-alt", "select-name", "skip-link",
    "summary-name", "svg-img-alt", "table-duplicate-name", "valid-lang",
]  # fmt: skip
WORDS = re.compile(r' (?:href|value|content|nonce|src|action|data-[a-z-]+)="[^"]*"|(?<=>)[^<]+')
RUN = """async (only) => {
  const options = { resultTypes: ["violations"] };
  if (only.length) options.runOnly = { type: "rule", values: only };
  const found = await axe.run(document, options);
  const words = (rule, node) => {
    const why = node.any.concat(node.all, node.none).map((check) => check.message)[0];
    return `${rule.id}: ${node.html.slice(0, 160)} (${why || rule.help})`;
  };
  return found.violations.flatMap((rule) => rule.nodes.map((node) => words(rule, node)));
}"""


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    tmp_path: Path, chromium: Browser, language: str, module: ModuleType
) -> None:
    """GW-05: light and dark, everything opened; at 320 pixels nothing is wider than the window."""
    findings: list[str] = []
    judged: set[str] = set()
    with open_stage(chromium, language) as stage:
        for view in Walker(tmp_path, language, tuple(module.AREAS)).views():
            stage.page.set_viewport_size({"width": 320, "height": 900})
            stage.show(view)
            stage.open_details()
            if wide := stage.sideways():
                findings.append(f"{view.name}: does not fit: {wide}")
            if (form := shape(view)) not in judged:
                judged.add(form)
                findings += [f"{view.name}: {found}" for found in judge(stage.page, language)]
    assert not findings, "\n".join(findings)


def shape(view: View) -> str:
    """The page without its words: axe finds the same in pages of one shape."""
    return WORDS.sub("", view.answer.text)


def judge(page: Page, language: str) -> list[str]:
    """What axe finds in the page that is open."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
    page.evaluate(AXE)
    if language != "en":
        return _findings(page, TEXTS)
    found = _findings(page)
    page.emulate_media(color_scheme="dark")
    return found + [f"dark: {one}" for one in _findings(page, COLOURS)]


def _findings(page: Page, only: Sequence[str] = ()) -> list[str]:
    found: list[Any] = page.evaluate(RUN, list(only))
    return [str(one) for one in found]
