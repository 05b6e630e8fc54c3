"""Lists as files, CSV or JSON, sent while they are written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flask import Response, request, url_for

from hosted_pages.csv_files import csv_lines
from registration.pages.standing import Standing

FORMATS = ("csv", "json")
Record = Mapping[str, Any]


def urls(here: Standing, endpoint: str) -> dict[str, str]:
    """The addresses of the downloads, with the filter of the page that is shown."""
    kept = {name: value for name, value in request.args.items() if name != "before" and value}
    number = here.here.organization_id
    return {
        form: url_for(endpoint, **(kept | {"organization_id": number, "format": form}))  # type: ignore[arg-type]
        for form in FORMATS
    }


def download(
    name: str, here: Standing, columns: Sequence[str], records: Iterable[Record]
) -> Response:
    """The records as the file that the query asks for. The records are read while the file is sent,
    when the request and its unit of work are over."""
    is_json = request.args.get("format") == "json"
    if is_json:
        lines, kind = _json_lines(records), "application/json"
    else:
        rows = ([_cell(one[column]) for column in columns] for one in records)
        lines, kind = csv_lines(columns, rows), "text/csv"
    response = Response(lines, content_type=f"{kind}; charset=utf-8")
    file = f"{name}-{here.here.organization_id}.{'json' if is_json else 'csv'}"
    response.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    return response


def _json_lines(records: Iterable[Record]) -> Iterator[str]:
    """An array, a record a line."""
    before = "[\n"
    for one in records:
        yield before + json.dumps(one, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return "; ".join(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
