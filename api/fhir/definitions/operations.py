"""Builds the OperationDefinitions of this server: of its own operation and of standard ones.

Of a standard operation only a part is supported. As R4 requires, its definition here says which
part, and `base` names the standard one.
"""

from typing import NamedTuple

from api.fhir.elements import CanonicalUrls, Resource

_SDC = "http://hl7.org/fhir/uv/sdc/OperationDefinition"
_BULK = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition"
_BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition"
_OUTCOME = "OperationOutcome"


class Parameter(NamedTuple):
    """A parameter of an operation; required if `minimum` is 1."""

    use: str
    name: str
    kind: str
    documentation: str
    minimum: int = 0


class Operation(NamedTuple):
    """An operation: its code, where it is called, and the standard operation that it implements."""

    id: str
    code: str
    resource_type: str | None
    levels: tuple[str, ...]
    title: str
    description: str
    base: str | None
    parameters: tuple[Parameter, ...] = ()


_SENT_RESPONSE = Parameter(
    "in",
    "questionnaire-response",
    "QuestionnaireResponse",
    "The response; required at type level, ignored at instance level.",
)
_DIFFERENCES = Parameter(
    "out", "issues", _OUTCOME, "Differences between the client's scores and the computed ones."
)
_EXPORT_PARAMETERS = (
    Parameter("in", "_outputFormat", "string", "Must name NDJSON, the only format."),
    Parameter("in", "_since", "instant", "Only resources that changed since then."),
    Parameter("in", "_type", "string", "Resource types, separated by commas."),
)
OPERATIONS = (
    Operation(
        "QuestionnaireResponse-score",
        "score",
        "QuestionnaireResponse",
        ("type", "instance"),
        "Score a response",
        "Scores a response without storing it, or returns the score of a stored response.",
        None,
        (
            _SENT_RESPONSE,
            Parameter(
                *("out", "return", "Observation"),
                "Red flags, totals, and one component per criterion.",
                1,
            ),
            _DIFFERENCES,
        ),
    ),
    Operation(
        "QuestionnaireResponse-extract",
        "extract",
        "QuestionnaireResponse",
        ("type", "instance"),
        "Extract the results of a response",
        "Returns a transaction with the response, its results and, at instance level, the report.",
        f"{_SDC}/QuestionnaireResponse-extract",
        (
            _SENT_RESPONSE,
            Parameter("out", "return", "Bundle", "A transaction that can be repeated.", 1),
            _DIFFERENCES,
        ),
    ),
    Operation(
        "Questionnaire-populate",
        "populate",
        "Questionnaire",
        ("instance",),
        "Fill a questionnaire with what is known of a patient",
        "Returns a response in progress with the latest answers to the same version, which is not "
        "stored. Questions of red flags stay open.",
        f"{_SDC}/Questionnaire-populate",
        (
            Parameter("in", "subject", "Reference", "The patient, literal or by identifier.", 1),
            Parameter("out", "response", "QuestionnaireResponse", "The response to complete.", 1),
            Parameter("out", "issues", _OUTCOME, "What to check before the response is sent."),
        ),
    ),
    Operation(
        "Composition-document",
        "document",
        "Composition",
        ("instance",),
        "Return the report as a document",
        "Returns the Composition with all resources it refers to. The document is not stored.",
        "http://hl7.org/fhir/OperationDefinition/Composition-document",
        (Parameter("out", "return", "Bundle", "The document.", 1),),
    ),
    Operation(
        "export",
        "export",
        None,
        ("system",),
        "Export all screenings",
        "Begins an export of the newest version of every screening as NDJSON.",
        f"{_BULK}/export",
        _EXPORT_PARAMETERS,
    ),
    Operation(
        "Patient-export",
        "export",
        "Patient",
        ("type",),
        "Export the screenings of all patients",
        "Exports the same as the system: every resource is of a patient.",
        f"{_BULK}/patient-export",
        _EXPORT_PARAMETERS,
    ),
    Operation(
        "Subscription-status",
        "status",
        "Subscription",
        ("instance",),
        "Read the status of a subscription",
        "Returns the state of a subscription and its number of events.",
        f"{_BACKPORT}/backport-subscription-status",
        (Parameter("out", "return", "Bundle", "A searchset with the status.", 1),),
    ),
)


def build_operation_url(urls: CanonicalUrls, operation: Operation) -> str:
    """Return the canonical URL of an OperationDefinition."""
    return urls.canonical_url(f"OperationDefinition/{operation.id}")


def build_operation_definition(operation: Operation, urls: CanonicalUrls, version: str) -> Resource:
    """Return the OperationDefinition of an operation."""
    types = [operation.resource_type] if operation.resource_type else []
    resource: Resource = {
        "resourceType": "OperationDefinition",
        "id": operation.id,
        "url": build_operation_url(urls, operation),
        "version": version,
        "name": "".join(word[0].upper() + word[1:] for word in operation.id.split("-")),
        "title": operation.title,
        "status": "active",
        "kind": "operation",
        "description": operation.description,
        "affectsState": False,
        "code": operation.code,
        "base": operation.base,
        "resource": types,
        **{level: level in operation.levels for level in ("system", "type", "instance")},
        "parameter": [_build_parameter(it) for it in operation.parameters],
    }
    return {name: value for name, value in resource.items() if value not in (None, [])}


def list_operations(resource_type: str | None) -> list[Operation]:
    """Return the operations on a type of resource, or those of the system."""
    return [it for it in OPERATIONS if it.resource_type == resource_type]


def _build_parameter(parameter: Parameter) -> Resource:
    return {
        "name": parameter.name,
        "use": parameter.use,
        "min": parameter.minimum,
        "max": "1",
        "documentation": parameter.documentation,
        "type": parameter.kind,
    }
