"""The words of the mails."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment, UndefinedError

import idp.messages
from idp.messages.message_kinds import MailKind, TextMessageKind
from idp.messages.rendering import (
    LOCALES,
    MissingTemplate,
    RenderedMessage,
    check_templates,
    render,
    render_sms,
    sanitized_name,
    template_names,
)
from idp.settings import Settings

SETTINGS = Settings(issuer="https://gateway.test", environment="sandbox")
DATA = {
    "path": "/activate?token=abc-DEF_1",
    "expires_at": datetime(2026, 7, 1, 16, tzinfo=UTC),
    "granted": ["EMI Bids and Offers (109120)"],
    "revoked": ["CROW Viewer (111340)"],
    "disown_path": "/recover/not-me?token=abc",
    "agent": "Leila Haddad",
    "code": "123456",
    "factor": "My telephone",
    "what": "totp",
    "left": 9,
    "changed": ["email", "phone"],
    "networks": ["192.0.2.0/24"],
    "number": "••• 23",
    "state": "locked",
    "at": datetime(2026, 7, 1, 15, tzinfo=UTC),
    "ip": "192.0.2.1",
    "label": "Settlement robot",
    "days": 90,
    "participant": "Northern Lakes (109120)",
    "holder": "Ada Moreau, moreaua",
    "function": "rights_administrator",
}


def rendered(kind: MailKind, locale: str, name: str = "Ada Moreau") -> RenderedMessage:
    return render(kind, locale, SETTINGS, name, "moreaua", DATA)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", MailKind)
def test_every_mail_names_the_environment_and_the_contact(kind: MailKind, locale: str) -> None:
    """GW-12, GW-13, EN-02: environment, contact, no address but the gateway's own."""
    mail = rendered(kind, locale)
    place = {"en": "Sandbox", "fr": "Bac à sable"}[locale]
    assert mail.subject.startswith(f"[{place}] ")
    for part in (mail.text, mail.html):
        for contact in ("phone", "toll_free", "fax", "email"):
            assert getattr(SETTINGS, f"contact_{contact}") in part
        assert place in part
        hosts = set(re.findall(r"https?://[^/\s\"<]+", part))
        assert hosts == {"https://gateway.test"}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", MailKind)
def test_gw12_the_address_in_a_mail_ends_with_a_slash(kind: MailKind, locale: str) -> None:
    """GW-12: gateway.test.evil.example starts with gateway.test, but not with gateway.test/."""
    text = rendered(kind, locale).text
    assert text.count("https://gateway.test") == text.count("https://gateway.test/")


@pytest.mark.parametrize(
    "kind", [MailKind.ACCOUNT_CREATED, MailKind.PASSWORD_RESET_LINK, MailKind.UNLOCK_LINK]
)
@pytest.mark.parametrize("locale", LOCALES)
def test_n60_the_mailed_link_is_the_configured_address(kind: MailKind, locale: str) -> None:
    """N60: byte-equal to the configured base, in both parts."""
    link = "https://gateway.test/activate?token=abc-DEF_1"
    mail = rendered(kind, locale)
    assert f"\n{link}\n" in mail.text
    assert f'<a href="{link}">' in mail.html


@pytest.mark.parametrize(
    "path",
    [
        ".evil.test/activate",
        "@evil.test/activate",
        ":8443/activate",
        "//evil.test",
        "/\\evil.test",
        "https://evil.test/",
        "/activate\n\nhttps://evil.test",
        "",
    ],
)
def test_n60_only_a_path_of_this_site_becomes_a_link(path: str) -> None:
    """N60: what is put behind the configured base cannot turn it into another host."""
    with pytest.raises(ValueError, match="not a path"):
        render(MailKind.ACCOUNT_CREATED, "en", SETTINGS, "Ada", "moreaua", {**DATA, "path": path})


@pytest.mark.parametrize(
    "kind", [MailKind.ACCOUNT_CREATED, MailKind.PASSWORD_RESET_LINK, MailKind.ACCESS_CHANGED]
)
@pytest.mark.parametrize("locale", LOCALES)
def test_a_mail_without_its_data_is_an_error(kind: MailKind, locale: str) -> None:
    """No mail with a hole in it."""
    with pytest.raises(UndefinedError):
        render(kind, locale, SETTINGS, "Ada", "moreaua", {})


def test_times_are_given_in_eastern_time() -> None:
    """AC-02, AC-03: with the zone, summer and winter, in both languages."""
    assert "1 July 2026, 12:00 EDT" in rendered(MailKind.ACCOUNT_CREATED, "en").text
    assert "1 juillet 2026, 12 h 00 HAE" in rendered(MailKind.ACCOUNT_CREATED, "fr").text


def test_the_activation_mail_contains_the_user_name_and_no_password() -> None:
    """AC-01, AC-02."""
    text = rendered(MailKind.ACCOUNT_CREATED, "en").text
    assert "\nmoreaua\n" in text
    assert text.lower().count("password") == 2  # choose it; nobody asks for it


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>",
        "{{ 7*7 }}{% raw %}",
        "\u202egnihton",
        "Ada\r\nBcc: x@evil.test",
        "A" * 10_000,
        "nul\0byte",
        "Ada\u2028\u2028https://evil.test",
    ],
)
def test_n82_a_display_name_is_inert(name: str) -> None:
    """N82: no markup, no template, no direction override, no header, bounded."""
    mail = rendered(MailKind.ACCOUNT_RESTORED, "en", name)
    assert "<img" not in mail.html
    assert "49" not in mail.text.split("\n")[0]
    for part in (mail.subject, mail.text.split("\n")[0], mail.html):
        assert not set(part) & {"\u202e", "\0", "\r"}
    assert len(mail.text) < 2_000
    assert len(sanitized_name(name).splitlines()) == 1


def test_n82_names_of_role_groups_are_inert() -> None:
    """N82: one line for each entry, no markup, no direction override."""
    data = {"granted": ["EMI <b>\u202e\n\nhttps://gateway.test/ Viewer"], "revoked": []}
    mail = render(MailKind.ACCESS_CHANGED, "en", SETTINGS, "Ada", "moreaua", data)
    assert "- EMI <b>https://gateway.test/ Viewer\n" in mail.text
    assert "<b>" not in mail.html
    assert "\u202e" not in mail.text + mail.html


def test_subjects_in_production_do_not_name_the_environment() -> None:
    """EN-02: only the Sandbox is marked in the subject."""
    settings = replace(SETTINGS, environment="production")
    assert not render(MailKind.ACCOUNT_RESTORED, "en", settings, "A", "a", {}).subject.startswith(
        "["
    )


def test_every_template_belongs_to_a_kind_and_both_languages() -> None:
    """Nothing is forgotten, nothing is left over."""
    folder = Path(idp.messages.__file__).parent / "templates"
    found = {path.name for path in folder.glob("*.txt") if not path.name.startswith("_")}
    assert found == template_names((*MailKind, *TextMessageKind))


def test_a_kind_without_a_template_is_an_error_at_import() -> None:
    """The error names the template."""
    templates = Environment(loader=DictLoader({"unlock_link.en.txt": ""}), autoescape=True)
    with pytest.raises(MissingTemplate, match=r"no template unlock_link\.fr\.txt") as caught:
        check_templates(template_names([MailKind.UNLOCK_LINK]), templates)
    assert caught.value.names == {"unlock_link.fr.txt"}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", TextMessageKind)
def test_every_text_names_the_sender_and_its_code(kind: TextMessageKind, locale: str) -> None:
    """NT-08: one line, at most two parts of a text message, no link, never in the subject."""
    text = render_sms(kind, locale, SETTINGS, DATA)
    assert (text.subject, text.html) == ("", "")
    assert "IESO" in text.text
    assert "123456" in text.text
    lines = text.text.strip().splitlines()
    # Read aloud to an agent, or offered by the browser on this site alone (WebOTP).
    assert lines[1:] == (
        [] if kind == TextMessageKind.CALLER_CODE else ["", "@gateway.test #123456"]
    )
    assert len(text.text) < 306
    assert "://" not in text.text


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", MailKind)
def test_no_subject_contains_a_code_or_a_link(kind: MailKind, locale: str) -> None:
    """N71, N84: subjects are kept and logged in the clear."""
    subject = rendered(kind, locale).subject
    assert "123456" not in subject
    assert "token" not in subject


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", [MailKind.PASSWORD_CHANGED, MailKind.SIGNIN_FROM_NEW_BROWSER])
def test_a_notice_can_be_disowned(kind: MailKind, locale: str) -> None:
    """The button "this was not me", as a button and in full."""
    words = {"en": "This was not me", "fr": "Ce n’était pas moi"}[locale]
    mail = rendered(kind, locale)
    assert "\nhttps://gateway.test/recover/not-me?token=abc\n" in mail.text
    assert f"<strong>{words}</strong></a>" in mail.html
