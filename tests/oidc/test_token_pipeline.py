"""architecture.md, a token: the phases of a token request belong to the pipeline alone."""

from __future__ import annotations

import ast
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant

from idp.oidc import grants
from idp.oidc.grants.authorization_code import GRANT_TYPE
from idp.oidc.grants.pipeline import GrantType, authenticate_client
from tests.world import World


class WithPhase(GrantType):  # type: ignore[misc]  # the type checker refuses it too
    """A grant type that defines a phase."""

    def check_active(self) -> None:
        """Nothing is checked."""


class AuthlibGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """A grant class of Authlib, whose ``validate_token_request`` is a phase."""


@pytest.mark.parametrize(
    "grant_type",
    [WithPhase(name="own", redeem=GRANT_TYPE.redeem), AuthlibGrant, object()],
    ids=["subclass", "authlib", "other"],
)
def test_n33_a_grant_type_that_defines_a_phase_is_refused(world: World, grant_type: Any) -> None:
    """N33: the server registers ``GrantType`` values and nothing else."""
    server = world.app.extensions["oidc"]
    before = dict(server.grant_types)
    with pytest.raises(TypeError, match="the phases are those of the pipeline"):
        server.register_grant(grant_type)
    assert server.grant_types == before


def test_n33_a_grant_type_cannot_have_further_members() -> None:
    """N33: it has a name, ``redeem``, whether that checks the resource, and ``authenticate``, and
    cannot be changed."""
    members = [field.name for field in fields(GrantType)]
    assert members == ["name", "redeem", "names_audience", "authenticate"]
    with pytest.raises(TypeError):
        GrantType(name="own", redeem=GRANT_TYPE.redeem, issue=print)  # type: ignore[call-arg]
    with pytest.raises(FrozenInstanceError):
        GRANT_TYPE.redeem = print  # type: ignore[misc, assignment]


def test_n33_only_machine_accounts_authenticate_differently() -> None:
    """N33: every other grant type authenticates the client in the pipeline's way."""
    own = [kind.name for kind in grants.GRANT_TYPES if kind.authenticate != authenticate_client]
    assert own == ["client_credentials"]


def test_n33_only_the_pipeline_checks_whether_a_grant_is_active() -> None:
    """N33: one call in ``pipeline.py``, none in a grant type."""
    asking = []
    for path in Path(str(grants.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "is_active":
                asking.append(path.name)
    assert asking == ["pipeline.py"]
