"""Logs of the size and shape of the public RBA data set: `gateway risk evaluate`."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from idp.cli import file_progress, main, replay_progress
from idp.mfa.risk_values import Agent, Place
from idp.risk_lab import compared_models, replay, sign_in_log
from idp.risk_lab.compared_models import Rule
from idp.risk_lab.lab_refusals import NotAState, StateOfAnotherReplay
from idp.risk_lab.score_store import ScoreStore
from idp.risk_lab.sign_in_log import Reading, Row, is_sampled, parse_row
from tests.risk_lab import public_log

ROWS = 900


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of the public data set's shape."""
    path = tmp_path_factory.mktemp("public") / "rba.csv"
    with path.open("w", newline="") as file:
        public_log.write(file, ROWS)
    return path


def evaluate(path: Path, *more: str) -> Any:
    return CliRunner().invoke(main, ["risk", "evaluate", str(path), "--json", *more])


@pytest.fixture(scope="module")
def result(log: Path) -> str:
    """What an evaluation in one go prints."""
    found = evaluate(log)
    assert found.exit_code == 0, found.output
    assert f"{ROWS} rows, {ROWS} of people in the sample" in found.stderr
    return str(found.stdout)


def test_the_public_data_set_has_two_kinds_of_attacks(result: str) -> None:
    """Addresses of attackers, and accounts that were taken over; refused sign-ins teach nothing."""
    engine = json.loads(result)[0]
    assert set(engine["attacks"]) == {"attack_address", "account_takeover"}
    assert engine["attacks"]["attack_address"] > 10 * engine["attacks"]["account_takeover"]
    assert engine["sign_ins"] + sum(engine["attacks"].values()) < ROWS


def test_its_own_names_of_browsers_are_read(log: Path) -> None:
    """ "Firefox 20.0.0.1618" and "iOS 13.4"; "-" and "unknown" are no values."""
    with log.open() as file:
        record = next(csv.DictReader(file))
    record |= {
        "Browser Name and Version": "Mobile Safari UI/WKWebView 20.0.0.1618",
        "OS Name and Version": "iOS 13.4", "Device Type": "mobile", "Region": "-", "City": "-",
    }  # fmt: skip
    attempt = parse_row(record).attempt
    assert attempt.agent == Agent("Mobile Safari UI/WKWebView", 20, "iOS", "mobile")
    assert (attempt.place.region, attempt.place.city) == ("", "")
    record |= {"Browser Name and Version": "bot", "Device Type": "unknown", "Country": "-"}
    attempt = parse_row(record).attempt
    assert attempt.agent == Agent("bot", 0, "iOS", "")
    assert attempt.place == Place()


def unseen(reading: Reading) -> None:
    """Progress that nobody looks at."""


class Interrupted(Rule):
    """An engine whose process ends after so many scores."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    def score(self, row: Row) -> float:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().score(row)


@pytest.fixture
def interrupted(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of a replay that ended between two times at which it is kept."""
    monkeypatch.setattr(replay, "KEEP", 100)
    state = tmp_path / "state"
    models = compared_models.models()
    models[2] = Interrupted(left=470)
    with pytest.raises(KeyboardInterrupt), ScoreStore(state) as store:
        replay.replay(log, models, store, show=unseen)
    return state


def test_an_interrupted_evaluation_ends_with_the_same_result(
    log: Path, result: str, interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was kept is not scored again, and the result is the same byte for byte; a third call
    scores nothing."""
    scored, plain = [], Rule.score

    def score(self: Rule, row: Row) -> float:
        scored.append(row)
        return plain(self, row)

    monkeypatch.setattr(Rule, "score", score)
    again = evaluate(log, "--state", str(interrupted))
    assert again.exit_code == 0, again.output
    assert again.stdout == result
    rule = json.loads(result)[2]
    rows = rule["sign_ins"] + sum(rule["attacks"].values())
    assert rows - 470 <= len(scored) < rows - 370
    before = len(scored)
    assert evaluate(log, "--state", str(interrupted)).stdout == result
    assert len(scored) == before


def changed_early(text: str) -> str:
    return text.replace("Oslo County", "Oslo_County", 1)


def changed_size(text: str) -> str:
    return text + text.splitlines()[-1]


@pytest.mark.parametrize("change", [changed_early, changed_size])
def test_a_log_that_changed_is_refused(
    log: Path, interrupted: Path, tmp_path: Path, change: Any
) -> None:
    """After an interruption, and after a whole evaluation: scores of two logs are never mixed."""
    other = tmp_path / "other.csv"
    other.write_text(change(log.read_text()))
    for _ in range(2):
        found = evaluate(other, "--state", str(interrupted))
        assert (found.exit_code, found.stdout) == (1, "")
        assert "the log has changed" in found.stderr
        assert evaluate(log, "--state", str(interrupted)).exit_code == 0


def test_a_finished_evaluation_says_what_became_of_copies_again(tmp_path: Path) -> None:
    log, state = tmp_path / "log.csv", tmp_path / "state"
    order = ["risk", "simulate", "--seed", "1", "--people", "20", "--days", "30"]
    log.write_text(CliRunner().invoke(main, order).stdout, encoding="utf-8")
    found = evaluate(log, "--state", str(state)).stdout
    assert json.loads(found)[0]["copies"]["used"] > 0
    assert evaluate(log, "--state", str(state)).stdout == found


def test_a_state_is_of_one_evaluation(log: Path, interrupted: Path) -> None:
    """Another sample, other engines or another release give other scores."""
    found = evaluate(log, "--state", str(interrupted), "--sample", "0.5")
    assert "another sample" in found.output
    with ScoreStore(interrupted) as store, pytest.raises(StateOfAnotherReplay) as refusal:
        replay.replay(log, compared_models.models()[:2], store, show=unseen)
    assert refusal.value.differs == "list of engines"


def test_another_file_is_not_overwritten(log: Path, tmp_path: Path) -> None:
    """A text, another database, and a state in use are refused as they are."""
    text, database, state = tmp_path / "text", tmp_path / "database", tmp_path / "state"
    text.write_text("no database, but long enough to look at" * 9)
    other = sqlite3.connect(database)
    other.execute("CREATE TABLE account (id)")
    other.close()
    for path in (text, database):
        before = path.read_bytes()
        found = evaluate(log, "--state", str(path))
        assert "cannot be the state of an evaluation" in found.stderr
        assert path.read_bytes() == before
    with ScoreStore(state, patience=0), pytest.raises(NotAState, match="locked"):
        ScoreStore(state, patience=0)


def test_a_sample_is_the_same_people_each_time(log: Path, tmp_path: Path) -> None:
    """All rows of a person or none; a larger sample has the people of a smaller one."""

    def people(sample: float) -> list[str]:
        with log.open("rb") as source:
            return [row.user for row in sign_in_log.read(source, Reading(), sample)]

    every, half, tenth = people(1), people(0.5), people(0.1)
    assert 0 < len(set(tenth)) < len(set(half)) < len(set(every))
    assert set(tenth) < set(half)
    assert half == [user for user in every if is_sampled(user, 0.5)]
    found = evaluate(log, "--sample", "0.5")
    assert f"{ROWS} rows, {len(half)} of people in the sample" in found.stderr


def broken(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines()):
        if number == 40:
            yield "\x00" + line[:30]
        elif number == 50:
            yield line.replace("2020-", "20x0-")
        else:
            yield line


def test_lines_that_cannot_be_read_are_counted_and_told(log: Path, tmp_path: Path) -> None:
    """Few ones are left out, and told; the rest is evaluated. A byte order mark is no part of the
    first column."""
    path = tmp_path / "broken.csv"
    path.write_text("\n".join(broken(log.read_text())), encoding="utf-8-sig")
    found = evaluate(path)
    assert found.exit_code == 0, found.output
    assert "2 lines cannot be read and were left out; the first is line 41: " in found.stderr
    assert len(json.loads(found.stdout)) == 4


def test_rows_are_read_one_by_one(log: Path) -> None:
    """The log is read while it is scored: there is no list of rows."""
    reading, seen = Reading(), []
    with log.open("rb") as source:
        rows = sign_in_log.read(source, reading)
        for _ in range(3):
            next(rows)
            seen.append(reading.lines)
    assert seen == [1, 2, 3]


def test_progress_is_told_by_lines_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error, from time to time."""
    monkeypatch.setattr(file_progress, "INTERVAL", 0)
    with replay_progress.shown(200) as show:
        show(Reading(size=50, lines=30, kept=10))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("25.0%, 30 rows, 10 in the sample, ")


def test_the_bar_counts_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal."""
    import rich.console

    target = io.StringIO()
    terminal = rich.console.Console(file=target, force_terminal=True)
    monkeypatch.setattr("rich.console.Console", lambda **options: terminal)
    with replay_progress.shown(200) as show:
        show(Reading(size=200, lines=30))
    assert "30 rows" in target.getvalue()
