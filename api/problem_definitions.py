"""Every type of problem: status, title, cause and what the client does next."""

from typing import NamedTuple


class ProblemDefinition(NamedTuple):
    """A type of problem, as documented under `/problems/{code}`."""

    status: int
    title: str
    meaning: str
    remedy: str


_RETRY = "Send the same request again after the seconds in `Retry-After`."
PROBLEM_DEFINITIONS: dict[str, ProblemDefinition] = {
    "malformed_json": ProblemDefinition(
        400,
        "Malformed JSON",
        "The body is not valid, unambiguous JSON.",
        "Send one JSON value in UTF-8 without a byte-order mark. `errors` says where reading "
        "stopped, or which rule was broken: a name twice in an object, too deep, not a number.",
    ),
    "malformed_request": ProblemDefinition(
        400,
        "Malformed request",
        "The request could not be parsed.",
        "Send the request as RFC 9110 says; `detail` names the part that could not be read.",
    ),
    "unsupported_grant_type": ProblemDefinition(
        400,
        "Grant type not supported",
        "Only `grant_type=client_credentials` is supported.",
        "Send `grant_type=client_credentials` with the client's secret or its assertion. "
        "Practitioners sign in at the desk.",
    ),
    "invalid_scope": ProblemDefinition(
        400,
        "Invalid scope",
        "The client has none of the requested scopes.",
        "Leave `scope` out to get all scopes of the client, or ask an administrator to give the "
        "client the scope.",
    ),
    "if_match_required": ProblemDefinition(
        400,
        "If-Match required",
        'Send the version to update: `If-Match: W/"1"`.',
        "Read the resource, and send its `ETag` as `If-Match` with the change.",
    ),
    "unsupported_header": ProblemDefinition(
        400,
        "Header not supported",
        "This operation does not support the header that `detail` names, and would ignore it.",
        "Leave the header out. The description of the API lists the headers of each operation.",
    ),
    "missing_token": ProblemDefinition(
        401,
        "Token missing",
        "Send an access token: `Authorization: Bearer <token>`.",
        "Get an access token at `POST /v1/oauth/token` and send it as `Authorization: Bearer "
        "<token>`, or send an API key as `X-API-Key`. Send one of the two, once.",
    ),
    "invalid_token": ProblemDefinition(
        401,
        "Invalid token",
        "The access token is invalid or has expired.",
        "Get another token at `POST /v1/oauth/token`: a token lives for minutes. An API key must "
        "be complete, not revoked and not expired, and its client and organisation active.",
    ),
    "invalid_client": ProblemDefinition(
        401,
        "Client authentication failed",
        "The client could not be authenticated.",
        "Check the client id and its secret, or the key, audience, lifetime and `jti` of its "
        "assertion. The answer does not say which is wrong.",
    ),
    "insufficient_scope": ProblemDefinition(
        403,
        "Insufficient scope",
        "The token lacks the scope that this operation requires.",
        "Ask for a token with the scope in `scope`. If the client itself lacks it, an "
        "administrator adds it to the client.",
    ),
    "not_grantable": ProblemDefinition(
        403,
        "Grant not allowed",
        "You can give only scopes that you have yourself, and no limit above your own.",
        "Leave those scopes out, or ask someone who has them; the operator can give any.",
    ),
    "csrf_failed": ProblemDefinition(
        403,
        "CSRF check failed",
        "The form was not sent from its own page. Open the page again.",
        "Open the page again, with cookies allowed, and send the form from there.",
    ),
    "not_found": ProblemDefinition(
        404,
        "Not found",
        "The resource does not exist, or you may not see it.",
        "Check the id. A resource of another organisation is answered in the same way.",
    ),
    "unknown_address": ProblemDefinition(
        404,
        "Unknown address",
        "There is no such address here; /openapi.json lists the addresses.",
        "Compare the path with `/openapi.json`, for FHIR with `/fhir/metadata`. Paths end without "
        "a slash, and names of collections are plural.",
    ),
    "method_not_allowed": ProblemDefinition(
        405,
        "Method not allowed",
        "The `Allow` header names the allowed methods.",
        "Use one of the methods in `Allow`. Screenings are immutable: they are amended or marked "
        "as entered in error by a POST.",
    ),
    "not_acceptable": ProblemDefinition(
        406,
        "Not acceptable",
        "`Accept` names no available format of this resource.",
        "Send an `Accept` header with one of the formats that `detail` lists, or leave it out.",
    ),
    "request_timeout": ProblemDefinition(
        408,
        "Request timeout",
        "The body did not arrive in time. Send it again.",
        "Send the body without pauses, or a larger one as a batch.",
    ),
    "conflict": ProblemDefinition(
        409,
        "Conflict",
        "The request conflicts with the stored state. `detail` gives the reason.",
        "Read the resource again and decide by its current state.",
    ),
    "legal_hold": ProblemDefinition(
        409,
        "Under legal hold",
        "A legal hold prevents erasure. Release it first.",
        "Release the hold at `DELETE /v1/patients/holds/{hold}`, if its reason is gone.",
    ),
    "version_mismatch": ProblemDefinition(
        412,
        "Version mismatch",
        "The stored version differs from the one in `If-Match`.",
        "Read the resource again, apply the change to it, and send it with the new `ETag`.",
    ),
    "prefetch_missing": ProblemDefinition(
        412,
        "Prefetch missing",
        "The service needs the Patient resource. Send it as the service's prefetch template says.",
        "Send `prefetch.patient` as `GET /cds-services` describes it.",
    ),
    "too_large": ProblemDefinition(
        413,
        "Body too large",
        "The body exceeds the limit of this operation.",
        "Send less in one request. The operator sets the limit that `detail` names.",
    ),
    "unsupported_media_type": ProblemDefinition(
        415,
        "Unsupported media type",
        "Send `application/json` in UTF-8, without content encoding.",
        "Send the `Content-Type` that `detail` names, and no `Content-Encoding`.",
    ),
    "range_not_satisfiable": ProblemDefinition(
        416,
        "Range not satisfiable",
        "The file ends before the range. `Content-Range` gives its size.",
        "Ask for a range within the size in `Content-Range`, or for the whole file.",
    ),
    "incompatible_with_destination": ProblemDefinition(
        422,
        "Incompatible with the destination",
        "The destination cannot accept the message. `errors` point to the places in the message.",
        "Change the destination's options, or send the screening to another destination.",
    ),
    "idempotency_key_reused": ProblemDefinition(
        422,
        "Idempotency key reused",
        "The `Idempotency-Key` was already used with a different body.",
        "Use a new key for a new request, and the same key only to repeat the same request.",
    ),
    "unusable_file": ProblemDefinition(
        422,
        "Unusable file",
        "The file contains no readable row. `detail` says what was expected.",
        "Start from the template (`nociscreen batch --template`); its columns are question ids.",
    ),
    "invalid_request": ProblemDefinition(
        422,
        "Invalid request",
        "The request is well-formed but invalid. `errors` point to each fault.",
        "Correct each place in `errors`: `pointer` says where, `detail` what was expected.",
    ),
    "too_many": ProblemDefinition(
        429,
        "Too many requests",
        "Too many requests in progress; retry after `Retry-After` seconds.",
        f"{_RETRY} `RateLimit` says what is left of each quota.",
    ),
    "quota_exceeded": ProblemDefinition(
        429,
        "Quota exceeded",
        "A quota of your organisation is used up, and `detail` names it. Retry after `Retry-After` "
        "seconds, or ask the operator of the service for more.",
        f"{_RETRY} The operator of the service can raise the quota.",
    ),
    "headers_too_large": ProblemDefinition(
        431,
        "Headers too large",
        "The headers exceed the limit.",
        "Send fewer or shorter headers; put filters with a patient's reference into a body.",
    ),
    "internal": ProblemDefinition(
        500,
        "Internal error",
        "Unexpected server error. Quote the request id when reporting it.",
        "Report `request_id` to the operator: the log holds the reason under it.",
    ),
    "report_stopped": ProblemDefinition(
        503,
        "Report stopped",
        "Rendering the report exceeded the time or memory limit. Retry after `Retry-After` "
        "seconds, or shorten the texts.",
        f"{_RETRY} If it stops again, shorten the note and the letterhead.",
    ),
    "withdrawals_unsettled": ProblemDefinition(
        503,
        "Withdrawals unsettled",
        "The database was restored, and the operator must first settle what had been withdrawn.",
        "Tell the operator, who runs `nociscreen withdrawals apply` and starts the service again.",
    ),
    "unavailable": ProblemDefinition(
        503,
        "Unavailable",
        "The service is not ready; retry after `Retry-After` seconds.",
        f"{_RETRY} `GET /health/ready` says what is missing.",
    ),
}
