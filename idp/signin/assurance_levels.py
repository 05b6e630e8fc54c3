"""Levels of assurance (``acr``): what a client demands of a session, and how far it can rise."""

from __future__ import annotations

from idp.directory import held_role_groups
from idp.factors import authenticators
from idp.mfa.assurance import METHODS, FactorKind, acr_of, passkey_methods
from idp.mfa.decision import DUE
from idp.mfa.second_factor_rule import Rule, strictest
from idp.models import Account, Authenticator
from idp.models.records import AnyClient, OpenSession
from idp.policy.scopes import ACR_MFA, satisfies
from idp.session import browsers
from idp.transaction import UnitOfWork


def demanded(
    work: UnitOfWork, client: AnyClient, session: OpenSession | None, cookie: str
) -> str | None:
    """The level that the client demands. It is the registered level, or a higher one if a
    second-factor rule needs a factor that the session lacks, such as that of a new role group."""
    if session is None or satisfies(session.acr, ACR_MFA):
        return client.minimum_acr
    rules = [client.second_factor]
    if authenticators.has_usable(work, session.account):
        account = work.db.get_one(Account, session.account.id)
        rules += [
            work.settings.second_factor,
            *held_role_groups.second_factor_rules(work, account),
        ]
    rule = strictest(rules)
    asks = rule is Rule.ALWAYS
    if rule is Rule.EVERY_30_DAYS:
        known = browsers.known(work, session.account, cookie)
        proved_at = known.proved_at if known is not None else None
        asks = proved_at is None or work.now - proved_at >= DUE
    if not asks or satisfies(client.minimum_acr, ACR_MFA):
        return client.minimum_acr
    return ACR_MFA


def reachable(work: UnitOfWork, session: OpenSession) -> str:
    """The level to which the session can rise with the factors of its account."""
    best = session.acr
    weak_counts = work.settings.weak_factors_satisfy_mfa
    for row in authenticators.list_usable(work, session.account):
        level = acr_of([*session.amr, *methods_of(row)], weak_counts=weak_counts)
        best = level if satisfies(level, best) else best
    return best


def methods_of(row: Authenticator) -> tuple[str, ...]:
    """What proving this factor adds to ``amr``."""
    if row.kind == FactorKind.PASSKEY:
        return passkey_methods(is_synced=row.is_synced)
    return METHODS[FactorKind(row.kind)]
