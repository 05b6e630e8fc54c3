"""What every process needs: settings, ports, keys, password hashing, logs and the database.

``idp.app`` adds the pages and endpoints to it. Commands of the command line use it as it is, so
that they start without the web.
"""

from __future__ import annotations

from typing import cast

import structlog
from flask import Flask

from idp import logs
from idp.credentials.hashing import HashingLimiter, PasswordHasher
from idp.db import db, engine_options, prepare_engine
from idp.messages.logout_delivery import HttpLogoutSender
from idp.messages.sms import DemoSmsSender, FormSmsSender
from idp.messages.smtp import DemoMailer, SmtpMailer
from idp.networks import GeoDatabase, NetworkSet, read_networks
from idp.ports import Mailer, Ports, SmsSender, SystemClock, SystemTokens
from idp.settings import Settings
from idp.transaction import Runtime
from idp.vault import Vault

log = structlog.get_logger("gateway.start")


def prepare(
    app: Flask,
    settings: Settings,
    ports: Ports | None = None,
    *,
    hashing: HashingLimiter | None = None,
) -> Flask:
    """Give the application its runtime, its hasher and its database. ``settings`` are valid."""
    app.extensions["runtime"] = Runtime(settings, ports or default_ports(settings), Vault(settings))
    app.extensions["hasher"] = PasswordHasher(settings, hashing)
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings.database_url)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
    logs.configure(settings.log_level)
    return app


def runtime(app: Flask) -> Runtime:
    """The settings, ports and keys of the application."""
    return cast(Runtime, app.extensions["runtime"])


def log_accepted_risks(app: Flask) -> None:
    """Log what is unsafe and accepted: at the start of every process that serves or works."""
    for risk in runtime(app).settings.risks():
        log.warning("accepted_risk", risk=risk)


def default_ports(settings: Settings) -> Ports:
    """The ports of production; in the demo mails and texts go to the outbox page only."""
    mailer: Mailer = SmtpMailer(settings)
    sms: SmsSender | None = FormSmsSender(settings) if settings.sms_url else None
    if settings.demo:
        mailer, sms = DemoMailer(), DemoSmsSender()
    return Ports(
        SystemClock(),
        SystemTokens(),
        mailer,
        sms,
        geo_locator=GeoDatabase(settings.place_database, settings.asn_database),
        suspicious_networks=read_networks(settings.listed_networks),
        denied_networks=NetworkSet(settings.denied_networks),
        logouts=HttpLogoutSender(NetworkSet(settings.outbound_networks)),
    )
