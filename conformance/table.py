"""The results that ``conformance.run --json`` wrote, as the Markdown table of the documents."""

from __future__ import annotations

import argparse
import json
from itertools import groupby
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    given = parser.parse_args()
    rows = [row for path in given.results for row in json.loads(path.read_text(encoding="utf-8"))]
    print("| plan | modules | passed | others |\n| --- | --- | --- | --- |")
    for plan, of_plan in groupby(rows, key=lambda row: row["plan"]):
        modules = list(of_plan)
        passed = sum(row["result"] == "PASSED" for row in modules)
        others = "; ".join(
            f"{row['result'].lower()} `{row['module'].removeprefix('oidcc-')}`"
            for row in modules
            if row["result"] != "PASSED"
        )
        print(f"| {plan} | {len(modules)} | {passed} | {others} |")


if __name__ == "__main__":
    main()
