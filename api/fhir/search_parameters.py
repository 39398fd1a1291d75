"""The search parameters of each resource type, and how a resource is matched by them.

The CapabilityStatement lists this table, and a test searches by each of its rows. A resource is
matched by the element that it shows, so a search can only find what a read returns.
"""

import calendar
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from api.fhir.elements import Resource

_BASE = "http://hl7.org/fhir/SearchParameter"
_DATE = re.compile(
    r"(eq|ne|gt|lt|ge|le|sa|eb)?(\d{4})(?:-(\d{2})(?:-(\d{2})"
    r"(?:T(\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:\d{2})?)?)?)?"
)
_SEPARATOR = re.compile(r"(?<!\\),")


class SearchParameter(NamedTuple):
    """A search parameter: its type, the element it reads, and the URL of its definition."""

    kind: Literal["token", "reference", "date"]
    element: str
    definition: str


def _define(kind: Any, element: str, definition: str) -> SearchParameter:
    return SearchParameter(kind, element, f"{_BASE}/{definition}")


_UPDATED = {"_lastUpdated": _define("date", "meta.lastUpdated", "Resource-lastUpdated")}
PARAMETERS: dict[str, dict[str, SearchParameter]] = {
    "QuestionnaireResponse": _UPDATED
    | {
        "status": _define("token", "status", "QuestionnaireResponse-status"),
        "authored": _define("date", "authored", "QuestionnaireResponse-authored"),
        "based-on": _define("reference", "basedOn", "QuestionnaireResponse-based-on"),
        "part-of": _define("reference", "partOf", "QuestionnaireResponse-part-of"),
        "encounter": _define("reference", "encounter", "QuestionnaireResponse-encounter"),
        "author": _define("reference", "author", "QuestionnaireResponse-author"),
        "source": _define("reference", "source", "QuestionnaireResponse-source"),
    },
    "Observation": _UPDATED
    | {
        "status": _define("token", "status", "Observation-status"),
        "category": _define("token", "category", "Observation-category"),
        "code": _define("token", "code", "clinical-code"),
        "date": _define("date", "effectiveDateTime", "clinical-date"),
        "identifier": _define("token", "identifier", "clinical-identifier"),
        "based-on": _define("reference", "basedOn", "Observation-based-on"),
        "derived-from": _define("reference", "derivedFrom", "Observation-derived-from"),
        "encounter": _define("reference", "encounter", "clinical-encounter"),
        "performer": _define("reference", "performer", "Observation-performer"),
    },
    "RiskAssessment": _UPDATED
    | {
        "date": _define("date", "occurrenceDateTime", "clinical-date"),
        "identifier": _define("token", "identifier", "clinical-identifier"),
        "encounter": _define("reference", "encounter", "clinical-encounter"),
    },
    "DiagnosticReport": _UPDATED
    | {
        "status": _define("token", "status", "DiagnosticReport-status"),
        "category": _define("token", "category", "DiagnosticReport-category"),
        "code": _define("token", "code", "clinical-code"),
        "date": _define("date", "effectiveDateTime", "clinical-date"),
        "issued": _define("date", "issued", "DiagnosticReport-issued"),
        "identifier": _define("token", "identifier", "clinical-identifier"),
        "based-on": _define("reference", "basedOn", "DiagnosticReport-based-on"),
        "encounter": _define("reference", "encounter", "clinical-encounter"),
        "performer": _define("reference", "performer", "DiagnosticReport-performer"),
        "result": _define("reference", "result", "DiagnosticReport-result"),
    },
    "Provenance": _UPDATED
    | {
        "target": _define("reference", "target", "Provenance-target"),
        "recorded": _define("date", "recorded", "Provenance-recorded"),
    },
    "DocumentReference": _UPDATED
    | {
        "status": _define("token", "status", "DocumentReference-status"),
        "type": _define("token", "type", "clinical-type"),
        "category": _define("token", "category", "DocumentReference-category"),
        "date": _define("date", "date", "DocumentReference-date"),
        "identifier": _define("token", "masterIdentifier", "clinical-identifier"),
        "encounter": _define("reference", "context.encounter", "clinical-encounter"),
        "related": _define("reference", "context.related", "DocumentReference-related"),
    },
}
INCLUDES: dict[str, tuple[str, ...]] = {
    "Observation:derived-from": ("QuestionnaireResponse",),
    "DiagnosticReport:result": ("Observation",),
    "DocumentReference:related": ("QuestionnaireResponse",),
    "Provenance:target": ("Observation", "RiskAssessment"),
}
"""References between the resources of one screening: where they start, and their targets."""
SORT_KEYS = {
    "QuestionnaireResponse": ("_lastUpdated", "authored"),
    "Observation": ("_lastUpdated", "date"),
    "RiskAssessment": ("_lastUpdated", "date"),
    "DiagnosticReport": ("_lastUpdated", "date"),
    "Provenance": ("_lastUpdated", "recorded"),
    "DocumentReference": ("_lastUpdated", "date"),
}


def is_valid(parameter: SearchParameter, text: str) -> bool:
    """Return whether each alternative of a value can be read as its type."""
    alternatives = _split(text)
    if parameter.kind == "date":
        return all(_parse_date(it) is not None for it in alternatives)
    return all(it.strip("|") for it in alternatives)


def matches(resource: Resource, parameter: SearchParameter, text: str) -> bool:
    """Return whether a resource has an element that any alternative of a valid value names."""
    elements = list(read_elements(resource, parameter.element))
    return any(
        _matches_one(parameter.kind, element, alternative)
        for element in elements
        for alternative in _split(text)
    )


def read_elements(value: Any, path: str) -> Iterator[Any]:
    """Yield the values at a path of element names, through lists."""
    if isinstance(value, list):
        for item in value:
            yield from read_elements(item, path)
        return
    if not path:
        yield value
        return
    name, _, rest = path.partition(".")
    if isinstance(value, dict) and name in value:
        yield from read_elements(value[name], rest)


def _split(text: str) -> list[str]:
    """Split a value into its alternatives, at commas that are not escaped."""
    return [re.sub(r"\\([,|$\\])", r"\1", part) for part in _SEPARATOR.split(text)]


def _matches_one(kind: str, element: Any, text: str) -> bool:
    match kind:
        case "token":
            return any(_is_token(system, code, text) for system, code in _list_tokens(element))
        case "reference":
            return _is_reference(element, text)
    return isinstance(element, str) and _is_date(element, text)


def _list_tokens(element: Any) -> Iterable[tuple[str | None, str | None]]:
    if isinstance(element, str):
        return [(None, element)]
    if "coding" in element:
        return [(it.get("system"), it.get("code")) for it in element["coding"]]
    return [(element.get("system"), element.get("value"))]


def _is_token(system: str | None, code: str | None, text: str) -> bool:
    named_system, bar, named_code = text.rpartition("|")
    if bar and named_system != (system or ""):
        return False
    return named_code in ("", code)


def _is_reference(element: Any, text: str) -> bool:
    literal = str(element.get("reference", "")).partition("/_history/")[0]
    return bool(literal) and text in (literal, literal.rpartition("/")[2])


def _is_date(element: str, text: str) -> bool:
    period, own = _parse_date(text), _parse_date(element)
    if period is None or own is None:
        return False
    comparison, low, high = period
    _, start, end = own
    is_within = low <= start <= end <= high
    comparisons = {
        "eq": is_within,
        "ne": not is_within,
        "gt": end > high,
        "lt": start < low,
        "ge": end > high or is_within,
        "le": start < low or is_within,
        "sa": start > high,
        "eb": end < low,
    }
    return comparisons[comparison]


def _parse_date(text: str) -> tuple[str, datetime, datetime] | None:
    """Return the comparison and the first and last instant of a date; UTC without a zone."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    comparison, year, month, day, clock, zone = match.groups()
    try:
        if clock is None:
            last_month = int(month or 12)
            last_day = int(day or calendar.monthrange(int(year), last_month)[1])
            start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
            end = datetime(int(year), last_month, last_day, tzinfo=UTC) + timedelta(days=1)
            return comparison or "eq", start, end - timedelta(microseconds=1)
        start = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}{zone or 'Z'}")
    except (ValueError, OverflowError):
        return None
    return comparison or "eq", start, start + _precision(clock) - timedelta(microseconds=1)


def _precision(clock: str) -> timedelta:
    """Return how long the instant is that a time names: a minute, a second or less."""
    if "." in clock:
        return timedelta(microseconds=1)
    return timedelta(seconds=1) if clock.count(":") > 1 else timedelta(minutes=1)
