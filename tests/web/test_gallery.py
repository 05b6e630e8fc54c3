"""The walk through all pages that screenshots and axe share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gallery.studio import LOCALES
from tests.gallery.walk import Walker

pytestmark = pytest.mark.demo

#: What the pages of errors show on purpose.
FAILURES = {"error/500", "error/503"}


@pytest.mark.parametrize("language", LOCALES)
def test_every_page_and_template_is_visited(tmp_path: Path, language: str) -> None:
    """A new page has a view; no view is a failure; each is in its language."""
    walker = Walker(tmp_path, language)
    seen = list(walker.views())
    assert walker.unvisited() == []
    failed = {view.name for view in seen if view.answer.status_code >= 500}
    assert failed == FAILURES
    for view in seen:
        assert f'<html lang="{language}">' in view.answer.text, view.name
