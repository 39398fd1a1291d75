"""Models of mappings that an organisation has stored."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from schemas.base import FrozenModel, Many
from schemas.text import READABLE, TEXT_RULE

MAX_MAPPING_LENGTH = 10_000
"""As every text in JSON; the parser's time grows with the square of the parts of a dotted key."""
MAPPING_NAME = "[a-z0-9][a-z0-9_-]{0,59}"
MAPPING_ID = f"^{MAPPING_NAME}@[1-9][0-9]{{0,6}}$"
"""A name and a version: `redcap@2`."""

MappingText = Annotated[
    str, Field(min_length=1, max_length=MAX_MAPPING_LENGTH, pattern=READABLE), TEXT_RULE
]


class NewMapping(FrozenModel):
    """A mapping to be stored as the next version of its name."""

    name: Annotated[str, Field(pattern=f"^{MAPPING_NAME}$")] = Field(
        description="The name, for example that of the tool or the form.", examples=["redcap"]
    )
    toml: MappingText = Field(
        description="The mapping file, as `nociscreen map suggest` writes it.",
        examples=[
            'source = "redcap"\nrulebook = "phq4@1.0.0"\n'  # noqa: ISC004 - one text
            '[[question]]\nid = "phq4_nervous"\ncolumn = "nervous"\n'
        ],
    )


class MappingListItem(FrozenModel):
    """One version of a mapping, without its content."""

    id: str = Field(description="Its name and version: `redcap@2`.")
    name: str = Field(description="The name that its versions share.")
    version: int = Field(description="Counts the versions of the name, from 1.")
    created_at: datetime
    rulebook: str


class StoredMapping(MappingListItem):
    """One version of a mapping. It never changes."""

    toml: str = Field(description="The mapping file.")


class MappingList(FrozenModel):
    """A page of the mappings of the organisation."""

    mappings: Many[MappingListItem] = Field(description="By name, newest version first.")
    next: str | None = Field(default=None, description="The address of the next page.")
