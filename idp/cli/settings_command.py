"""``gateway settings``: the settings in effect and their sources."""

from __future__ import annotations

import os
from typing import Any

import click

from idp.cli.common import as_json, show_list
from idp.errors import ConfigurationError
from idp.setting_groups import in_order


@click.command()
@as_json
def settings(as_json: bool) -> None:
    """List all settings by group with value, source, default and description. Secrets are hidden.

    Also shows invalid settings and accepted risks."""
    from idp.settings import Settings

    rows = [_row(group, item) for group, item in in_order()]
    columns = ("name", "value", "source", "default", "meaning")
    show_list(columns, rows, as_json=as_json, empty="")
    if as_json:
        return
    try:
        risks = Settings.from_environ(os.environ).risks()
    except ConfigurationError as error:
        click.echo(f"Invalid settings: {error.detail}.")
        return
    for risk in risks:
        click.echo(f"Accepted risk: {risk}.")


def _row(group: str, item: Any) -> dict[str, Any]:
    from idp import settings_checks
    from service_base.environment import shown

    name = f"IDP_{item.name.upper()}"
    secret = item.metadata["secret"]
    source = "default"
    if name in os.environ:
        source = "environment"
    elif secret and f"{name}_FILE" in os.environ:
        source = "file"
    value = os.environ.get(name, shown(item.default)) if not secret else "(not set)"
    if secret and source != "default":
        value = "(set)"
    return {
        "group": group,
        "name": name,
        "meaning": item.metadata["meaning"],
        "default": "" if secret else shown(item.default),
        "value": value,
        "source": source,
        "safe_in_production": settings_checks.safe_values(item.name),
        "secret": secret,
    }
