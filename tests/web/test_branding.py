"""Name, logo, colours and conditions of an environment, and where its pages lead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hosted_pages.contrast import mixed, ratio
from idp.errors import ConfigurationError
from idp.settings import Settings
from tests.conftest import _world
from tests.factor_steps import code, set_up_app
from tests.world import World

LOGO = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


def second_brand(folder: Path) -> dict[str, str]:
    """The settings of another operator."""
    (folder / "logo.svg").write_bytes(LOGO)
    (folder / "conditions.en.txt").write_text("Authorized staff only.\n\nAll use is <logged>.\n")
    (folder / "conditions.fr.txt").write_text("Personnel autorisé seulement.\n")
    return {
        "brand_name": "Nordlicht Portal",
        "brand_accent": "#6b1d6f",
        "brand_accent_dark": "#e9a8ec",
        "brand_folder": str(folder),
        "platform_url": "https://status.example/",
        "other_environment_url": "https://portal.example/",
    }


@pytest.fixture
def branded(settings: Settings, tmp_path: Path) -> Iterator[World]:
    """A gateway of another operator."""
    folder = tmp_path / "brand"
    folder.mkdir()
    yield from _world(replace(settings, **second_brand(folder)))


def test_another_brand_appears_on_every_page(branded: World) -> None:
    """GW-02, GW-09: its name, logo, colours, conditions and links; nothing of the built-in ones."""
    browser = branded.browser()
    text = browser.get("/signin").text
    assert "Nordlicht Portal" in text
    assert "IESO Gateway" not in text
    assert "Independent Electricity System Operator" not in text
    assert "Authorized staff only." in text
    assert "All use is &lt;logged&gt;." in text
    assert 'href="https://status.example/"' in text
    assert 'href="https://portal.example/"' in text
    assert "Go to production" in text
    for path in ("/brand/logo", "/brand/colours.css"):
        assert f'href="{path}?v=' in text
    logo = browser.get("/brand/logo")
    assert (logo.data, logo.content_type) == (LOGO, "image/svg+xml")
    colours = browser.get("/brand/colours.css")
    assert colours.content_type == "text/css"
    assert "--accent: #6b1d6f;" in colours.text
    assert "--accent: #e9a8ec;" in colours.text


def test_a_mail_has_the_name_of_the_brand(branded: World) -> None:
    """EN-02: mails of an environment name it as its pages do."""
    username = branded.account()
    browser = branded.browser()
    browser.submit(browser.get("/recover"), "/recover", username=username)
    branded.run_worker()
    mail = branded.mails("password_reset_link")[-1]
    assert "This e-mail is from the Nordlicht Portal," in mail.text
    assert "IESO Gateway" not in mail.text


def test_conditions_are_in_the_language_of_the_page(branded: World) -> None:
    """GW-02, GW-10."""
    text = branded.app.test_client().get(
        "/signin", base_url=branded.settings.issuer, headers={"Accept-Language": "fr"}
    ).text  # fmt: skip
    assert "Personnel autorisé seulement." in text


def test_the_conditions_are_on_the_page_before_the_password_is_sent(world: World) -> None:
    """GW-02: brief under the form, whole one press away."""
    text = world.browser().get("/signin").text
    assert text.index('name="password"') < text.index("By signing in, you accept the conditions")
    whole = text[text.index("Read the conditions") :]
    assert "This is a private system of the Independent Electricity System Operator." in whole


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"brand_accent": "#33aacc"},
         "IDP_BRAND_ACCENT: #33aacc has a contrast of 2.4; text needs 4.5"),
        ({"brand_accent_dark": "#2255aa"},
         "IDP_BRAND_ACCENT_DARK: #2255aa has a contrast of 2.1; text needs 4.5"),
        ({"brand_accent": "teal"}, "IDP_BRAND_ACCENT must be a colour such as #0b5c66"),
        ({"brand_accent_dark": "#fff;}"},
         "IDP_BRAND_ACCENT_DARK must be a colour such as #0b5c66"),
        ({"brand_name": " "}, "IDP_BRAND_NAME is empty"),
        ({"platform_url": "javascript:alert(1)"}, "IDP_PLATFORM_URL must be https"),
        ({"other_environment_url": "http://elsewhere.example"},
         "IDP_OTHER_ENVIRONMENT_URL must be https"),
        ({"brand_folder": "/nowhere/at/all"}, "IDP_BRAND_FOLDER: /nowhere/at/all is no folder"),
    ],
)  # fmt: skip
def test_an_unsafe_brand_is_refused_by_name(
    base_settings: Settings, changes: dict[str, str], fault: str
) -> None:
    """WCAG 1.4.3: a colour that cannot be read does not start."""
    with pytest.raises(ConfigurationError) as refusal:
        replace(base_settings, **changes).validate()  # type: ignore[arg-type]
    assert str(refusal.value) == fault


def test_conditions_exist_in_both_languages_or_in_none(
    base_settings: Settings, tmp_path: Path
) -> None:
    """GW-10."""
    (tmp_path / "conditions.en.txt").write_text("Authorized staff only.")
    settings = replace(base_settings, brand_folder=str(tmp_path))
    with pytest.raises(ConfigurationError, match="or neither"):
        settings.validate()
    (tmp_path / "conditions.fr.txt").write_text(" \n")
    with pytest.raises(ConfigurationError, match=r"conditions\.fr\.txt is empty"):
        settings.validate()
    (tmp_path / "conditions.fr.txt").write_text("Personnel autorisé seulement.")
    settings.validate()
    (tmp_path / "logo.png").write_bytes(b"x" * 200_001)
    with pytest.raises(ConfigurationError, match=r"logo\.png is larger than 200000 bytes"):
        settings.validate()


def test_contrast_is_that_of_wcag() -> None:
    """WCAG 2.2: 21 for black on white, 1 for a colour on itself; #767676 is the first grey."""
    assert ratio("#000000", "#ffffff") == pytest.approx(21)
    assert ratio("#123456", "#123456") == 1
    assert ratio("#777777", "#ffffff") < 4.5 <= ratio("#767676", "#ffffff")
    assert mixed("#000000", 0.5, "#ffffff") == "#808080"


def test_password_managers_find_the_password_page(world: World) -> None:
    """W3C, A Well-Known URL for Changing Passwords."""
    browser = world.browser()
    answer = browser.client.get("/.well-known/change-password", base_url=world.settings.issuer)
    assert (answer.status_code, answer.location) == (302, "/settings/password")
    browser.sign_in(world.account())
    assert "New password" in browser.get("/.well-known/change-password").text


def test_a_browser_can_be_remembered_at_the_second_step(world: World) -> None:
    """GW-03: the tick is there unless it was made on the first page; it counts the same."""
    username = world.account()
    secret, _ = set_up_app(world, username)
    chosen = world.browser().sign_in(username, remember="1")
    assert "Verify your identity" in chosen.text
    assert "Remember this browser" not in chosen.text
    browser = world.browser()
    page = browser.sign_in(username)
    assert "Remember this browser" in page.text
    browser.submit(page, "/signin/factor", code=code(world, secret), remember="1")
    assert "remembered until" in browser.get("/settings/sessions").text
