"""What axe finds in pages: all of its rules, best practices included, and each thing once."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

from tests.gallery.chromium import Stage
from tests.gallery.studio import View

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
#: The rules whose findings depend on colours.
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
#: The places of a page: the path to each element, with the attributes that style sheets look at. No
#: colour depends on an element beside it.
PLACES = """() => {
  const styled = /^(class|type|role|disabled|open|hidden|checked|aria-[cis].*|data-.*)$/;
  const sheets = [...document.querySelectorAll('link[rel="stylesheet"]')].map((e) => e.href);
  const paths = new Map([[null, sheets.join()]]);
  for (const e of document.querySelectorAll("*")) {
    const kept = [...e.attributes].filter((a) => styled.test(a.name));
    const here = kept.map((a) => a.name + a.value).sort();
    paths.set(e, `${paths.get(e.parentElement)} ${e.localName}${here}`);
  }
  return [...new Set(paths.values())];
}"""
RUN = """async (options) => {
  const found = await axe.run(document, { resultTypes: ["violations"], ...options });
  const words = (rule, node) => {
    const why = node.any.concat(node.all, node.none).map((check) => check.message)[0];
    return `${rule.id}: ${node.html.slice(0, 160)} (${why || rule.help})`;
  };
  return found.violations.flatMap((rule) => rule.nodes.map((node) => words(rule, node)));
}"""


class Judge:
    """Looks at pages of one language, one after the other."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._shapes: set[str] = set()
        self._places: set[str] = set()

    def findings(self, stage: Stage, view: View) -> list[str]:
        """What is wrong with the page: at 320 pixels it is wider than the window, or axe finds
        something in it, in the light or the dark scheme, with everything opened."""
        stage.page.set_viewport_size({"width": 320, "height": 900})
        stage.show(view)
        stage.open_details()
        wide = stage.sideways()
        found = [f"does not fit: {wide}"] if wide else []
        # The page without its words: axe finds the same in pages of one shape.
        shape = WORDS.sub("", view.answer.text)
        if shape not in self._shapes:
            self._shapes.add(shape)
            found += self._judged(stage.page)
        return [f"{view.name}: {one}" for one in found]

    def _judged(self, page: Page) -> list[str]:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")
        page.evaluate(AXE)
        if self._language != "en":
            return _run(page, runOnly={"type": "rule", "values": TEXTS})
        places = set(page.evaluate(PLACES))
        if places <= self._places:
            return _run(page, rules={rule: {"enabled": False} for rule in COLOURS})
        self._places |= places
        found = _run(page)
        page.emulate_media(color_scheme="dark")
        return found + [
            f"dark: {one}" for one in _run(page, runOnly={"type": "rule", "values": COLOURS})
        ]


def _run(page: Page, **options: Any) -> list[str]:
    return [str(one) for one in page.evaluate(RUN, options)]
