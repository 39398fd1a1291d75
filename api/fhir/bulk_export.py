"""A Bulk Data export: the resources of some screenings as NDJSON, by type."""

import json
import zlib
from collections.abc import Callable, Iterable
from datetime import datetime

from api.fhir.elements import Resource, ResourceVersion
from api.fhir.resources.observation import build_observation
from api.fhir.resources.provenance import build_provenance
from api.fhir.resources.risk_assessment import build_risk_assessment
from api.fhir.versions import build_response_resource
from api.store.accounts.callers import Caller
from schemas.base import encode_json
from scoring.catalogue import Catalogue

SCREENINGS_PER_CHUNK = 200
EXPORTED_TYPES = ("QuestionnaireResponse", "Observation", "RiskAssessment", "Provenance")
"""Documents are not exported: they are rendered when they are read."""
OUTCOMES = "OperationOutcome"
"""The type of the file that says what of the request was ignored."""
NDJSON = "application/fhir+ndjson"
EXPORT_PATH, STATUS_PATH, FILES_PATH = "/$export", "/$export-status", "/$export-files"
_BUILDERS: dict[str, Callable[[ResourceVersion], Resource]] = {
    "Observation": build_observation,
    "RiskAssessment": build_risk_assessment,
    "Provenance": build_provenance,
}
ExportedFiles = dict[str, list[str]]
"""The lines of each type of resource."""


def build_files(
    versions: Iterable[ResourceVersion],
    rulebooks: Catalogue,
    types: Iterable[str],
    since: datetime | None,
) -> ExportedFiles:
    """Return the lines of each type, of the resources that changed since then."""
    files: ExportedFiles = {name: [] for name in types}
    for version in versions:
        if since is not None and version.changed_at is not None and version.changed_at < since:
            continue
        for name, lines in files.items():
            if name == "QuestionnaireResponse":
                resource = build_response_resource(version, rulebooks)
            else:
                resource = _BUILDERS[name](version)
            lines.append(encode_json(resource).decode())
    return files


def pack_files(files: ExportedFiles) -> bytes:
    """Return the files of a chunk as stored."""
    return zlib.compress(json.dumps(files, ensure_ascii=False).encode(), 1)


def unpack_file(content: bytes, name: str) -> bytes:
    """Return the lines of one type in a stored chunk."""
    files: ExportedFiles = json.loads(zlib.decompress(content))
    return "".join(f"{line}\n" for line in files.get(name, ())).encode()


def may_read_type(caller: Caller, name: str) -> bool:
    """Return whether the caller may read this type of resource."""
    return "screenings:read" in caller.scopes or f"{name}.r" in caller.fhir_scopes
