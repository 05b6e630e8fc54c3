"""Translations in templates. A page has about thirty; each looks the language up once, and the
catalogue of a language is kept."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_babel import get_locale, get_translations
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup


def install(app: Flask) -> None:
    """Replace ``gettext`` in the templates of an application, which has Flask-Babel already."""
    kept: dict[str, Any] = {}

    def translated(text: str) -> str:
        locale = get_locale()
        language = locale.language if locale else ""
        if language not in kept:
            kept[language] = get_translations()
        return str(kept[language].ugettext(text))

    @pass_context
    def gettext(context: Context, text: str, /, **variables: Any) -> str:
        """As in Jinja's extension: a format string, safe in a page."""
        found = translated(text)
        if context.eval_ctx.autoescape:
            found = Markup(found)  # noqa: S704 - the texts are ours; variables are escaped
        return found % variables if "%" in found else found

    app.jinja_env.globals["gettext"] = gettext
