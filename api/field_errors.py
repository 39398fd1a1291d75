"""Turns the validation errors of pydantic into codes and sentences of our own.

The codes are part of the public contract, so no name and no text of a library reaches a client. No
sentence repeats what was sent; the nearest known name is a name of the contract.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from schemas.batches.mapping import MAPPING_ID, MAPPING_NAME
from schemas.text import READABLE

MAX_LISTED_NAMES = 16
UNKNOWN_MEMBER = "unknown_member"
Step = int | str


class Fault(NamedTuple):
    """The code of a broken rule, and what was expected."""

    code: str
    detail: str


_READABLE_TEXT = "must not contain control characters"
_EXPECTED: dict[str, Fault] = {
    "missing": Fault("required", "is required"),
    "union_tag_not_found": Fault("required", "is required and must name the rulebook"),
    "union_tag_invalid": Fault("not_an_option", "must be one of {expected_tags}"),
    "literal_error": Fault("not_an_option", "must be one of {expected}"),
    "enum": Fault("not_an_option", "must be one of {expected}"),
    "bool_type": Fault("not_a_boolean", "must be true or false"),
    "bool_parsing": Fault("not_a_boolean", "must be true or false"),
    "int_type": Fault("not_a_whole_number", "must be a whole number"),
    "int_parsing": Fault("not_a_whole_number", "must be a whole number"),
    "int_parsing_size": Fault("not_a_whole_number", "must be a whole number of at most 18 digits"),
    "int_from_float": Fault("not_a_whole_number", "must be a whole number"),
    "float_type": Fault("not_a_number", "must be a number"),
    "float_parsing": Fault("not_a_number", "must be a number"),
    "decimal_type": Fault("not_a_number", "must be a number"),
    "decimal_parsing": Fault("not_a_number", "must be a number"),
    "is_instance_of": Fault("not_a_number", "must be a number"),
    "finite_number": Fault("not_a_number", "must be a finite number"),
    "multiple_of": Fault("not_a_step", "must be a multiple of {multiple_of}"),
    "greater_than": Fault("too_small", "must be more than {gt}"),
    "greater_than_equal": Fault("too_small", "must be {ge} or more"),
    "less_than": Fault("too_large", "must be less than {lt}"),
    "less_than_equal": Fault("too_large", "must be {le} or less"),
    "string_type": Fault("not_a_string", "must be a string"),
    "string_sub_type": Fault("not_a_string", "must be a string"),
    "string_unicode": Fault("not_a_string", _READABLE_TEXT),
    "string_too_short": Fault("too_short", "must have at least {min_length} characters"),
    "string_too_long": Fault("too_long", "must have at most {max_length} characters"),
    "list_type": Fault("not_a_list", "must be a list"),
    "tuple_type": Fault("not_a_list", "must be a list"),
    "too_short": Fault("too_few", "must have at least {min_length} items"),
    "too_long": Fault("too_many", "must have at most {max_length} items"),
    "model_type": Fault("not_an_object", "must be an object"),
    "model_attributes_type": Fault("not_an_object", "must be an object"),
    "dict_type": Fault("not_an_object", "must be an object"),
    "path_type": Fault("not_a_path", "must be the path of a file"),
    "secret_type": Fault("not_a_string", "must be text"),
    "extra_forbidden": Fault(UNKNOWN_MEMBER, "is not known"),
    "none_required": Fault("not_null", "must be null"),
    "date_type": Fault("not_a_date", "must be a date such as 2026-11-20"),
    "date_parsing": Fault("not_a_date", "must be a date such as 2026-11-20"),
    "date_from_datetime_parsing": Fault("not_a_date", "must be a date such as 2026-11-20"),
    "datetime_type": Fault("not_an_instant", "must be an instant such as 2026-11-20T10:00:00Z"),
    "datetime_parsing": Fault("not_an_instant", "must be an instant such as 2026-11-20T10:00:00Z"),
    "timezone_aware": Fault("not_an_instant", "must be an instant with its zone"),
}
_OTHER_CODES = {
    UNKNOWN_MEMBER: "the object has no member of this name; `detail` says which one it is",
    "unknown_parameter": "the operation has no query parameter of this name",
    "wrong_form": "the text has another form than the description of the API requires",
    "wrong_value": "the value is not possible here; `detail` says what is",
    "day_range": "the date is not possible",
    "cursor": "the cursor is not of this list, or is combined with other parameters",
    "duplicate_name": "the parameter or header may be sent once only",
    "address": "the address is not possible for this profile",
    "both": "two members exclude each other",
    "jwk": "the key cannot be registered",
    "patient": "the patient is not that of the record",
    "mapping": "the mapping of columns cannot be used; `detail` says why",
    "not_allowed": "the operator has not allowed this host and port",
    "not_configured": "the service is not set up for this",
    "not_possible": "the options do not fit together",
    "unknown": "there is nothing of this name",
    "unknown_value": "no row has this value",
    "search_parameter": "the search parameter, its modifier or its value is not supported",
}
"""The codes that do not come from pydantic; what they mean, for the problem's page."""
_OTHER = Fault("invalid", "is not valid here; the description of the API has the rule")
_UUID = "must be an id: 36 characters, 0-9, a-f and hyphens"
_FORMS: dict[str, str] = {
    r"^https?://[^/?#\s]+$": "must be an address such as https://screening.example.org, without "
    "a path",
    r"^https://[^/?#\s]+$": "must be an address such as https://login.example.org, without a path",
    r"^\d{1,7}-\d$": "must be a LOINC code such as 75492-9",
    r"^[^;\r\n'\"]*$": "must be origins, separated by commas, without ; and quotes",
    r"^[^;,\r\n']*$": "must be sources as in CSP, separated by spaces, without ; , and '",
    READABLE: _READABLE_TEXT,
    r"^[0-9a-f-]{36}$": _UUID,
    r"^[0-9A-Fa-f-]{36}$": _UUID,
    r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$": _UUID,
    r"^[0-9A-Fa-f]{64}$": "must be a SHA-256: 64 hexadecimal digits",
    r"^[0-9a-f]{64}$": "must be a SHA-256: 64 hexadecimal digits",
    r"^[0-9a-f]{16}$": "must be an id of 16 hexadecimal digits",
    r"^[A-Za-z0-9._:-]{1,128}$": "must be a key id: 1 to 128 letters, digits and . _ : -",
    r"^[a-z]{2}$": "must be a language of two small letters, such as en",
    rf"^{MAPPING_NAME}(@[1-9][0-9]{{0,6}})?$": "must be a mapping such as redcap or redcap@2",
    MAPPING_ID: "must be a mapping with its version, such as redcap@2",
    rf"^{MAPPING_NAME}$": "must be a name of small letters, digits, hyphens and underscores",
    r"^[a-z0-9-]{1,40}$": "must be a name of small letters, digits and hyphens",
    r"^[a-z0-9-]{1,60}$": "must be a name of small letters, digits and hyphens",
    r"^[\x21-\x7e]+$": "must be ASCII characters without spaces",
    r"^[\x20-\x7e]*$": "must be ASCII characters",
    r"^[\x20-\x7e]+$": "must be ASCII characters",
    r"^[0-9+*#][0-9 ()*#/.-]{1,30}$": "must be a telephone number of 2 to 31 characters",
    r"^\+[1-9][0-9]{6,14}$": "must be a mobile number such as +447700900123",
}
_FORM_BEGINNINGS: tuple[tuple[str, str], ...] = (
    (r"^(https?://[!", "must be an id, or a reference such as Patient/123"),
    (r"^(https?://", "must be an address that begins with http:// or https://"),
    (r"^[\x21\x23-\x7e][\x20\x21", "must be printable ASCII characters, in quotes or without"),
    (r"^(json|application/json|", "must be json or application/fhir+json"),
    (r"^([1-9][0-9]?|100)$", "must be a whole number from 1 to 100"),
    ("^[A-Za-z0-9!#$%&'*+", "must be an e-mail address"),
    (r"^[A-Za-z0-9\-.]{1,64}$", "must be an id: 1 to 64 letters, digits, hyphens and dots"),
    (r"^[A-Za-z0-9.-]{1,64}$", "must be an id: 1 to 64 letters, digits, hyphens and dots"),
    (r"^\??identifier=", "must be a search such as identifier=system|value"),
    (r"^https?://", "must be an address that begins with http:// or https://"),
    (r"^[0-9T:.-]{19,32}Z_", "must be a cursor returned by a previous page"),
    (r"^([^|", "must be value or system|value"),
    (r"^[^|", "must be system|value"),
)
"""Longer patterns, by how they begin; the first that fits counts."""


def list_codes() -> dict[str, str]:
    """Return every code of a field error with what it says, as the problem's page lists them."""
    codes = dict(_OTHER_CODES)
    for code, detail in _EXPECTED.values():
        codes.setdefault(code, re.sub(r"\{\w+\}", "...", detail))
    return dict(sorted(codes.items()))


def describe_fault(fault: Mapping[str, Any]) -> Fault:
    """Return our own code and sentence for one of pydantic's errors."""
    kind, context = str(fault["type"]), fault.get("ctx") or {}
    if kind == "string_pattern_mismatch":
        return Fault("wrong_form", describe_form(str(context["pattern"])))
    if kind == "value_error":
        return Fault("wrong_value", str(context["error"]))
    if kind in _EXPECTED:
        code, detail = _EXPECTED[kind]
        values = {name: _list_plainly(value) for name, value in context.items()}
        return Fault(code, detail.format(**values).replace("at least 1 items", "at least 1 item"))
    if kind in OWN_CODES:
        return Fault(kind, str(fault["msg"]))
    return _OTHER


OWN_CODES = frozenset({"day_range"})
"""The codes that our own models raise."""


def describe_form(pattern: str) -> str:
    """Return in words what a pattern of the contract requires."""
    if pattern in _FORMS:
        return _FORMS[pattern]
    prefixed = re.fullmatch(r"\^([a-z]-)\[0-9(?:A-F)?a-f-\]\{36\}\$", pattern)
    if prefixed:
        return f"must be an id: {prefixed[1]} and 36 characters, 0-9, a-f and hyphens"
    sentences = (text for beginning, text in _FORM_BEGINNINGS if pattern.startswith(beginning))
    return next(sentences, _OTHER.detail)


def _list_plainly(value: Any) -> str:
    """Return a list of options without quotes and without `or`, other values as they are."""
    text = str(value)
    if "'" not in text:
        return text
    return ", ".join(re.findall(r"'([^']*)'", text))


def describe_unknown_member(steps: Sequence[Step], body: Any, annotation: Any) -> Fault:
    """Say which member of an object is not known, by its position and the nearest known name."""
    *parents, name = steps
    siblings = list(_find_parent(body, parents))
    known_names = sorted(find_member_names(annotation, parents))
    position = (
        f", number {siblings.index(name) + 1} of {len(siblings)} here" if name in siblings else ""
    )
    return Fault(
        UNKNOWN_MEMBER, f"unknown member{position}; {suggest_name(str(name), known_names)}"
    )


def suggest_name(name: str, known_names: Sequence[str]) -> str:
    """Return the nearest known name as a question, or where to find the known names."""
    nearest = get_close_matches(
        name.lower(), [item.lower() for item in known_names], n=1, cutoff=0.6
    )
    if nearest:
        original = next(item for item in known_names if item.lower() == nearest[0])
        return f"did you mean `{original}`?"
    if 0 < len(known_names) <= MAX_LISTED_NAMES:
        return f"known: {', '.join(known_names)}"
    return "/openapi.json lists what is known" if known_names else "no name is known here"


def _find_parent(body: Any, steps: Iterable[Step]) -> Iterable[str]:
    """Return the object at this place; steps that only pydantic takes (of a union) are skipped."""
    place = body
    for step in steps:
        is_member = isinstance(place, Mapping) and step in place
        is_item = isinstance(place, list) and isinstance(step, int) and step < len(place)
        place = place[step] if is_member or is_item else place
    return place if isinstance(place, Mapping) else ()


def find_member_names(annotation: Any, steps: Iterable[Step]) -> set[str]:
    """Return the names of the members that a type has at this place of a body."""
    models = list(_list_models(annotation))
    for step in steps:
        if isinstance(step, int):
            continue
        inner = [
            nested
            for model in models
            for name, nested_type in _list_members(model)
            if name == step
            for nested in _list_models(nested_type)
        ]
        models = inner or [model for model in models if _is_choice(model, step)] or models
    return {name for model in models for name, _ in _list_members(model)}


def _list_models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield each model in a type: of a union, a list or an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _list_models(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType, list, tuple}:
        for part in get_args(annotation):
            yield from _list_models(part)


def _list_members(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield field.alias or name, field.annotation


def _is_choice(model: type[BaseModel], tag: str) -> bool:
    """Return whether a step of pydantic's path chooses this model of a union."""
    literals = (
        value
        for field in model.model_fields.values()
        if get_origin(field.annotation) is Literal
        for value in get_args(field.annotation)
    )
    return tag == model.__name__ or tag in literals
