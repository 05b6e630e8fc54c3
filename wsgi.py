"""The application for WSGI servers, wired from the environment."""

from __future__ import annotations

import os

from idp.app import create_app
from idp.foundation import say_risks
from idp.settings import Settings

app = create_app(Settings.from_environ(os.environ))
say_risks(app)
