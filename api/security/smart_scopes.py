"""Translates SMART scopes, `system/Type.cruds` in version 1 or 2, into FHIR permissions.

A permission is `Type.letter`: create, read, update, delete or search. Each requires one of our own
scopes, and is only granted to clients with that scope.
"""

import re
from collections.abc import Collection, Iterable, Iterator

PERMISSION_SCOPES: dict[str, str | None] = {
    "Questionnaire.r": None,
    "Questionnaire.s": None,
    "QuestionnaireResponse.c": "screenings:write",
    "QuestionnaireResponse.r": "screenings:read",
    "QuestionnaireResponse.u": "screenings:write",
    "QuestionnaireResponse.s": "screenings:read",
    "Observation.r": "screenings:read",
    "Observation.s": "screenings:read",
    "RiskAssessment.r": "screenings:read",
    "RiskAssessment.s": "screenings:read",
    "DiagnosticReport.r": "screenings:read",
    "DiagnosticReport.s": "screenings:read",
    "Provenance.r": "screenings:read",
    "Provenance.s": "screenings:read",
    "Patient.r": "screenings:read",
    "Patient.s": "screenings:read",
    "DocumentReference.r": "reports:read",
    "DocumentReference.s": "reports:read",
    "Binary.r": "reports:read",
    "Composition.r": "reports:read",
    "AuditEvent.s": "audit:read",
    "Subscription.c": "destinations:admin",
    "Subscription.r": "destinations:admin",
}
"""The permissions that FHIR routes support, with the scope of this service that each requires."""

_V1_LETTERS = {"read": "rs", "write": "cud", "*": "cruds"}
_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]{1,60})\.(read|write|\*|(?=[cruds])c?r?u?d?s?)")
_CONTEXTS = ("system/", "user/", "patient/")


def is_smart_scope(scope: str) -> bool:
    """Return True for a SMART scope, supported or not."""
    return scope.startswith(_CONTEXTS)


def expand_scope(scope: str) -> frozenset[str]:
    """Return the supported permissions of a scope; empty if it is not a system scope."""
    match = _SCOPE.fullmatch(scope)
    if match is None:
        return frozenset()
    letters = _V1_LETTERS.get(match[2], match[2])
    return frozenset(
        permission
        for permission in PERMISSION_SCOPES
        if match[1] in ("*", permission.partition(".")[0]) and permission[-1] in letters
    )


def limit_permissions(permissions: Iterable[str], client_scopes: Collection[str]) -> frozenset[str]:
    """Return the permissions that a client with these scopes may have."""
    return frozenset(
        permission
        for permission in permissions
        if PERMISSION_SCOPES[permission] is None or PERMISSION_SCOPES[permission] in client_scopes
    )


def grant_scopes(requested: Iterable[str], client_scopes: Collection[str]) -> tuple[str, ...]:
    """Return the granted scopes: complete ones as requested, others reduced and per type."""
    scopes: dict[str, None] = {}
    for scope in requested:
        permissions = limit_permissions(expand_scope(scope), client_scopes)
        parts = list(format_scopes(permissions))
        is_complete = (
            len(parts) == 1
            and "*" not in scope
            and _parse_letters(scope) == _parse_letters(parts[0])
        )
        scopes |= dict.fromkeys([scope] if is_complete else parts)
    return tuple(scopes)


def format_scopes(permissions: Collection[str]) -> Iterator[str]:
    """Format permissions as version 2 scopes, one per resource type."""
    for type_ in dict.fromkeys(permission.partition(".")[0] for permission in PERMISSION_SCOPES):
        letters = "".join(letter for letter in "cruds" if f"{type_}.{letter}" in permissions)
        if letters:
            yield f"system/{type_}.{letters}"


def determine_permission(method: str, path: str) -> str:
    """Return the permission that a FHIR request needs, by method and path below the base."""
    type_, *segments = path.strip("/").split("/")
    if type_.startswith("$export") or segments == ["$export"]:  # the route limits the types
        return "QuestionnaireResponse.s"
    match method, segments:
        case ["POST", [_, "$extract"]]:
            return "DocumentReference.r"
        case ["POST", [_, "$populate"]]:
            return "QuestionnaireResponse.r"
        case ["POST", [_, "$score"]]:
            letter = "r"
        case ["POST", ["_search"]]:
            letter = "s"
        case ["POST", _]:
            letter = "c"
        case ["PUT" | "PATCH", _]:
            letter = "u"
        case [_, []]:
            letter = "s"
        case _:
            letter = "r"
    return f"{type_}.{letter}"


def _parse_letters(scope: str) -> str:
    end = scope.rpartition(".")[2]
    return _V1_LETTERS.get(end, end)
