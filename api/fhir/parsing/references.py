"""Parses References and Identifiers of a QuestionnaireResponse, also to contained resources."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from api.fhir.elements import ID_PATTERN, Resource
from api.fhir.resources.operation_outcome import OutcomeIssue

_LITERAL_REFERENCE = re.compile(
    rf"(?:(https?://\S{{1,150}})/)?([A-Z][A-Za-z]{{1,30}})/({ID_PATTERN})(/_history/{ID_PATTERN})?"
)
_MAX_CHARACTERS = 200
Identifier = tuple[str | None, str | None]
"""System and value of an Identifier; both are None where there is none."""


class ParsedReference(NamedTuple):
    """The target of a Reference: literal parts, identifier and display."""

    kind: str | None
    literal: str | None
    base: str | None
    id: str | None
    system: str | None
    value: str | None
    display: str | None

    @property
    def identifying_value(self) -> str:
        """The identifier value, or else the logical id."""
        return self.value or self.id or ""


class ReferenceParser:
    """Parses the References of one resource, and collects every issue."""

    def __init__(self, resource: Resource, issues: list[OutcomeIssue]) -> None:
        contained = resource.get("contained")
        self._contained = {
            f"#{item.get('id')}": item
            for item in (contained if isinstance(contained, list) else ())
            if isinstance(item, dict)
        }
        self._resource_type = resource.get("resourceType")
        self._members = resource
        self._issues = issues

    def parse(self, name: str, *, is_identifying: bool = False) -> ParsedReference | None:
        """Parse the Reference in this element; None if it is absent or invalid.

        One that is identifying must be literal, contained with an identifier, or an identifier.
        """
        if name not in self._members:
            return None
        path = f"{self._resource_type}.{name}"
        value = self._members[name]
        if not isinstance(value, dict):
            self._refuse("structure", "must be a Reference", path)
            return None
        literal = value.get("reference")
        if isinstance(literal, str) and literal.startswith("#"):
            return self._parse_contained(literal, path, is_identifying=is_identifying)
        return self._parse_plain(value, path, is_identifying=is_identifying)

    def parse_own_identifier(self) -> Identifier:
        """Parse the identifier of the resource itself; both parts are None without one."""
        if "identifier" not in self._members:
            return None, None
        path = f"{self._resource_type}.identifier"
        return self._parse_identifier(self._members["identifier"], path) or (None, None)

    def list_numbers(self, name: str) -> Iterator[str]:
        """Yield the identifier or else the id of each Reference in this list, where it has one."""
        references = self._members.get(name)
        for reference in references if isinstance(references, list) else ():
            members = reference if isinstance(reference, dict) else {}
            identifier, literal = members.get("identifier"), members.get("reference")
            match = _LITERAL_REFERENCE.fullmatch(literal) if isinstance(literal, str) else None
            number = identifier.get("value") if isinstance(identifier, dict) else None
            number = number or (match[3] if match else None)
            if _is_short(number):
                yield str(number)

    def _parse_plain(
        self, value: Resource, path: str, *, is_identifying: bool
    ) -> ParsedReference | None:
        literal, identifier = value.get("reference"), value.get("identifier")
        match = _LITERAL_REFERENCE.fullmatch(literal) if isinstance(literal, str) else None
        if literal is not None and (match is None or len(literal) > _MAX_CHARACTERS):
            text = "must be a literal reference such as Patient/123, relative or with http(s)"
            self._refuse("value", text, f"{path}.reference")
            return None
        identified: Identifier | None = (None, None)
        if identifier is not None:
            identified = self._parse_identifier(identifier, f"{path}.identifier")
        if identified is None:
            return None
        display = value.get("display")
        if match is None and identified[1] is None and (is_identifying or not display):
            self._refuse("required", "must have a reference or an identifier", path)
            return None
        kind = match[2] if match else value.get("type")
        return ParsedReference(
            kind if isinstance(kind, str) else None,
            literal,
            match[1] if match else None,
            match[3] if match else None,
            *identified,
            _shorten(display),
        )

    def _parse_contained(
        self, literal: str, path: str, *, is_identifying: bool
    ) -> ParsedReference | None:
        """Parse a reference to a contained resource through to its only identifier."""
        resource = self._contained.get(literal)
        if resource is None:
            self._refuse("not-found", "must name a contained resource", f"{path}.reference")
            return None
        identifiers = resource.get("identifier", [])
        identifiers = identifiers if isinstance(identifiers, list) else [identifiers]
        if is_identifying and len(identifiers) != 1:
            text = "must name a contained resource that has exactly one identifier"
            self._refuse("value", text, f"{path}.reference")
            return None
        identified: Identifier | None = (None, None)
        if len(identifiers) == 1:
            identified = self._parse_identifier(identifiers[0], f"{path}.reference")
        if identified is None:
            return None
        kind = resource.get("resourceType")
        return ParsedReference(
            kind if isinstance(kind, str) else None,
            None,
            None,
            None,
            *identified,
            _shorten(_read_name(resource)),
        )

    def _parse_identifier(self, value: Any, path: str) -> Identifier | None:
        """Return system and value of an Identifier; None if it is invalid."""
        members = value if isinstance(value, dict) else {}
        system, number = members.get("system"), members.get("value")
        if not _is_short(number) or (system is not None and not _is_short(system)):
            text = "must have a value, and a system if any, of at most 200 characters each"
            self._refuse("value", text, path)
            return None
        return system, number

    def _refuse(self, code: str, text: str, path: str) -> None:
        self._issues.append(OutcomeIssue(code, text, path))


def _read_name(resource: Resource) -> str | None:
    """Return the first name of a contained person: its text, or given and family names."""
    names = resource.get("name")
    name = names[0] if isinstance(names, list) and names else None
    if not isinstance(name, dict):
        return None
    if isinstance(name.get("text"), str):
        return str(name["text"])
    given_names = name.get("given")
    parts = [*(given_names if isinstance(given_names, list) else ()), name.get("family")]
    return " ".join(part for part in parts if isinstance(part, str)) or None


def _is_short(text: Any) -> bool:
    return isinstance(text, str) and len(text.strip()) > 0 and len(text) <= _MAX_CHARACTERS


def _shorten(text: Any) -> str | None:
    """Return a display that is short enough to be a name; None for any other."""
    return text if isinstance(text, str) and 0 < len(text) <= _MAX_CHARACTERS else None
