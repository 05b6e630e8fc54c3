"""The mails of registration, in English and French. They hold no secrets and no link that opens
anything without a sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from registration.delegation_facts import OFFICES, Tier
from service_base.refusals import fields_of

LANGUAGES = ("en", "fr")


class NoticeKind(StrEnum):
    """What a mail is about."""

    #: NT-06, and the same for the other offices.
    APPOINTED = "appointed"
    APPOINTMENT_ENDED = "appointment_ended"
    #: NT-05, to the Primary Contacts: a Rights Administrator is none any more.
    OFFICER_LEFT = "officer_left"
    #: NT-03 and NT-05: everything that somebody had at an organization has ended, to himself and to
    #: the Rights Administrators and Primary Contacts.
    OWN_LEAVE = "own_leave"
    LEAVER = "leaver"
    #: NT-01, to the holder, or to the custodian of a machine account.
    ACCOUNT_CREATED = "account_created"
    #: NT-11.
    VACANCY = "vacancy"
    #: NT-03, to the holder and to the Rights Administrators.
    OWN_ROLES_CHANGED = "own_roles_changed"
    ROLES_CHANGED = "roles_changed"
    #: NT-04, and NT-10 when it is a Rights Administrator; to the old address too.
    PERSON_CHANGED = "person_changed"
    #: MA-10, to the custodians and the Rights Administrators.
    MACHINE_CHANGED = "machine_changed"
    #: RG-12, to the representatives who act on a participation.
    PARTICIPATION = "participation"
    #: B.01, to those who can grant what a person asks for.
    ACCESS_REQUESTED = "access_requested"
    #: To the person, with the reason.
    ACCESS_REFUSED = "access_refused"


class AccessAnswer(StrEnum):
    """What became of a request for access, beside a grant."""

    WAITS = "waits"
    REFUSED = "refused"


class ParticipationEvent(StrEnum):
    """What happened to a participation or to the application for it."""

    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


class MachineEvent(StrEnum):
    """What happened to a machine account."""

    REGISTERED = "registered"
    NETWORKS = "networks"
    HANDED_OVER = "handed_over"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Text:
    """Subject and body, with fields in braces."""

    subject: str
    body: str

    @property
    def fields(self) -> set[str]:
        """The names of its fields."""
        return fields_of(self.subject + self.body)


TEXTS: Mapping[NoticeKind, Mapping[str, Text]] = {
    NoticeKind.APPOINTED: {
        "en": Text(
            "You are now {office} of {organization}",
            "{by} has appointed you {office} of {organization}.\n\n"
            "You can act in this role from {since}{until}. Sign in at {url}. If you have no "
            "account yet, another mail brings the link that activates it.",
        ),
        "fr": Text(
            "Vous êtes maintenant {office} – {organization}",
            "{by} vous a confié le rôle suivant pour {organization}\u00a0: {office}.\n\n"
            "Vous pouvez exercer ce rôle à compter du {since}{until}. Connectez-vous à {url}. Si "
            "vous n’avez pas encore de compte, un autre courriel contient le lien d’activation.",
        ),
    },
    NoticeKind.APPOINTMENT_ENDED: {
        "en": Text(
            "You are no longer {office} of {organization}",
            "{by} has ended your appointment as {office} of {organization}.\n\n"
            "Your access roles and contact roles are not changed by this.",
        ),
        "fr": Text(
            "Vous n’êtes plus {office} – {organization}",
            "{by} a mis fin au rôle suivant que vous exerciez pour {organization}\u00a0: "
            "{office}.\n\n"
            "Vos rôles d’accès et vos rôles de contact ne changent pas pour autant.",
        ),
    },
    NoticeKind.OFFICER_LEFT: {
        "en": Text(
            "{person} is no longer {office} of {organization}",
            "{by} has ended the appointment of {person} as {office} of {organization}. The access "
            "that came with it ends within seconds.\n\n"
            "The access roles and contact roles of {person} are not changed by this. You see them "
            "at {url}.",
        ),
        "fr": Text(
            "{person} – fin du rôle\u00a0: {office}, {organization}",
            "{by} a mis fin au rôle suivant de {person} pour {organization}\u00a0: {office}. "
            "L’accès qui en découlait prend fin en quelques secondes.\n\n"
            "Les rôles d’accès et les rôles de contact de {person} ne changent pas pour autant. "
            "Vous pouvez les consulter à {url}.",
        ),
    },
    NoticeKind.OWN_LEAVE: {
        "en": Text(
            "You have no roles at {organization} any more",
            "{by} has recorded that you have left {organization}. What you had there has "
            "ended.\n\n{changes}\n\nRoles at other organizations are not changed by this.",
        ),
        "fr": Text(
            "Vous n’avez plus de rôles – {organization}",
            "{by} a inscrit votre départ de l’organisation suivante\u00a0: {organization}. Ce que "
            "vous y aviez a pris fin.\n\n{changes}\n\n"
            "Vos rôles auprès d’autres organisations ne changent pas pour autant.",
        ),
    },
    NoticeKind.LEAVER: {
        "en": Text(
            "{person} has left {organization}",
            "{by} has recorded that {person} has left {organization}. What {person} had there has "
            "ended. Access ends within seconds.\n\n{changes}\n\nYou see the history at {url}.",
        ),
        "fr": Text(
            "Départ de {person} – {organization}",
            "{by} a inscrit le départ de {person} de l’organisation suivante\u00a0: "
            "{organization}. Ce que {person} y avait a pris fin. L’accès est retiré en quelques "
            "secondes.\n\n{changes}\n\nVous pouvez consulter l’historique à {url}.",
        ),
    },
    NoticeKind.ACCOUNT_CREATED: {
        "en": Text(
            "Your user name is {username}",
            "An account was created for you. Its user name (UserID) is {username}.\n\n"
            "Another mail brings the link that activates it. Then sign in at {url}.",
        ),
        "fr": Text(
            "Votre nom d’utilisateur est {username}",
            "Un compte a été créé pour vous. Son nom d’utilisateur (UserID) est {username}.\n\n"
            "Un autre courriel contient le lien d’activation. Connectez-vous ensuite à {url}.",
        ),
    },
    NoticeKind.VACANCY: {
        "en": Text(
            "{organization} has no {office}",
            "Nobody is {office} of {organization} any more. Please appoint somebody at {url}.",
        ),
        "fr": Text(
            "{organization}\u00a0: rôle vacant – {office}",
            "Plus personne n’exerce le rôle suivant pour {organization}\u00a0: {office}. Veuillez "
            "nommer quelqu’un à {url}.",
        ),
    },
    NoticeKind.OWN_ROLES_CHANGED: {
        "en": Text(
            "Your roles at {organization} have changed",
            "{by} has changed your roles at {organization}.\n\n{changes}\n\n"
            "Changes of access take effect at your next sign-in to each application.",
        ),
        "fr": Text(
            "Vos rôles ont changé – {organization}",
            "{by} a modifié vos rôles pour {organization}.\n\n{changes}\n\n"
            "Les changements d’accès prennent effet à votre prochaine connexion à chaque "
            "application.",
        ),
    },
    NoticeKind.ROLES_CHANGED: {
        "en": Text(
            "Roles at {organization} have changed",
            "{by} has changed roles at {organization}.\n\n{changes}",
        ),
        "fr": Text(
            "Des rôles ont changé – {organization}",
            "{by} a modifié des rôles pour {organization}.\n\n{changes}",
        ),
    },
    NoticeKind.PERSON_CHANGED: {
        "en": Text(
            "Your registered information has changed",
            "{by} has changed your registered information. You see it at {url}.",
        ),
        "fr": Text(
            "Vos renseignements inscrits ont changé",
            "{by} a modifié vos renseignements inscrits. Vous pouvez les consulter à {url}.",
        ),
    },
    NoticeKind.PARTICIPATION: {
        "en": Text(
            "{organization}: participation in {market}",
            "Participation of {organization}: {market}\n\n{what}\n\nYou see it at {url}.",
        ),
        "fr": Text(
            "{organization}\u00a0: participation – {market}",
            "Participation de {organization}\u00a0: {market}\n\n{what}\n\n"
            "Vous pouvez la consulter à {url}.",
        ),
    },
    NoticeKind.ACCESS_REQUESTED: {
        "en": Text(
            "Access requested at {organization}: {role}",
            "{by} asks for an access role at {organization}: {role}.\n\nReason: {why}\n\n"
            "You can grant or refuse it at {url}.",
        ),
        "fr": Text(
            "Demande d’accès – {organization}\u00a0: {role}",
            "{by} demande un rôle d’accès pour {organization}\u00a0: {role}.\n\n"
            "Motif\u00a0: {why}\n\nVous pouvez l’accorder ou le refuser à {url}.",
        ),
    },
    NoticeKind.ACCESS_REFUSED: {
        "en": Text(
            "Your request for access at {organization} was refused",
            "{by} has refused the access role that you asked for at {organization}: {role}.\n\n"
            "Reason: {why}\n\nYour requests are at {url}.",
        ),
        "fr": Text(
            "Votre demande d’accès a été refusée – {organization}",
            "{by} a refusé le rôle d’accès que vous avez demandé pour {organization}\u00a0: "
            "{role}.\n\nMotif\u00a0: {why}\n\nVous trouverez vos demandes à {url}.",
        ),
    },
    NoticeKind.MACHINE_CHANGED: {
        "en": Text(
            "Machine account of {organization}: {machine}",
            "{by} has changed the machine account {machine} of {organization}.\n\n{what}\n\n"
            "The Rights Administrators see it at {url}.",
        ),
        "fr": Text(
            "Compte de machine – {organization}\u00a0: {machine}",
            "{by} a modifié le compte de machine suivant de {organization}\u00a0: {machine}.\n\n"
            "{what}\n\nLes administrateurs des droits peuvent le consulter à {url}.",
        ),
    },
}
#: The sentence of each event. It may name who acted and why.
PARTICIPATION_EVENTS: Mapping[str, Mapping[ParticipationEvent, str]] = {
    "en": {
        ParticipationEvent.APPROVED: "{by} has approved the participation. Its contact roles and "
        "access roles can be given from now on.",
        ParticipationEvent.REFUSED: "{by} has refused the application. Reason: {why}",
        ParticipationEvent.WITHDRAWN: "{by} has withdrawn the application. Reason: {why}",
        ParticipationEvent.ENDED: "{by} has ended the participation, and with it all contact roles "
        "and access roles that belong to it. Reason: {why}",
    },
    "fr": {
        ParticipationEvent.APPROVED: "{by} a approuvé la participation. Ses rôles de contact et "
        "ses rôles d’accès peuvent désormais être attribués.",
        ParticipationEvent.REFUSED: "{by} a refusé la demande. Motif\u00a0: {why}",
        ParticipationEvent.WITHDRAWN: "{by} a retiré la demande. Motif\u00a0: {why}",
        ParticipationEvent.ENDED: "{by} a mis fin à la participation, ainsi qu’à tous les rôles de "
        "contact et rôles d’accès qui en dépendent. Motif\u00a0: {why}",
    },
}
#: The sentence of each event. It may name the custodian, the former one and the networks.
MACHINE_EVENTS: Mapping[str, Mapping[MachineEvent, str]] = {
    "en": {
        MachineEvent.REGISTERED: "The account was registered. {custodian} is its custodian, and "
        "gets the link that activates it. It can be used from: {networks}.",
        MachineEvent.NETWORKS: "From now on the account can be used from these networks only: "
        "{networks}.",
        MachineEvent.HANDED_OVER: "{custodian} is the custodian from now on, in place of {former}. "
        "The former password and keys no longer work. The gateway sends {custodian} a link.",
        MachineEvent.STOPPED: "The account was stopped for all time. Programs can no longer use "
        "it.",
    },
    "fr": {
        MachineEvent.REGISTERED: "Le compte a été inscrit. Son responsable est {custodian}, qui "
        "reçoit le lien d’activation. Réseaux autorisés\u00a0: {networks}.",
        MachineEvent.NETWORKS: "Le compte ne peut plus être utilisé qu’à partir de ces "
        "réseaux\u00a0: {networks}.",
        MachineEvent.HANDED_OVER: "Le compte a désormais pour responsable {custodian}, qui "
        "remplace {former}. L’ancien mot de passe et les anciennes clés ne fonctionnent plus. La "
        "passerelle envoie un lien à {custodian}.",
        MachineEvent.STOPPED: "Le compte a été arrêté définitivement. Les programmes ne peuvent "
        "plus l’utiliser.",
    },
}
OFFICE_NAMES: Mapping[str, Mapping[Tier, str]] = {
    "en": {
        Tier.AR: "Authorized Representative",
        Tier.PC: "Primary Contact",
        Tier.RA: "Rights Administrator",
        Tier.APPREP: "Applicant Representative",
    },
    "fr": {
        Tier.AR: "représentant autorisé",
        Tier.PC: "personne-ressource principale",
        Tier.RA: "administrateur des droits",
        Tier.APPREP: "représentant du demandeur",
    },
}
ADDED = {"en": "Added: {role}", "fr": "Ajouté\u00a0: {role}"}
REMOVED = {"en": "Removed: {role}", "fr": "Retiré\u00a0: {role}"}
#: Lines about a leaver's machine accounts and closed accounts.
CUSTODY = {"en": "custody of {name}", "fr": "responsabilité du compte {name}"}
ACCOUNT = {"en": "account {name}", "fr": "compte {name}"}
UNTIL = {"en": " until {until}", "fr": " jusqu’au {until}"}
GREETING = {"en": "Hello {name},", "fr": "Bonjour {name},"}
FOOT = {
    "en": "You did not expect this mail? Call IESO Customer Relations: {phone}, {email}.",
    "fr": "Ce courriel vous surprend? Appelez le service à la clientèle de la SIERE\u00a0: "
    "{phone}, {email}.",
}

for _kind in NoticeKind:
    if set(TEXTS[_kind]) != set(LANGUAGES) or len({t.subject for t in TEXTS[_kind].values()}) != 2:
        raise TypeError(f"{_kind} needs a text in each language")
    if TEXTS[_kind]["en"].fields != TEXTS[_kind]["fr"].fields:
        raise TypeError(f"the texts of {_kind} have different fields")
for _language in LANGUAGES:
    if set(OFFICE_NAMES[_language]) != set(OFFICES):
        raise TypeError(f"an office has no name in {_language}")
    if set(MACHINE_EVENTS[_language]) != set(MachineEvent):
        raise TypeError(f"an event of machines has no sentence in {_language}")
    if set(PARTICIPATION_EVENTS[_language]) != set(ParticipationEvent):
        raise TypeError(f"an event of participations has no sentence in {_language}")
