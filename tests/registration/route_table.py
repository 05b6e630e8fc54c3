"""Who gets which answer at every route of registration: the table that people read, the objects in
the addresses, and the forms.

A new route needs a row, a new argument of an address its values, a new POST its form:
``test_route_matrix`` fails without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.registration.participant import RA, TRADER

#: ``yes``: 200, 201 or 303. ``sign-in``: led to the gateway. ``public``: needs no session, so the
#: answer is no matter of tiers. A number is the status. What follows the colon names the form or
#: the object: the office that is given or ended; ``member``: a person who has a role at Lakes.
TABLE = """
        route                           nobody   holder  apprep  ra    pc    ar    ieso
GET     pages.home                      sign-in  yes     yes     yes   yes   yes   yes
GET     pages.my_information            sign-in  yes     yes     yes   yes   yes   yes
POST    pages.review_information        sign-in  yes     yes     yes   yes   yes   yes
POST    pages.store_information         sign-in  yes     yes     yes   yes   yes   yes
GET     pages.request                   sign-in  403     yes     yes   yes   yes   yes
GET     pages.organizations             sign-in  404     404     404   404   404   yes
GET     pages.new_organization          sign-in  404     404     404   404   404   yes
POST    pages.register_organization     sign-in  404     404     404   404   404   yes
GET     pages.update_organization       sign-in  403     yes     yes   yes   yes   yes
GET     pages.organization_name         sign-in  404     404     404   404   404   yes
POST    pages.store_name                sign-in  404     404     404   404   404   yes
GET     pages.roles                     sign-in  403     yes     yes   yes   yes   yes
GET     pages.export_roles              sign-in  403     yes     yes   yes   yes   yes
GET     pages.review                    sign-in  403     yes     yes   403   403   403
POST    pages.review                    sign-in  403     yes     yes   403   403   403
POST    pages.confirm                   sign-in  403     yes     yes   403   403   403
GET     pages.request_access            sign-in  yes     yes     yes   yes   yes   404
POST    pages.ask_access                sign-in  yes     yes     yes   yes   yes   404
POST    pages.approve_access:asked      sign-in  403     yes     yes   403   403   403
POST    pages.refuse_access:asked       sign-in  403     yes     yes   403   403   403
GET     pages.find                      sign-in  403     yes     yes   403   403   403
GET     pages.account_roles             sign-in  403     yes     yes   403   403   403
GET     pages.copy_roles                sign-in  403     yes     yes   403   403   403
GET     pages.representatives           sign-in  403     yes     yes   yes   yes   yes
GET     pages.find_representative       sign-in  403     403     yes   yes   yes   403
GET     pages.appoint                   sign-in  403     403     yes   yes   yes   403
GET     pages.review_appointment:ar     sign-in  403     403     400   400   yes   403
GET     pages.review_appointment:pc     sign-in  403     403     400   yes   yes   403
GET     pages.review_appointment:ra     sign-in  403     403     400   yes   400   403
GET     pages.review_appointment:apprep sign-in  403     403     yes   400   yes   403
POST    pages.confirm_appointment:ar    sign-in  403     403     400   400   yes   403
POST    pages.confirm_appointment:pc    sign-in  403     403     400   yes   yes   403
POST    pages.confirm_appointment:ra    sign-in  403     403     400   yes   400   403
POST    pages.confirm_appointment:apprep sign-in 403     403     yes   400   yes   403
GET     pages.end_appointment:ar        sign-in  403     403     403   403   yes   yes
GET     pages.end_appointment:pc        sign-in  403     403     403   yes   yes   403
GET     pages.end_appointment:ra        sign-in  403     403     403   yes   403   403
GET     pages.end_appointment:apprep    sign-in  403     403     yes   403   yes   403
POST    pages.confirm_end:ar            sign-in  403     403     403   403   yes   yes
POST    pages.confirm_end:pc            sign-in  403     403     403   yes   yes   403
POST    pages.confirm_end:ra            sign-in  403     403     403   yes   403   403
POST    pages.confirm_end:apprep        sign-in  403     403     yes   403   yes   403
GET     pages.find_person               sign-in  403     yes     yes   yes   yes   yes
GET     pages.new_person                sign-in  403     yes     yes   yes   yes   yes
POST    pages.new_person                sign-in  403     yes     yes   yes   yes   yes
POST    pages.review_person             sign-in  403     yes     yes   yes   yes   yes
POST    pages.register_person           sign-in  403     yes     yes   yes   yes   yes
GET     pages.import_people             sign-in  403     yes     yes   yes   yes   yes
GET     pages.import_template           sign-in  403     yes     yes   yes   yes   yes
POST    pages.review_import             sign-in  403     yes     yes   yes   yes   yes
POST    pages.confirm_import            sign-in  403     yes     yes   yes   yes   yes
GET     pages.person:member             sign-in  403     yes     yes   yes   yes   yes
GET     pages.correct_person:member     sign-in  403     403     403   403   403   yes
POST    pages.review_correction:member  sign-in  403     403     403   403   403   yes
POST    pages.confirm_correction:member sign-in  403     403     403   403   403   yes
GET     pages.leaver:leaver             sign-in  403     403     yes   yes   yes   403
POST    pages.confirm_leaver:leaver     sign-in  403     403     yes   yes   yes   403
GET     pages.contact_roles             sign-in  403     yes     yes   yes   yes   yes
GET     pages.find_contact              sign-in  403     yes     403   403   403   403
GET     pages.contact_role              sign-in  403     yes     403   403   403   403
GET     pages.contact_person            sign-in  403     yes     403   403   403   403
GET     pages.contact_section           sign-in  403     yes     403   403   403   403
GET     pages.review_contacts           sign-in  403     yes     403   403   403   403
POST    pages.review_contacts           sign-in  403     yes     403   403   403   403
POST    pages.confirm_contacts          sign-in  403     yes     403   403   403   403
GET     pages.sections                  sign-in  403     yes     yes   yes   yes   yes
GET     pages.new_section               sign-in  403     yes     403   403   403   403
POST    pages.register_section          sign-in  403     yes     403   403   403   403
GET     pages.correct_section           sign-in  403     yes     403   403   403   403
POST    pages.store_section             sign-in  403     yes     403   403   403   403
GET     pages.end_section               sign-in  403     yes     403   403   403   403
POST    pages.confirm_section_end       sign-in  403     yes     403   403   403   403
GET     pages.machines                  sign-in  403     yes     yes   yes   yes   yes
GET     pages.find_custodian            sign-in  403     403     yes   403   403   403
GET     pages.new_machine               sign-in  403     403     yes   403   403   403
POST    pages.review_machine            sign-in  403     403     yes   403   403   403
POST    pages.register_machine          sign-in  403     403     yes   403   403   403
GET     pages.machine                   sign-in  403     403     yes   yes   yes   yes
GET     pages.check_machine             sign-in  403     403     yes   yes   yes   yes
GET     pages.networks                  sign-in  403     403     yes   403   403   403
POST    pages.review_networks           sign-in  403     403     yes   403   403   403
POST    pages.confirm_networks          sign-in  403     403     yes   403   403   403
GET     pages.find_successor            sign-in  403     403     yes   403   403   403
GET     pages.hand_over                 sign-in  403     403     yes   403   403   403
POST    pages.confirm_hand_over         sign-in  403     403     yes   403   403   403
GET     pages.stop_machine              sign-in  403     403     yes   403   403   403
POST    pages.confirm_stop              sign-in  403     403     yes   403   403   403
GET     pages.participations            sign-in  403     yes     yes   yes   yes   yes
GET     pages.find_participation        sign-in  403     yes     403   403   403   yes
GET     pages.apply                     sign-in  403     yes     403   403   403   yes
POST    pages.confirm_application       sign-in  403     yes     403   403   403   yes
GET     pages.participation             sign-in  403     yes     yes   yes   yes   yes
POST    pages.confirm_step:applied      sign-in  403     yes     403   403   403   yes
POST    pages.decide:approve            sign-in  403     403     403   403   403   yes
POST    pages.decide:refuse             sign-in  403     403     403   403   403   yes
POST    pages.decide:withdraw           sign-in  403     yes     403   403   403   yes
GET     pages.end_participation         sign-in  403     403     403   403   403   yes
POST    pages.confirm_participation_end sign-in  403     403     403   403   403   yes
GET     pages.export_representatives    sign-in  403     yes     yes   yes   yes   yes
GET     pages.export_contact_roles      sign-in  403     yes     yes   yes   yes   yes
GET     pages.export_sections           sign-in  403     yes     yes   yes   yes   yes
GET     pages.export_machines           sign-in  403     yes     yes   yes   yes   yes
GET     pages.export_participations     sign-in  403     yes     yes   yes   yes   yes
GET     pages.history                   sign-in  403     yes     yes   yes   yes   yes
GET     pages.export_history            sign-in  403     yes     yes   yes   yes   yes
GET     api.organizations               401      yes     yes     yes   yes   yes   yes
POST    api.register_organization       401      404     404     404   404   404   yes
GET     api.roles                       401      403     yes     yes   yes   yes   yes
POST    api.change_roles                401      403     yes     yes   403   403   403
GET     api.contact_roles               401      403     yes     yes   yes   yes   yes
POST    api.change_contact_roles        401      403     yes     403   403   403   403
GET     api.persons                     401      403     yes     yes   403   403   403
POST    api.leaver:leaver               401      403     403     yes   yes   yes   403
GET     api.copied                      401      403     yes     yes   403   403   403
GET     api.history                     401      403     yes     yes   yes   yes   yes
GET     api.requests                    401      403     yes     yes   yes   yes   yes
GET     api.request                     401      403     yes     yes   yes   yes   yes
GET     api.openapi                     public   public  public  public public public public
POST    pages.language                  public   public  public  public public public public
GET     auth.sign_in                    public   public  public  public public public public
GET     auth.callback                   public   public  public  public public public public
GET     auth.sign_out                   public   public  public  public public public public
POST    auth.sign_out                   public   public  public  public public public public
GET     auth.signed_out                 public   public  public  public public public public
POST    auth.backchannel_logout         public   public  public  public public public public
GET     healthz                         public   public  public  public public public public
GET     readyz                          public   public  public  public public public public
GET     static                          public   public  public  public public public public
GET     hosted.brand_colours            public   public  public  public public public public
GET     hosted.brand_logo               public   public  public  public public public public
"""

TIERS = ("nobody", "holder", "apprep", "ra", "pc", "ar", "ieso")
LAKES, PRAIRIE = "109120", "109131"
NEWCOMER = "100009"
#: Who asks, a Person ID each. The holder has a role at Lakes and no office.
PEOPLE = {
    "nobody": "", "holder": TRADER, "apprep": "100003", "ra": RA, "pc": "100004", "ar": "100005",
    "ieso": "100006",
}  # fmt: skip
#: Of each argument of an address: what Lakes has, what Prairie has, and what nobody has. A person
#: belongs to no organization: whoever appoints or grants finds everybody (RG-04).
VALUES: dict[str, tuple[str, ...]] = {
    "organization_id": (LAKES, PRAIRIE, "nothing"),
    "number": ("R1000001", "R1000002", "R9999999"),
    "appointment_id": ("own", "foreign", "999999"),
    "role": ("desk", "zebra", "nothing"),
    "section_id": ("1", "2", "999999"),
    "machine_id": ("1", "2", "999999"),
    "participation_id": ("1", "3", "999999"),
    # A market belongs to nobody.
    "market": ("rights", "nothing", "nowhere"),
    "person_id": (NEWCOMER, NEWCOMER, "999999"),
}
#: Where the person of an address must belong to the organization.
MEMBER = (TRADER, "200001", "999999")
#: Somebody with a role at Lakes and nothing else.
LEAVER = ("100008", "200001", "999999")
#: A participation that is applied for.
APPLIED = ("2", "3", "999999")
#: Requests for access.
ASKED = ("R1000003", "R1000004", "R9999999")
#: Of rows with these variants other values of an argument.
OTHERS = {
    ("person_id", "member"): MEMBER,
    ("person_id", "leaver"): LEAVER,
    ("number", "asked"): ASKED,
} | {
    ("participation_id", variant): APPLIED
    for variant in ("applied", "approve", "refuse", "withdraw")
}
#: Said nowhere to people of Lakes.
FOREIGN_WORDS = ("Prairie", "Zora", "zebra", PRAIRIE)

INFORMATION = {
    "first_name": "Ada", "last_name": "Moreau", "middle_name": "", "preferred_name": "",
    "position": "", "main_phone": "416-967-1111", "main_phone_extension": "",
    "alternate_phone_1": "", "alternate_phone_2": "", "fax": "",
    "main_email": "ada@lakes.example", "alternate_email_1": "", "alternate_email_2": "",
    "address_1": "1 Main Street", "address_2": "", "address_3": "", "address_4": "",
    "city": "Toronto", "province": "Ontario", "postal_code": "M5V 2T6", "country": "Canada",
    "contact_notes": "", "language": "en", "version": "1",
}  # fmt: skip
NEW_PERSON = INFORMATION | {"seen": "", "then": "find_person"}
NEW_PERSON.pop("version")
#: A new person of a file, and what the review of it showed.
IMPORTED = {name: NEW_PERSON[name] for name in (
    "first_name", "main_phone", "main_email", "address_1", "city", "province", "postal_code",
    "country")} | {"last_name": "Newmann"}  # fmt: skip
IMPORT = {"text": f"{','.join(IMPORTED)}\n{','.join(IMPORTED.values())}\n", "seen": "2:new"}
SECTION = {"name": "Night desk", "phone": "416-967-1111", "email": "night@lakes.example"}
NEW_MACHINE = {"description": "Sends bids", "networks": "192.0.2.24 server"}
NEW_NETWORKS = {"revision": "2", "networks": "192.0.2.25 server"}
#: Of each form every field that it has.
FORMS: dict[str, dict[str, Any]] = {
    "pages.register_organization": {"name": "Sunrise Solar", "number": ""},
    "pages.store_name": {"name": "Sunrise Solar", "version": "1", "why": "Merged"},
    "api.register_organization": {"name": "Sunrise Solar", "number": ""},
    "pages.new_person": NEW_PERSON,
    "pages.review_person": NEW_PERSON,
    "pages.register_person": NEW_PERSON | {"last_name": "Newmann"},
    "pages.review_import": {"text": IMPORT["text"]},
    "pages.confirm_import": IMPORT | {"why": "New desk"},
    "pages.review_correction": INFORMATION,
    "pages.confirm_correction": INFORMATION,
    "pages.review_information": INFORMATION,
    "pages.store_information": INFORMATION,
    "pages.review": {"seen": "", "cell": f"person|{TRADER}|bids", "from": "person"},
    "pages.confirm": {"change": f"+person|{TRADER}|bids=0", "why": "New desk", "attested": "1",
                      "from": "person"},
    "pages.confirm_appointment": {"office": "", "until": "", "letter": "", "why": "New"},
    "pages.confirm_leaver": {"reason": "left", "why": "", "seen": "a2.1", "successor": ""},
    "api.leaver": {"reason": "left", "version": "a2.1"},
    "pages.ask_access": {"role": "bids", "why": "New desk"},
    "pages.approve_access": {},
    "pages.refuse_access": {"why": "Not your desk"},
    "pages.review_contacts": {"holding": f"desk|person|{NEWCOMER}"},
    "pages.confirm_contacts": {"change": f"+desk|person|{NEWCOMER}", "why": "New desk"},
    "pages.register_section": SECTION,
    "pages.store_section": SECTION | {"version": "1"},
    "pages.confirm_section_end": {"version": "1", "why": "Moved"},
    "pages.review_machine": NEW_MACHINE,
    "pages.register_machine": NEW_MACHINE,
    "pages.review_networks": NEW_NETWORKS,
    "pages.confirm_networks": NEW_NETWORKS,
    "pages.confirm_hand_over": {"revision": "2"},
    "pages.confirm_stop": {"revision": "2", "why": "Replaced"},
    "pages.confirm_application": {},
    "pages.confirm_step": {"step": "participation.connectivity"},
    "pages.decide": {"decision": "", "why": "Not now", "version": "1"},
    "pages.confirm_participation_end": {"version": "1", "why": "Left"},
    "api.change_roles": {"changes": [{"action": "grant", "id": TRADER, "role": "bids"}],
                         "why": "New desk", "attested": True},
    "api.change_contact_roles": {
        "changes": [{"action": "add", "id": NEWCOMER, "role": "desk"}], "why": "New desk",
    },
    "pages.confirm_end": {"reason": "left", "why": "", "letter": "L-1", "version": "1"},
}  # fmt: skip
#: Sent in the address, to pages that show what a form asked for.
QUERIES: dict[str, dict[str, str]] = {
    "pages.copy_roles": {"of": TRADER},
    "api.copied": {"of": TRADER},
    "api.persons": {"person_id": NEWCOMER},
    "pages.review": {"change": f"+person|{TRADER}|bids=0"},
    "pages.review_appointment": {"office": ""},
    "pages.review_contacts": {"change": f"+desk|person|{NEWCOMER}"},
}


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    method: str
    endpoint: str
    variant: str
    answers: dict[str, str]

    @property
    def is_public(self) -> bool:
        """Whether it needs no session."""
        return set(self.answers.values()) == {"public"}

    def values(self, name: str) -> tuple[str, ...]:
        """Of this argument of the address: what is here, what is elsewhere, what is nowhere."""
        return OTHERS.get((name, self.variant), VALUES[name])

    @property
    def is_api(self) -> bool:
        """Whether programs ask it, with an access token; what is sent is JSON."""
        return self.endpoint.startswith("api.")

    def form(self) -> dict[str, Any]:
        """What is sent. KeyError: this POST has no form in FORMS."""
        known = FORMS[self.endpoint] if self.method == "POST" else QUERIES.get(self.endpoint, {})
        return known | {name: self.variant for name in ("office", "decision") if name in known}

    def __str__(self) -> str:
        return f"{self.method} {self.endpoint}:{self.variant}".rstrip(":")


def rows() -> tuple[Row, ...]:
    """The table, line by line."""
    lines = [line.split() for line in TABLE.strip().splitlines()]
    if lines[0] != ["route", *TIERS]:
        raise ValueError("the heading is not that of the tiers")
    found = []
    for method, route, *answers in lines[1:]:
        endpoint, _, variant = route.partition(":")
        found.append(Row(method, endpoint, variant, dict(zip(TIERS, answers, strict=True))))
    return tuple(found)
