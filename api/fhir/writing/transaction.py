"""Carries out a transaction: every entry is stored, or none is."""

import json
import re

from starlette.datastructures import Headers

from api.auth.request_context import RequestContext
from api.fhir.elements import Resource
from api.fhir.parsing.response_to_intake import RESPONSE_TYPE
from api.fhir.resources.operation_outcome import InvalidResource, OutcomeIssue
from api.fhir.writing.batch import build_answer_bundle, build_entry
from api.fhir.writing.bundle_entries import BundleEntry, list_entry_issues, locate_entry
from api.fhir.writing.prepared_write import Publication, ResponseWrite
from api.fhir.writing.responses import (
    prepare_conditional_update,
    prepare_create,
    prepare_update,
)
from api.store.idempotency import IdempotentResponse

_ID = re.compile(r"[0-9a-f-]{36}")
_CONDITION = re.compile(r"identifier=[^&]+")
_SUPPORTED = (
    f"is not supported in a transaction, which takes POST and PUT of {RESPONSE_TYPE}; send other "
    "requests in a batch"
)


def check_supported(entries: list[BundleEntry]) -> None:
    """Raise InvalidResource for each entry that no transaction can carry out."""
    issues = [
        OutcomeIssue("not-supported", _SUPPORTED, locate_entry(entry.position, ".request"))
        for entry in entries
        if not _is_supported(entry)
    ]
    if issues:
        raise InvalidResource("invalid_request", issues)


def prepare_transaction(
    entries: list[BundleEntry], publication: Publication
) -> list[ResponseWrite]:
    """Prepare every entry. Raises InvalidResource with every issue, at its place in the bundle."""
    writes: list[ResponseWrite] = []
    issues: list[OutcomeIssue] = []
    for entry in entries:
        try:
            writes.append(_prepare(entry, publication))
        except InvalidResource as error:
            issues += list_entry_issues(error.issues, entry.position)
    if issues:
        raise InvalidResource("invalid_request", issues)
    return writes


def store_transaction(
    context: RequestContext, entries: list[BundleEntry], writes: list[ResponseWrite]
) -> Resource:
    """Store all entries in one transaction of the store, creates first, and return the answers."""
    pairs = zip(entries, writes, strict=True)
    in_order = sorted(pairs, key=lambda pair: ["POST", "PUT"].index(pair[0].method))
    answers: dict[int, IdempotentResponse] = {}
    with context.transaction() as work:
        for entry, write in in_order:
            try:
                answers[entry.position] = write.store(work)
            except InvalidResource as error:
                issues = list_entry_issues(error.issues, entry.position)
                raise InvalidResource(error.code, issues) from None
    response_entries = [_build_answer(answers[entry.position]) for entry in entries]
    return build_answer_bundle("transaction-response", response_entries)


def _is_supported(entry: BundleEntry) -> bool:
    kind, _, logical_id = entry.path.partition("/")
    if kind != RESPONSE_TYPE:
        return False
    if entry.method == "PUT" and entry.query:
        return not logical_id and _CONDITION.fullmatch(entry.query) is not None
    if entry.method == "POST" or entry.query:
        return not logical_id and not entry.query
    return entry.method == "PUT" and _ID.fullmatch(logical_id) is not None


def _prepare(entry: BundleEntry, publication: Publication) -> ResponseWrite:
    resource = entry.resource or {}
    if entry.method == "POST":
        return prepare_create(resource, publication, entry.headers.get("If-None-Exist"))
    if entry.query:
        return prepare_conditional_update(
            entry.query, resource, publication, entry.headers.get("If-Match")
        )
    logical_id = entry.path.partition("/")[2]
    return prepare_update(logical_id, resource, publication, entry.headers.get("If-Match"))


def _build_answer(answer: IdempotentResponse) -> Resource:
    resource = json.loads(answer.body)
    headers = {"etag": f'W/"{resource["meta"]["versionId"]}"', "location": answer.location or ""}
    return build_entry(answer.status, Headers(headers), resource)
