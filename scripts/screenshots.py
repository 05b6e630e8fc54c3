"""Screenshots of every page in every state, for ``make screenshots``.

They are written to ``build/screenshots/<language>/<scheme>/<width>/<page>.png``; a contact sheet of
each folder, ``build/screenshots/sheets/<language>-<scheme>-<width>-<number>.png``, shows many pages
at once. No server is needed: ``tests/gallery`` walks through the pages and shows them in Chromium.
The command fails when a page does not fit or has no view in the walk.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from html import escape
from itertools import product
from pathlib import Path

import click
from playwright.sync_api import Browser, Page, sync_playwright

from tests import quick
from tests.gallery.chromium import Stage, launch, open_stage
from tests.gallery.studio import LOCALES, View
from tests.gallery.walk import Walker

BUILD = Path(__file__).parents[1] / "build" / "screenshots"
WIDTHS = ("1280", "390", "320")
SCHEMES = ("light", "dark", "forced")
HEIGHT = 800
#: Pages on a contact sheet by their width, and how wide each is drawn.
ON_SHEET = {"1280": 12, "390": 24, "320": 24}
DRAWN = {"1280": 480, "390": 234, "320": 234}
SHEET_WIDTH = 2032
SHEET = """<!doctype html><style>
body {{ margin: 16px; display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start;
  font: 13px sans-serif; background: #888; color: #000; width: {width}px }}
figure {{ margin: 0; width: {drawn}px }} img {{ width: 100%; display: block }}
figcaption {{ background: #fff; padding: 4px; overflow-wrap: anywhere }}
div {{ max-height: {height}px; overflow: hidden }}
</style>{figures}"""


@dataclass(frozen=True)
class Wish:
    """What to make pictures of."""

    pages: tuple[str, ...]
    languages: tuple[str, ...]
    widths: tuple[str, ...]
    schemes: tuple[str, ...]

    def is_wanted(self, name: str) -> bool:
        """Whether a page is one of those asked for: by its name, its beginning, or a pattern."""
        return not self.pages or any(
            name == page or name.startswith(f"{page}/") or fnmatch(name, page)
            for page in self.pages
        )


@click.command()
@click.option(
    "--page", "pages", multiple=True, help="A page, an area or a pattern: console/*/home."
)
@click.option("--language", "languages", multiple=True, type=click.Choice(list(LOCALES)))
@click.option("--width", "widths", multiple=True, type=click.Choice(WIDTHS))
@click.option("--scheme", "schemes", multiple=True, type=click.Choice(SCHEMES))
def main(
    pages: tuple[str, ...],
    languages: tuple[str, ...],
    widths: tuple[str, ...],
    schemes: tuple[str, ...],
) -> None:
    """Make pictures of every page: in both languages, at each width, light, dark and in
    forced colours. Options can be given several times."""
    wish = Wish(pages, languages or tuple(LOCALES), widths or WIDTHS, schemes or SCHEMES)
    quick.install()
    if not pages:
        shutil.rmtree(BUILD, ignore_errors=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        problems = [p for one in wish.languages for p in _walk(browser, one, wish)]
        with open_stage(browser, "en") as stage:
            _sheets(stage.page, wish)
        browser.close()
    for problem in problems:
        click.echo(problem, err=True)
    click.echo(f"pictures: {BUILD}")
    sys.exit(1 if problems else 0)


def _walk(browser: Browser, language: str, wish: Wish) -> Iterator[str]:
    """Make the pictures of a language; yields what is wrong."""
    with tempfile.TemporaryDirectory() as folder, open_stage(browser, language) as stage:
        walker = Walker(Path(folder), language, wish.pages)
        for view in walker.views():
            if wish.is_wanted(view.name):
                click.echo(f"{language} {view.name}")
                yield from _pictures(stage, view, language, wish)
        if not wish.pages:
            yield from (f"no view of: {name}" for name in walker.unvisited())


def _pictures(stage: Stage, view: View, language: str, wish: Wish) -> Iterator[str]:
    """The pictures of one view."""
    stage.page.set_viewport_size({"width": int(wish.widths[0]), "height": HEIGHT})
    stage.show(view)
    if view.opened:
        stage.open_details()
    for width in wish.widths:
        stage.page.set_viewport_size({"width": int(width), "height": HEIGHT})
        if wide := stage.sideways():
            yield f"{language} {view.name} does not fit {width} px: {wide}"
        for scheme in wish.schemes:
            stage.use_scheme(scheme)
            path = BUILD / language / scheme / width / f"{view.name}.png"
            stage.page.screenshot(path=path, full_page=True)


def _sheets(page: Page, wish: Wish) -> None:
    """Contact sheets of what was made: the pages of a folder in the order of their names."""
    page.unroute_all()
    for language, scheme, width in product(wish.languages, wish.schemes, wish.widths):
        folder = BUILD / language / scheme / width
        paths = sorted(
            path for path in folder.rglob("*.png") if wish.is_wanted(_name(folder, path))
        )
        for number, start in enumerate(range(0, len(paths), ON_SHEET[width]), 1):
            some = paths[start : start + ON_SHEET[width]]
            source = BUILD / "sheet.html"
            source.write_text(_sheet(folder, some, width), encoding="utf-8")
            page.set_viewport_size({"width": SHEET_WIDTH, "height": HEIGHT})
            page.goto(source.as_uri(), wait_until="load")
            name = f"{language}-{scheme}-{width}-{number:02}.png"
            page.screenshot(path=BUILD / "sheets" / name, full_page=True)
            source.unlink()


def _sheet(folder: Path, paths: list[Path], width: str) -> str:
    """The document of a contact sheet."""
    figures = "".join(
        f"<figure><figcaption>{escape(_name(folder, path))}</figcaption>"
        f'<div><img src="{path.as_uri()}"></div></figure>'
        for path in paths
    )
    return SHEET.format(width=SHEET_WIDTH - 32, drawn=DRAWN[width], height=1000, figures=figures)


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


if __name__ == "__main__":
    main()
