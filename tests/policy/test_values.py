"""Values at the border of the rules: addresses, telephone numbers, search terms, networks."""

from __future__ import annotations

import re

import pytest

from hosted_pages.contrast import is_colour, mixed, ratio
from idp.policy import phone_number as phones
from idp.policy.addresses import UNKNOWN, ClientAddress, address_of, client_address, network_of
from idp.policy.common_passwords import is_common
from idp.policy.email_address import MAX_LENGTH, AddressFault, BadAddress, email_key, single_address
from idp.policy.local_path import safe_path
from idp.policy.machine_networks import BadNetwork, NetworkFault, canonical
from idp.policy.names import MAX_NAME, name_key, printable
from idp.policy.redirect_uri import UriFault, registration_fault
from idp.policy.scopes import PERSONAL_SCOPES, default_scopes, within
from idp.policy.search_terms import fold, prefix_range, query_words, terms
from idp.policy.temporary_password import generate, spelled
from idp.policy.user_agents import describe_user_agent
from idp.policy.userid import Exhausted, candidates, is_allowed, machine_userid

LONGEST = "abcdefghijklmnopqrstuvwxyzabcdef"
TRUSTED = ("192.0.2.0/28", "2001:db8::/32")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (None, None), ("", None), ("nobody", None), ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1%eth0", None), ("fe80::1%eth0", "fe80::1"), ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)  # fmt: skip
def test_n35_an_address_is_read_in_one_form(text: str | None, address: str | None) -> None:
    """N35; RFC 4007 section 11."""
    found = address_of(text)
    assert (None if found is None else str(found)) == address


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        (None, UNKNOWN), ("x", UNKNOWN), ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)  # fmt: skip
def test_n52_limits_count_by_network(ip: str | None, network: str) -> None:
    """N52, RFC 6177: an address of IPv4, or what one customer has of IPv6."""
    assert network_of(ip) == network


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("", "", ClientAddress(None)),
        ("unix", "203.0.113.7", ClientAddress(UNKNOWN)),
        ("203.0.113.1", "198.51.100.1", ClientAddress("203.0.113.1")),
        ("192.0.2.1", "", ClientAddress("192.0.2.1")),
        ("192.0.2.1", "203.0.113.7", ClientAddress("203.0.113.7")),
        ("192.0.2.1", " 203.0.113.7 ", ClientAddress("203.0.113.7")),
        ("192.0.2.1", "198.51.100.1, 203.0.113.7,, 192.0.2.2", ClientAddress("203.0.113.7")),
        ("192.0.2.1", "192.0.2.3, 192.0.2.2", ClientAddress("192.0.2.1")),
        ("192.0.2.1", "198.51.100.1, nobody, 192.0.2.2", ClientAddress(UNKNOWN, "nobody")),
        ("192.0.2.1", "203.0.113.7:51234", ClientAddress("203.0.113.7")),
        ("192.0.2.1", "[2001:dead::7]:443", ClientAddress("2001:dead::7")),
        ("192.0.2.1", "[2001:dead::7]", ClientAddress("2001:dead::7")),
        ("192.0.2.1", "2001:dead::7", ClientAddress("2001:dead::7")),
        ("2001:db8::1", "203.0.113.7", ClientAddress("203.0.113.7")),
        ("::ffff:192.0.2.1", "203.0.113.7", ClientAddress("203.0.113.7")),
    ],
)
def test_n35_the_client_is_the_first_that_is_no_trusted_proxy(
    peer: str, forwarded: str, client: ClientAddress
) -> None:
    """N35: read from the right; what only an untrusted machine reports is not believed."""
    assert client_address(peer, forwarded, TRUSTED) == client


@pytest.mark.parametrize(
    ("typed", "phone"),
    [
        ("416 967 1111", phones.Phone("+14169671111")),
        ("+1 416-967-1111 ext 5", phones.Phone("+14169671111", "5")),
        ("416 967 1111".ljust(phones.MAX_TYPED), phones.Phone("+14169671111")),
        ("416 967 1111".ljust(phones.MAX_TYPED + 1), None),
        ("967", None),
        ("+1 111 111 1111", None),
        ("", None),
    ],
)
def test_cr09_a_telephone_number_is_kept_in_one_form(
    typed: str, phone: phones.Phone | None
) -> None:
    """CR-09, E.164: with its extension, or it is no number."""
    assert phones.parse(typed) == phone


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("1", phones.Fault.NOT_A_NUMBER),
        ("416 967 1111 ext 5", phones.Fault.EXTENSION),
        ("+44 20 7946 0958", phones.Fault.NO_TEXTS),
        ("+44 7400 123456", phones.Fault.COUNTRY),
        ("416 967 1111", "+14169671111"),
    ],
)
def test_z12_numbers_that_can_receive_text_messages(typed: str, found: str) -> None:
    """Z-12."""
    assert phones.for_sms(typed, ("CA",)) == found


def test_cr09_a_number_is_written_for_people() -> None:
    """CR-09: with and without extension and country; what is no number stays as it is."""
    assert phones.formatted("+14169671111") == "+1 416-967-1111"
    assert phones.formatted("+14169671111", "5") == "+1 416-967-1111 ext. 5"
    assert phones.formatted("?") == "?"
    assert phones.masked("+14169671111") == "••• 11"
    assert phones.masked("") == ""
    assert phones.national("+14169671111") == "4169671111"
    assert phones.national("+") == ""
    assert [phones.country_of(n) for n in ("+14169671111", "+12125550123", "+999", "?")] == [
        "CA", "US", "", "",
    ]  # fmt: skip
    assert phones.is_country("CA")
    assert not phones.is_country("ca")


@pytest.mark.parametrize(
    ("typed", "country", "text"),
    [
        (" 416-967-1111 ", "CA", "+14169671111"),
        ("1 416 967 1111", "CA", "+14169671111"),
        ("07400 123456", "GB", "+447400123456"),
        ("1 7400", "GB", "+4417400"),
        (" +33 1 ", "CA", "+33 1"),
        ("0033 1", "CA", "0033 1"),
        ("416", "XX", "416"),
        (" ", "CA", ""),
        ("٤416", "CA", "+1416"),
        ("416x", "CA", "+1416"),
    ],
)
def test_cr09_a_number_typed_beside_its_country(typed: str, country: str, text: str) -> None:
    """CR-09."""
    assert phones.in_country(typed, country) == text


def test_cr01_an_account_is_found_by_these_terms() -> None:
    """CR-01: user name, address, Person ID, parts of names, digits of telephones."""
    found = terms(
        username="SmithJ",
        email="Jim@X.test",
        person_id="R00001",
        names=("Noémie O’Brien-Roy", ""),
        phones=("+14169671111", ""),
    )
    assert found == {
        "smithj", "jim@x.test", "r00001", "noemie", "o'brien-roy", "o'brien", "obrien", "o",
        "brien", "roy", "14169671111", "4169671111",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (" +1 (416) 967-1111 ", ["14169671111"]),
        ("967-1111", ["9671111"]),
        ("67-1111", ["67-1111"]),
        ("9671111 a", ["9671111", "a"]),
        ("Jim Noémie jim", ["noemie", "jim"]),
        ("a bb ccc dddd eeeee", ["eeeee", "dddd", "ccc", "bb"]),
        ("a" * 199 + " b", ["a" * 199]),
        ("", []),
    ],
)
def test_cr01_the_words_of_a_query(query: str, words: list[str]) -> None:
    """CR-01: the longest first, four of them; a telephone number is one word."""
    assert query_words(query) == words


def test_cr01_missing_values_are_no_search_terms() -> None:
    """CR-01: an account without address and names is found by its user name only."""
    assert terms(username="a", email="", person_id="", names=("'b",), phones=("",)) == {
        "a", "'b", "b",
    }  # fmt: skip


def test_cr01_a_prefix_is_a_range() -> None:
    """CR-01: from the word itself to the last that begins with it."""
    first, last = prefix_range("smi")
    assert first <= "smi" < "smith" < "smiz\U0010fffe" < last < "smj"
    assert fold("É’") == "e'"


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        (" 192.0.2.0/28 ", "192.0.2.0/28"),
        ("10.1.0.0/16", "10.1.0.0/16"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_ma02_ma06_a_network_that_can_be_registered(text: str, network: str) -> None:
    """MA-02, MA-06: in one form."""
    assert canonical(text) == network


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("10.0.0.0/15", NetworkFault.TOO_WIDE_IPV4),
        ("2001:db8::/31", NetworkFault.TOO_WIDE_IPV6),
        ("x", NetworkFault.FORM),
        (" 192.0.2.1/28 ", NetworkFault.HOST_BITS),
        ("::ffff:192.0.2.1", NetworkFault.MAPPED),
        ("0.0.0.0", NetworkFault.NO_HOST),  # noqa: S104 - a value, not a socket
        ("224.0.0.1", NetworkFault.NO_HOST),
        ("169.254.0.1", NetworkFault.NO_HOST),
        ("fe80::1", NetworkFault.NO_HOST),
        ("ff02::1", NetworkFault.NO_HOST),
        ("::", NetworkFault.NO_HOST),
    ],
)
def test_ma02_ma06_why_a_network_cannot_be_registered(text: str, fault: NetworkFault) -> None:
    """MA-02, MA-06: each for its own reason."""
    with pytest.raises(BadNetwork) as refused:
        canonical(text)
    assert refused.value.fault is fault
    assert refused.value.args == (fault,)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", AddressFault.LENGTH),
        (f"{'a' * 64}@{'b.' * 95}a", AddressFault.LENGTH),
        ("a\n@example.com", AddressFault.CHARACTERS),
        ("a b@example.com", AddressFault.CHARACTERS),
        ('"a"@example.com', AddressFault.CHARACTERS),
        ("é@example.com", AddressFault.LOCAL_PART),
        ("a@", AddressFault.FORM),
        (f"{'a' * 64}@{'.'.join(['é' * 20] * 6)}.com", AddressFault.FORM),
        (f"{'a' * 65}@example.com", AddressFault.FORM),
    ],
)
def test_n85_the_reason_why_an_address_is_invalid(text: str, fault: AddressFault) -> None:
    """N85: the reason that the page shows."""
    with pytest.raises(BadAddress) as refused:
        single_address(text)
    assert refused.value.fault is fault
    assert str(refused.value) == fault


def test_n85_an_address_is_compared_in_one_form() -> None:
    """N85, RFC 5891: any case, either form of its domain; other text as a name."""
    assert single_address("a@exämple.com") == single_address("a@xn--exmple-cua.com")
    assert email_key(" Jim@EXÄMPLE.com ") == email_key("jim@xn--exmple-cua.com")
    assert email_key(" Jim Smith ") == "jim smith"
    assert single_address("a@machine.test") == "a@machine.test"
    longest = f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.com"
    assert len(longest) == MAX_LENGTH
    assert single_address(longest) == longest


def test_n85_no_name_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """N85: the form alone counts."""
    asked: list[str] = []
    monkeypatch.setattr(
        "email_validator.deliverability.validate_email_deliverability",
        lambda domain, *_args: asked.append(domain) or {},
    )
    assert single_address("a@example.org") == "a@example.org"
    assert asked == []


@pytest.mark.parametrize("path", ["home", "/\\evil.test", "/%2fevil.test", "/%5Cevil.test", "/a b"])
def test_n56_other_hosts_and_malformed_paths_are_no_path_of_this_site(path: str) -> None:
    """N56: read by a browser as another host, or not a path."""
    assert safe_path(path, "/home") == "/home"


def test_n49_a_name_is_compared_in_one_form() -> None:
    """N49: without the space around it, in any case and width, of limited length."""
    assert name_key("  Ｓmith ") == "smith"
    assert name_key("a" * (MAX_NAME + 1)) == "a" * MAX_NAME
    assert printable("Noémie O’Brien 王")
    refused = "\x00\ud800\u202e\ue000\uffff"
    assert not any(map(printable, refused))


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("https://rp.test/\u00e9", UriFault.CHARACTERS),
        ("https://rp.test/{a}", UriFault.CHARACTERS),
        ("ftp://localhost/cb", UriFault.SCHEME_OR_NATIVE),
        ("http://rp.test/cb", UriFault.SCHEME_OR_NATIVE),
        ("app:/cb", UriFault.SCHEME_OR_NATIVE),
        ("test.rp.app:/cb", None),
    ],
)
def test_n05_what_a_native_application_may_register(uri: str, fault: UriFault | None) -> None:
    """N05, RFC 8252 sections 7.1 and 7.3."""
    assert registration_fault(uri, native=True, allow_loopback_http=True) is fault


def test_n32_scopes_of_a_client() -> None:
    """N32: those that its grant types can give; ``address`` is never too wide."""
    assert default_scopes(("authorization_code",)) == PERSONAL_SCOPES
    assert default_scopes(("client_credentials",)) == ()
    assert within(("a", "address"), ("a", "b"))
    assert within(("a", "b"), ("a", "b"))
    assert within(("a", "address"), ("a",))
    assert within((), ())
    assert not within(("a", "c"), ("a", "b"))


def test_cr05_a_temporary_password_can_be_read_aloud() -> None:
    """CR-05: four groups of two syllables, the first with a capital, and a number of two digits."""
    assert generate(lambda _: 0) == "Baba-baba-baba-baba-10"
    assert generate(lambda count: count - 1) == "Zuzu-zuzu-zuzu-zuzu-99"
    assert re.fullmatch(r"[A-Z][a-z]{3}(-[a-z]{4}){3}-[0-9]{2}", generate(lambda _: 3))
    assert spelled("Ba-1") == [
        ("B", "Bravo", True), ("a", "Alfa", False), ("-", "-", False), ("1", "1", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, ""),
        ("curl/8", ""),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120 Safari/537 Edg/120", "Edge, Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/120 Safari/537", "Chrome, Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17 like Mac OS X) Safari/604", "Safari, iPhone"),
        ("Firefox/120", "Firefox"),
        ("Android", "Android"),
    ],
)
def test_nt12_a_browser_is_described_in_notices(header: str | None, words: str) -> None:
    """NT-12: by the names that people know."""
    assert describe_user_agent(header) == words


def test_the_contrast_of_two_colours() -> None:
    """WCAG 2.2: from 1 to 21, both branches of the linear channel; a mix by its share."""
    assert ratio("#000000", "#ffffff") == ratio("#ffffff", "#000000") == 21
    assert ratio("#123456", "#123456") == 1
    assert round(ratio("#0a0b0a", "#ff0000"), 3) == 4.931
    assert mixed("#ff8000", 0.2, "#010203") == "#341b02"
    assert is_colour("#0B5c66")
    assert not is_colour("#0b5c6")


@pytest.mark.parametrize(
    ("given", "middle", "family", "first"),
    [
        ("Al", "Bo", "Longfamily", ["longfama", "longfaab", "longfaal", "longfaa2"]),
        ("", "Bo", "Smith", ["smith", "smith2", "smith3"]),
        ("A", "", " Smith Jr. ", ["smitha", "smitha2", "smitha3"]),
    ],
)
def test_ui02_ui05_the_order_of_candidates(
    given: str, middle: str, family: str, first: list[str]
) -> None:
    """UI-02, UI-05: initials need a first name; a single letter is not used twice."""
    found = list(candidates(given=given, middle=middle, family=family))
    assert found[: len(first)] == first


def test_ui05_lengths_of_an_id() -> None:
    """UI-05: from two to eight characters; an id that cannot be made names whom it was for."""
    assert [length for length in range(12) if is_allowed("z" * length)] == list(range(2, 9))
    with pytest.raises(Exhausted, match="APIIESO") as refused:
        machine_userid(["APIIESO99999"], pads=True)
    assert refused.value.name == "APIIESO"


@pytest.mark.parametrize(
    ("password", "is_listed"),
    [
        ("!word!", True), ("w.o.r.d", False), ("se.cr.et", True), ("s.ecr.t", False),
        ("!QAZ", True), ("wor", False), ("xxsecretxxxxxxxxxx", False),
        ("secret" + "1" * 12, True), ("secret" + "1" * 13, False),
        ("wordword", True), ("1word", True), ("word1", True), ("Ｗｏｒｄ", True),
        ("0000", False), ("secret" * 17, False), (LONGEST + "1" * 64, True),
        (LONGEST + "1" * 65, False), ("!1qaz!", True), ("1q.az.2w", True), ("1q.a.z", False),
        ("1qaz" + "!" * 8, True), ("1qaz" + "!" * 9, False), ("4-b-", False),
    ],
)  # fmt: skip
def test_pw09_a_common_word_with_decoration(password: str, is_listed: bool) -> None:
    """PW-09: a listed word that is at least a third of the password, however it is decorated."""
    listed = {"word", "secret", "1qaz", "1qaz2w", "wor", "secrt", "oooo", "a-b-", LONGEST}
    assert is_common(password, listed) is is_listed
