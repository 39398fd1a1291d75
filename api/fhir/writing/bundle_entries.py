"""Reads the entries of a batch or a transaction: which requests they stand for."""

import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

from api.fhir.elements import Resource
from api.fhir.resources.operation_outcome import InvalidResource, OutcomeIssue

MAX_ENTRIES = 100
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9$_.-]*(/[A-Za-z0-9$_.-]+)*")
_CONDITIONS = {
    "ifMatch": "If-Match",
    "ifNoneMatch": "If-None-Match",
    "ifNoneExist": "If-None-Exist",
}
_CONDITIONAL_REFERENCE = re.compile(r"([A-Z][A-Za-z]{1,60})\?identifier=([^&]+)")


class BundleEntry(NamedTuple):
    """One request of a bundle; `path` and `query` are those below the base of the FHIR API."""

    position: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    resource: Resource | None


class RequestBundle(NamedTuple):
    """A batch or a transaction."""

    kind: Literal["batch", "transaction"]
    entries: list[BundleEntry]


def parse_bundle(resource: Resource, fhir_url: str) -> RequestBundle:
    """Return the requests of a bundle in their order. Raises InvalidResource with every issue."""
    kind = resource.get("type")
    if resource.get("resourceType") != "Bundle" or kind not in ("batch", "transaction"):
        _refuse("value", "must be a Bundle of type batch or transaction", "Bundle.type")
    entries = resource.get("entry", [])
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        _refuse("too-costly", f"must be a list of at most {MAX_ENTRIES} entries", "Bundle.entry")
    issues: list[OutcomeIssue] = []
    requests = [
        entry
        for position, element in enumerate(entries)
        if (entry := _parse_entry(position, element, fhir_url, issues)) is not None
    ]
    if issues:
        raise InvalidResource("invalid_request", issues)
    return RequestBundle("batch" if kind == "batch" else "transaction", requests)


def locate_entry(position: int, rest: str = "") -> str:
    """Return the FHIRPath of an entry, or of an element in it."""
    return f"Bundle.entry[{position}]{rest}"


def _refuse(code: str, text: str, path: str) -> None:
    raise InvalidResource("invalid_request", [OutcomeIssue(code, text, path)])


def _parse_entry(
    position: int, element: Any, fhir_url: str, issues: list[OutcomeIssue]
) -> BundleEntry | None:
    request = element.get("request") if isinstance(element, dict) else None
    place = locate_entry(position, ".request")
    if not isinstance(request, dict):
        issues.append(OutcomeIssue("required", "is required, with method and url", place))
        return None
    if request.get("method") not in _METHODS:
        text = f"must be one of {', '.join(_METHODS)}"
        issues.append(OutcomeIssue("value", text, f"{place}.method"))
        return None
    url = request.get("url")
    path, _, query = str(url).removeprefix(f"{fhir_url}/").partition("?")
    if not isinstance(url, str) or not _PATH.fullmatch(path) or not query.isascii():
        text = "must be an address of this server, relative to its base"
        issues.append(OutcomeIssue("value", text, f"{place}.url"))
        return None
    resource = element.get("resource")
    headers = {header: request[name] for name, header in _CONDITIONS.items() if name in request}
    if not all(
        isinstance(it, str) and it.isascii() and it.isprintable() for it in headers.values()
    ):
        issues.append(OutcomeIssue("value", "must have conditions of plain text", place))
        return None
    if resource is not None and not isinstance(resource, dict):
        text = "must be a resource"
        issues.append(OutcomeIssue("structure", text, locate_entry(position, ".resource")))
        return None
    method = request["method"]
    resolved = resolve_references(resource) if resource is not None else None
    return BundleEntry(position, method, path, query, headers, resolved)


def resolve_references(value: Any) -> Any:
    """Replace each conditional reference by identifier by the logical reference that it means."""
    if isinstance(value, list):
        return [resolve_references(item) for item in value]
    if not isinstance(value, dict):
        return value
    literal = value.get("reference")
    match = _CONDITIONAL_REFERENCE.fullmatch(literal) if isinstance(literal, str) else None
    if match is None:
        return {name: resolve_references(member) for name, member in value.items()}
    system, _, number = unquote(match[2]).rpartition("|")
    identifier = {"system": system} if system else {}
    identifier["value"] = number
    other_members = {name: member for name, member in value.items() if name != "reference"}
    return {"type": match[1], "identifier": identifier} | other_members


def list_entry_issues(issues: list[OutcomeIssue], position: int) -> Iterator[OutcomeIssue]:
    """Yield the issues of an entry's resource, at their places in the bundle."""
    for issue in issues:
        _, dot, rest = (issue.expression or "").partition(".")
        yield issue._replace(expression=locate_entry(position, f".resource{dot}{rest}"))
