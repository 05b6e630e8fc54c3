"""What every process needs: settings, ports, keys, password hashing, logs and the database.

``idp.app`` adds pages and endpoints. Commands and the worker use the foundation alone, so that they
start without loading them, and without Flask.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

from idp.clients.key_documents import HttpKeyDocuments
from idp.clients.key_hosts import KeyHosts
from idp.credentials.hashing import PasswordHasher
from idp.db import engine_options, prepare_engine
from idp.messages.sms import DemoSmsSender, FormSmsSender
from idp.messages.token_delivery import HttpEventSender, HttpLogoutSender
from idp.networks import GeoDatabase, NetworkSet, read_networks
from idp.ports import Mailer, Ports, SmsSender, SystemClock, SystemTokens
from idp.settings import Settings
from idp.transaction import Runtime
from idp.vault import Vault
from service_base import logs
from service_base.core_session import CoreSession
from service_base.smtp import DemoMailer, SmtpMailer

log = logs.Logger("gateway.start")


@dataclass(frozen=True)
class Foundation:
    """The foundation of a process without pages: a command or the worker."""

    runtime: Runtime
    hasher: PasswordHasher
    engine: Engine

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def connect(settings: Settings, ports: Ports | None = None) -> Foundation:
    """The foundation for these settings, which the caller has validated. It opens no connection
    yet. Also configures the logs."""
    logs.configure(settings.log_level)
    engine = create_engine(settings.database_url, **engine_options(settings.database_url))
    prepare_engine(engine)
    sessions = scoped_session(sessionmaker(engine, class_=CoreSession))
    return Foundation(runtime(settings, sessions, ports), PasswordHasher(settings), engine)


def runtime(
    settings: Settings, sessions: scoped_session[CoreSession], ports: Ports | None = None
) -> Runtime:
    """The runtime of a process, by default with the ports of production."""
    return Runtime(settings, ports or default_ports(settings), Vault(settings), sessions)


def log_accepted_risks(settings: Settings) -> None:
    """Log a warning for each unsafe setting that the operator accepted. The gateway and the worker
    call it at every start."""
    for risk in settings.risks():
        log.warning("accepted_risk", risk=risk)


def default_ports(settings: Settings) -> Ports:
    """The ports of production. The demo shows e-mails and text messages on its outbox page only."""
    mailer: Mailer = SmtpMailer(settings)
    sms: SmsSender | None = FormSmsSender(settings) if settings.sms_url else None
    if settings.demo:
        mailer, sms = DemoMailer(), DemoSmsSender()
    outbound = NetworkSet(settings.outbound_networks)
    return Ports(
        SystemClock(),
        SystemTokens(),
        mailer,
        sms,
        geo_locator=GeoDatabase(settings.place_database, settings.asn_database),
        suspicious_networks=read_networks(settings.listed_networks),
        denied_networks=NetworkSet(settings.denied_networks),
        logouts=HttpLogoutSender(outbound, settings.outbound_ca_file),
        events=HttpEventSender(outbound, settings.outbound_ca_file),
        key_hosts=KeyHosts(HttpKeyDocuments(outbound, settings.outbound_ca_file).read),
    )
