"""Accessibility of every page of registration, as axe judges it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from registration.app import create_app
from registration.models import Base
from registration.ports import Ports
from registration.settings import Settings
from registration.transaction import Runtime
from tests.browser.axe import Judge
from tests.fakes import FakeClock, FakeMailer
from tests.gallery.chromium import open_stage
from tests.gallery.studio import LOCALES
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW, participant
from tests.registration.test_page_views import views
from tests.registration.test_pages import Site

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_nothing_in_registration(
    tmp_path: Path, chromium: Browser, language: str
) -> None:
    """WCAG 2.2 AA, light and dark; at 320 pixels nothing is wider than the window."""
    settings = Settings(
        secret_key="registration-secret-of-the-tests-0001",
        database_url=f"sqlite:///{tmp_path}/registration.db",
    )
    clock, bridge = FakeClock(), FakeBridge()
    clock.moment = NOW
    runtime = Runtime.of(settings, Ports(clock, FakeMailer(), bridge))
    Base.metadata.create_all(runtime.engine)
    with runtime.work() as work:
        participant(work)
    app = create_app(settings, runtime.ports)
    findings: list[str] = []
    judge = Judge(language)
    with open_stage(chromium, language) as stage:
        for view in views(Site(app, runtime, bridge), language):
            findings += judge.findings(stage, view)
    app.extensions["runtime"].close()
    runtime.close()
    assert not findings, "\n".join(findings)
