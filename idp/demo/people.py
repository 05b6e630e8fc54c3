"""The people of the demonstration. Companies, people and addresses are invented."""

from __future__ import annotations

from dataclasses import dataclass

from idp.models import AccountKind, AccountState
from idp.policy.console import ConsoleRole

PARTICIPANTS = {
    "109120": "Northern Lakes Generation Inc.",
    "111340": "Grand Bend Wind LP",
    "120560": "Peninsula Metering Services Ltd.",
}


#: The client that pushes accounts by SCIM.
PUSHER = "registration"
#: The registered networks of the demonstration's machine account.
LOOPBACK = ("127.0.0.1/32", "::1/128")


@dataclass(frozen=True)
class App:
    """An application of the packaged declaration that the demonstration starts."""

    name: str
    #: Its port, relative to the gateway's.
    offset: int

    @property
    def client_id(self) -> str:
        return self.name.lower()


#: Online IESO Registration, its client for pushes, which has a key, and that of people's programs.
REGISTRATION = App("registration-system", 5)
REGISTRATION_PUSHER = "registration-pushes"
REGISTRATION_PROGRAM = "registration-program"
APPS = (App("EMI", 1), App("CROW", 2), App("Reports", 3), App("Workspaces", 4))


@dataclass(frozen=True)
class Figure:
    """One seeded account with its role groups, as (role group, participant)."""

    role: str
    username: str
    given_name: str
    family_name: str
    email: str
    person_id: str
    holds: tuple[tuple[str, str], ...]
    state: AccountState = AccountState.ACTIVE
    kind: AccountKind = AccountKind.PERSONAL
    locale: str = "en"
    phone: str = ""
    #: The recovery phone. The outbox of the demo shows the codes.
    recovery_phone: str | None = None
    #: The authenticator app comes first at sign-in, instead of codes by mail.
    prefers_app: bool = False
    #: Signed in a month ago, so that a code is not required of one who is new.
    has_signed_in: bool = False

    @property
    def is_operator(self) -> bool:
        """Whether the account may open the console."""
        return any(group in list(ConsoleRole) for group, _ in self.holds)

    @property
    def participants(self) -> list[str]:
        return sorted({number for _, number in self.holds})


_LAKES, _WIND = "lakes-generation.example", "grandbend-wind.example"

FIGURES = (
    Figure(
        "trader",
        "tremblam",
        "Marie",
        "Tremblay",
        f"marie.tremblay@{_LAKES}",
        "100231",
        (
            ("EMI Bids and Offers", "109120"),
            ("EMI Market Data Viewer", "111340"),
            ("CROW Viewer", "109120"),
        ),
        phone="+1 705 555 0142 ext 12",
        recovery_phone="+17055550142",
    ),
    Figure(
        "outage_coordinator",
        "okaforc",
        "Chidi",
        "Okafor",
        f"chidi.okafor@{_LAKES}",
        "100232",
        (("CROW Outage Coordinator", "109120"),),
        phone="+1 705 555 0100 ext 7",
        has_signed_in=True,
    ),
    Figure(
        "settlements_analyst",
        "gauthien",
        "Noémie",
        "Gauthier",
        f"noemie.gauthier@{_WIND}",
        "100233",
        (("Reports Settlement", "111340"), ("Reports Revenue Metering", "111340")),
        locale="fr",
        phone="+1 613 555 0177",
    ),
    Figure(
        "pending",
        "singhj",
        "Jaspreet",
        "Singh",
        f"jaspreet.singh@{_LAKES}",
        "100234",
        (("EMI Market Data Viewer", "109120"),),
        state=AccountState.PENDING,
    ),
    Figure(
        "locked",
        "kowalskp",
        "Piotr",
        "Kowalski",
        f"piotr.kowalski@{_WIND}",
        "100235",
        (("CROW Viewer", "111340"),),
        state=AccountState.LOCKED,
    ),
    Figure(
        "workspaces_member",
        f"anika.desai@{_WIND}",
        "Anika",
        "Desai",
        f"anika.desai@{_WIND}",
        "100236",
        (("Workspaces Member", "111340"),),
        kind=AccountKind.EMAIL,
    ),
    Figure(
        "customer_relations",
        "haddadl",
        "Leila",
        "Haddad",
        "leila.haddad@operator.example",
        "100301",
        (("Gateway Customer Relations", "IESO"),),
    ),
    Figure(
        "access_management",
        "morrisoe",
        "Ewan",
        "Morrison",
        "ewan.morrison@operator.example",
        "100302",
        (("Gateway Access Management", "IESO"),),
    ),
    # Changes that need two operators.
    Figure(
        "second_access_management",
        "osullivs",
        "Siobhan",
        "O'Sullivan",
        "siobhan.osullivan@operator.example",
        "100304",
        (("Gateway Access Management", "IESO"),),
    ),
    Figure(
        "auditor",
        "nakamurh",
        "Hana",
        "Nakamura",
        "hana.nakamura@operator.example",
        "100303",
        (("Gateway Auditor", "IESO"),),
    ),
    Figure(
        "machine",
        "APIIESO00042",
        "Chidi",
        "Okafor",
        f"chidi.okafor@{_LAKES}",
        "100232",
        (("MIM Web Services", "109120"),),
        kind=AccountKind.MACHINE,
    ),
)
