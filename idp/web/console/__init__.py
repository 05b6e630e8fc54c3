"""The console: Customer Relations, Access Management, audit. One gate before every page."""

from __future__ import annotations

from flask import Blueprint

from idp.web.console import (
    account,
    caller,
    clients,
    groups,
    home,
    operation,
    participants,
    proposals,
    report,
    trail,
    words,
)
from idp.web.console.gate import GatedBlueprint


def blueprint() -> Blueprint:
    """All pages under ``/console``."""
    pages = GatedBlueprint("console", __name__, url_prefix="/console")
    pages.add_app_template_filter(words.state, "state_in_words")
    pages.add_app_template_filter(words.function, "function_in_words")
    pages.add_app_template_filter(words.kind, "kind_in_words")
    pages.add_app_template_filter(words.refused, "refusal_in_words")
    for module in (
        home,
        account,
        caller,
        clients,
        groups,
        operation,
        participants,
        proposals,
        report,
        trail,
    ):
        module.register(pages)
    return pages
