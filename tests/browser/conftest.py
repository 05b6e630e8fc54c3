"""A real Chromium, driven by Playwright, at the demo's address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.gallery.chromium import CHROMIUM

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def driver() -> Iterator[Playwright]:
    """A process can have only one."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def chromium(driver: Playwright) -> Iterator[Browser]:
    """One browser for the session; each test has a context of its own. Without Chromium the tests
    are skipped, except in CI."""
    if not Path(CHROMIUM).exists() and not os.environ.get("CI"):
        pytest.skip(f"needs Chromium at {CHROMIUM}")
    browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A clean profile in English; fails the test when a page logs an error."""
    context = chromium.new_context(locale="en-CA")
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab that may not log errors: a blocked script or style is a fault of ours."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error" and "status of 400" not in message.text
            else None
        ),
    )
    page.complaints = complaints  # type: ignore[attr-defined]
    return page


@pytest.fixture
def people(live_demo: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The seeded people by role."""
    return {person["role"]: person for person in live_demo["people"]}


@pytest.fixture
def apps(live_demo: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The relying parties by name."""
    return {app["name"]: app for app in live_demo["relying_parties"]}
