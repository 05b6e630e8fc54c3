"""The simulated market, and the replay of logs: `gateway risk`."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from idp.cli import main
from idp.mfa.features import HOME_ZONE, agent_of, hour_of
from idp.mfa.risk_values import Agent, Attempt
from idp.risk_lab import compared_models, evaluation, plot, simulation
from idp.risk_lab.evaluation import Scored
from idp.risk_lab.score_store import ScoreStore
from idp.risk_lab.sign_in_log import BadRow, Row, parse_row
from idp.risk_lab.simulation import DELAY_MOST, PROOF, simulate
from idp.session.device_bindings import FRESH_SECONDS
from idp.transaction import CLOCK_SECONDS

HEADER = ",".join(simulation.COLUMNS)


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small market's log, as the command writes it."""
    result = CliRunner().invoke(
        main, ["risk", "simulate", "--seed", "7", "--people", "60", "--days", "90"]
    )
    assert result.exit_code == 0, result.output
    path = tmp_path_factory.mktemp("risk") / "log.csv"
    path.write_text(result.stdout)
    return path


def evaluate(path: Path, *more: str) -> Any:
    result = CliRunner().invoke(main, ["risk", "evaluate", str(path), "--json", *more])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="session")
def result(log: Path) -> dict[str, dict[str, Any]]:
    """What the evaluation says, by engine."""
    return {entry["engine"]: entry for entry in evaluate(log)}


def test_the_same_seed_gives_the_same_log(log: Path) -> None:
    """The same again, byte for byte; another seed is another market."""
    arguments = ["risk", "simulate", "--people", "60", "--days", "90", "--seed"]
    assert CliRunner().invoke(main, [*arguments, "7"]).stdout == log.read_text()
    assert CliRunner().invoke(main, [*arguments, "8"]).stdout != log.read_text()


def test_the_generated_log_matches_its_header(log: Path) -> None:
    """In order of time, every kind of attack, most rows people's own."""
    rows = list(csv.DictReader(io.StringIO(log.read_text())))
    assert tuple(rows[0]) == simulation.COLUMNS
    times = [row["time"] for row in rows]
    assert times == sorted(times)
    kinds = {row["attack_kind"] for row in rows}
    assert kinds == {"", *simulation.AttackKind}
    own = [row for row in rows if row["is_attack"] == "false"]
    assert len(own) > 0.8 * len(rows)
    assert len({row["user"] for row in own}) == 60


def own_point(entry: dict[str, Any]) -> dict[str, Any]:
    (point,) = [point for point in entry["points"] if point["wanted"] is None]
    return dict(point)


def test_the_engine_prompts_less_than_the_usual_rule_and_stops_as_many_attacks(
    result: dict[str, dict[str, Any]],
) -> None:
    """docs/risk.md: against strangers as good as the rule, at less than half of its prompts."""
    engine = own_point(result["this engine"])
    rule = own_point(result["new device or new IP (20)"])
    assert engine["prompts"] < rule["prompts"] / 2
    for kind in ("naive", "vpn", "targeted"):
        assert engine["stopped"][kind][0] > 0.98


def test_the_engine_stops_stolen_cookies_that_the_cookie_alone_lets_pass(
    result: dict[str, dict[str, Any]],
) -> None:
    """docs/risk.md: network, browser family and hour are what a thief does not have."""
    engine = own_point(result["this engine"])["stopped"]["stolen_cookie"]
    cookie = own_point(result["device cookie alone"])["stopped"]["stolen_cookie"]
    assert engine[1] > cookie[2]
    assert engine[0] > 0.5


def test_a_score_of_network_and_browser_alone_cannot_tell_a_targeted_attacker(
    result: dict[str, dict[str, Any]],
) -> None:
    """At a tenth of prompts it stops fewer than the engine at its own threshold."""
    published = result["Freeman/Wiefling"]
    at_tenth = next(point for point in published["points"] if point["wanted"] == 0.1)
    engine = own_point(result["this engine"])["stopped"]["targeted"][0]
    assert at_tenth["stopped"]["targeted"][0] < engine


def test_prompts_are_counted_for_the_first_week_and_after_a_change_of_clocks(
    result: dict[str, dict[str, Any]],
) -> None:
    """docs/risk.md: in the first week at most 40 %; the week after a change of clocks like any
    other. Strangers are stopped in the first week too."""
    slices = result["this engine"]["slices"]
    assert slices["after it"] < 0.05 < slices["first week"] < 0.4
    early = result["this engine"]["first_week"]
    assert min(early[kind] for kind in ("naive", "vpn", "targeted")) == 1
    assert slices["week after a change of clocks"] < 2 * slices["all"]


def test_median_prompts_rise_with_the_stopped_attacks(
    result: dict[str, dict[str, Any]],
) -> None:
    """Median prompts in the first 12 and 39 sign-ins: more for more attacks stopped."""
    for entry in result.values():
        for kind in ("naive", "vpn"):
            asked = [one["first_39"] for one in entry["friction"] if one["kind"] == kind]
            assert asked == sorted(asked)
            assert len(asked) == len(evaluation.STOPPED)


def test_the_columns_of_the_public_data_set_are_accepted() -> None:
    """Its names, its booleans, its attacks by account takeover."""
    row = parse_row(
        {
            "IP Address": "10.0.0.1", "Country": "NO", "ASN": "29695", "User ID": "-43",
            "User Agent String": "Mozilla/5.0", "Login Timestamp": "2020-02-03 12:43:30.772",
            "Login Successful": "True", "Is Attack IP": "False", "Is Account Takeover": "True",
        }
    )  # fmt: skip
    assert (row.user, row.success, row.attack) == ("-43", True, "account_takeover")
    assert row.attempt.place.country == "NO"
    with pytest.raises(BadRow):
        parse_row({"time": "yesterday", "user": "a", "ip": "b"})
    with pytest.raises(BadRow):
        parse_row({})


GOOD = "2026-01-05T12:00:00Z,a,1.2.3.4,CA,ON,Toronto,1,x,c,,,true,false,"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"{HEADER}\n{GOOD}\nsoon,a,b,c,d,e,f,g,h,,,true,false,\n",
            "the first is line 3: Invalid",
        ),
        (f"{HEADER}\n{GOOD}\na,b\n", "1 of 2 lines cannot be read; the first is line 3: 2 columns"),
        (f"{HEADER}\n{GOOD}\n2020-{GOOD[5:]}\n", "line 3 is earlier"),
        ("time,user,country,b\n1,2\n", "columns: ip, asn, user_agent, success, is_attack"),
        ("Login Timestamp,User ID,a\n1,2\n", "columns: IP Address, Country, ASN, User Agent"),
        (f"{HEADER}\n", "no legitimate sign-ins"),
        ("", "no legitimate sign-ins"),
    ],
)
def test_a_log_that_cannot_be_read_is_refused_by_line(
    tmp_path: Path, text: str, words: str
) -> None:
    """Exit code 1 and where it is; no trace."""
    path = tmp_path / "bad.csv"
    path.write_text(text)
    result = CliRunner().invoke(main, ["risk", "evaluate", str(path)])
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_results_are_printed_as_tables(log: Path) -> None:
    """Without --json: every engine, every kind of attack."""
    result = CliRunner().invoke(main, ["risk", "evaluate", str(log)])
    assert result.exit_code == 0
    for words in ("this engine", "Freeman", "device cookie alone", "first week", "stopped"):
        assert words in result.output


def test_the_plot_is_written(log: Path, tmp_path: Path) -> None:
    """An SVG with a line for each engine, titled, within its frame."""
    path = tmp_path / "risk.svg"
    evaluate(log, "--plot", str(path), "--attack", "vpn")
    root = ElementTree.fromstring(path.read_text())  # noqa: S314 - our own picture
    lines = [node for node in root if node.tag.endswith("polyline")]
    assert len(lines) == 4
    assert root[0].text == "Prompts and vpn attacks stopped"
    for line in lines:
        for pair in line.attrib["points"].split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= plot.WIDTH
            assert 0 <= y <= plot.HEIGHT
    assert "<b>" not in plot.svg("<b>", {"<i>": [(0.5, 0.5)]})


def test_only_complete_sign_ins_are_learned(log: Path) -> None:
    """An attack that is repeated does not become a habit."""
    rows = [parse_row(row) for row in csv.DictReader(io.StringIO(log.read_text()))]
    attack = next(row for row in reversed(rows) if row.attack == "naive")
    engine, store = compared_models.Engine(), ScoreStore()
    for _ in evaluation.run([*rows, *[attack] * 30], [engine], store):
        pass
    store.flush()
    last = [score for _, _, score in Scored(engine, store).attacks["naive"]][-30:]
    assert len(set(last)) == 1


MORNING = datetime(2026, 3, 2, 13, tzinfo=UTC)


def row(hours: float, user: str = "ada", **changes: Any) -> Row:
    """A sign-in so many hours after Monday morning, in the same browser."""
    when = MORNING + timedelta(hours=hours)
    own = Row(
        user,
        Attempt(at=when, hour=hour_of(when, HOME_ZONE), ip="192.0.2.1", agent=Agent("Edge", 130)),
        "jar",
        success=True,
        attack="",
    )
    return replace(own, **changes)


def learned(rows: list[Row]) -> compared_models.Engine:
    engine = compared_models.Engine()
    for one in rows:
        engine.score(one)
        engine.learn(one)
    return engine


def test_mf03_a_copy_is_stopped_after_the_next_sign_in_in_the_browser() -> None:
    """The cookie gets a new value at each sign-in, of whichever account. A copy that was used
    before is found at that sign-in."""
    days = [row(24.0 * day) for day in range(10)]
    thief = row(217, copied_at=MORNING + timedelta(hours=216.5))
    engine = learned(days)
    assert engine.score(thief) < 0
    engine.score(row(220, user="ben"))
    engine.learn(row(220, user="ben"))
    assert (engine.copies, engine.hours_to_find) == (1, [3.0])
    later = replace(thief, attempt=row(221).attempt)
    assert engine.score(later) > compared_models.HARD / 2
    assert engine.score(row(240)) < 0


def test_mf03_a_browser_that_is_remembered_no_more_is_asked() -> None:
    """Thirty days after the last sign-in in it; from then on it is remembered again."""
    engine, cookie = learned([row(24.0 * day) for day in range(10)]), compared_models.Cookie()
    cookie.learn(row(216))
    for hours, is_asked in ((216 + 720, False), (216 + 721, True)):
        late = row(float(hours))
        assert (engine.score(late) > compared_models.HARD / 2, cookie.score(late) > 0.5) == (
            is_asked,
            is_asked,
        )
    engine.learn(late)
    assert engine.score(row(960)) < compared_models.HARD / 2


def test_mf03_a_copy_without_the_key_is_stopped() -> None:
    """Bound at the first sign-in with a key. A copy with a fresh proof passes, and is not counted
    as found."""
    engine = learned([row(24.0 * day, has_key=True) for day in range(10)])
    copied_at = MORNING + timedelta(hours=216.5)
    assert engine.score(row(217, copied_at=copied_at)) > compared_models.HARD / 2
    assert engine.score(row(217, copied_at=copied_at, has_key=True)) < 0
    assert engine.copies == 0


def own_rows(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [one | {"device_key": ""} for one in rows if one["is_attack"] == "false"]


def test_the_share_of_bound_browsers_changes_nothing_else() -> None:
    """People sign in as before; the share is about that of the browsers. Thieves have no proof,
    unless they sign in within seconds of one."""
    assert timedelta(hours=PROOF) == timedelta(seconds=FRESH_SECONDS + CLOCK_SECONDS)

    def rows(bound: float) -> list[dict[str, str]]:
        start = datetime(2026, 1, 5, 12, tzinfo=UTC)
        return list(simulate(Random(3), people=40, days=20, start=start, bound=bound))

    none, half, full = rows(0), rows(0.5), rows(1)
    assert own_rows(none) == own_rows(half) == own_rows(full)
    shares = [
        sum(one["device_key"] == "true" for one in found if one["is_attack"] == "false")
        / len(own_rows(found))
        for found in (none, half, full)
    ]
    assert (shares[0], shares[2]) == (0, 1)
    assert 0.25 < shares[1] < 0.75
    thefts = [one for one in full if one["cookie_copied_at"]]
    assert thefts
    for one in thefts:
        delay = datetime.fromisoformat(one["time"]) - datetime.fromisoformat(
            one["cookie_copied_at"]
        )
        assert timedelta() <= delay <= timedelta(hours=DELAY_MOST)
        assert one["device_key"] != "true" or delay < timedelta(hours=PROOF)


def test_near_thieves_have_network_and_browser_of_the_last_sign_in() -> None:
    """The simulation is not kind to the engine: no other address, no other family."""
    start = datetime(2026, 1, 5, 12, tzinfo=UTC)
    rows = list(simulate(Random(3), people=40, days=20, start=start))
    for number, one in enumerate(rows):
        if one["attack_kind"] == "stolen_cookie_near":
            earlier = [
                own
                for own in rows[:number]
                if own["is_attack"] == "false" and own["user"] == one["user"]
            ]
            known = [own for own in earlier if own["device_cookie"] == one["device_cookie"]]
            assert one["ip"] in {own["ip"] for own in known}
            families = {agent_of(own["user_agent"]).family for own in known}
            assert agent_of(one["user_agent"]).family in families
