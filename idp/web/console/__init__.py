"""The console: Customer Relations, Access Management, audit. One gate before every page."""

from __future__ import annotations

from flask import Blueprint

from idp.web.console import (
    access_report_page,
    account_change_pages,
    account_list_pages,
    account_page,
    alarm_pages,
    audit_pages,
    caller_page,
    client_pages,
    confirmed_acts,
    home_page,
    initial_token_pages,
    labels,
    logo_pages,
    message_words,
    navigation,
    operation_pages,
    participant_pages,
    proposal_pages,
    role_group_pages,
)
from idp.web.console.gate import GatedBlueprint


def blueprint() -> Blueprint:
    """All pages under ``/console``."""
    pages = GatedBlueprint("console", __name__, url_prefix="/console", acts=confirmed_acts.ACTS)
    pages.add_app_template_filter(labels.state, "state_in_words")
    pages.add_app_template_filter(labels.function, "function_in_words")
    pages.add_app_template_filter(labels.kind, "kind_in_words")
    pages.add_app_template_filter(message_words.kind, "message_kind_in_words")
    pages.add_app_template_filter(labels.refused, "refusal_in_words")
    pages.add_app_template_global(navigation.places, "console_navigation")
    pages.add_app_template_global(navigation.menu, "console_menu")
    for module in (
        home_page,
        account_list_pages,
        account_page,
        account_change_pages,
        caller_page,
        client_pages,
        initial_token_pages,
        logo_pages,
        role_group_pages,
        operation_pages,
        participant_pages,
        proposal_pages,
        access_report_page,
        alarm_pages,
        audit_pages,
    ):
        module.register(pages)
    return pages
