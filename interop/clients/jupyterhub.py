"""JupyterHub with oauthenticator: the configuration of the recipe, and a page of the hub that shows
who is signed in."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

PORT = int(os.environ["PORT"])
FOLDER = Path.cwd()
#: What a trial adds: ports, and pages of its own.
ADDED = f'''
import asyncio

from jupyterhub.handlers.base import BaseHandler
from tornado import web

c.JupyterHub.bind_url = "http://127.0.0.1:{PORT}"
c.JupyterHub.hub_port = {PORT + 2}
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret_file = "{FOLDER}/cookie_secret"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{PORT + 1}"
c.ConfigurableHTTPProxy.command = ["node", "{FOLDER}/node_modules/.bin/configurable-http-proxy"]
c.ConfigurableHTTPProxy.pid_file = "{FOLDER}/proxy.pid"


class PersonHandler(BaseHandler):
    @web.authenticated
    async def get(self):
        user = self.current_user
        self.write(f"{{user.name}}: {{[group.name for group in user.groups]}}")


class RefreshHandler(BaseHandler):
    """Once with a token that is not valid, which the hub renews."""

    @web.authenticated
    async def get(self):
        user = self.current_user
        state = await user.get_auth_state()
        if self.get_argument("renewed", ""):
            self.write("not renewed" if state["access_token"] == "none" else "refreshed")
            return
        state["access_token"] = state["token_response"]["access_token"] = "none"
        await user.save_auth_state(state)
        await asyncio.sleep(1.5)
        self.redirect(self.request.path + "?renewed=1")


c.JupyterHub.extra_handlers = [("/person", PersonHandler), ("/refresh", RefreshHandler)]
'''

configuration = FOLDER / "jupyterhub_config.py"
recipe = Path("recipe/python").read_text(encoding="utf-8")
configuration.write_text(recipe + ADDED, encoding="utf-8")
os.environ["JUPYTERHUB_CRYPT_KEY"] = secrets.token_hex(32)
os.execv(sys.executable, [sys.executable, "-m", "jupyterhub", "--config", str(configuration)])
