"""The SMART configuration and RFC 8414 metadata: token endpoint, authentication methods, scopes."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.auth.client_authentication import INTROSPECTION_PATH, REVOCATION_PATH, TOKEN_PATH
from api.dependencies import SettingsDep
from api.http.errors.error_responses import error_responses
from api.http.public_route import PublicRoute
from api.security.keys import EC_CURVES, RSA_ALGORITHMS
from api.security.smart_scopes import PERMISSION_SCOPES, format_scopes
from api.settings import Settings

router = APIRouter(prefix="/fhir", tags=["FHIR"], route_class=PublicRoute)
metadata_router = APIRouter(tags=["authentication"], route_class=PublicRoute)


class SmartConfiguration(BaseModel, frozen=True):
    """The supported parts of SMART Backend Services (SMART App Launch 2.2)."""

    issuer: str
    token_endpoint: str
    introspection_endpoint: str
    revocation_endpoint: str
    token_endpoint_auth_methods_supported: list[str]
    token_endpoint_auth_signing_alg_values_supported: list[str]
    grant_types_supported: list[str]
    scopes_supported: list[str]
    response_types_supported: list[str]
    code_challenge_methods_supported: list[str]
    capabilities: list[str]
    jwks_uri: str


@router.get(
    "/.well-known/smart-configuration",
    operation_id="read_smart_configuration",
    summary="Read the SMART configuration",
)
def read_smart_configuration(settings: SettingsDep) -> SmartConfiguration:
    """Returns the configuration for backend services. There is no authorisation endpoint; SMART
    requires the PKCE method nevertheless.
    """
    return _describe_server(settings)


@metadata_router.get(
    "/.well-known/oauth-authorization-server",
    operation_id="read_authorization_server",
    responses=error_responses(503),
    summary="Read the metadata of the authorization server",
)
def read_authorization_server(settings: SettingsDep) -> SmartConfiguration:
    """Returns the metadata by RFC 8414, by which OAuth libraries configure themselves."""
    return _describe_server(settings)


def _describe_server(settings: Settings) -> SmartConfiguration:
    return SmartConfiguration(
        issuer=settings.public_url,
        token_endpoint=settings.public_url + TOKEN_PATH,
        introspection_endpoint=settings.public_url + INTROSPECTION_PATH,
        revocation_endpoint=settings.public_url + REVOCATION_PATH,
        token_endpoint_auth_methods_supported=[
            "private_key_jwt",
            "client_secret_basic",
            "client_secret_post",
        ],
        token_endpoint_auth_signing_alg_values_supported=sorted({*EC_CURVES, *RSA_ALGORITHMS}),
        grant_types_supported=["client_credentials"],
        scopes_supported=list(format_scopes(PERMISSION_SCOPES)),
        response_types_supported=[],
        code_challenge_methods_supported=["S256"],
        capabilities=["client-confidential-asymmetric", "permission-v1", "permission-v2"],
        jwks_uri=f"{settings.public_url}/.well-known/jwks.json",
    )
