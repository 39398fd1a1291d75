"""SMART scopes: `system/Type.cruds`, in either version, told as what may be done to which type.

What may be done is written `Type.letter`: create, read, update, delete, search. Each stands under
one of our own scopes, and is granted to no client that lacks that one.
"""

import re
from collections.abc import Collection, Iterable, Iterator

PERMITTED: dict[str, str | None] = {
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
    "Provenance.r": "screenings:read",
    "Provenance.s": "screenings:read",
    "DocumentReference.r": "reports:read",
    "DocumentReference.s": "reports:read",
    "Binary.r": "reports:read",
    "Composition.r": "reports:read",
    "AuditEvent.s": "audit:read",
}
"""Everything that FHIR routes can do, and the scope of ours that it stands under, if any."""

_FIRST = {"read": "rs", "write": "cud", "*": "cruds"}
_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]{1,60})\.(read|write|\*|(?=[cruds])c?r?u?d?s?)")
_CONTEXTS = ("system/", "user/", "patient/")


def is_smart(scope: str) -> bool:
    """Whether the scope means to be one of SMART's, of a kind that is granted here or not."""
    return scope.startswith(_CONTEXTS)


def grants(scope: str) -> frozenset[str]:
    """What the scope asks for of what can be done here; nothing where it is no system scope."""
    found = _SCOPE.fullmatch(scope)
    if found is None:
        return frozenset()
    letters = _FIRST.get(found[2], found[2])
    return frozenset(
        each
        for each in PERMITTED
        if found[1] in ("*", each.partition(".")[0]) and each[-1] in letters
    )


def within(permissions: Iterable[str], own: Collection[str]) -> frozenset[str]:
    """Those that a client with these scopes of ours may be given."""
    return frozenset(
        each for each in permissions if PERMITTED[each] is None or PERMITTED[each] in own
    )


def granted(asked: Iterable[str], own: Collection[str]) -> tuple[str, ...]:
    """The scopes that are granted, each once: as asked where it is granted whole, or what of it.

    A scope for every type becomes one for each type that there is.
    """
    told: dict[str, None] = {}
    for scope in asked:
        given = within(grants(scope), own)
        parts = list(written(given))
        whole = len(parts) == 1 and "*" not in scope and _letters(scope) == _letters(parts[0])
        told |= dict.fromkeys([scope] if whole else parts)
    return tuple(told)


def written(permissions: Collection[str]) -> Iterator[str]:
    """The permissions as scopes of the second version, one for each type."""
    for type_ in dict.fromkeys(each.partition(".")[0] for each in PERMITTED):
        letters = "".join(each for each in "cruds" if f"{type_}.{each}" in permissions)
        if letters:
            yield f"system/{type_}.{letters}"


def needed(method: str, path: str) -> str:
    """The permission that a FHIR route asks for, by its method and its path below the base."""
    type_, *rest = path.strip("/").split("/")
    match method, rest:
        case "POST", [_, "$extract"]:
            return "DocumentReference.r"
        case "POST", [_, "$score"]:
            letter = "r"
        case "POST", ["_search"]:
            letter = "s"
        case "POST", _:
            letter = "c"
        case "PUT", _:
            letter = "u"
        case _, []:
            letter = "s"
        case _:
            letter = "r"
    return f"{type_}.{letter}"


def _letters(scope: str) -> str:
    end = scope.rpartition(".")[2]
    return _FIRST.get(end, end)
