"""Accessibility of every page of the gateway, as axe judges it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser

from tests.browser.axe import Judge
from tests.gallery.chromium import open_stage
from tests.gallery.studio import LOCALES
from tests.gallery.walk import MODULES, Walker

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    tmp_path: Path, chromium: Browser, language: str, module: ModuleType
) -> None:
    """GW-05: light and dark, everything opened; at 320 pixels nothing is wider than the window."""
    findings: list[str] = []
    judge = Judge(language)
    with open_stage(chromium, language) as stage:
        for view in Walker(tmp_path, language, tuple(module.AREAS)).views():
            findings += judge.findings(stage, view)
    assert not findings, "\n".join(findings)
