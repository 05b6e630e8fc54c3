"""The logo of an application: stored, served from our origin, shown (GW-05)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import yaml

from idp.clients import client_data, logos, registry
from idp.clients.client_refusals import LogoFileInvalid, LogoUnknown, RegistrationInvalid
from idp.declarations import declared_changes, declared_file, declared_state
from idp.maintenance import purge
from idp.models import Client
from idp.policy.console import ConsoleRole
from idp.web.console import labels
from tests.console.desk import Desk
from tests.policy.test_logo_image import png, svg
from tests.shell import Run, good
from tests.world import World

IMAGE = svg()
DIGEST = hashlib.sha256(IMAGE).hexdigest()


def with_logo(world: World, client_id: str = "emi", content: bytes = IMAGE) -> str:
    """Give the client this logo; returns its path."""
    with world.work() as work:
        row = registry.get(work, client_id)
        digest = logos.store(work, content)
        registry.update(work, row, replace(client_data.current_data(row), logo=digest))
    return f"/logos/{digest}"


def logo_of(world: World, client_id: str = "emi") -> str | None:
    with world.work() as work:
        return registry.get(work, client_id).logo


@pytest.mark.parametrize(("content", "kind"), [(IMAGE, "image/svg+xml"), (png(), "image/png")])
def test_a_logo_is_served_with_its_etag_and_can_do_nothing(
    world: World, content: bytes, kind: str
) -> None:
    """N59: cached for a year; a document of its own could run and load nothing."""
    world.relying_party()
    path = with_logo(world, content=content)
    answer = world.browser().get(path)
    assert (answer.status_code, answer.content_type, answer.data) == (200, kind, content)
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Set-Cookie" not in answer.headers
    etag = answer.headers["ETag"]
    assert etag == f'"{hashlib.sha256(content).hexdigest()}"'
    again = world.app.test_client().get(
        path, base_url=world.settings.issuer, headers={"If-None-Match": etag}
    )
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)


@pytest.mark.parametrize("digest", ["0" * 64, "nothing", "%00", "..", "A" * 64])
def test_an_unknown_logo_is_not_found(world: World, digest: str) -> None:
    answer = world.browser().get(f"/logos/{digest}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")


def test_the_pages_show_the_logo_or_initials(world: World) -> None:
    """GW-05: sign-in, choice of account, consent, settings and dashboard."""
    rp = world.relying_party(trusted=False, home_url="https://emi.rp.test/signin")
    username = world.account()
    world.role_group("EMI User", "emi")
    world.grant_role(username, "EMI User")
    initials, image = '<span class="monogram" aria-hidden="true">EM</span>', ""
    for is_shown in (False, True):
        if is_shown:
            image = f'<img class="monogram" src="{with_logo(world)}" alt=""'
        browser = world.browser()
        pages = [browser.authorize(rp, prompt="login")]
        browser.signed_in(username)
        pages += [
            browser.authorize(rp, prompt="consent"),
            browser.authorize(rp, prompt="select_account"),
            browser.get("/"),
        ]
        for page in pages:
            assert (initials in page.text) is not is_shown
            assert image in page.text


def test_a_client_uses_a_stored_image_only(world: World) -> None:
    """A digest that nobody uploaded is a fault of the registration."""
    world.relying_party()
    with world.work() as work:
        row = registry.get(work, "emi")
        data = replace(client_data.current_data(row), logo="0" * 64)
        with pytest.raises(RegistrationInvalid) as refused:
            registry.update(work, row, data)
        assert [type(fault) for fault in refused.value.faults] == [LogoUnknown]


def test_images_that_no_client_uses_are_deleted_after_a_week(world: World) -> None:
    """A proposal is open for three days. An image that is uploaded again stays."""
    world.relying_party()
    with_logo(world)
    with world.work() as work:
        for content in (png(), png(20, 20)):
            logos.store(work, content)
    world.clock.advance(days=7)
    with world.work() as work:
        assert purge.purge_batch(work, "logos") == 0
        logos.store(work, png())
    world.clock.advance(seconds=1)
    with world.work() as work:
        assert purge.purge_batch(work, "logos") == 1
        kept = [IMAGE, png()]
        found = [logos.find(work, hashlib.sha256(one).hexdigest()) for one in kept]
        assert [row.content for row in found if row] == kept


# In the console


@pytest.fixture
def desk(world: World) -> Desk:
    world.relying_party()
    return Desk.of(world, ConsoleRole.ACCESS)


def upload(desk: Desk, content: bytes = b"", client_id: str = "emi", icon: str = "") -> str:
    """The page after an upload."""
    fields = {"csrf_token": desk.token(), "icon": icon}
    if content:
        fields["logo_file"] = (BytesIO(content), "../a.svg")  # type: ignore[assignment]
    answer = desk.browser.client.post(
        f"/console/clients/{client_id}/logo", data=fields, base_url=desk.browser.base
    )
    assert answer.status_code in (200, 400)
    return answer.text


def test_an_upload_is_looked_at_before_it_is_used(world: World, desk: Desk) -> None:
    """N66: it changes nothing; the form that uses it needs a fresh factor, and is recorded."""
    page = upload(desk, IMAGE)
    assert page.count(f'src="/logos/{DIGEST}"') == 2
    assert logo_of(world) is None
    answer = desk.post("/console/clients/emi/logo/use", logo=DIGEST)
    assert answer.status_code == 303
    assert logo_of(world) == DIGEST
    changed = world.events("client.updated")[-1].data
    assert (changed["before"]["logo"], changed["after"]["logo"]) == (None, DIGEST)
    assert f'src="/logos/{DIGEST}"' in desk.browser.get("/console/clients/emi").text
    assert desk.post("/console/clients/emi/logo/use", logo="").status_code == 303
    assert logo_of(world) is None


def test_a_drawing_of_the_package_can_be_chosen(desk: Desk) -> None:
    assert list(labels.ICONS) == logos.icon_names()
    page = upload(desk, icon="outage")
    assert f"/logos/{hashlib.sha256(logos.read('icon:outage')).hexdigest()}" in page


@pytest.mark.parametrize(
    ("content", "icon", "words"),
    [
        (b"", "", "The logo is empty or larger than 64 KB"),
        (b"x" * 65_537, "", "The logo is empty or larger than 64 KB"),
        (svg("<script/>"), "outage", "The logo contains more than shapes, gradients and text"),
        (b"", "../ieso", "There is no drawing &#39;icon:../ieso&#39;; there are auction, capacity"),
    ],
)
def test_a_file_that_cannot_be_a_logo_is_named(
    world: World, desk: Desk, content: bytes, icon: str, words: str
) -> None:
    assert words in upload(desk, content, icon=icon)
    assert world.browser().get(f"/logos/{hashlib.sha256(content).hexdigest()}").status_code == 404


@pytest.mark.parametrize("logo", ["0" * 64, "\x00", "a" * 1000])
def test_a_logo_that_was_not_uploaded_is_refused(world: World, desk: Desk, logo: str) -> None:
    answer = desk.post("/console/clients/emi/logo/use", logo=logo)
    assert answer.status_code == 400
    assert "the logo was not uploaded" in answer.text
    assert logo_of(world) is None


def test_n66_the_logo_of_a_provisioning_client_needs_two_operators(
    world: World, desk: Desk
) -> None:
    """The proposal covers the exact image."""
    world.relying_party("Push", scopes=("scim",), grant_types=("client_credentials",))
    upload(desk, IMAGE, "push")
    desk.post("/console/clients/push/logo/use", logo=DIGEST)
    assert logo_of(world, "push") is None
    page = desk.browser.get("/console/proposals").text
    assert re.search(rf"logo</th><td>–</td><td><code>{DIGEST}", page)


# On the command line and by a file


def test_a_command_sets_and_removes_the_logo(world: World, run: Run, tmp_path: Path) -> None:
    world.relying_party()
    file = tmp_path / "emi.svg"
    file.write_bytes(IMAGE)
    good(run("client", "update", "emi", "--logo", str(file), "--json"))
    shown = good(run("client", "show", "emi", "--json"))
    issuer = world.settings.issuer
    assert (shown["logo"], shown["logo_uri"]) == (DIGEST, f"{issuer}/logos/{DIGEST}")
    good(run("client", "update", "emi", "--logo", "icon:market", "--json"))
    assert good(run("client", "show", "emi", "--json"))["logo"] != DIGEST
    good(run("client", "update", "emi", "--logo", "none", "--json"))
    shown = good(run("client", "show", "emi", "--json"))
    assert (shown["logo"], shown["logo_uri"]) == (None, "")
    wrong = run("client", "update", "emi", "--logo", str(tmp_path / "missing.png"))
    assert wrong.exit_code == 1
    assert "cannot be read" in wrong.stderr


YAML = """\
clients:
  emi:
    name: EMI
    logo: {logo}
    redirect_uris: ["https://emi.rp.test/callback"]
"""


def apply(world: World, text: str, folder: Path) -> list[str]:
    """What the file changes; faults raise."""
    with world.work() as work:
        run = declared_changes.apply(work, declared_file.read(text, folder=folder))
        return [name for change in run.changes for name, _, _ in change.fields]


def test_a_file_names_an_image_beside_it(world: World, tmp_path: Path) -> None:
    """A second run changes nothing; the export contains the image."""
    (tmp_path / "icons").mkdir()
    (tmp_path / "icons" / "emi.svg").write_bytes(IMAGE)
    text = YAML.format(logo="icons/emi.svg")
    assert "logo" in apply(world, text, tmp_path)
    assert logo_of(world) == DIGEST
    assert apply(world, text, tmp_path) == []
    with world.work() as work:
        exported = yaml.safe_dump(declared_state.export(work))
    assert "logo: data:image/svg+xml;base64," in exported
    assert apply(world, exported, tmp_path) == []
    assert apply(world, YAML.format(logo="none"), tmp_path) == ["logo"]
    assert logo_of(world) is None
    assert apply(world, exported, tmp_path) == ["logo"]
    assert logo_of(world) == DIGEST


@pytest.mark.parametrize(
    "logo", ["missing.svg", "../gateway.yaml", "/etc/hostname", ".", "icon:none", "icon:../ieso",
             "data:text/html;base64,PGI+", "data:image/png;base64,%%", "https://x.test/a.png"],
)  # fmt: skip
def test_a_file_names_nothing_elsewhere(tmp_path: Path, logo: str) -> None:
    """Images are below the folder of the file, drawings of the package, or data; never fetched."""
    (tmp_path / "gateway.yaml").write_text("x")
    (tmp_path / "in").mkdir()
    with pytest.raises(LogoFileInvalid):
        logos.read(logo, tmp_path / "in")
    found = declared_file.read(YAML.format(logo=f"'{logo}'"), folder=tmp_path / "in")
    assert [fault.line for fault in found.faults] == [4]


def test_the_applications_of_the_market_have_drawings(world: World, run: Run) -> None:
    good(run("apply", "--builtin", "ieso", "--yes", "--json"))
    with world.work() as work:
        rows: list[Client] = registry.list_clients(work)
        assert [row.client_id for row in rows if row.logo is None] == []
        assert len({row.logo for row in rows}) == len(rows) == 17
