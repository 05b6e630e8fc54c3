"""The application for WSGI servers, wired from the environment."""

from __future__ import annotations

import os

from idp.app import create_app
from idp.foundation import log_accepted_risks
from idp.settings import Settings

app = create_app(Settings.from_environ(os.environ))
log_accepted_risks(app)
