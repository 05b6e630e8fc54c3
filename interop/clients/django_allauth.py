"""django-allauth: role groups as Django groups. Its sign-out ends the session of Django only."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse

PORT = os.environ["PORT"]
DATABASE = Path("django.sqlite3")
ME = Path(__file__).stem

if not settings.configured:
    settings.configure(
        SECRET_KEY=os.urandom(32).hex(),
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF=ME,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "allauth",
            "allauth.account",
            "allauth.socialaccount",
            "allauth.socialaccount.providers.openid_connect",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        SOCIALACCOUNT_ONLY=True,
        ACCOUNT_EMAIL_VERIFICATION="none",
        ACCOUNT_LOGOUT_ON_GET=True,
        SOCIALACCOUNT_LOGIN_ON_GET=True,
        SOCIALACCOUNT_PROVIDERS={
            "openid_connect": {
                "OAUTH_PKCE_ENABLED": True,
                "APPS": [
                    {
                        "provider_id": "gateway",
                        "name": "Gateway",
                        "client_id": os.environ["CLIENT_ID"],
                        "secret": os.environ["CLIENT_SECRET"],
                        "settings": {
                            "server_url": os.environ["ISSUER"],
                            "scope": ["openid", "profile", "email", "groups"],
                        },
                    }
                ],
            }
        },
        LOGIN_REDIRECT_URL="/",
        LOGOUT_REDIRECT_URL="/",
    )
    # The program is the module of its addresses too.
    sys.modules[ME] = sys.modules[__name__]
    django.setup()

from allauth.account.signals import user_logged_in  # noqa: E402 - needs the settings
from django.contrib.auth.models import Group  # noqa: E402
from django.dispatch import receiver  # noqa: E402
from django.shortcuts import redirect  # noqa: E402
from django.urls import include, path  # noqa: E402


@receiver(user_logged_in)
def take_role_groups(request: HttpRequest, user: Any, sociallogin: Any, **_: Any) -> None:
    """At each sign-in the Django groups become the role groups."""
    claims = sociallogin.account.extra_data["userinfo"]
    request.session["name"] = claims["preferred_username"]
    user.groups.set(Group.objects.filter(name__in=claims["groups"]))


def page_of(role_group: str) -> Any:
    def page(request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return HttpResponse(status=401)
        if not request.user.groups.filter(name=role_group).exists():
            return HttpResponse(status=403)
        return HttpResponse(f"{role_group}: {request.session['name']}")

    return page


urlpatterns = [
    path("", lambda request: HttpResponse("home")),
    path("signin", lambda request: redirect("/accounts/oidc/gateway/login/?process=login")),
    path("signout", lambda request: redirect("account_logout")),
    path("reader", page_of("Interop Reader")),
    path("editor", page_of("Interop Editor")),
    path("accounts/", include("allauth.urls")),
]

if __name__ == "__main__":
    DATABASE.unlink(missing_ok=True)
    execute_from_command_line(["", "migrate", "--verbosity=0"])
    Group.objects.create(name="Interop Reader")
    Group.objects.create(name="Interop Editor")
    execute_from_command_line(["", "runserver", "--noreload", "--skip-checks", f"localhost:{PORT}"])
