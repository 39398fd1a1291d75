"""Reads the parameters of a search: filters, order, page, and how much of each match is shown."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple, NoReturn

from pydantic import ValidationError

from api.fhir.search_parameters import PARAMETERS, SORT_KEYS, SearchParameter, is_valid
from api.problems import FieldError, Problem
from schemas.patients.screening import PatientFilters

PATIENT_NAMES = ("patient", "subject")
IDENTIFIER_NAMES = tuple(f"{name}{mark}identifier" for name in PATIENT_NAMES for mark in (":", "."))
WITHOUT_EFFECT = ("_format", "_pretty", "_totalMethod")
"""Parameters that change no search; the last is what fhirpy sends to count."""
SHOWN_BY = ("_summary", "_elements", "_include", "_revinclude", "_total", *WITHOUT_EFFECT)
"""The parameters that only say what is shown; a `next` link keeps them with its cursor."""
REPEATABLE = frozenset(
    {
        "_include",
        "_revinclude",
        *(
            name
            for parameters in PARAMETERS.values()
            for name, parameter in parameters.items()
            if parameter.kind == "date"
        ),
    }
)
"""Parameters that may be given more than once: each must match, or is followed."""
_RESPONSE_IDENTIFIER = SearchParameter("token", "identifier", "")
NEWEST_FIRST = "-_lastUpdated"
SUMMARIES = ("true", "false", "text", "data", "count")
TOTALS = ("none", "estimate", "accurate")
MAX_PAGE_SIZE = 1000
DEFAULT_PAGE_SIZE = 20


class PostFilter(NamedTuple):
    """A filter that is applied to resources, as the store has no index for it."""

    parameter: SearchParameter
    text: str


class ScreeningSearch(NamedTuple):
    """A search, with its parameters as the client sent them."""

    resource_type: str
    pairs: tuple[tuple[str, str], ...]
    filters: PatientFilters
    ids: tuple[str, ...] | None
    post_filters: tuple[PostFilter, ...]
    questionnaire: str | None
    identifier: str | None
    sort: str
    page_size: int
    cursor: str | None
    summary: str
    elements: tuple[str, ...]
    wants_total: bool

    @property
    def must_collect(self) -> bool:
        """Whether all matches have to be read: to filter, sort or count them as resources."""
        is_counted = self.wants_total and (self.questionnaire or self.identifier) is not None
        return bool(self.post_filters) or self.sort != NEWEST_FIRST or is_counted


def read_search(resource_type: str, pairs: Iterable[tuple[str, str]]) -> ScreeningSearch:
    """Read a search from its parameters. Raises Problem `invalid_request` with the parameter."""
    pairs = tuple(pair for pair in pairs if pair[0] not in WITHOUT_EFFECT)
    options = dict(pairs)
    cursor = options.get("_page")
    other_names = options.keys() - {"_page", *SHOWN_BY}
    if cursor is not None and other_names:
        refuse("_page", "must not be combined with other filters")
    summary, total = options.get("_summary", "false"), options.get("_total", "none")
    page_size = _read_count(options.get("_count", str(DEFAULT_PAGE_SIZE)))
    _require("_summary", summary, SUMMARIES)
    _require("_total", total, TOTALS)
    sort = options.get("_sort", NEWEST_FIRST)
    keys = SORT_KEYS[resource_type]
    _require("_sort", sort, [f"{sign}{key}" for key in keys for sign in ("", "-")])
    identifier = options.get("identifier") if resource_type == "QuestionnaireResponse" else None
    post_filters = list(_read_post_filters(resource_type, pairs))
    if identifier is not None and "|" not in identifier:  # in any system
        post_filters.append(PostFilter(_RESPONSE_IDENTIFIER, identifier))
        identifier = None
    return ScreeningSearch(
        resource_type,
        pairs,
        _read_patient(options),
        tuple(options["_id"].split(",")) if "_id" in options else None,
        tuple(post_filters),
        options.get("questionnaire"),
        identifier,
        sort,
        0 if summary == "count" else page_size,
        cursor,
        summary,
        tuple(filter(None, options.get("_elements", "").split(","))),
        total != "none" or summary == "count" or page_size == 0,
    )


def restore_search(search: ScreeningSearch, sealed_pairs: str) -> ScreeningSearch:
    """Return the search that a cursor continues."""
    pairs = [(name, value) for name, value in json.loads(sealed_pairs)]
    return read_search(search.resource_type, pairs)


def refuse(name: str, detail: str) -> NoReturn:
    """Raise Problem `invalid_request` for this parameter."""
    error = FieldError(pointer=f"/{name}", code="search_parameter", detail=detail)
    raise Problem("invalid_request", errors=[error])


def _read_count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(MAX_PAGE_SIZE)) + 5:
        refuse("_count", "must be a whole number from 0")
    return min(int(text), MAX_PAGE_SIZE)


def _require(name: str, text: str, words: Iterable[str]) -> None:
    if text not in words:
        refuse(name, f"must be one of {', '.join(words)}")


def _read_post_filters(
    resource_type: str, pairs: Iterable[tuple[str, str]]
) -> Iterable[PostFilter]:
    parameters = PARAMETERS[resource_type]
    for name, text in pairs:
        if name not in parameters:
            continue
        if not is_valid(parameters[name], text):
            refuse(name, f"must be a {parameters[name].kind}")
        yield PostFilter(parameters[name], text)


def _read_patient(options: dict[str, Any]) -> PatientFilters:
    names = [name for name in (*PATIENT_NAMES, *IDENTIFIER_NAMES) if name in options]
    if not names:
        return PatientFilters()
    name, text = names[0], options[names[0]]
    if len(names) > 1:
        refuse(name, f"must not be combined with {names[1]}")
    if name in IDENTIFIER_NAMES:
        system, bar, value = text.rpartition("|")
        return _build_filters(name, value, system, without_system=bool(bar))
    system, _, patient_id = text.removesuffix("/").rpartition("/")
    system = system.removesuffix("Patient").removesuffix("/")
    return _build_filters(name, patient_id, system, without_system=True)


def _build_filters(
    name: str, reference: str, system: str, *, without_system: bool
) -> PatientFilters:
    """Filter by the system, or if it is empty and `without_system`, by its absence.

    An id without a system must not match the same number assigned by another authority.
    """
    try:
        return PatientFilters(
            patient=reference,
            patient_system=system or None,
            without_system=without_system and not system,
        )
    except ValidationError:
        refuse(name, "must name a patient by at most 200 readable characters")
