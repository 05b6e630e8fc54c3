"""The form that switches the language."""

from __future__ import annotations

from flask import redirect, request
from werkzeug.wrappers import Response

from hosted_pages import languages
from registration.pages.sign_in_pages import local_path


def language() -> Response:
    """Keep the choice in this browser and go back."""
    languages.remember(request.form.get("locale", ""))
    return redirect(local_path(request.form.get("next")), code=303)
