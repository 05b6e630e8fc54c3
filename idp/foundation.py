"""What every process needs: settings, ports, keys, password hashing, logs and the database.

``idp.app`` adds pages and endpoints. Commands use the foundation alone, so that they start without
loading them.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from flask import Flask
from sqlalchemy import URL, make_url

from idp.credentials.hashing import HashingLimiter, PasswordHasher
from idp.db import db, engine_options, prepare_engine
from idp.messages.logout_delivery import HttpLogoutSender
from idp.messages.sms import DemoSmsSender, FormSmsSender
from idp.networks import GeoDatabase, NetworkSet, read_networks
from idp.ports import Mailer, Ports, SmsSender, SystemClock, SystemTokens
from idp.settings import Settings
from idp.transaction import Runtime
from idp.vault import Vault
from service_base import logs
from service_base.smtp import DemoMailer, SmtpMailer

log = logs.Logger("gateway.start")


def prepare(
    app: Flask,
    settings: Settings,
    ports: Ports | None = None,
    *,
    hashing: HashingLimiter | None = None,
) -> Flask:
    """Connect the application to its runtime, hasher and database, and configure the logs. The
    caller has validated ``settings``. Errors of the database driver are not handled."""
    app.extensions["runtime"] = Runtime(settings, ports or default_ports(settings), Vault(settings))
    app.extensions["hasher"] = PasswordHasher(settings, hashing)
    app.config["SQLALCHEMY_DATABASE_URI"] = _from_working_folder(settings.database_url)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings.database_url)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
    logs.configure(settings.log_level)
    return app


def _from_working_folder(url: str) -> URL:
    """A relative path of SQLite starts at the working folder, as everywhere else; Flask-SQLAlchemy
    would take the instance folder."""
    made = make_url(url)
    if made.get_backend_name() != "sqlite" or not made.database or made.database[0] == ":":
        return made
    return made.set(database=str(Path(made.database).absolute()))


def runtime(app: Flask) -> Runtime:
    """The settings, ports and keys of the application. Raises KeyError before ``prepare``."""
    return cast(Runtime, app.extensions["runtime"])


def log_accepted_risks(app: Flask) -> None:
    """Log a warning for each unsafe setting that the operator accepted. The gateway and the worker
    call it at every start."""
    for risk in runtime(app).settings.risks():
        log.warning("accepted_risk", risk=risk)


def default_ports(settings: Settings) -> Ports:
    """The ports of production. The demo shows e-mails and text messages on its outbox page only."""
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
