"""The dashboard for Grafana, read by Grafana's own library for release 10 and by promtool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.monitoring.test_rules import FOLDER, promtool

BOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
#: Grafana reads it for the annotations of Prometheus; its library does not know it.
UNKNOWN = {"/annotations/list/0/titleFormat"}
COLUMNS = 24


def lost(given: Any, kept: Any, place: str = "") -> Iterator[str]:
    """The places of what is not kept as it was given."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            yield from lost(value, kept.get(key), f"{place}/{key}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(one, other, f"{place}/{number}")
    elif given != kept:
        yield place


def unknown_to_grafana(board: dict[str, Any]) -> set[str]:
    """What does not come back when Grafana's library reads the dashboard and writes it."""
    register_default_plugins()
    written = json.loads(JSONEncoder().encode(Dashboard.from_json(deepcopy(board))))
    return set(lost(board, written)) - UNKNOWN


def test_grafana_knows_every_word_of_the_dashboard() -> None:
    """Of the dashboard, its panels, their options and their queries."""
    assert unknown_to_grafana(BOARD) == set()


@pytest.mark.parametrize(
    "place",
    [("schemaVersion",), ("panels", 1, "gridPos", "w"), ("panels", 1, "targets", 0, "expr"),
     ("panels", 1, "fieldConfig", "defaults", "unit"), ("templating", "list", 0, "query")],
)  # fmt: skip
def test_a_misspelt_word_is_seen(place: tuple[Any, ...]) -> None:
    """The check itself."""
    board = deepcopy(BOARD)
    node: Any = board
    for step in place[:-1]:
        node = node[step]
    node[f"{place[-1]}X"] = node.pop(place[-1])
    assert unknown_to_grafana(board) == {"/" + "/".join(map(str, place)) + "X"}


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    """Read by promtool as rules, one for each query; Grafana fills in the interval."""
    queries = [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", ())]
    queries += [one["expr"] for one in BOARD["annotations"]["list"]]
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries)
    ]
    assert len(rules) > 50
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in promtool("check", "rules", str(file))


def test_panels_have_places_of_their_own_and_the_chosen_source() -> None:
    """No two panels overlap, none is wider than the page, and each asks what was chosen above."""
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    (source,) = BOARD["templating"]["list"]
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == f"${{{source['name']}}}"
            assert panel["targets"], panel["title"]
    overlapping = [
        (one["title"], other["title"])
        for one, other in combinations(panels, 2)
        if all(
            one["gridPos"][at] < other["gridPos"][at] + other["gridPos"][size]
            and other["gridPos"][at] < one["gridPos"][at] + one["gridPos"][size]
            for at, size in (("x", "w"), ("y", "h"))
        )
    ]
    assert overlapping == []
