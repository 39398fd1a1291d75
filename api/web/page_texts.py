"""Load the texts of the pages from `locales`, as data, and select the language of a page."""

import tomllib
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field
from starlette.requests import Request

from api.http.content_negotiation import negotiate_language
from schemas.base import FrozenModel, Name, Text

LOCALES = Path(__file__).parent / "locales"


class PageTexts(FrozenModel):
    """The content of `locales/<language>.toml`."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    name: Text
    words: dict[Name, Text]

    def say(self, phrase: str, **values: object) -> str:
        """Return the text of a phrase with its placeholders filled. Raises KeyError if unknown."""
        return self.words[phrase].format(**values)


@cache
def load_page_texts(language: str) -> PageTexts:
    """Return the texts of an available language, for the pages of patients and practitioners."""
    patient_texts, desk_texts = (
        tomllib.loads(file.read_text(encoding="utf-8"))
        for file in (LOCALES / f"{language}.toml", LOCALES / "desk" / f"{language}.toml")
    )
    words = patient_texts["words"] | desk_texts["words"]
    return PageTexts.model_validate(patient_texts | {"words": words})


@cache
def list_languages() -> tuple[str, ...]:
    """Return the languages of the pages, English first."""
    codes = sorted(file.stem for file in LOCALES.glob("*.toml"))
    return ("en", *(code for code in codes if code != "en"))


def select_offered_languages(codes: Collection[str]) -> tuple[str, ...]:
    """Return the languages with these codes that there are; all if there is none."""
    return tuple(code for code in list_languages() if code in codes) or list_languages()


def select_page_language(request: Request, offered: tuple[str, ...] = ()) -> str:
    """Return the language from `?language=`, else from `Accept-Language`, else the first one.

    `offered` are the languages to choose from; none for all that there are.
    """
    languages = offered or list_languages()
    requested = request.query_params.get("language", "")
    if requested in languages:
        return requested
    return negotiate_language(request.headers.get("accept-language"), languages) or languages[0]
