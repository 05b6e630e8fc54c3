"""State machines (Hypothesis) against the gateway."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from idp.app import create_app, db
from idp.ports import Ports, SystemTokens
from idp.settings import Settings
from tests.fakes import FakeClock, FakeMailer, FakeSms
from tests.world import World


class OwnGateway(RuleBasedStateMachine):
    """Each run has a gateway of its own, on a copy of the prepared database."""

    base: Settings
    prepared: Path

    def open_world(self, **changes: Any) -> None:
        """Start the gateway, with these settings changed."""
        self.folder = tempfile.mkdtemp()
        copy = Path(self.folder) / "gateway.db"
        shutil.copy(self.prepared, copy)
        address = f"sqlite:///{copy}"
        settings = replace(self.base, database_url=address, redis_url="", **changes)
        clock, mailer, sms = FakeClock(), FakeMailer(), FakeSms()
        app = create_app(settings, Ports(clock, SystemTokens(), mailer, sms))
        self.world = World(app, settings, clock, mailer, sms)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            with self.world.app.app_context():
                db.session.remove()
                db.engine.dispose()
            shutil.rmtree(self.folder)
