"""``gateway scim``: push an export of the registration system, or compare it (PR-07)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import as_json, show_json, show_table

if TYPE_CHECKING:
    from rich.console import Console

    from registration_bridge.bridge_client import BridgeClient, Result
    from registration_bridge.export import Entry
    from registration_bridge.reconciliation import Step

Command = Callable[..., Any]
#: Up to this number, accounts are looked up one by one.
FEW = 100
BATCH = 100
SHOWN = 50


@click.group()
def scim() -> None:
    """Push an export of the registration system, or compare it with the gateway.

    The file is CSV with a header line, or JSON lines with one SCIM User each. The commands use HTTP
    and need a client with the scope scim."""


_EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
#: The file, and how to reach the gateway, in the order of ``--help``.
_CONNECTION = (
    click.argument("file", type=_EXISTING_FILE),
    click.option("--url", envvar="GATEWAY_URL", required=True, help="URL of the gateway."),
    click.option("--client-id", envvar="GATEWAY_CLIENT_ID", required=True, help="Client ID."),
    click.option(
        "--secret-file",
        type=_EXISTING_FILE,
        help="Client secret file, or set GATEWAY_CLIENT_SECRET.",
    ),
    click.option("--client-secret", envvar="GATEWAY_CLIENT_SECRET", hidden=True),
    click.option(
        "--key-file",
        type=_EXISTING_FILE,
        help="Private key file (PEM) for private_key_jwt.",
    ),
    as_json,
)


def _connected(command: Command) -> Command:
    """Add the file and the options for the connection to a command, and call it with a client of
    the gateway and the entries of the file."""

    @wraps(command)
    def run(
        file: Path,
        url: str,
        client_id: str,
        secret_file: Path | None,
        client_secret: str | None,
        key_file: Path | None,
        **more: Any,
    ) -> None:
        from registration_bridge.bridge_client import BridgeError

        secret = secret_file.read_text().strip() if secret_file else client_secret
        if not secret and key_file is None:
            raise click.UsageError("Use --secret-file or --key-file, or set GATEWAY_CLIENT_SECRET.")
        entries = _entries(file)
        try:
            with _client(url, client_id, secret or "", key_file) as client:
                command(client, entries, **more)
        except BridgeError as error:
            status = f" ({error.status})" if error.status else ""
            raise click.ClickException(f"{error.detail}{status}") from error

    decorated: Command = run
    for option in reversed(_CONNECTION):
        decorated = option(decorated)
    return decorated


def _entries(file: Path) -> list[Entry]:
    from registration_bridge import export

    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            return export.read(text, is_csv=file.suffix.casefold() == ".csv")
    except (export.BadExport, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file}: {error}") from error


def _client(url: str, client_id: str, secret: str, key_file: Path | None) -> BridgeClient:
    from registration_bridge.bridge_client import BridgeClient

    try:
        key = key_file.read_text() if key_file else ""
        return BridgeClient(url, client_id, secret, key=key)
    except ValueError as error:
        raise click.UsageError(f"{key_file}: not a private key (PEM), EC P-256 or RSA") from error


@scim.command()
@_connected
@click.option(
    "--apply", "is_applied", is_flag=True, help="Apply the changes. Without it, a dry run."
)
def push(client: BridgeClient, entries: list[Entry], *, is_applied: bool, as_json: bool) -> None:
    """Create, change, suspend and deactivate accounts to match FILE.

    Without --apply, this is a dry run: the table shows what would change and what would be refused.
    Accounts that are not in FILE stay the same. The exit code is 1 if a change is refused."""
    from registration_bridge import reconciliation

    steps = reconciliation.plan(entries, _present(client, entries))
    results: list[Result] = []
    for part in _progress(_batches(steps), "pushing" if is_applied else "trying"):
        operations = [step.operation() for step in part]
        results += client.bulk(operations, is_dry=not is_applied)
    done = sum(result.is_done for result in results)
    if as_json:
        show_json(
            {
                "applied": is_applied,
                "unchanged": len(entries) - len(steps),
                "steps": [_record(*pair) for pair in zip(steps, results, strict=True)],
            }
        )
    else:
        _show(steps, results, is_applied=is_applied)
        would = "" if is_applied else " would be"
        click.echo(
            f"{len(entries) - len(steps)} unchanged, {done}{would} done, "
            f"{len(results) - done}{would} refused"
        )
        if steps and not is_applied:
            click.echo("Dry run: nothing was changed. To apply the changes, use --apply.")
    if done < len(results):
        raise SystemExit(1)


@scim.command()
@_connected
@click.option("--except", "known", multiple=True, help="UserID to ignore. Repeat for several.")
def diff(
    client: BridgeClient, entries: list[Entry], *, known: tuple[str, ...], as_json: bool
) -> None:
    """Show differences between the gateway and FILE, a full export. Nothing is changed.

    Accounts that are missing from FILE, or deactivated in it, are differences too. Ignore accounts
    with --except, such as those of gateway operators. The exit code is 1 if there are
    differences."""
    from registration_bridge import export, reconciliation

    present = _everybody(client)
    steps = reconciliation.plan(entries, present)
    named = {key for entry in entries for key in export.keys_of(entry.values)}
    named |= {key for name in known for key in export.keys_of({"userName": name})}
    extra = {
        user["userName"]: user
        for user in present.values()
        if not any(key in named for key in export.keys_of(user))
    }
    rows = [_drift(step) for step in steps]
    rows += [
        {"account": name, "drift": "not in the export", "differences": [], "line": None}
        for name in sorted(extra)
    ]
    if as_json:
        show_json({"compared": len(entries), "drift": rows})
    else:
        shown = ((row["account"], row["drift"], _words(row["differences"])) for row in rows[:SHOWN])
        show_table(("account", "drift", "gateway → export"), shown, empty="No drift.")
        _print_remaining(len(rows))
        click.echo(f"{len(entries)} compared, {len(rows)} differ")
    if rows:
        raise SystemExit(1)


def _present(client: BridgeClient, entries: list[Entry]) -> dict[tuple[str, str], dict[str, Any]]:
    """The Users that the entries may match."""
    from registration_bridge import export

    if len(entries) > FEW:
        return _everybody(client)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in entries:
        for attribute, value in export.keys_of(entry.values):
            user = client.find(attribute, value)
            if user is not None:
                found[attribute, value] = user
                break
    return found


def _everybody(client: BridgeClient) -> dict[tuple[str, str], dict[str, Any]]:
    from rich.progress import track

    from registration_bridge import export

    total = client.count()
    rows = track(client.users(), "reading", total=total, console=_errors(), transient=True)
    return {key: user for user in rows for key in export.keys_of(user)}


def _batches(steps: list[Step]) -> list[list[Step]]:
    return [steps[start : start + BATCH] for start in range(0, len(steps), BATCH)]


def _progress(parts: list[list[Step]], label: str) -> Iterable[list[Step]]:
    from rich.progress import track

    return track(parts, label, console=_errors(), transient=True)


def _errors() -> Console:
    """Progress goes to standard error, and only on a terminal."""
    from rich.console import Console

    return Console(stderr=True)


def _record(step: Step, result: Result) -> dict[str, Any]:
    return {
        "line": step.entry.line,
        "account": step.entry.name,
        "action": step.action,
        "differences": step.differences,
        "status": result.status,
        "detail": result.detail or None,
        "effects": result.effects,
    }


def _drift(step: Step) -> dict[str, Any]:
    words = {"create": "not in the gateway", "close": "closed in the export", "change": "differs"}
    return {
        "line": step.entry.line,
        "account": step.entry.name,
        "drift": words[step.action],
        "differences": step.differences,
    }


def _show(steps: list[Step], results: list[Result], *, is_applied: bool) -> None:
    """Refused changes first."""
    pairs = sorted(zip(steps, results, strict=True), key=lambda pair: pair[1].is_done)
    done = "done" if is_applied else "possible"
    rows = (
        (
            str(step.entry.line),
            step.entry.name,
            step.action,
            _words(step.differences),
            "\n".join([done, *_entails(result.effects)])
            if result.is_done
            else f"{result.status}: {result.detail}",
        )
        for step, result in pairs[:SHOWN]
    )
    columns = ("line", "account", "action", "gateway → export", "result")
    show_table(columns, rows, empty="No changes.")
    _print_remaining(len(pairs))


def _entails(effects: dict[str, Any]) -> Iterator[str]:
    """The further effects of a dry-run push."""
    for mail in effects.get("mails", ()):
        yield f"{mail['count']} mail: {mail['kind']}"
    if count := effects.get("sessions"):
        yield f"{count} session{'s' * (count > 1)} would end"
    for application in effects.get("applications", ()):
        yield f"{application['name']} would be lost"


def _print_remaining(count: int) -> None:
    if count > SHOWN:
        click.echo(f"and {count - SHOWN} more. To show all, use --json.")


def _words(differences: list[tuple[str, Any, Any]]) -> str:
    return "\n".join(f"{name}: {_plain(old)} → {_plain(new)}" for name, old, new in differences)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        value = [f"{key}={label}" if label else key for key, label in value.items()]
    if isinstance(value, list):
        value = ", ".join(value)
    return str(value) if value not in (None, "") else "none"
