"""Translations in templates. A template is compiled once for each language, with its texts in it,
so that a page looks up only the texts that have variables."""

from __future__ import annotations

import threading
from collections.abc import MutableMapping
from typing import Any, Protocol

from flask import Flask, templating
from flask.sansio.app import App
from flask_babel import get_locale, get_translations
from jinja2 import Template, nodes, pass_context
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

#: How templates call what translates.
_NAMES = ("_", "gettext")
_Globals = MutableMapping[str, Any] | None


class Catalogue(Protocol):
    """The texts of a language, as Flask-Babel gives them."""

    def ugettext(self, message: str) -> str:
        """The text in this language."""


class _Texts(NodeTransformer):
    """Replaces the calls that translate a constant by its text in one language."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 - named by Jinja
        self.generic_visit(node)
        has_more = node.kwargs or node.dyn_args or node.dyn_kwargs
        match node.node, node.args:
            case nodes.Name() as called, [nodes.Const() as text] if not has_more:
                if called.name in _NAMES:
                    found = _formatted(str(self._catalogue.ugettext(text.value)), {})
                    return nodes.TemplateData(found, lineno=node.lineno)
        return node


class Environment(templating.Environment):
    """The environment of an application, and, apart, one for each language that it is asked in."""

    #: The language that templates are compiled for; None in the one of the application.
    language: str | None = None
    _texts: _Texts | None = None
    #: The names of templates that are compiled.
    _compiled: set[str]

    def __init__(self, app: App, **options: Any) -> None:
        super().__init__(app, **options)
        self._languages: dict[str, Environment] = {}
        self._lock = threading.RLock()

    def _of_request(self) -> Environment:
        language = _language()
        if language not in self._languages:
            with self._lock:
                if language not in self._languages:
                    self._languages[language] = self._in(language)
        return self._languages[language]

    def _in(self, language: str) -> Environment:
        found = self.overlay()
        found.language, found._texts = language, _Texts(get_translations())
        found._compiled = set()
        return found

    def get_template(
        self, name: str | Template, parent: str | None = None, globals: _Globals = None
    ) -> Template:
        if self._texts is None:
            return self._of_request().get_template(name, parent, globals)
        if isinstance(name, Template) or name in self._compiled:
            return super().get_template(name, parent, globals)
        # Requests that meet at a new template wait for the one that compiles it: it takes half of a
        # second, and much memory.
        with self._lock:
            found = super().get_template(name, parent, globals)
        self._compiled.add(name)
        return found

    def from_string(
        self,
        source: str | nodes.Template,
        globals: _Globals = None,
        template_class: type[Template] | None = None,
    ) -> Template:
        if self._texts is None:
            return self._of_request().from_string(source, globals, template_class)
        return super().from_string(source, globals, template_class)

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,
    ) -> str:
        if self._texts is not None:
            source = self._texts.visit(source)
        return super()._generate(source, name, filename, defer_init)


def install(app: Flask) -> None:
    """Replace ``gettext`` in the templates of an application, which has Flask-Babel already."""
    kept: dict[str, Catalogue] = {}

    @pass_context
    def gettext(context: Context, text: str, /, **variables: Any) -> str:
        language = _language()
        if language not in kept:
            kept[language] = get_translations()
        found = str(kept[language].ugettext(text))
        if context.eval_ctx.autoescape:
            found = Markup(found)  # noqa: S704 - the texts are ours; variables are escaped
        return _formatted(found, variables)

    app.jinja_env.globals["gettext"] = gettext


def _language() -> str:
    locale = get_locale()
    return str(locale.language) if locale else ""


def _formatted(text: str, variables: dict[str, Any]) -> str:
    """As in Jinja's extension, each text is a format string."""
    return text % variables if "%" in text else text
