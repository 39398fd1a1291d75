"""Models of external token issuers and the terms on which their tokens are accepted."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from schemas.base import FrozenModel, Many
from schemas.patients.patient import Reference

IssuerKind = Literal["access", "hooks", "launch"]
IssuerUrl = Annotated[str, Field(pattern=r"^https?://[!-~]{1,490}$")]
IssuerScope = Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]


class IssuerTerms(FrozenModel):
    """How the tokens of an issuer are verified and interpreted.

    Keys are given by value or by the address at which they are published. With both, the keys
    given by value are used, and the address is only what a `jku` header must name.
    """

    keys: Many[dict[str, Any]] = Field(default=(), max_length=20)
    key_set_url: Annotated[str, Field(max_length=2000)] | None = None
    token_type: Literal["at+jwt", "JWT"] = Field(
        default="at+jwt", description="The `typ` header of access tokens."
    )
    scope_claim: Annotated[str, Field(pattern=r"^[A-Za-z0-9_:/.-]{1,100}$")] = Field(
        default="scope", description="The claim with the scopes: space-separated text, or a list."
    )
    scopes: Many[str] = Field(
        default=(),
        description="The scopes of this service that tokens of the issuer may have at most.",
    )
    mapping: dict[IssuerScope, Many[str]] = Field(
        default_factory=dict,
        description="The scopes of this service granted for a scope of the issuer.",
    )
    client_id: Annotated[str, Field(max_length=200, pattern=r"^[\x21-\x7e]+$")] | None = Field(
        default=None, description="For launches: the id of this service at the EHR."
    )
    patient_system: Reference | None = Field(
        default=None,
        description="The identifier system of patient references without a system.",
    )

    @model_validator(mode="after")
    def _check_one_source(self) -> "IssuerTerms":
        if not self.keys and self.key_set_url is None:
            raise ValueError("set keys or key_set_url")
        return self


class Issuer(FrozenModel):
    """Who issues access tokens or hooks, or launches the desk from an EHR, for one organisation."""

    id: str
    organisation: str
    kind: IssuerKind
    issuer: IssuerUrl
    audience: Annotated[str, Field(max_length=500)] = Field(
        description="Audience of access tokens; empty for hooks and launches."
    )
    active: bool
    created_at: datetime
    terms: IssuerTerms
