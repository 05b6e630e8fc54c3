"""The application for WSGI servers, wired from the environment."""

from __future__ import annotations

import os

from idp.app import create_app, start_tracing
from idp.foundation import log_accepted_risks
from idp.settings import Settings

_settings = Settings.from_environ(os.environ)
app = create_app(_settings)
log_accepted_risks(_settings)
start_tracing(app)
