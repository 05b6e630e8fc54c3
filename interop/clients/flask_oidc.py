"""Flask-OIDC: the application of the recipe, and a page that lets its tokens expire."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

# This file has the name of the library.
sys.path.pop(0)
os.environ["SECRET_KEY"] = secrets.token_hex()

from flask import redirect, session

recipe: dict[str, Any] = {"__name__": "rosters"}
exec(compile(Path("recipe/python").read_text(encoding="utf-8"), "recipe", "exec"), recipe)  # noqa: S102
app = recipe["app"]


@app.get("/refresh")
def refresh() -> Any:
    """Once with a token that has expired, which the library renews."""
    token = session["oidc_auth_token"]
    if before := session.pop("before", ""):
        return "the same access token" if token["access_token"] == before else "refreshed"
    session["before"] = token["access_token"]
    session["oidc_auth_token"] = dict(token) | {"expires_at": 1}
    return redirect("/refresh")


app.run("localhost", int(os.environ["PORT"]))
