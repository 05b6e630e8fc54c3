"""``gateway settings``: the settings in force and where they come from."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

import click

from idp.cli.common import as_json, show_list
from idp.settings import Settings, shown


@click.command()
@as_json
def settings(as_json: bool) -> None:
    """List every setting: variable, meaning, default, present source. Secrets are not shown."""
    rows = [_row(item) for item in fields(Settings)]
    columns = ("name", "value", "source", "default", "meaning")
    show_list(columns, rows, as_json=as_json, empty="")


def _row(item: Any) -> dict[str, Any]:
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
        "name": name,
        "meaning": item.metadata["meaning"],
        "default": "" if secret else shown(item.default),
        "value": value,
        "source": source,
        "secret": secret,
    }
