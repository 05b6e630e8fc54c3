"""Views in Chromium: the document is the answer that a view holds, styles and scripts are
files of this tree. No server runs and nothing reaches the network."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Playwright, Route

import hosted_pages
import idp
from tests.gallery.studio import LOCALES, View

STATIC = tuple(Path(str(p.__file__)).parent / "static" for p in (idp, hosted_pages))
#: The logos of the seeded applications, by their paths.
LOGOS = {
    f"/logos/{hashlib.sha256(path.read_bytes()).hexdigest()}": path
    for path in (Path(idp.__file__).parent / "data" / "icons").iterdir()
}
#: The browser without windows needs a quarter less time.
INSTALLED = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(os.path.exists, INSTALLED), INSTALLED[0])
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
#: How a page goes on at once; it stays here.
GOES_ON = re.compile(rb'<meta http-equiv="refresh"[^>]*>|[^;>]*\.submit\(\);')
#: What the page is wider than its window by, and what closes over the right edge; a table that
#: should be stacked and scrolls.
SIDEWAYS = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (e) => {
    for (let p = e.parentElement; p; p = p.parentElement) {
      if (getComputedStyle(p).overflowX !== "visible") return true;
    }
    return false;
  };
  const cut = [...document.querySelectorAll("a, button, summary, input, select")].find((e) => {
    const box = e.getBoundingClientRect();
    return box.width > 1 && box.left < 0 && !scrolls(e) && !e.matches(".skip, .visually-hidden");
  });
  if (cut) return `<${cut.tagName}> ${cut.textContent.trim()} begins left of the window`;
  const stacks = [...document.querySelectorAll(".stacking")];
  const box = stacks.find((e) => e.scrollWidth > e.clientWidth);
  if (box) return `${box.getAttribute("aria-label")}: scrolls instead of being stacked`;
  if (document.documentElement.scrollWidth <= width) return "";
  const wide = [...document.body.querySelectorAll("*")].filter(
    (e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e));
  const last = wide[wide.length - 1];
  return `${document.documentElement.scrollWidth} in ${width}`
    + (last ? `: <${last.tagName.toLowerCase()} class="${last.className}">` : "");
}"""


def launch(playwright: Playwright) -> Browser:
    """The browser of this machine."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))


class Stage:
    """A tab that shows one view after the other."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._shown: View | None = None
        page.route("**/*", self._serve)

    def show(self, view: View) -> None:
        """Open a view."""
        self._shown = view
        self.page.goto(view.url, wait_until="load")

    def use_scheme(self, scheme: str) -> None:
        """Show pages ``light``, ``dark``, or ``forced``: in the few colours of a system theme."""
        is_forced = scheme == "forced"
        self.page.emulate_media(
            color_scheme="dark" if scheme == "dark" else "light",
            forced_colors="active" if is_forced else "none",
        )

    def open_details(self) -> None:
        """Open what the page keeps closed at first."""
        self.page.evaluate("document.querySelectorAll('details').forEach((e) => e.open = true)")

    def sideways(self) -> str:
        """Why the page does not fit: it scrolls sideways, or a control is cut off at the left.
        Empty when it fits."""
        return str(self.page.evaluate(SIDEWAYS))

    def _serve(self, route: Route) -> None:
        if not route.request.is_navigation_request():
            path = urlsplit(route.request.url).path
            names = [folder / path.removeprefix("/static/") for folder in STATIC]
            paths = names if path.startswith("/static/") else [LOGOS.get(path, Path())]
            found = next((p for p in paths if p.is_file()), None)
            route.fulfill(path=found) if found else route.fulfill(status=204)
            return
        view, self._shown = self._shown, None
        if view is None:
            route.fulfill(status=204)
            return
        headers = {k: v for k, v in view.answer.headers.items() if k.lower() != "set-cookie"}
        body = GOES_ON.sub(b"", view.answer.data)
        route.fulfill(status=view.answer.status_code, headers=headers, body=body)


@contextmanager
def open_stage(browser: Browser, language: str) -> Iterator[Stage]:
    """A clean profile in a language."""
    context = browser.new_context(locale=LOCALES[language], reduced_motion="reduce")
    try:
        yield Stage(context.new_page())
    finally:
        context.close()
