"""Responds to problems, and to the errors of FastAPI, as an application's exception handlers do."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import cast

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from api.problems import Problem, build_validation_problem

MAX_PATH_LENGTH = 120
"""The part of an unknown path that is compared with the known ones."""
_OPERATION = re.compile(r"/(\$[a-z-]{1,40})$", re.ASCII)
"""The name of a FHIR operation at the end of a path."""


def send_problem(request: Request, problem: Problem) -> JSONResponse:
    """Return the response to a problem, and note its code for the metrics."""
    request.state.problem = problem.code
    return problem.build_response(getattr(request.state, "request_id", None))


async def respond_to_problem(request: Request, problem: Exception) -> JSONResponse:
    """Return the response to a Problem."""
    return send_problem(request, cast("Problem", problem))


async def respond_to_http_error(request: Request, error: Exception) -> Response:
    """Return the response to an error of the framework: unknown path, wrong method.

    OPTIONS of the FHIR API lists the methods; on other paths it is a wrong method.
    """
    http_error = cast("HTTPException", error)
    code = {404: "unknown_address", 405: "method_not_allowed", 413: "too_large"}.get(
        http_error.status_code, "malformed_request"
    )
    headers, detail = http_error.headers, None
    if code == "method_not_allowed":
        methods = _list_allowed_methods(request)
        headers = {"Allow": methods}
        if operation := _OPERATION.search(request.url.path):
            detail = f"`{operation[1]}` is offered by {methods} alone at this address."
        if request.method == "OPTIONS" and request.url.path.startswith("/fhir"):
            return Response(status_code=204, headers=headers)
    if code == "unknown_address":
        detail = _describe_unknown_address(request)
    return send_problem(request, Problem(code, detail, headers=headers))


def _list_allowed_methods(request: Request) -> str:
    """List the methods of every route of the path: the framework names those of the first only."""
    path = getattr(request.scope.get("route"), "path", request.url.path)
    routes = [route for route in iter_route_contexts(request.app.routes) if route.path == path]
    methods = {method for route in routes for method in route.methods or ()}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _describe_unknown_address(request: Request) -> str:
    """Name the declared path nearest to the one that was asked for, and where all are listed."""
    path = request.url.path[:MAX_PATH_LENGTH]
    paths = sorted({route.path or "" for route in iter_route_contexts(request.app.routes)})
    if operation := _OPERATION.search(path):
        return _describe_unknown_operation(operation[1], paths)
    nearest = get_close_matches(path, paths, n=1, cutoff=0.8)
    question = f"; did you mean `{nearest[0]}`?" if nearest else "."
    catalogue = "/fhir/metadata" if path.startswith("/fhir/") else "/openapi.json"
    return f"There is no such address here{question} {catalogue} lists what there is."


def _describe_unknown_operation(name: str, paths: Iterable[str]) -> str:
    """Say where an operation of this name is offered."""
    offered = [f"`{path}`" for path in paths if path.endswith(f"/{name}")]
    if not offered:
        return f"There is no operation `{name}`. /fhir/metadata lists what there is."
    return f"`{name}` is not offered at this address, but at {', '.join(offered)}."


async def respond_to_validation_error(request: Request, error: Exception) -> JSONResponse:
    """Return the response to an invalid body or parameter: every fault, no value."""
    invalid = cast("RequestValidationError", error)
    body_field = getattr(request.scope.get("route"), "body_field", None)
    annotation = body_field and body_field.field_info.annotation
    problem = build_validation_problem(invalid.errors(), invalid.body, annotation)
    return send_problem(request, problem)
