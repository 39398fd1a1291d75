"""The shape of an issuer: who signs tokens for an organisation, and what these are worth here."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from schemas.base import Frozen, Many
from schemas.patient import Reference

IssuerKind = Literal["access", "hooks"]
Url = Annotated[str, Field(pattern=r"^https?://[!-~]{1,490}$")]
Word = Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]


class IssuerTerms(Frozen):
    """How the tokens of an issuer are proved and read.

    Keys are told by value or by the address where they are published, never both.
    """

    keys: Many[dict[str, Any]] = Field(default=(), max_length=20)
    key_set_url: Annotated[str, Field(max_length=2000)] | None = None
    token_type: Literal["at+jwt", "JWT"] = Field(
        default="at+jwt", description="The `typ` that access tokens carry."
    )
    scope_claim: Annotated[str, Field(pattern=r"^[A-Za-z0-9_:/.-]{1,100}$")] = Field(
        default="scope", description="The claim with the scopes: a text of words, or a list."
    )
    scopes: Many[str] = Field(
        default=(), description="Scopes of ours that no token of the issuer goes beyond."
    )
    mapping: dict[Word, Many[str]] = Field(
        default_factory=dict, description="Scopes of ours that a word of the issuer stands for."
    )
    patient_system: Reference | None = Field(
        default=None,
        description="The identifier system by which patients without any system are numbered.",
    )

    @model_validator(mode="after")
    def _of_one_source(self) -> "IssuerTerms":
        if bool(self.keys) == (self.key_set_url is not None):
            raise ValueError("expected keys, or the address where they are published")
        return self


class Issuer(Frozen):
    """An issuer whose tokens are taken for one organisation."""

    id: str
    organisation: str
    kind: IssuerKind
    issuer: Url
    audience: Annotated[str, Field(max_length=500)] = Field(
        description="What access tokens must name; empty for hooks, where it is each address."
    )
    active: bool
    created_at: datetime
    terms: IssuerTerms
