"""Conformance tools of others against a running gateway: no failure but right refusals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from scim_sanity.probe.runner import run_probe_api

from tests.live import start_demo
from tests.scim.pusher import CORE, EXTENSION
from tests.scim.test_conformance import NO_FAULT, REFUSED
from tests.scim.test_groups import GROUP, ROLE
from tests.scim.test_participants import body as participant

pytestmark = [pytest.mark.independent, pytest.mark.xdist_group("live")]
#: The tools make up a value where only one that exists will do.
MADE_UP = (
    "no role group ",
    "participantId 109120 is already in use",
    "is primary: omit primary or set it to true",
)
#: displayName is the name and follows it; a member is somebody who exists (G3).
RIGHT = {
    "GET /Users/{id} after PUT": "Expected displayName='Updated-",
    "PATCH /Groups/{id} add member": "Expected 200, got 400",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and token of a gateway of its own."""
    with start_demo(tmp_path_factory.mktemp("conformance")) as demo:
        pushed = demo["provisioning"]
        answer = requests.post(
            f"{demo['issuer']}/oauth2/v1/token",
            data={"grant_type": "client_credentials"},
            auth=(pushed["client_id"], pushed["client_secret"]),
            timeout=30,
        )
        yield pushed["scim_url"], answer.json()["access_token"]


def test_scim2_reports_no_error(service: tuple[str, str]) -> None:
    """``scim2 --url ... test``."""
    url, token = service
    program = Path(sys.executable).with_name("scim2")
    done = subprocess.run(
        [program, "--url", url, "test"], capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"SCIM_CLI_HEADERS": f"Authorization: Bearer {token}"},
    )  # fmt: skip
    parts = re.split(r"^(SUCCESS|ERROR|SKIPPED|DEVIATION|ACCEPTABLE) ", done.stdout, flags=re.M)
    found = list(zip(parts[1::2], parts[2::2], strict=True))
    assert len([text for status, text in found if status == "SUCCESS"]) > 30, done.stdout
    known = (*REFUSED, *NO_FAULT, *MADE_UP)
    left = [text for status, text in found
            if status == "ERROR" and not any(name in text for name in known)]  # fmt: skip
    assert left == [], "\n".join(left)


def test_scim_sanity_reports_no_error(service: tuple[str, str]) -> None:
    """``scim-sanity probe``, with the attributes that an account and a group need here."""
    url, token = service
    made = requests.post(
        f"{url}/Participants",
        json=participant(participantId="900001"),
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert made.status_code == 201, made.text
    user: dict[str, Any] = {"schemas": [CORE, EXTENSION],
                            EXTENSION: {"personId": "SANITY", "accountKind": "email"}}  # fmt: skip
    group: dict[str, Any] = {"schemas": [GROUP, ROLE], ROLE: {
        "roleGroup": "EMI Bids and Offers", "participantId": "900001"}}  # fmt: skip
    found = run_probe_api(url, token=token, extra_user_fields=user, extra_group_fields=group)
    faults = [row for row in found["results"] if row["status"] in ("fail", "error")]
    left = [row for row in faults if RIGHT.get(row["name"], "-") not in row["message"]]
    assert left == [], json.dumps(left)
    assert found["summary"]["passed"] >= 25
