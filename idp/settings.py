"""Settings: one frozen value, read once from the environment, unsafe combinations refused.

Every setting is an environment variable ``IDP_<NAME>``; a secret may also be given as
``IDP_<NAME>_FILE``, the path of a file that holds it. ``gateway settings`` prints this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from hosted_pages.brand import Brand
from idp import setting_groups as groups
from idp import settings_checks
from idp.errors import ConfigurationError
from service_base import environment
from service_base.environment import shown


@dataclass(frozen=True, kw_only=True)
class Settings(
    groups.Installation,
    groups.Secrets,
    groups.Network,
    groups.Passwords,
    groups.Accounts,
    groups.Guessing,
    groups.Verification,
    groups.Sessions,
    groups.Tokens,
    groups.Provisioning,
    groups.Mail,
    groups.TextMessages,
    groups.Contact,
    groups.Branding,
):
    """All that an operator can choose. Durations are whole seconds unless the name says days."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read ``IDP_*`` variables. Raises ConfigurationError naming every fault at once."""
        settings = cls(**environment.read(cls, "IDP_", environ))
        settings.validate()
        return settings

    def validate(self) -> None:
        """Raise ConfigurationError with all the reasons why this configuration is unsafe."""
        if faults := settings_checks.faults(self):
            raise ConfigurationError("; ".join(faults))

    def risks(self) -> list[str]:
        """One sentence for each unsafe setting that is accepted. Every start logs them."""
        return settings_checks.accepted_risks(self)

    def in_force(self) -> list[dict[str, str]]:
        """Every setting: group, name of its variable, meaning, default, value. Of secrets only
        whether they are set."""
        return [
            {
                "group": group,
                "name": f"IDP_{item.name.upper()}",
                "meaning": item.metadata["meaning"],
                "default": "" if item.metadata["secret"] else shown(item.default),
                "value": ("set" if getattr(self, item.name) else "not set")
                if item.metadata["secret"]
                else shown(getattr(self, item.name)),
            }
            for group, item in groups.in_order()
        ]

    @property
    def brand(self) -> Brand:
        """The brand of the pages."""
        return Brand(
            name=self.brand_name,
            accent=self.brand_accent,
            accent_dark=self.brand_accent_dark,
            folder=self.brand_folder,
            platform_url=self.platform_url,
            other_environment_url=self.other_environment_url,
        )

    @cached_property
    def is_loopback_http(self) -> bool:
        """Whether the issuer is a plain http address of this machine (development, demo)."""
        parts = urlsplit(self.issuer)
        return parts.scheme == "http" and settings_checks.is_loopback(parts.hostname or "")

    def cookie_name(self, purpose: str) -> str:
        """The environment is part of the name, and ``__Host-`` wherever https allows it."""
        name = f"gw-{self.environment}-{purpose}"
        return name if self.is_loopback_http else f"__Host-{name}"
