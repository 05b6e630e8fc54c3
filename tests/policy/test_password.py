"""The password policy, rule by rule, and that the page's script tells the same."""

import gzip
import json
import random
import runpy
import shutil
import string
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.policy.common_passwords import CommonPasswords, fold, is_common, load
from idp.policy.data import FILE_NAME, shipped
from idp.policy.password import FORBIDDEN, Owner, Policy, Rule, normalize, rules, violations

ROOT = Path(__file__).resolve().parents[2]
NODE = shutil.which("node")

NOBODY = Owner(username="")
MARIE = Owner("mtremblay7", "marie.t@example.com", ("Marie-Ève", "Tremblay", "Jo"))
SHORT_NAMES = Owner("abc", "xy@example.com", ("Li",))
POLICY = Policy()
NO_WORDS: frozenset[str] = frozenset()

GOOD = "Vq7#rmkz"

# Password, owner, the rules it fails (those that a browser can decide).
TABLE: list[tuple[str, Owner, set[Rule]]] = [
    (GOOD, NOBODY, set()),
    (GOOD, MARIE, set()),
    ("ÉÀü9ñ%çø", NOBODY, set()),
    # Three characters of a longer UserID are no part of it, at its end neither.
    ("Vq#rzmay7", MARIE, set()),
    ("Vq#rzlay7", MARIE, {Rule.CONTAINS_USER_NAME}),
    ("Vq7#postb", Owner("mtremblay7", "postbox"), {Rule.CONTAINS_USER_NAME}),
    ("Vq7#rmk", NOBODY, {Rule.TOO_SHORT}),
    ("Vq7#" + "x" * 252, NOBODY, set()),
    ("Vq7#" + "x" * 253, NOBODY, {Rule.TOO_LONG}),
    ("Vq7#" + "e\u0301" * 252, NOBODY, set()),
    ("e\u0301" * 513, NOBODY, {Rule.TOO_LONG}),
    ("vq7#rmkz", NOBODY, {Rule.NO_UPPER}),
    ("VQ7#RMKZ", NOBODY, {Rule.NO_LOWER}),
    ("Vqx#rmkz", NOBODY, {Rule.NO_DIGIT}),
    ("Vq7xrmkz", NOBODY, {Rule.NO_SPECIAL}),
    ("Vq7&rmkz", NOBODY, {Rule.NO_SPECIAL, Rule.FORBIDDEN_CHARACTER}),
    ("", NOBODY, {Rule.TOO_SHORT, Rule.NO_UPPER, Rule.NO_LOWER, Rule.NO_DIGIT, Rule.NO_SPECIAL}),
    (" " + GOOD, NOBODY, {Rule.WHITE_SPACE}),
    (GOOD + "\n", NOBODY, {Rule.WHITE_SPACE}),
    (GOOD + "\x00", NOBODY, {Rule.CONTROL_CHARACTER}),
    (GOOD + "\x1f", NOBODY, {Rule.CONTROL_CHARACTER}),
    (GOOD + "\ud800", NOBODY, {Rule.CONTROL_CHARACTER}),
    (GOOD + "\ue000", NOBODY, {Rule.CONTROL_CHARACTER}),
    (GOOD + "\uffff", NOBODY, {Rule.CONTROL_CHARACTER}),
    # Runs of four of the UserID, of the e-mail's local part, the whole when it has three.
    ("Qx7#trem", MARIE, {Rule.CONTAINS_USER_NAME}),
    ("Qx7#tre+m", MARIE, set()),
    ("Qx7#TRÉMz", MARIE, {Rule.CONTAINS_USER_NAME}),
    ("Qx#pplay7", MARIE, {Rule.CONTAINS_USER_NAME}),
    ("Qx7#rie.tz", MARIE, {Rule.CONTAINS_USER_NAME}),
    ("Qx7#exampl", MARIE, set()),
    ("Qx7#tRé\uff4d", MARIE, {Rule.CONTAINS_USER_NAME}),
    ("Qx7#zABCz", SHORT_NAMES, {Rule.CONTAINS_USER_NAME}),
    ("Qx7#abxyLi", SHORT_NAMES, set()),
    # Whole words of three letters of the names: a hyphen ends a word, two letters do not count.
    ("Qx7#éve.jo", MARIE, {Rule.CONTAINS_NAME}),
    ("Qx7#zEVEz", MARIE, {Rule.CONTAINS_NAME}),
    ("Qx7#marie", MARIE, {Rule.CONTAINS_USER_NAME, Rule.CONTAINS_NAME}),
    ("Qx7#Straße", Owner("u", "", ("Strasse",)), {Rule.CONTAINS_NAME}),
    ("Qx7#ΣΟΦΟΣz", Owner("u", "", ("Σοφος",)), {Rule.CONTAINS_NAME}),
    ("Qx7#o-brien", Owner("u", "", ("O'Brien",)), {Rule.CONTAINS_NAME}),
    ("Qx7#한국말z", Owner("u", "", ("한국말",)), {Rule.CONTAINS_NAME}),
    ("Qx7#한국xx", Owner("u", "", ("한국",)), set()),
]
TABLE += [
    ("Vq7#" + c + "rmkz", NOBODY, {Rule.FORBIDDEN_CHARACTER})
    for c in (
        *"&\\<>'\"‘’‚‛“”„‟ʼʻ",  # straight and curly
        *"＆＼＜＞＇＂﹠﹨﹤﹥",  # full-width and small
        *"≮≯ŉ",  # hidden in a composed character
        "<\u0338",
    )
]
TABLE += [
    ("Vq7#" + c + "rmkz", NOBODY, {Rule.WHITE_SPACE})
    for c in "\t\r\x85\xa0\xad\u1680\u2003\u2009\u200b\u200d\u2028\u202e\u202f\u2060\u3000\ufeff"
    "\u3164\u2800"
]


@st.composite
def accepted(draw: st.DrawFn) -> str:
    """A password with one of each class at least, and no word in it."""
    needed = [
        draw(st.sampled_from("QVXZÉÅ")),
        draw(st.sampled_from("qvxzéå")),
        draw(st.sampled_from("23456789")),
        draw(st.sampled_from("#!%*+-_=?@^~")),
    ]
    rest = draw(st.lists(st.sampled_from("QVXZqvxz2345#!%*"), min_size=4, max_size=60))
    return "".join(draw(st.permutations(needed + rest)))


any_text = st.text(st.characters(exclude_categories=()), max_size=60)


@pytest.mark.parametrize(("password", "owner", "expected"), TABLE)
def test_each_violated_rule_is_named(password: str, owner: Owner, expected: set[Rule]) -> None:
    """PW-01, PW-03 to PW-07, Z-01, Z-05: exactly these rules and no other, in order."""
    found = violations(password, owner, POLICY, NO_WORDS)
    assert found == tuple(rule for rule in Rule if rule in expected)


def test_special_character_follows_the_setting() -> None:
    """PW-04, Z-01: required by default, not when the setting is off."""
    assert violations("Vq7xrmkz", NOBODY, POLICY, NO_WORDS) == (Rule.NO_SPECIAL,)
    assert violations("Vq7xrmkz", NOBODY, Policy(require_special=False), NO_WORDS) == ()


def test_lengths_follow_the_settings() -> None:
    """PW-01: a deployment may ask for more; characters count, not bytes."""
    assert violations(GOOD, NOBODY, Policy(min_length=9), NO_WORDS) == (Rule.TOO_SHORT,)
    assert violations(GOOD, NOBODY, Policy(max_length=7), NO_WORDS) == (Rule.TOO_LONG,)
    assert violations("Vq7#" + "é" * 252, NOBODY, POLICY, NO_WORDS) == ()


def test_an_enormous_password_is_refused_without_processing_it() -> None:
    """PW-01: a megabyte of combining marks costs nothing."""
    assert violations("\u0301\u0323" * 500_000, NOBODY, POLICY, NO_WORDS) == (Rule.TOO_LONG,)


def test_length_is_that_of_the_normal_form() -> None:
    """PW-01: four code points that are one character count once, up to the greatest length."""
    typed = unicodedata.normalize("NFD", "\u1f82")
    assert len(typed) == 4
    policy = Policy(max_length=8)
    assert Rule.TOO_LONG not in violations(typed * 8, NOBODY, policy, NO_WORDS)
    assert Rule.TOO_LONG in violations(typed * 9, NOBODY, policy, NO_WORDS)


def test_the_rules_shown_are_the_rules_enforced() -> None:
    """PW-03, PW-08, PW-09: the page lists the settings' rules in the order of the refusals."""
    assert rules(POLICY) == tuple(Rule)
    off = Policy(require_special=False, history=0, refuse_common=False)
    assert set(Rule) - set(rules(off)) == {Rule.NO_SPECIAL, Rule.REUSED, Rule.COMMON}
    assert Rule.REUSED in rules(Policy(history=1))


def test_reuse_is_checked_by_the_service() -> None:
    """PW-08: it needs the stored hashes, so it is shown as a rule but never decided here."""
    assert Rule.REUSED in rules(POLICY)
    assert Rule.REUSED not in violations("", NOBODY, POLICY, shipped())


def test_normalisation_keeps_case_and_space() -> None:
    """PW-02: composed once, nothing trimmed, the case left alone."""
    assert normalize(" E\u0301A ") == " ÉA "


@pytest.mark.parametrize(
    "password",
    [
        "Password1!",
        "Summer2026#",
        "P@ssw0rd!",
        "Welcome123!",
        "W3lc0m3!",
        "$Ummer2026",
        "2026Summer#",
        "123Password!",
        "Pa55word#9",
        "Passw0rd123!",
        "PasswordPassword1!",
        "P-a-s-s-w-o-r-d1",
        "!QAZ2wsx",
        "1qaz@WSX!",
        "Aa@123456",
        "Qwerty123!",
        "Ｐassword1!",
        "Pässword1!",
        "Élephant7#",
        "Ontario-2026!",
        "Ieso2026!",
        "Motdepasse1!",
        "Love12345!",
    ],
)
def test_listed_words_are_refused_however_decorated(password: str) -> None:
    """PW-09: the base word decides, not the digits and signs around or within it."""
    assert Rule.COMMON in violations(password, NOBODY, POLICY, shipped())
    assert Rule.COMMON not in violations(password, NOBODY, Policy(refuse_common=False), shipped())


@pytest.mark.parametrize(
    "password",
    [
        "Correct-Horse7-Battery",  # several words
        "Horse7-Battery",
        "8412#Fish%97351",  # a word that is a small part
        "Cat#84721",  # three letters
        "Xk#9pLq2",
        "",
    ],
)
def test_other_passwords_are_not_called_common(password: str) -> None:
    """PW-09: a listed word inside a better password is no reason to refuse it."""
    assert not is_common(password, shipped())


@pytest.mark.parametrize("length", [12, 16, 24])
def test_generated_passwords_are_not_called_common(length: int) -> None:
    """PW-09: what a password manager makes is accepted."""
    source = random.Random(length)
    signs = string.ascii_letters + string.digits + "!#$%()*+,-./:;=?@[]^_{|}~"
    made = ["".join(source.choices(signs, k=length)) for _ in range(3000)]
    assert [password for password in made if is_common(password, shipped())] == []


def test_the_list_is_searched_for_the_whole_password_in_any_case() -> None:
    """PW-09: `contains` is the plain look-up, folded."""
    assert shipped().contains("PASSWORD")
    assert shipped().contains("Québec")
    assert not shipped().contains("Password1!x")
    assert load(gzip.compress(b"one\ntwo\n")) == CommonPasswords(frozenset({"one", "two"}))


def test_an_unreadable_list_is_an_error() -> None:
    """PW-09: a deployment without its list must not look like one without common passwords."""
    with pytest.raises(gzip.BadGzipFile):
        load(b"password\n")


def test_the_shipped_list_matches_the_script_that_generates_it() -> None:
    """PW-09: the list can be made again from its source."""
    source = pytest.importorskip("zxcvbn.frequency_lists").FREQUENCY_LISTS
    script = runpy.run_path(str(ROOT / "scripts" / "build_common_passwords.py"))
    made = script["words"]([*source.values(), script["LOCAL_WORDS"].split()])
    data = (ROOT / "idp" / "policy" / "data" / FILE_NAME).read_bytes()
    # The words and not the bytes: another zlib may compress them otherwise.
    assert gzip.decompress(data).decode().splitlines() == made
    assert made == sorted({fold(word) for word in made})
    assert len(data) <= 300_000


@given(accepted())
def test_password_that_satisfies_all_rules_passes(password: str) -> None:
    """PW-01 to PW-07: the rules can be met, and nothing else is asked."""
    assert violations(password, MARIE, POLICY, NO_WORDS) == ()


@given(accepted(), st.sampled_from(sorted(FORBIDDEN) + list("＆＼＜＞＇＂﹠﹨﹤﹥")), st.data())
def test_forbidden_character_is_refused_anywhere(
    password: str, character: str, data: st.DataObject
) -> None:
    """PW-05: wherever it stands, and for that reason alone."""
    at = data.draw(st.integers(0, len(password)))
    spoiled = password[:at] + character + password[at:]
    assert violations(spoiled, NOBODY, POLICY, NO_WORDS) == (Rule.FORBIDDEN_CHARACTER,)


@given(any_text | accepted(), st.sampled_from([NOBODY, MARIE, SHORT_NAMES]))
def test_composed_and_decomposed_forms_are_one_password(text: str, owner: Owner) -> None:
    """PW-13: keyboards differ in how they send an accent; the answer does not."""
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert normalize(composed) == normalize(decomposed) == normalize(normalize(text))
    assert violations(composed, owner, POLICY, shipped()) == violations(
        decomposed, owner, POLICY, shipped()
    )


@given(any_text, any_text, any_text, st.lists(any_text, max_size=3))
def test_every_text_can_be_checked(
    password: str, username: str, email: str, names: list[str]
) -> None:
    """PW-13: whatever is posted, the answer is a list of rules; what passes can be hashed."""
    found = violations(password, Owner(username, email, tuple(names)), POLICY, shipped())
    if Rule.CONTROL_CHARACTER not in found:
        normalize(password).encode("utf-8")


@given(any_text)
def test_folding_twice_changes_nothing(text: str) -> None:
    """Z-05: both sides of a comparison are folded once, wherever they come from."""
    assert fold(fold(text)) == fold(text)


@given(accepted(), st.text("abcdefgh0123.é", min_size=4, max_size=12), st.data())
def test_any_run_of_four_of_the_user_id_is_refused(
    password: str, username: str, data: st.DataObject
) -> None:
    """PW-07, Z-05: any run, in any case."""
    at = data.draw(st.integers(0, len(username) - 4))
    spoiled = password + username[at : at + 4].upper()
    found = violations(spoiled, Owner(username), POLICY, NO_WORDS)
    assert Rule.CONTAINS_USER_NAME in found


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_the_script_of_the_page_agrees_with_the_server() -> None:
    """PW-03, PW-05, PW-07: what is ticked off while typing is what the server decides."""
    program = """
        const { violations } = require(process.argv[1]);
        const policy = { minLength: 8, maxLength: 256, requireSpecial: true };
        const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const answers = cases.map(([password, owner]) => violations(password, owner, policy));
        process.stdout.write(JSON.stringify(answers));
    """
    cases = [
        (password, {"username": o.username, "email": o.email, "names": o.names})
        for password, o, _ in TABLE
    ]
    done = subprocess.run(
        [str(NODE), "-e", program, str(ROOT / "idp" / "static" / "password.js")],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    expected = [[rule for rule in Rule if rule in failed] for _, _, failed in TABLE]
    assert json.loads(done.stdout) == expected
