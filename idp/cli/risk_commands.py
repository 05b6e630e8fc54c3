"""``gateway risk``: simulate sign-ins and evaluate the risk engine."""

from __future__ import annotations

import csv
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import click

from idp.cli import replay_progress
from idp.cli.common import as_json, show_json, show_table

if TYPE_CHECKING:
    from idp.risk_lab.evaluation import Scored
    from idp.risk_lab.score_store import ScoreStore


@click.group()
def risk() -> None:
    """Simulate sign-ins and evaluate the risk engine."""


@risk.command()
@click.option(
    "--seed", default=1, show_default=True, help="Random seed. The same seed gives the same log."
)
@click.option("--people", default=400, show_default=True, type=click.IntRange(1, 100_000))
@click.option(
    "--bound",
    default=0,
    show_default=True,
    type=click.IntRange(0, 100),
    help="Percentage of browsers with a key. People's own sign-ins do not depend on it.",
)
@click.option("--days", default=180, show_default=True, type=click.IntRange(1, 3_650))
@click.option(
    "--start",
    default="2026-01-05",
    show_default=True,
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day.",
)
def simulate(seed: int, people: int, bound: int, days: int, start: datetime) -> None:
    """Print a log of an invented market as CSV: people's own sign-ins and six kinds of attacks.

    Columns: time (ISO 8601, UTC), user, ip, country, region, city, asn, user_agent,
    device_cookie (a name of the cookie, the same for its later values and for copies), device_key
    (true if the browser proved its key), cookie_copied_at, success, is_attack, attack_kind."""
    from idp.risk_lab import simulation

    random = Random(seed)  # noqa: S311 - a log to be made again, no secret
    writer = csv.DictWriter(sys.stdout, simulation.COLUMNS, lineterminator="\n")
    writer.writeheader()
    begin = start.replace(hour=12, tzinfo=UTC)
    share = bound / 100
    writer.writerows(
        simulation.simulate(random, people=people, days=days, start=begin, bound=share)
    )


@risk.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--sample",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of the people to read, chosen by a hash of the user: 0.05 for a twentieth.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the scores in this file. After an interruption, the same command continues.",
)
@click.option(
    "--plot",
    "picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the trade-off chart as SVG.",
)
@click.option("--attack", default="", help="Attack type for the chart. Default: the first one.")
@click.option("--seed", default=1, show_default=True, help="Random seed of the bootstrap.")
@as_json
def evaluate(
    file: Path,
    sample: float,
    state: Path | None,
    picture: Path | None,
    attack: str,
    seed: int,
    as_json: bool,
) -> None:
    """Replay FILE, a log in order of time, and print the trade-off of four engines side by side.

    FILE is CSV with the columns of `gateway risk simulate`, or with those of the public RBA data
    set (its times are scrambled: the hour tells nothing there). It is read row by row; progress
    goes to standard error. Lines that cannot be read are counted, and refused if they are more than
    1 in 100. What the engines know of people is in memory: use --sample for millions of people."""
    from idp.risk_lab import evaluation, plot
    from idp.risk_lab.lab_refusals import LogEmpty
    from idp.risk_lab.score_store import ScoreStore

    with ScoreStore(state) as store:
        found = _replay(file, sample, store)
        if not found[0].sign_ins:
            raise LogEmpty()
        random = Random(seed)  # noqa: S311 - a bootstrap to be made again
        result = [_describe(scored, random) for scored in found]
        if picture is not None:
            kind = attack or next(iter(store.kinds()), "")
            curves = {scored.model.name: evaluation.curve(scored, kind) for scored in found}
            title = f"Prompts and {kind.replace('_', ' ')} attacks stopped"
            picture.write_text(plot.svg(title, curves), encoding="utf-8")
    if as_json:
        show_json(result)
    else:
        _print(result)


def _replay(file: Path, sample: float, store: ScoreStore) -> list[Scored]:
    """Score what is not scored yet, and say what was read."""
    from idp.risk_lab import compared_models, replay
    from idp.risk_lab.evaluation import Scored

    models = compared_models.models()
    with replay_progress.shown(file.stat().st_size) as show:
        reading = replay.replay(file, models, store, sample=sample, show=show)
    click.echo(f"{reading.lines} rows, {reading.kept} of people in the sample", err=True)
    if reading.broken:
        click.echo(
            f"{reading.broken} lines cannot be read and were left out; the first is line "
            f"{reading.first_broken}: {reading.fault}",
            err=True,
        )
    return [Scored(model, store, engine) for engine, model in enumerate(models)]


def _describe(scored: Scored, random: Random) -> dict[str, Any]:
    from idp.risk_lab import evaluation

    points = evaluation.points(scored, random)
    own = points[0] if points and points[0].wanted is None else None
    return {
        "engine": scored.model.name,
        "sign_ins": scored.sign_ins,
        "attacks": {kind: scored.store.count(scored.engine, kind) for kind in scored.store.kinds()},
        "points": [asdict(point) for point in points],
        "friction": [asdict(entry) for entry in evaluation.friction(scored)],
        "slices": evaluation.slices(scored, own.threshold) if own else {},
        "first_week": evaluation.stopped_in_first_week(scored, own.threshold) if own else {},
        "copies": _copies(scored),
    }


def _copies(scored: Scored) -> dict[str, Any]:
    """What became of the copies of cookies that were used without a second factor."""
    from statistics import median

    from idp.risk_lab.compared_models import Engine

    model = scored.model
    if not isinstance(model, Engine) or not model.copies:
        return {}
    hours = model.hours_to_find
    return {
        "used": model.copies,
        "found": len(hours),
        "median_hours": round(median(hours), 1) if hours else None,
    }


def _print(result: list[dict[str, Any]]) -> None:
    from idp.risk_lab import evaluation

    kinds = sorted(result[0]["attacks"])
    for entry in result:
        click.echo(f"\n{entry['engine']}")
        show_table(
            ("threshold for", "asked", *kinds),
            (
                (
                    "its own" if point["wanted"] is None else f"{point['wanted']:.0%} prompts",
                    f"{point['prompts']:.2%}",
                    *(_share(point["stopped"].get(kind)) for kind in kinds),
                )
                for point in entry["points"]
            ),
            empty="Too few sign-ins to evaluate.",
        )
        if entry["slices"]:
            rates = ", ".join(f"{name} {rate:.1%}" for name, rate in entry["slices"].items())
            click.echo(f"prompts at its own threshold: {rates}")
        if entry["first_week"]:
            shares = ", ".join(f"{kind} {share:.3f}" for kind, share in entry["first_week"].items())
            click.echo(f"stopped in the first week: {shares}")
        if entry["copies"]:
            click.echo(
                "copies of cookies used without extra verification: {used}, found at the next "
                "sign-in in that browser: {found}, median after {median_hours} hours".format(
                    **entry["copies"]
                )
            )
    click.echo("\nmedian prompts of a person where so many attacks are stopped: first 12, first 39")
    cells = {
        (entry["engine"], one["kind"], one["stopped"]): f"{one['first_12']:g}, {one['first_39']:g} "
        f"({one['rate']:.2f})"
        for entry in result
        for one in entry["friction"]
    }
    engines = [entry["engine"] for entry in result]
    show_table(
        ("attack", "stopped", *engines),
        (
            (kind, f"{share:.3f}", *(cells.get((name, kind, share), "") for name in engines))
            for kind in kinds
            for share in evaluation.STOPPED
        ),
        empty="",
    )


def _share(stopped: tuple[float, float, float] | None) -> str:
    """The share, and half the width of its 95 per cent interval."""
    if stopped is None:
        return ""
    return f"{stopped[0]:.3f} ±{(stopped[2] - stopped[1]) / 2:.3f}"
