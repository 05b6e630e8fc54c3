"""The console: every page for each role that may open it, and the states of an account."""

from __future__ import annotations

from collections.abc import Iterator

from idp.directory import mass_change_breaker, role_groups
from idp.directory.account_lists import AccountList
from idp.models import AccountState
from idp.policy.console import ACCESS, AGENT, AUDITOR
from idp.web.console.gate import ROUTES
from tests.console.desk import trip_breaker
from tests.gallery.studio import Studio, View
from tests.world import Browser, hidden_fields

#: The seeded person of each role.
OPERATORS = {
    AGENT: ("agent", "customer_relations"),
    ACCESS: ("access", "access_management"),
    AUDITOR: ("auditor", "auditor"),
}
FACTS = ["username", "person_id", "organization"]
CLIENT: dict[str, str | list[str]] = {
    "client_id": "capacity",
    "name": "Capacity Auction",
    "description": "Bids for capacity",
    "home_url": "https://capacity.example/signin",
    "auth_method": "client_secret_basic",
    "grant_types": ["authorization_code", "refresh_token"],
    "account_kinds": ["personal"],
    "scopes": "openid profile email groups",
    "redirect_uris": "https://capacity.example/callback",
    "require_pkce": "1",
    "trusted": "1",
    "id_token_alg": "RS256",
    "access_token_alg": "ES256",
    "access_token_format": "jwt",
}
#: The first parts of the names of these views.
AREAS = frozenset({"console"})


def views(studio: Studio) -> Iterator[View]:
    """All of them."""
    desks = {short: studio.enter(role) for short, role in OPERATORS.values()}
    _some_history(studio)
    for role, (short, _) in OPERATORS.items():
        yield from _pages_without_arguments(studio, desks[short], role, short)
        yield from _accounts(studio, desks[short], short)
    yield from _tabs(studio, desks["access"])
    yield from _caller(studio, desks["agent"])
    yield from _clients(studio, desks["access"])
    yield from _groups_and_participants(studio, desks["access"])
    yield from _searches(studio, desks["agent"], desks["auditor"])
    yield from _lists(studio, desks["access"], desks["auditor"])


def _some_history(studio: Studio) -> None:
    """Accounts in each state, and sign-ins that failed."""
    for state, name in (
        (AccountState.SUSPENDED, "Carlos Mensah"),
        (AccountState.DEACTIVATED, "Olga Ivanov"),
        (AccountState.RESET_REQUIRED, "Gwen Abernathy"),
    ):
        studio.person(f"state-{state}", name, state=state)
    studio.person("temporary", "Farah Okonkwo")
    studio.temporary_password(studio.username("temporary"))
    studio.person("blocked", "Marc Schneider")
    studio.enter("blocked")
    for _ in range(6):
        studio.browser().sign_in(studio.username("blocked"), "not the password")
    studio.world.run_worker()


def _pages_without_arguments(
    studio: Studio, browser: Browser, role: object, short: str
) -> Iterator[View]:
    """The pages of the menu, as the table of routes gives them to this role."""
    for rule in sorted(studio.world.app.url_map.iter_rules(), key=lambda rule: rule.rule):
        is_page = "GET" in (rule.methods or ()) and not rule.arguments
        if not is_page or role not in ROUTES.get(rule.endpoint, ()):
            continue
        if rule.endpoint.startswith("console.export_"):
            continue
        answer = browser.get(rule.rule)
        yield View(f"console/{short}{rule.rule.removeprefix('/console') or '/home'}", answer)


def _accounts(studio: Studio, browser: Browser, short: str) -> Iterator[View]:
    """An account in each state, as this role sees it."""
    roles = {
        "active": "trader",
        "email": "workspaces_member",
        "locked": "locked",
        "machine": "machine",
        "operator": "second_access_management",
        "pending": "pending",
        "temporary-password": "temporary",
        "sign-in-blocked": "blocked",
        "own": OPERATORS[AGENT][1],
        **{
            f"{state}": f"state-{state}"
            for state in AccountState
            if f"state-{state}" in studio.people
        },
    }
    for name, role in roles.items():
        page = browser.get(f"/console/accounts/{studio.subject(studio.username(role))}")
        yield View(f"console/{short}/account/{name}", page)


def _tabs(studio: Studio, access: Browser) -> Iterator[View]:
    """The tabs of accounts, and what Access Management changes there."""
    for role in ("trader", "machine"):
        path = f"/console/accounts/{studio.subject(studio.username(role))}"
        for tab in ("access", "factors", "sessions", "sign-ins", "history"):
            yield View(f"console/tabs/{role}/{tab}", access.get(f"{path}/{tab}"))
    yield View("console/tabs/machine/programs", access.get(f"{path}/programs"))
    yield View("console/tabs/machine/search-custodian", access.get(f"{path}/programs", who="mor"))
    unknown = studio.form(access, f"{path}/custodian", person_id="nobody")
    yield View("console/tabs/machine/wrong-custodian", unknown)
    path = f"/console/accounts/{studio.subject(studio.username('trader'))}"
    yield View("console/tabs/person", access.get(f"{path}/person"))
    typed = {"given_name": "Adah", "family_name": "Moreau", "email": "adah@participant.example"}
    yield View("console/tabs/person-confirm", studio.form(access, f"{path}/person", **typed))
    wrong = studio.form(access, f"{path}/person", **(typed | {"email": "nowhere"}))
    yield View("console/tabs/person-wrong", wrong)
    wrong = studio.form(access, "/console/accounts/new", kind="personal", locale="en")
    yield View("console/tabs/new-account-wrong", wrong)
    for action in ("deactivate", "unlock"):
        role = "locked" if action == "unlock" else "trader"
        target = f"/console/accounts/{studio.subject(studio.username(role))}"
        page = studio.form(access, f"{target}/actions/{action}")
        yield View(f"console/tabs/confirm-{action}", page)


def _caller(studio: Studio, agent: Browser) -> Iterator[View]:
    """A call: who it is, and what Customer Relations does."""
    studio.person("caller", "Jaspreet Dhaliwal")
    path = f"/console/accounts/{studio.subject(studio.username('caller'))}"
    missing = studio.form(agent, f"{path}/caller", fact=["username"], ticket="CR-1")
    yield View("console/caller/not-enough", missing)
    yield View(
        "console/caller/code-sent",
        studio.form(agent, f"{path}/code", channel="mail", ticket="CR-1"),
    )
    wrong = studio.form(agent, f"{path}/code/check", code="000000")
    yield View("console/caller/code-wrong", wrong)
    denied = studio.form(agent, f"{path}/caller/deny", ticket="CR-2")
    yield View("console/caller/denied", denied)
    studio.person("caller-2", "Beatrice Fitzgerald")
    path = f"/console/accounts/{studio.subject(studio.username('caller-2'))}"
    done = studio.form(agent, f"{path}/caller", fact=FACTS, ticket="CR-3")
    yield View("console/caller/verified", done)
    action = f"{path}/actions/temporary-password"
    page = studio.form(agent, action)
    yield View("console/caller/confirm-temporary-password", page)
    hidden = hidden_fields(page.text, action)
    yield View("console/caller/no-reason", studio.form(agent, action, **hidden))
    yield View("console/caller/temporary-password", studio.confirmed(agent, action))


def _clients(studio: Studio, access: Browser) -> Iterator[View]:
    path = "/console/clients/new"
    yield View("console/client/registered", studio.form(access, path, **CLIENT))
    wrong = CLIENT | {
        "client_id": "capacity-2",
        "redirect_uris": "http://capacity.example/callback",
    }
    yield View("console/client/wrong", studio.form(access, path, **wrong))
    yield View("console/client/page", access.get("/console/clients/emi"))
    yield View("console/client/machine", access.get("/console/clients/registration"))
    logo = studio.form(access, "/console/clients/capacity/logo", icon="capacity")
    yield View("console/client/logo", logo)
    wrong_logo = studio.form(access, "/console/clients/capacity/logo")
    yield View("console/client/wrong-logo", wrong_logo)
    path_of_secret = "/console/clients/capacity/secret"
    secret = studio.form(access, path_of_secret, overlap_hours="24")
    yield View("console/client/confirm-new-secret", secret)
    secret = studio.confirmed(access, path_of_secret, overlap_hours="24")
    yield View("console/client/new-secret", secret)
    wrong_hours = studio.form(access, "/console/clients/capacity/secret", overlap_hours="soon")
    yield View("console/client/wrong-hours", wrong_hours)
    yield View("console/client/old-secret", access.get("/console/clients/capacity"))
    disabled = studio.form(access, "/console/clients/capacity/disable")
    yield View("console/client/confirm-disable", disabled)
    disabled = studio.confirmed(access, "/console/clients/capacity/disable")
    yield View("console/client/disabled", disabled)
    tokens = "/console/initial-tokens"
    yield View("console/client/no-initial-tokens", access.get(tokens))
    form = {"name": "Northern Lakes Generation", "uses": "5", "days": "30", "require_pkce": "1"}
    yield View("console/client/initial-token", studio.form(access, tokens, **form))
    wrong_form = studio.form(access, tokens, **form | {"uses": "0"})
    yield View("console/client/initial-tokens", wrong_form)
    push = CLIENT | {
        "client_id": "push", "name": "Second registration system",
        "grant_types": ["client_credentials"], "scopes": "scim", "redirect_uris": "",
    }  # fmt: skip
    yield View("console/client/proposed", studio.form(access, path, **push))
    other = studio.enter("second_access_management")
    yield View("console/client/to-confirm", other.get("/console/proposals"))
    studio.tire()
    page = access.get(path)
    token = {"csrf_token": _token(page.text), "name": "Late", "client_id": "late"}
    yield View("console/fresh-factor", access.post(path, token))


def _token(text: str) -> str:
    return text.partition('name="csrf_token" value="')[2].partition('"')[0]


def _groups_and_participants(studio: Studio, access: Browser) -> Iterator[View]:
    wrong = studio.form(
        access, "/console/role-groups/new", name="EMI Bids and Offers", kind="personal"
    )
    yield View("console/role-groups/wrong", wrong)
    made = studio.form(access, "/console/role-groups/new", name="Capacity Bidder", kind="personal")
    yield View("console/role-groups/created", made)
    with studio.world.work() as work:
        group = f"/console/role-groups/{role_groups.by_name(work, 'EMI Bids and Offers').id}"
    yield View("console/role-groups/one", access.get(group))
    for name, who in (("found", "mor"), ("nobody", "zzz")):
        yield View(f"console/role-groups/search-{name}", access.get(group, who=who))
    wrong = studio.form(access, f"{group}/members", username="nobody", participant="109120")
    yield View("console/role-groups/wrong-member", wrong)
    number = "109120"
    yield View("console/participants/one", access.get(f"/console/participants/{number}"))
    found = access.get(f"/console/participants/{number}", who="mor")
    yield View("console/participants/search-found", found)
    machines = access.get(f"/console/participants/{number}", kind="machine")
    yield View("console/participants/machines", machines)
    yield View("console/participants/none", access.get("/console/participants", text="nowhere"))
    contact = {"number": number, "person_id": "nobody", "function": "rights_administrator"}
    wrong = studio.form(access, "/console/participants/contact", **contact)
    yield View("console/participants/wrong-contact", wrong)
    contact["person_id"] = "100231"
    done = studio.form(access, "/console/participants/contact", **contact)
    yield View("console/participants/contact", done)


def _lists(studio: Studio, access: Browser, auditor: Browser) -> Iterator[View]:
    """Lists of people, and alarms while the circuit breaker has stopped registration."""
    for name in AccountList:
        page = access.get("/console/people", list=str(name), order="desc")
        yield View(f"console/people/{name}", page)
    nobody = access.get("/console/people", list="locked", participant="109120", kind="machine")
    yield View("console/people/none", nobody)
    trip_breaker(studio.world)
    with studio.world.work() as work:
        mass_change_breaker.raise_alarm(work)
    yield View("console/alarms/stopped", access.get("/console/alarms"))
    yield View("console/alarms/auditor", auditor.get("/console/alarms"))
    yield View("console/alarms/home", access.get("/console"))
    yield View("console/alarms/confirm", studio.form(access, "/console/alarms/breaker"))


def _searches(studio: Studio, agent: Browser, auditor: Browser) -> Iterator[View]:
    yield View("console/search/several", agent.get("/console", q="1"))
    yield View("console/search/none", agent.get("/console", q="nobody at all"))
    one = auditor.get("/console/audit", name="signin.", since="2026-11-01")
    yield View("console/audit/search", one)
    yield View("console/audit/none", auditor.get("/console/audit", name="nothing."))
    yield View("console/audit/wrong", auditor.get("/console/audit", since="soon"))
    yield View("console/audit/verified", studio.form(auditor, "/console/audit/verify"))
    report = auditor.get("/console/access", participant="109120")
    yield View("console/access/report", report)
    yield View("console/access/wrong", auditor.get("/console/access", at="soon"))
