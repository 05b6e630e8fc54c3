"""django-oauth-toolkit on granian, with its rows in the database of the run. Access tokens are
random strings. Its client secret is stored in the clear: by default it is hashed anew for each
request, which would hide everything else."""

from __future__ import annotations

import os
import secrets
import sys
from datetime import timedelta
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path
from django.utils import timezone

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["PEER_DATABASE"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=wal; PRAGMA synchronous=full",
            },
        }
    },
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    LOGGING_CONFIG=None,
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": os.environ["PEER_KEY"],
        "SCOPES": {"openid": "openid", "api": "api", "introspection": "introspection"},
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="peer" * 12,
    USE_TZ=True,
)
django.setup()
urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]
app = get_wsgi_application()


def prepare() -> None:
    """Make the tables, the client, and tokens of a person."""
    from django.contrib.auth.models import User
    from oauth2_provider.models import AccessToken, Application, RefreshToken

    call_command("migrate", verbosity=0)
    application = Application.objects.create(
        client_id="bench",
        client_secret=os.environ["PEER_SECRET"],
        hash_client_secret=False,
        client_type="confidential",
        authorization_grant_type="client-credentials",
        algorithm="RS256",
        name="bench",
    )
    person = User.objects.create(username="moreaua", email="moreaua@bench.example")
    tokens = [secrets.token_urlsafe(32) for _ in range(int(os.environ["PEER_REFRESH"]) + 1)]
    for number, token in enumerate(tokens):
        access = AccessToken.objects.create(
            user=person,
            application=application,
            token=token if number == 0 else secrets.token_urlsafe(32),
            expires=timezone.now() + timedelta(hours=1),
            scope="openid api",
        )
        if number:
            RefreshToken.objects.create(
                user=person, application=application, token=token, access_token=access
            )
    Path(os.environ["PEER_TOKENS"]).write_text("\n".join(tokens), encoding="ascii")


if __name__ == "__main__" and sys.argv[1:] == ["prepare"]:
    prepare()
